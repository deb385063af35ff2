"""`rankqa view REF DIST`: what the pages hold, checked without a browser."""

import base64
import importlib.util
import json
import math
import re
import socket
import urllib.error
import urllib.request
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from imgqa.decode import decode_image
from imgqa.metrics.file_pair import score_files
from pcqa.cloud import Cloud
from pcqa.io import read_cloud
from pcqa.io.ply import write_ply
from pcqa.metrics import score
from rankqa_cli.cloud_comparison import compare_clouds
from rankqa_cli.cloud_page import cloud_page
from rankqa_cli.error_colors import COLORS, ErrorScale
from rankqa_cli.image_page import pixel_errors
from rankqa_cli.loopback import HOST, LivePage
from rankqa_cli.page import number, page_part


def data_of(html: str) -> dict:
    found = re.search(r'<script type="application/json" id="data">(.*?)</script>', html, re.DOTALL)
    assert found is not None
    return json.loads(found[1])


def unpacked(text: str, kind: str) -> np.ndarray:
    return np.frombuffer(base64.b64decode(text), kind)


def assert_self_contained(html: str) -> None:
    without_data = re.sub(r"[A-Za-z0-9+/=]{200,}", "", html)
    assert "http:" not in without_data
    assert "https:" not in without_data
    assert not re.search(r"(src|href)=\"(?!data:)", without_data)
    assert not re.search(r"url\(|@import|fetch\(|XMLHttpRequest|WebSocket|{{", without_data)
    assert "default-src 'none'" in html


@pytest.fixture(scope="module")
def pair(clouds):
    return clouds / "reference_0.ply", clouds / "0_2.ply"


def test_the_page_of_clouds_holds_all_it_needs_and_the_numbers_of_the_metrics(
    rankqa, pair: tuple[Path, Path], tmp_path
):
    out = tmp_path / "out.html"
    result = rankqa("view", *pair, "--metrics", "d1,yuv", "--html", out)
    assert result.exit_code == 0, result.output
    assert f"wrote {out}" in result.stdout
    html = out.read_text()
    assert_self_contained(html)
    expected = score(read_cloud(pair[0]), read_cloud(pair[1]), metrics=["d1", "yuv"])
    for name, one in expected.items():
        assert f"<td>{number(one.score)}</td>" in html
        for key, value in one.values.items():
            numbers = value if isinstance(value, tuple) else [value]
            assert f"{name}.{key}</th><td>{', '.join(map(number, numbers))}</td>" in html


def test_positions_colours_and_errors_arrive_within_their_steps(pair: tuple[Path, Path]):
    comparison = compare_clouds(*pair, ["d1"])
    data = data_of(cloud_page(comparison, *pair))
    files = [read_cloud(path) for path in pair]
    for packed, cloud, other in zip(data["clouds"], files, reversed(files), strict=True):
        order = np.lexsort(cloud.points.T[::-1])
        points, other_points = (one.points.astype(np.float64) for one in (cloud, other))
        grid = unpacked(packed["positions"], "<u2").reshape(-1, 3)
        seen = (np.array(data["low"]) + data["grid"] * grid) * comparison.frame.radius + comparison.frame.center
        step = data["grid"] * comparison.frame.radius
        np.testing.assert_allclose(seen, points[order], atol=0.51 * step)
        assert cloud.colors is not None
        colors = unpacked(packed["colors"], "u1").reshape(-1, 3)
        np.testing.assert_array_equal(colors, np.rint(cloud.colors[order] * 255))
        distances = np.array([np.sqrt(((other_points - point) ** 2).sum(axis=1).min()) for point in points[order]])
        scale = comparison.scales["distance"]
        levels = unpacked(packed["errors"]["distance"], "u1")
        np.testing.assert_allclose(
            levels / 255 * scale.top, np.minimum(distances, scale.top), atol=0.51 / 255 * scale.top
        )
        assert set(packed["errors"]) == {"distance", "color"}


def test_large_clouds_are_thinned_by_a_fixed_seed_and_the_page_says_so(pair: tuple[Path, Path]):
    comparison = compare_clouds(*pair, ["d1"])
    html = cloud_page(comparison, *pair, most_points=100)
    assert html == cloud_page(comparison, *pair, most_points=100)
    assert html.count("300 distinct points, 100 drawn at random") == 2
    assert [cloud["count"] for cloud in data_of(html)["clouds"]] == [100, 100]


