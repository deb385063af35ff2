import struct

import numpy as np
import pytest

from pcqa.io import read_cloud, read_pcd
from pcqa.io.lzf import decompress_lzf
from rankqa_datasets.errors import InputError

POINTS = [[0.5, -1.25, 2.0], [3.0, 0.0, -7.5], [1e6, 2.0, 0.125]]
COLORS = [[10, 20, 30], [255, 0, 128], [0, 255, 1]]
NORMALS = [[1, 0, 0], [0, -0.5, 0.25], [0, 0, 1]]


def header(data, fields="x y z", sizes="4 4 4", types="F F F", points=3, **others):
    entries = {
        "VERSION": ".7",
        "FIELDS": fields,
        "SIZE": sizes,
        "TYPE": types,
        "COUNT": " ".join("1" for _ in types[::2]),
    }
    entries |= {"WIDTH": points, "HEIGHT": 1, "VIEWPOINT": "0 0 0 1 0 0 0", "POINTS": points} | others | {"DATA": data}
    lines = [f"{keyword} {value}" for keyword, value in entries.items() if value is not None]
    return ("# .PCD v.7 - Point Cloud Data file format\n" + "\n".join(lines) + "\n").encode()


def packed(color):
    return color[0] << 16 | color[1] << 8 | color[2]


def literal_lzf(data):
    """LZF of bytes as they are, at most 32 in a run."""
    return b"".join(bytes([len(part) - 1]) + part for part in (data[i : i + 32] for i in range(0, len(data), 32)))


def encode(encoding, color_type):
    """x, a field of three values, padding, y, z, colours and normals, written value by value."""
    start = header(
        encoding,
        "x histogram _ y z rgb normal_x normal_y normal_z _",
        "4 2 1 4 8 4 4 4 4 1",
        f"F I U F F {color_type} F F F U",
        COUNT="1 3 5 1 1 1 1 1 1 2",
    )
    color_code = {"F": "f", "U": "I", "I": "i"}[color_type]
    columns = []
    for index, (x, y, z) in enumerate(POINTS):
        color = packed(COLORS[index])
        if color_type == "F":
            color = struct.unpack("<f", struct.pack("<I", color))[0]
        columns.append([("f", x), *[("h", -9)] * 3, *[("B", 7)] * 5, ("f", y), ("d", z), (color_code, color)])
        columns[-1] += [*(("f", value) for value in NORMALS[index]), ("B", 1), ("B", 2)]
    if encoding == "ascii":
        return start + b"".join(" ".join(repr(value) for _, value in row).encode() + b"\n" for row in columns)
    if encoding == "binary":
        return start + b"".join(struct.pack("<" + code, value) for row in columns for code, value in row)
    # Field after field, and within a field point after point.
    widths, order, place = [1, 3, 5, 1, 1, 1, 1, 1, 1, 2], [], 0
    for width in widths:
        order += [row[place + column] for row in columns for column in range(width)]
        place += width
    body = b"".join(struct.pack("<" + code, value) for code, value in order)
    compressed = literal_lzf(body)
    return start + struct.pack("<II", len(compressed), len(body)) + compressed


@pytest.mark.parametrize("encoding", ["ascii", "binary", "binary_compressed"])
@pytest.mark.parametrize("color_type", ["F", "U", "I"])
def test_fields_by_name_with_packed_colors(tmp_path, encoding, color_type):
    path = tmp_path / "cloud.pcd"
    path.write_bytes(encode(encoding, color_type))
    cloud = read_cloud(path)
    # z is a double.
    assert cloud.points.dtype == np.float64
    np.testing.assert_array_equal(cloud.points, POINTS)
    np.testing.assert_array_equal(cloud.colors, np.float32(COLORS) / np.float32(255))
    np.testing.assert_array_equal(cloud.normals, np.float32(NORMALS))
    assert cloud.source == path


def test_alpha_is_left_out_and_so_is_the_second_name_of_colors(tmp_path):
    # As a float, alpha 255 is a NaN: only its bits count.
    for name, kind in (("rgb", "F"), ("rgba", "U")):
        rows = b"".join(
            struct.pack("<3fI", *point, 0xFF << 24 | packed(c)) for point, c in zip(POINTS, COLORS, strict=True)
        )
        path = tmp_path / "cloud.pcd"
        path.write_bytes(header("binary", f"x y z {name}", "4 4 4 4", f"F F F {kind}") + rows)
        np.testing.assert_array_equal(read_pcd(path).colors, np.float32(COLORS) / np.float32(255))


def test_separate_colors_and_a_short_header(tmp_path):
    path = tmp_path / "cloud.pcd"
    start = header("ascii", "r g b z y x", "1 1 1 4 4 4", "U U U F F F", 1, COUNT=None, POINTS=None, VERSION=None)
    path.write_bytes(start + b"255 0 51 3 2 1\r\n")
    cloud = read_pcd(path)
    assert cloud.points.tolist() == [[1, 2, 3]]
    assert cloud.points.dtype == np.float32
    np.testing.assert_array_equal(cloud.colors, np.float32([[1, 0, 0.2]]))


def test_back_references_of_lzf():
    # 'ab', then from 2 back 4 bytes (overlapping), then from 6 back 2 + 7 + 1 bytes.
    data = np.frombuffer(bytes([1, 97, 98, 2 << 5, 1, 7 << 5, 1, 5]), np.uint8)
    assert decompress_lzf(data, 16).tobytes() == b"ab" * 8


