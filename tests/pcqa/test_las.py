import struct
import sys

import numpy as np
import pytest

from pcqa.io import read_cloud
from rankqa_datasets.errors import InputError

POINTS = np.array([[500_000.12, 4_000_000.5, -3.25], [500_001.0, 4_000_000.75, 12.0], [499_999.99, 4_000_001.0, 0.0]])
COLORS = np.array([[65535, 0, 13107], [26214, 65535, 0], [0, 1, 300]], np.uint16)


def write(path, colors=COLORS, version="1.2", point_format=2):
    laspy = pytest.importorskip("laspy")
    head = laspy.LasHeader(point_format=point_format, version=version)
    head.scales, head.offsets = [0.01] * 3, [500_000, 4_000_000, 0]
    cloud = laspy.LasData(head)
    cloud.x, cloud.y, cloud.z = POINTS.T
    if colors is not None:
        cloud.red, cloud.green, cloud.blue = colors.T
    cloud.write(str(path))
    return path


@pytest.mark.parametrize("suffix", [".las", ".laz"])
@pytest.mark.parametrize(("version", "point_format"), [("1.2", 2), ("1.2", 3), ("1.4", 7)])
def test_coordinates_and_colors_of_16_bits(tmp_path, suffix, version, point_format):
    cloud = read_cloud(write(tmp_path / f"cloud{suffix}", version=version, point_format=point_format))
    assert cloud.points.dtype == np.float64
    np.testing.assert_allclose(cloud.points, POINTS, atol=1e-6)
    np.testing.assert_array_equal(cloud.colors, COLORS.astype(np.float32) / np.float32(65535))
    assert cloud.normals is None


def test_colors_up_to_255_have_8_bits(tmp_path):
    colors = np.array([[255, 0, 51], [0, 0, 0], [1, 2, 3]], np.uint16)
    cloud = read_cloud(write(tmp_path / "cloud.las", colors))
    np.testing.assert_array_equal(cloud.colors, colors.astype(np.float32) / np.float32(255))


def test_without_colors(tmp_path):
    assert read_cloud(write(tmp_path / "cloud.las", None, point_format=1)).colors is None


def test_without_laspy_one_line_says_what_to_type(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "laspy", None)
    with pytest.raises(
        InputError, match=r"cloud\.las: LAS and LAZ files need laspy; type: pip install 'rankqa\[las\]'"
    ):
        read_cloud(tmp_path / "cloud.las")


@pytest.mark.parametrize("suffix", [".las", ".laz"])
def test_every_truncation_is_refused(tmp_path, suffix):
    good = write(tmp_path / f"good{suffix}").read_bytes()
    path = tmp_path / f"cut{suffix}"
    for length in range(0, len(good), 5):
        path.write_bytes(good[:length])
        with pytest.raises(InputError) as error:
            read_cloud(path)
        assert str(error.value).startswith(f"{path}: ")


@pytest.mark.parametrize(
    ("suffix", "place", "value", "message"),
    [
        (".las", 0, b"PLY ", "expected a LAS file, which begins with 'LASF'"),
        (".las", 107, struct.pack("<I", 2**32 - 1), "promises 4294967295 points .* the file is truncated"),
        (".las", 107, struct.pack("<I", 0), "got an empty cloud"),
        (".las", 100, struct.pack("<I", 2**32 - 1), "4294967295 records in a file of"),
        (".las", 131, struct.pack("<d", float("nan")), "points must be finite"),
        (".laz", 107, struct.pack("<I", 2**32 - 1), "LAS file that laspy can read, got|the header promises"),
    ],
)
def test_a_header_that_lies_is_refused(tmp_path, suffix, place, value, message):
    path = write(tmp_path / f"cloud{suffix}")
    content = bytearray(path.read_bytes())
    content[place : place + len(value)] = value
    path.write_bytes(content)
    with pytest.raises(InputError, match=message) as error:
        read_cloud(path)
    assert "\n" not in str(error.value)


def test_chunks_that_a_laz_file_cannot_hold_are_refused(tmp_path):
    path = write(tmp_path / "cloud.laz")
    content = bytearray(path.read_bytes())
    start = struct.unpack_from("<I", content, 96)[0]
    table = struct.unpack_from("<q", content, start)[0]
    struct.pack_into("<I", content, table + 4, 2**31)
    path.write_bytes(content)
    with pytest.raises(InputError, match="promises 2147483648 compressed chunks, but has only"):
        read_cloud(path)


def test_layers_that_a_laz_file_cannot_hold_are_refused(tmp_path):
    path = write(tmp_path / "cloud.laz", version="1.4", point_format=7)
    content = bytearray(path.read_bytes())
    start = struct.unpack_from("<I", content, 96)[0]
    # After the table's place, the first point, and the number of points.
    struct.pack_into("<I", content, start + 8 + 36 + 4, 2**32 - 1)
    path.write_bytes(content)
    with pytest.raises(InputError, match="a compressed chunk of the file promises more bytes than follow"):
        read_cloud(path)


def test_laz_without_a_decompressor_says_what_to_type(tmp_path, monkeypatch):
    path = write(tmp_path / "cloud.laz")
    monkeypatch.setattr("laspy.LazBackend.detect_available", lambda: ())
    with pytest.raises(InputError, match=r"needs lazrs; type: pip install 'rankqa\[las\]'"):
        read_cloud(path)


@pytest.mark.parametrize("extra", [0, 2])
@pytest.mark.parametrize("point_format", [6, 8])
def test_extra_bytes_and_many_chunks(tmp_path, point_format, extra):
    laspy = pytest.importorskip("laspy")
    head = laspy.LasHeader(point_format=point_format, version="1.4")
    for place in range(extra):
        head.add_extra_dim(laspy.ExtraBytesParams(f"extra{place}", np.uint16))
    cloud = laspy.LasData(head)
    # A chunk has 50,000 points.
    cloud.x = np.arange(120_000) / 100
    cloud.write(str(tmp_path / "cloud.laz"))
    np.testing.assert_allclose(read_cloud(tmp_path / "cloud.laz").points[:, 0], np.arange(120_000) / 100)