def test_equal_clouds_have_no_errors(pair: tuple[Path, Path]):
    html = cloud_page(compare_clouds(pair[0], pair[0], None), pair[0], pair[0])
    assert "Distance to the other cloud (D1): 0 everywhere" in html
    assert "<td>∞</td>" in html


def test_clouds_without_colours_and_far_points(pair: tuple[Path, Path], tmp_path):
    points = read_cloud(pair[1]).points.copy()
    points[7] = 1e20
    far = tmp_path / "<i>far.ply"
    write_ply(Cloud(points), far)
    html = cloud_page(compare_clouds(pair[0], far, None), pair[0], far)
    assert "300 distinct points, 1 far outside not drawn; no colours: drawn by the direction of the surface" in html
    assert "&lt;i&gt;far.ply" in html
    assert "<i>far" not in html
    assert [cloud["count"] for cloud in data_of(html)["clouds"]] == [300, 299]
    assert list(data_of(html)["clouds"][0]["errors"]) == ["distance"]


def test_the_page_of_images_holds_the_pixels_and_an_error_map(rankqa, images, tmp_path):
    reference, distorted, out = images / "reference 0.png", images / "0_2.png", tmp_path / "out.html"
    result = rankqa("view", reference, distorted, "--html", out)
    assert result.exit_code == 0, result.output
    html = out.read_text()
    assert_self_contained(html)
    pixels = []
    for name in ("reference", "shown", "error"):
        found = re.search(rf'<img id="{name}"[^>]* src="data:image/png;base64,([^"]*)"', html)
        assert found is not None
        (tmp_path / "picture.png").write_bytes(base64.b64decode(found[1]))
        pixels.append(decode_image(tmp_path / "picture.png"))
    np.testing.assert_array_equal(pixels[0], decode_image(reference))
    np.testing.assert_array_equal(pixels[1], decode_image(distorted))
    errors = pixel_errors(pixels[0], pixels[1])
    by_hand = [[math.sqrt(sum((int(a) - int(b)) ** 2 for a, b in zip(*two, strict=True)) / 3) for two in
                zip(*rows, strict=True)] for rows in zip(*pixels[:2], strict=True)]  # fmt: skip
    np.testing.assert_allclose(errors, by_hand, rtol=1e-12)
    top = np.quantile(errors, 0.99)
    np.testing.assert_array_equal(pixels[2], COLORS[np.rint(np.minimum(errors / top, 1) * 255).astype(int)])
    expected = score_files(distorted, reference, ["psnr", "ssim"])
    assert expected["psnr"] == pytest.approx(10 * math.log10(255**2 / np.mean(errors**2)))
    for value in expected.values():
        assert f"<td>{number(value)}</td>" in html


def test_the_score_of_a_trained_model_stands_beside(
    rankqa, fails, image_run, images, pair: tuple[Path, Path], tmp_path
):
    reference, distorted, out = images / "reference 0.png", images / "0_2.png", tmp_path / "out.html"
    result = rankqa("view", reference, distorted, "--run", image_run, "--html", out)
    assert result.exit_code == 0, result.output
    scored = rankqa("score", image_run, distorted, reference, "--json")
    values = [row["score"] for row in json.loads(scored.stdout)]
    assert f"<td>{number(values[0])}</td><td>{number(values[1])}</td>" in out.read_text()
    assert "modality 'image'" in fails(2, "view", *pair, "--run", image_run, "--html", out)


def test_a_scale_ends_where_few_larger_errors_are_left():
    scale = ErrorScale.of("e", "u", np.r_[np.linspace(0, 1, 1000), 50.0])
    assert scale.top == pytest.approx(0.99, abs=0.01)
    assert "and more (largest 50)" in scale.legend()
    np.testing.assert_array_equal(scale.steps(np.array([0.0, scale.top, 50.0])), [0, 255, 255])
    # Fewer than one in a hundred has an error.
    assert ErrorScale.of("e", "u", np.r_[np.zeros(1000), 3.0]).top == 3.0


def test_parts_of_pages_are_filled_as_they_are():
    assert "\\1 {{" in page_part(
        "images.html", dict.fromkeys(re.findall(r"{{(\w+)}}", page_part("images.html")), "\\1 {{")
    )