BAD_FILES = {
    "empty file": (b"", "got an empty file"),
    "png": (b"\x89PNG\r\n\x1a\n" + b"\0" * 100, "expected a PCD file, whose header begins with"),
    "no line ends": (b"x" * 200_000, "expected a PCD file, whose header begins with"),
    "header cut": (header("ascii")[:60], "the header ends before its DATA line"),
    "no DATA": (b"VERSION .7\nFIELDS x y z\n", "the header ends before its DATA line"),
    "strange line": (b"VERSION .7\nCOLOR red\n", "header line 'COLOR red' is not PCD"),
    "line twice": (b"VERSION .7\nVERSION .7\n", "the header has two lines VERSION"),
    "no TYPE": (header("ascii", TYPE=None), "the header has no line TYPE"),
    "encoding": (header("zip"), "expected DATA ascii, binary, binary_compressed, got 'zip'"),
    "lengths": (header("ascii", sizes="4 4"), "as many FIELDS as SIZE, TYPE and COUNT entries, got 3, 2, 3 and 3"),
    "type": (header("ascii", types="F F C"), "field 'z' has the unknown type C of size 4"),
    "size": (header("ascii", sizes="4 4 2"), "field 'z' has the unknown type F of size 2"),
    "negative count": (header("ascii", POINTS=-3), "expected a whole number as POINTS, got '-3'"),
    "negative width": (header("ascii", COUNT="1 1 -1"), "expected a whole number as COUNT of field 'z', got '-1'"),
    "wide rows": (header("ascii", COUNT="1 1 100000000"), "expected points of 1 to 65536 bytes, got 400000008"),
    "lying count": (header("ascii", WIDTH=4), "promises POINTS 3, but WIDTH x HEIGHT is 4"),
    "no count": (header("ascii", POINTS=None, WIDTH=None), "neither POINTS nor WIDTH and HEIGHT"),
    "empty cloud": (header("binary", points=0), "expected at least one point, got an empty cloud"),
    "no z": (header("ascii", "x y", "4 4", "F F", COUNT="1 1"), "expected field x, y, z; z missing in: x, y"),
    "x twice": (header("ascii", "x y z x", "4 4 4 4", "F F F F"), "field 'x' occurs twice in: x, y, z, x"),
    "x wide": (header("ascii", COUNT="2 1 1"), "expected single-valued field x, y, z; x missing in: y, z"),
    "truncated": (header("binary") + b"\0" * 35, r"promises 3 points \(at least 36 bytes\), but only 35 bytes follow"),
    "huge claim": (header("binary", points=4 * 10**9) + b"\0" * 1000, "but only 1000 bytes follow"),
    "huge text claim": (header("ascii", points=4 * 10**9) + b"0 0 0\n" * 10, "but only 60 bytes follow"),
    "short text": (header("ascii") + b"0 0 0\n0 0 0.12345\n", "promises 3 points, only 2 follow"),
    "word": (header("ascii") + b"0 0 0\n0 0 zero\n0 0 0\n", "expected 3 numbers in each line, got 'zero' in row 1"),
    "nan": (header("ascii") + b"0 0 0\n0 0 nan\n0 0 0\n", r"points must be finite numbers, got \(0, 0, nan\) in row 1"),
    "half a color": (header("ascii", "x y z r", "4 4 4 1", "F F F U") + b"0 0 0 0\n" * 3, "r, g, b, got only r"),
    "wide color": (header("ascii", "x y z rgb", "4 4 4 8", "F F F F") + b"0 0 0 0\n" * 3, "packed colours of size 4"),
    "nan color": (
        header("ascii", "x y z rgb", "4 4 4 4", "F F F F") + b"0 0 0 nan\n" * 3,
        "field 'rgb' has colours that are not finite numbers; save it as binary",
    ),
    "no sizes": (header("binary_compressed") + b"\0" * 7, "ends before its compressed data"),
    "compressed cut": (
        header("binary_compressed") + struct.pack("<II", 50, 36),
        "promises 50 compressed bytes, but only 0 follow",
    ),
    "compressed count": (
        header("binary_compressed", points=10**9) + struct.pack("<II", 2, 36) + b"\0\0",
        "1000000000 points take 12000000000 bytes, but the compressed data promise 36",
    ),
    "bomb": (
        header("binary_compressed", points=3 * 10**8) + struct.pack("<II", 900, 3_600_000_000) + b"\0" * 900,
        "900 compressed bytes cannot hold 3600000000 bytes",
    ),
    "broken LZF": (
        header("binary_compressed") + struct.pack("<II", 3, 36) + b"\xe0\xff\xff",
        "the compressed data are broken: expected 36 bytes of LZF",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", BAD_FILES)
def test_bad_files_end_in_one_line_that_names_them(tmp_path, case):
    content, message = BAD_FILES[case]
    path = tmp_path / "bad.pcd"
    path.write_bytes(content)
    with pytest.raises(InputError, match=message) as error:
        read_pcd(path)
    assert str(error.value).startswith(f"{path}: ")
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("encoding", ["binary", "binary_compressed"])
def test_every_truncation_of_a_good_file_is_refused(tmp_path, encoding):
    good = encode(encoding, "F")
    path = tmp_path / "cut.pcd"
    for length in range(len(good)):
        path.write_bytes(good[:length])
        with pytest.raises(InputError):
            read_pcd(path)
