"use strict";
// Two canvases, one camera. Positions are 16-bit steps of one grid for both clouds, in radii of the reference's frame
// from its centre; errors are 8-bit steps of the legend.
const data = JSON.parse(document.getElementById("data").textContent);
const element = (name) => document.getElementById(name);
const FOCAL = 2.2, START = { yaw: 0.5, pitch: 0.25, distance: 3, target: [0, 0, 0] };
const VERTEX = `
attribute vec3 position, color; attribute float error;
uniform vec3 low, target; uniform vec2 focal; uniform float grid, distance, size; uniform mat3 turn;
varying vec3 own; varying float level;
void main() {
  vec3 seen = turn * (low + grid * position - target);
  float depth = distance - seen.z;
  gl_Position = vec4(focal * seen.xy, depth - 0.1 * distance, depth);
  gl_PointSize = max(1.0, size / depth);
  own = color; level = error;
}`;
const FRAGMENT = `
precision mediump float;
varying vec3 own; varying float level; uniform float coloring; uniform sampler2D colors;
void main() {
  gl_FragColor = vec4(coloring > 0.5 ? texture2D(colors, vec2((level * 255.0 + 0.5) / 256.0, 0.5)).rgb : own, 1.0);
}`;
const UPS = { y: [[1, 0, 0], [0, 1, 0], [0, 0, 1]], z: [[1, 0, 0], [0, 0, 1], [0, -1, 0]], x: [[0, -1, 0], [1, 0, 0], [0, 0, 1]] };
let camera = structuredClone(START), waiting = false;

const bytes = (text) => Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
const product = (a, b) => a.map((row) => [0, 1, 2].map((j) => row[0] * b[0][j] + row[1] * b[1][j] + row[2] * b[2][j]));

function turned() {
  const [a, b, c, d] = [Math.cos(camera.yaw), Math.sin(camera.yaw), Math.cos(camera.pitch), Math.sin(camera.pitch)];
  return product(product([[1, 0, 0], [0, c, -d], [0, d, c]], [[a, 0, -b], [0, 1, 0], [b, 0, a]]), UPS[element("up").value]);
}

function makeView(canvas, cloud) {
  const gl = canvas.getContext("webgl", { alpha: false });
  if (!gl) return null;
  const program = gl.createProgram();
  for (const [kind, text] of [[gl.VERTEX_SHADER, VERTEX], [gl.FRAGMENT_SHADER, FRAGMENT]]) {
    const shader = gl.createShader(kind);
    gl.shaderSource(shader, text);
    gl.compileShader(shader);
    gl.attachShader(program, shader);
  }
  gl.linkProgram(program);
  gl.useProgram(program);
  const filled = (content) => {
    const buffer = gl.createBuffer();
    gl.bindBuffer(gl.ARRAY_BUFFER, buffer);
    gl.bufferData(gl.ARRAY_BUFFER, content, gl.STATIC_DRAW);
    return buffer;
  };
  const attribute = (name, buffer, size, type, normalized) => {
    const place = gl.getAttribLocation(program, name);
    gl.bindBuffer(gl.ARRAY_BUFFER, buffer);
    gl.enableVertexAttribArray(place);
    gl.vertexAttribPointer(place, size, type, normalized, 0, 0);
  };
  attribute("position", filled(bytes(cloud.positions)), 3, gl.UNSIGNED_SHORT, false);
  attribute("color", filled(bytes(cloud.colors)), 3, gl.UNSIGNED_BYTE, true);
  const errors = Object.fromEntries(Object.entries(cloud.errors).map(([name, text]) => [name, filled(bytes(text))]));
  gl.bindTexture(gl.TEXTURE_2D, gl.createTexture());
  gl.texImage2D(gl.TEXTURE_2D, 0, gl.RGB, 256, 1, 0, gl.RGB, gl.UNSIGNED_BYTE, bytes(data.colors));
  for (const side of [gl.TEXTURE_MIN_FILTER, gl.TEXTURE_MAG_FILTER]) gl.texParameteri(gl.TEXTURE_2D, side, gl.NEAREST);
  gl.enable(gl.DEPTH_TEST);
  const place = (name) => gl.getUniformLocation(program, name);
  gl.uniform3fv(place("low"), data.low);
  gl.uniform1f(place("grid"), data.grid);
  return () => {
    const sharpness = Math.min(window.devicePixelRatio || 1, 2);
    canvas.width = Math.round(canvas.clientWidth * sharpness);
    canvas.height = Math.round(canvas.clientHeight * sharpness);
    const least = Math.min(canvas.width, canvas.height), coloring = element("coloring").value;
    gl.viewport(0, 0, canvas.width, canvas.height);
    const paper = getComputedStyle(canvas).backgroundColor.match(/[\d.]+/g).map((value) => value / 255);
    gl.clearColor(paper[0], paper[1], paper[2], 1);
    gl.clear(gl.COLOR_BUFFER_BIT | gl.DEPTH_BUFFER_BIT);
    const turn = turned();
    gl.uniformMatrix3fv(place("turn"), false, [0, 1, 2].flatMap((j) => turn.map((row) => row[j])));
    gl.uniform3fv(place("target"), camera.target);
    gl.uniform2f(place("focal"), FOCAL * least / canvas.width, FOCAL * least / canvas.height);
    gl.uniform1f(place("distance"), camera.distance);
    gl.uniform1f(place("size"), data.spacing * 2 ** element("size").value * FOCAL * least / 2);
    gl.uniform1f(place("coloring"), coloring ? 1 : 0);
    attribute("error", errors[coloring || Object.keys(errors)[0]], 1, gl.UNSIGNED_BYTE, true);
    gl.drawArrays(gl.POINTS, 0, cloud.count);
  };
}

