"use strict";
// The second picture is the distorted image or the error map; in the modes of one picture the reference lies over it.
const element = (name) => document.getElementById(name);
const panes = [...document.querySelectorAll(".pane")], distorted = element("shown").src;
let timer = null;

element("over").src = element("reference").src;
function show() {
  const mode = element("mode").value, zoom = element("zoom").value, isError = element("second").value === "error";
  element("pair").classList.toggle("overlaid", mode !== "pair");
  element("pair").classList.toggle("large", Number(zoom) > 1);
  element("slide").hidden = mode !== "slide";
  element("swap").hidden = mode !== "flicker";
  element("over").hidden = mode === "pair";
  element("over").style.clipPath = mode === "slide" ? `inset(0 ${100 - element("border").value}% 0 0)` : "none";
  element("shown").src = isError ? element("error").src : distorted;
  element("shown").alt = isError ? "The error of each pixel" : "The distorted image";
  element("name").textContent = (isError ? "Error of each pixel of" : "Distorted") + (mode === "slide" ? ", right of the border:" : "");
  element("legend").hidden = !isError;
  for (const stack of document.querySelectorAll(".stack")) {
    stack.style.width = zoom === "fit" ? "100%" : `${zoom * element("reference").naturalWidth / window.devicePixelRatio}px`;
  }
  flicker(mode === "flicker");
}
function swap() {
  element("over").hidden = !element("over").hidden;
  if (element("mode").value === "flicker") element("name").textContent = element("over").hidden ? element("shown").alt + ":" : "The reference of";
}
function flicker(on) {
  clearInterval(timer);
  timer = on ? setInterval(swap, 500) : null;
  element("swap").textContent = "Stop";
}
element("swap").addEventListener("click", () => {
  if (timer) { flicker(false); element("swap").textContent = "Swap"; } else swap();
});
for (const name of ["mode", "second", "zoom"]) element(name).addEventListener("change", show);
element("border").addEventListener("input", show);
for (const pane of panes) {
  pane.addEventListener("scroll", () => {
    for (const other of panes) if (other !== pane) { other.scrollLeft = pane.scrollLeft; other.scrollTop = pane.scrollTop; }
  });
}
show();