def test_bad_input_is_one_line_and_writes_nothing(fails, pair: tuple[Path, Path], images, tmp_path):
    out, image = tmp_path / "out.html", images / "0_2.png"
    absent, dot = tmp_path / "absent.ply", tmp_path / "dot.xyz"
    assert f"no such file: {absent}" in fails(1, "view", pair[0], absent, "--html", out)
    assert "got the cloud" in fails(2, "view", pair[0], image, "--html", out)
    dot.write_text("1 2 3\n1 2 3\n")
    assert "dot.xyz: expected at least two different points" in fails(1, "view", dot, pair[0], "--html", out)
    assert "expected two files, REF DIST" in fails(2, "view", pair[0], "--html", out)
    assert "is a folder" in fails(1, "view", tmp_path, pair[0], "--html", out)
    note = tmp_path / "note.doc"
    note.write_text("x")
    assert "got suffix '.doc'" in fails(1, "view", note, pair[0], "--html", out)
    assert "ends in .html, got 'out.png'" in fails(2, "view", *pair, "--html", tmp_path / "out.png")
    assert "--views goes with --sheet" in fails(2, "view", *pair, "--html", out, "--views", "axis")
    assert "--port goes with two files" in fails(2, "view", *pair, "--sheet", tmp_path / "a.png", "--port", "1")
    assert "unknown metric 'd9'" in fails(2, "view", *pair, "--metrics", "d9", "--html", out)
    assert "cannot write" in fails(1, "view", *pair, "--metrics", "d1", "--html", tmp_path / "absent" / "out.html")
    small = tmp_path / "small.png"
    Image.new("RGB", (20, 30)).save(small)
    assert "need equal sizes" in fails(1, "view", small, image, "--html", out)
    assert sorted(file.name for file in tmp_path.iterdir()) == ["dot.xyz", "note.doc", "small.png"]


def test_a_cloud_of_one_point_may_be_judged(pair: tuple[Path, Path], tmp_path):
    dot = tmp_path / "dot.xyz"
    dot.write_text("0 0 0\n")
    html = cloud_page(compare_clouds(pair[0], dot, None), pair[0], dot)
    assert [cloud["count"] for cloud in data_of(html)["clouds"]] == [300, 1]


def test_a_taken_port_is_one_line(fails, images):
    with socket.socket() as other:
        other.bind((HOST, 0))
        other.listen()
        port = other.getsockname()[1]
        line = fails(2, "view", images / "reference 0.png", images / "0_2.png", "--port", port)
    assert f"cannot listen on 127.0.0.1:{port}" in line


def test_a_live_page_is_served_on_the_loopback_interface_until_it_stops():
    live = LivePage("<p>ü</p>", 0)
    try:
        assert live.url.startswith("http://127.0.0.1:")
        with urllib.request.urlopen(live.url) as answer:
            assert answer.read().decode() == "<p>ü</p>"
        with pytest.raises(urllib.error.HTTPError) as found:
            urllib.request.urlopen(f"{live.url}/other")
        found.value.close()
    finally:
        live.stop()
    with pytest.raises(urllib.error.URLError):
        urllib.request.urlopen(live.url)


def test_without_viser_the_way_out_is_named(fails, pair: tuple[Path, Path], monkeypatch):
    def absent(name):
        raise ModuleNotFoundError(name)

    monkeypatch.setattr("rankqa_cli.live_clouds.import_module", absent)
    line = fails(2, "view", *pair)
    assert "pip install 'rankqa[view]'" in line
    assert "--html" in line


@pytest.mark.skipif(importlib.util.find_spec("viser") is None, reason="viser, the extra 'view', is not installed")
def test_viser_serves_its_own_client_on_the_loopback_interface(pair: tuple[Path, Path]):
    from rankqa_cli.live_clouds import LiveClouds, _right

    live = LiveClouds(compare_clouds(*pair, ["d1"]), 0)
    try:
        assert live.url.startswith("http://127.0.0.1:")
        with urllib.request.urlopen(live.url) as answer:
            assert b"<html" in answer.read()
        # When the camera looks along -x, its right is -z.
        live._place(_right(math.sqrt(0.5), 0.0, math.sqrt(0.5), 0.0))
        np.testing.assert_allclose(
            [handle.position for handle in live._handles], [[0, 0, 1.75], [0, 0, -0.55]], atol=1e-9
        )
    finally:
        live.stop()