const canvases = [...document.querySelectorAll("canvas")];
const views = canvases.map((canvas, index) => makeView(canvas, data.clouds[index]));
element("problem").hidden = views.every(Boolean);

function draw() {
  if (waiting) return;
  waiting = true;
  requestAnimationFrame(() => { waiting = false; views.forEach((view) => view && view()); });
}
function turn(x, y) {
  camera.yaw += x;
  camera.pitch = Math.max(-1.57, Math.min(1.57, camera.pitch + y));
  draw();
}
function shift(x, y) {
  const [right, up] = turned();
  camera.target = camera.target.map((value, i) => value - camera.distance * (x * right[i] - y * up[i]) / FOCAL);
  draw();
}
function zoom(factor) {
  camera.distance = Math.max(0.02, Math.min(100, camera.distance * factor));
  draw();
}
const reset = () => { camera = structuredClone(START); draw(); };

for (const canvas of canvases) {
  const fingers = new Map();
  const spread = () => { const [a, b] = [...fingers.values()]; return Math.hypot(a.x - b.x, a.y - b.y); };
  canvas.addEventListener("pointerdown", (event) => {
    canvas.setPointerCapture(event.pointerId);
    fingers.set(event.pointerId, { x: event.clientX, y: event.clientY });
  });
  for (const end of ["pointerup", "pointercancel"]) canvas.addEventListener(end, (event) => fingers.delete(event.pointerId));
  canvas.addEventListener("pointermove", (event) => {
    const before = fingers.get(event.pointerId);
    if (!before) return;
    const two = fingers.size === 2, apart = two && spread(), least = Math.min(canvas.clientWidth, canvas.clientHeight);
    const [x, y] = [event.clientX - before.x, event.clientY - before.y];
    fingers.set(event.pointerId, { x: event.clientX, y: event.clientY });
    if (two) { zoom(apart / Math.max(1, spread())); shift(x / least, y / least); }
    else if (event.shiftKey || event.buttons === 2) shift(2 * x / least, 2 * y / least);
    else turn(-5 * x / least, 5 * y / least);
  });
  canvas.addEventListener("contextmenu", (event) => event.preventDefault());
  canvas.addEventListener("wheel", (event) => { event.preventDefault(); zoom(1.001 ** event.deltaY); }, { passive: false });
  canvas.addEventListener("keydown", (event) => {
    const way = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[event.key];
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (way) event.shiftKey ? shift(0.1 * way[0], 0.1 * way[1]) : turn(-0.1 * way[0], 0.1 * way[1]);
    else if (event.key === "+" || event.key === "=") zoom(0.9);
    else if (event.key === "-") zoom(1 / 0.9);
    else if (event.key === "0") reset();
    else return;
    event.preventDefault();
  });
}
function recolor() {
  for (const legend of document.querySelectorAll("[data-legend]")) legend.hidden = legend.dataset.legend !== element("coloring").value;
  draw();
}
element("coloring").addEventListener("change", recolor);
element("size").addEventListener("input", draw);
element("up").addEventListener("change", reset);
element("reset").addEventListener("click", reset);
window.addEventListener("resize", draw);
window.matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);
recolor();
