import struct
import tracemalloc

import numpy as np
import pytest

from pcqa.cloud import Cloud
from pcqa.io import read_cloud, read_ply, write_ply
from rankqa_datasets.errors import InputError

STRUCT_CODES = {
    "char": "b", "uchar": "B", "uint8": "B", "short": "h", "ushort": "H", "int": "i", "int32": "i", "uint": "I",
    "float": "f", "float32": "f", "double": "d", "float64": "d",
}  # fmt: skip


def encode(kind, elements, comments=()):
    """A PLY file written value by value. `elements`: (name, [(type or (count type, item type), name)], rows)."""
    order = {"ascii": None, "binary_little_endian": "<", "binary_big_endian": ">"}[kind]
    lines = ["ply", f"format {kind} 1.0", *comments]
    body = b""
    for name, properties, rows in elements:
        lines.append(f"element {name} {len(rows)}")
        for type_, label in properties:
            words = f"list {type_[0]} {type_[1]}" if isinstance(type_, tuple) else type_
            lines.append(f"property {words} {label}")
        for row in rows:
            values = []
            for (type_, _), value in zip(properties, row, strict=True):
                if isinstance(type_, tuple):
                    values += [(type_[0], len(value)), *((type_[1], item) for item in value)]
                else:
                    values.append((type_, value))
            if order is None:
                body += " ".join(repr(value) for _, value in values).encode() + b"\n"
            else:
                body += b"".join(struct.pack(order + STRUCT_CODES[code], value) for code, value in values)
    return "\n".join([*lines, "end_header\n"]).encode() + body


FACES = ("face", [(("uchar", "int"), "vertex_indices"), ("short", "flag")], [([0, 1, 2], 7), ([0, 1, 2, 2], 8)])
CAMERA = ("camera", [("double", "x"), ("char", "y")], [(1e300, -5)])
SHUFFLED = (
    "vertex",
    [("ushort", "quality"), ("float", "z"), ("uchar", "blue"), ("float", "ny"), ("float", "y"), ("uchar", "red"),
     ("float", "nx"), ("float", "x"), ("uchar", "green"), ("float", "nz"), ("char", "alpha")],
    [(9, 0.5, 30, 0.0, -2.25, 10, 1.0, 1.5, 20, 0.0, -1), (8, -1024.0, 255, 0.5, 3.0, 0, -0.5, 2.0, 128, 0.25, -2)],
)  # fmt: skip


@pytest.mark.parametrize("kind", ["ascii", "binary_little_endian", "binary_big_endian"])
@pytest.mark.parametrize("others", ["none", "before", "after", "around"])
def test_finds_properties_by_name_in_any_order_among_other_elements(tmp_path, kind, others):
    before = [FACES, CAMERA] if others in ("before", "around") else []
    after = [FACES] if others in ("after", "around") else []
    path = tmp_path / "cloud.ply"
    path.write_bytes(encode(kind, [*before, SHUFFLED, *after], ["comment x y z ply", "obj_info end_headers"]))
    cloud = read_ply(path)
    np.testing.assert_array_equal(cloud.points, [[1.5, -2.25, 0.5], [2.0, 3.0, -1024.0]])
    np.testing.assert_array_equal(cloud.normals, np.float32([[1, 0, 0], [-0.5, 0.5, 0.25]]))
    np.testing.assert_array_equal(cloud.colors, np.float32([[10, 20, 30], [0, 128, 255]]) / np.float32(255))
    assert cloud.points.dtype == np.float32
    assert cloud.source == path


@pytest.mark.parametrize("kind", ["ascii", "binary_little_endian", "binary_big_endian"])
@pytest.mark.parametrize(
    ("stored", "dtype", "value"),
    [
        ("float", np.float32, 0.25),
        ("float32", np.float32, 0.25),
        ("short", np.float32, -7),
        ("uint8", np.float32, 200),
        ("double", np.float64, 1 + 2**-40),
        ("float64", np.float64, 1 + 2**-40),
        ("int", np.float64, 2**31 - 1),
        ("int32", np.float64, -(2**31)),
        ("uint", np.float64, 2**32 - 1),
    ],
)
def test_coordinates_keep_their_precision(tmp_path, kind, stored, dtype, value):
    path = tmp_path / "cloud.ply"
    path.write_bytes(encode(kind, [("vertex", [(stored, name) for name in "xyz"], [(value, 1, 2)])]))
    cloud = read_ply(path)
    assert cloud.points.dtype == dtype
    assert cloud.points.tolist() == [[value, 1, 2]]
    assert cloud.colors is None
    assert cloud.normals is None


@pytest.mark.parametrize("kind", ["ascii", "binary_little_endian", "binary_big_endian"])
@pytest.mark.parametrize(
    ("stored", "peak", "prefix"),
    [("uchar", 255, "diffuse_"), ("ushort", 65535, ""), ("float", 1, ""), ("double", 1, ""), ("uchar", 255, "short")],
)
def test_colors_of_every_type_become_shares_of_one(tmp_path, kind, stored, peak, prefix):
    path = tmp_path / "cloud.ply"
    names = "rgb" if prefix == "short" else [prefix + name for name in ("red", "green", "blue")]
    properties = [("float", name) for name in "xyz"] + [(stored, name) for name in names]
    path.write_bytes(encode(kind, [("vertex", properties, [(0.0, 0.0, 0.0, 0, peak, peak)])]))
    assert read_ply(path).colors.tolist() == [[0, 1, 1]]


@pytest.mark.parametrize("kind", ["ascii", "binary_little_endian", "binary_big_endian"])
@pytest.mark.parametrize("count_type", ["uchar", "short", "uint"])
def test_lists_in_vertices_are_skipped(tmp_path, kind, count_type):
    name, properties, rows = SHUFFLED
    neighbors, weights = ((count_type, "ushort"), "neighbors"), ((count_type, "double"), "weights")
    rows = [(lists[0], *row, lists[1]) for row, lists in zip(rows, [([], [0.5]), ([300, 4, 5], [])], strict=True)]
    path = tmp_path / "cloud.ply"
    path.write_bytes(encode(kind, [FACES, (name, [neighbors, *properties, weights], rows), CAMERA]))
    cloud = read_ply(path)
    np.testing.assert_array_equal(cloud.points, [[1.5, -2.25, 0.5], [2.0, 3.0, -1024.0]])
    np.testing.assert_array_equal(cloud.colors, np.float32([[10, 20, 30], [0, 128, 255]]) / np.float32(255))
    np.testing.assert_array_equal(cloud.normals, np.float32([[1, 0, 0], [-0.5, 0.5, 0.25]]))


def test_of_a_mesh_the_vertices_are_read(tmp_path):
    path = tmp_path / "mesh.ply"
    path.write_bytes(encode("ascii", [("vertex", [("float", name) for name in "xyz"], [(0, 1, 2)] * 3), FACES]))
    assert read_ply(path).points.tolist() == [[0, 1, 2]] * 3


def test_blocks_join_to_the_whole_file(tmp_path, monkeypatch):
    monkeypatch.setattr("pcqa.io.ply_body.BLOCK_ROWS", 7)
    monkeypatch.setattr("pcqa.io.text_rows.BLOCK_BYTES", 101)
    generator = np.random.default_rng(0)
    colors = generator.integers(0, 256, (50, 3)).astype(np.float32) / np.float32(255)
    cloud = Cloud(generator.normal(size=(50, 3)), colors)
    for ascii in (False, True):
        write_ply(cloud, tmp_path / "cloud.ply", ascii=ascii)
        read = read_ply(tmp_path / "cloud.ply")
        np.testing.assert_array_equal(read.points, cloud.points)
        np.testing.assert_array_equal(read.colors, colors)


def test_windows_line_ends_and_blank_lines(tmp_path):
    path = tmp_path / "cloud.ply"
    path.write_bytes(encode("ascii", [SHUFFLED]).replace(b"\n", b"\r\n") + b"\r\n\r\n")
    assert read_ply(path).num_points == 2


@pytest.mark.parametrize("ascii", [False, True])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_what_is_written_reads_back_bit_for_bit(tmp_path, ascii, dtype):
    generator = np.random.default_rng(0)
    points = generator.normal(size=(300, 3)).astype(dtype) * 10.0 ** generator.integers(-20, 20, (300, 1))
    colors = generator.integers(0, 256, (300, 3)).astype(np.float32) / np.float32(255)
    cloud = Cloud(points.astype(dtype), colors, generator.normal(size=(300, 3)).astype(np.float32))
    write_ply(cloud, tmp_path / "cloud.ply", ascii=ascii)
    again = read_cloud(tmp_path / "cloud.ply")
    for name in ("points", "colors", "normals"):
        written, read = getattr(cloud, name), getattr(again, name)
        assert read.dtype == written.dtype
        np.testing.assert_array_equal(read, written)
    assert [path.name for path in tmp_path.iterdir()] == ["cloud.ply"]


def test_writes_without_colors_and_rounds_colors(tmp_path):
    points = np.zeros((1, 3), np.float32)
    write_ply(Cloud(points), tmp_path / "bare.ply")
    assert read_ply(tmp_path / "bare.ply").colors is None
    write_ply(Cloud(points, np.float32([[0.5, 0.499, 1]])), tmp_path / "color.ply", ascii=True)
    assert (tmp_path / "color.ply").read_text().splitlines()[-1] == "0 0 0 128 127 255"


def test_trimesh_reads_what_is_written(tmp_path):
    trimesh = pytest.importorskip("trimesh")
    points = np.random.default_rng(0).normal(size=(50, 3)).astype(np.float32)
    colors = np.random.default_rng(1).integers(0, 256, (50, 3))
    write_ply(Cloud(points, colors.astype(np.float32) / np.float32(255)), tmp_path / "cloud.ply")
    read = trimesh.load(tmp_path / "cloud.ply", process=False)
    np.testing.assert_array_equal(np.asarray(read.vertices, np.float32), points)
    np.testing.assert_array_equal(np.asarray(read.colors)[:, :3], colors)


def test_a_failed_write_leaves_the_old_file_and_no_other(tmp_path, monkeypatch):
    path = tmp_path / "cloud.ply"
    path.write_text("old")

    def full(_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(OSError, match=r"No space left on device: .*cloud\.ply'"):
        write_ply(Cloud(np.zeros((1, 3), np.float32)), path)
    assert path.read_text() == "old"
    assert [entry.name for entry in tmp_path.iterdir()] == ["cloud.ply"]


def test_the_real_clouds_are_read(shared_dir):
    cloud = read_cloud(shared_dir / "data/irpc/color/loot_PCL_L.ply")
    assert cloud.points.dtype == np.float32
    assert cloud.colors is not None
    reference = read_cloud(shared_dir / "golden/pointcloud/torus_ref.ply")
    assert reference.num_points == 5458
    np.testing.assert_allclose(np.linalg.norm(reference.normals, axis=1), 1, rtol=1e-5)


XYZ = "property float x\nproperty float y\nproperty float z\n"


def header(kind="ascii", vertices=2, properties=XYZ, before=""):
    return f"ply\nformat {kind} 1.0\n{before}element vertex {vertices}\n{properties}end_header\n".encode()


LITTLE = "binary_little_endian"
BAD_FILES = {
    "not a ply": (b"\x89PNG\r\n\x1a\n" + b"\0" * 100, "expected a PLY file, whose first line is 'ply'"),
    "empty file": (b"", "expected a PLY file"),
    "no line ends": (b"ply" + b"x" * 100, "expected a PLY file"),
    "truncated header": (header()[:40], "the header ends before 'end_header'; the file is truncated"),
    "header cut at a line": (b"ply\nformat ascii 1.0\n", "the header ends before 'end_header'"),
    "endless header": (
        b"ply\n" + (b"comment" + b" x" * 500 + b"\n") * 2000,
        "expected 'end_header' within the first 1048576 bytes",
    ),
    "no format": (b"ply\nelement vertex 0\nend_header\n", "the header has no format line"),
    "late format": (b"ply\nelement vertex 1\nproperty float x\n", "the format line must come before"),
    "other version": (b"ply\nformat ascii 2.0\n", "header line 2 is not PLY: 'format ascii 2.0'"),
    "unknown type": (header(properties="property half x\n"), "property type 'half' is unknown, expected one of char"),
    "float list count": (header(properties="property list float int x\n"), "expected an integer type"),
    "property first": (b"ply\nformat ascii 1.0\nproperty float x\n", "header line 3 is not PLY"),
    "negative count": (header(vertices=-1), "header line 3 is not PLY: 'element vertex -1'"),
    "no vertex": (b"ply\nformat ascii 1.0\nelement face 0\nend_header\n", "expected an element 'vertex', got face"),
    "no element": (b"ply\nformat ascii 1.0\nend_header\n", "expected an element 'vertex', got no element"),
    "no z": (
        header(properties="property float x\nproperty float y\n") + b"0 0\n0 0\n",
        "expected vertex property x, y, z; z missing in: x, y",
    ),
    "no property, many rows": (header(LITTLE, 4_000_000_000, ""), "x, y, z missing in: none"),
    "x twice": (header(properties=XYZ + "property float x\n"), "vertex property 'x' occurs twice in: x, y, z, x"),
    "empty cloud": (header(vertices=0), "expected at least one vertex, got an empty cloud"),
    "endless vertex list": (
        header(LITTLE, 1, XYZ + "property list uchar int i\n") + b"\0" * 12 + b"\xff" * 20,
        "the file ends inside element 'vertex'",
    ),
    "text list of letters": (
        header(vertices=1, properties=XYZ + "property list uchar int i\n") + b"0 0 0 many 1\n",
        "expected the length of list 'i', got 'many'",
    ),
    "text list too short": (
        header(vertices=1, properties="property list uchar int i\n" + XYZ) + b"4 0 0 0 0\n",
        "expected 3 numbers in each line, got 'nothing' in row 0",
    ),
    "huge line": (header(vertices=2) + b"0 " * 1_500_000, "got one of more than 1048576 bytes"),
    "truncated body": (
        header(LITTLE) + b"\0" * 23,
        r"promises 2 rows of element 'vertex' \(at least 24 bytes\), but only 23 bytes follow; the file is truncated",
    ),
    "huge claim": (header(LITTLE, 4_000_000_000) + b"\0" * 1000, "promises 4000000000 rows .* but only 1000 bytes"),
    "huge text claim": (header(vertices=4_000_000_000) + b"0 0 0\n" * 100, "promises 4000000000 rows"),
    "huge face claim": (
        header(LITTLE, 1, before="element face 4000000000\nproperty list uchar int i\n") + b"\0" * 1000,
        "promises 4000000000 rows of element 'face'",
    ),
    "endless list": (
        header(LITTLE, 1, before="element face 2\nproperty list uint double i\n") + b"\xff" * 100,
        "the file ends inside element 'face'",
    ),
    "negative list": (
        header(LITTLE, 1, before="element face 1\nproperty list int double i\n") + b"\xff" * 100,
        "a list in element 'face' has a negative length",
    ),
    "short text": (header(vertices=3) + b"0 0 0\n0 0 0.12345678\n", "promises 3 points, only 2 follow"),
    "empty text": (header(vertices=1) + b"\n" * 100, "promises 1 points, only 0 follow"),
    "text before": (
        header(before="element face 90\nproperty int i\n") + b"0 0 0\n" * 9,
        "promises 2 points, only 0 follow",
    ),
    "words": (header() + b"0 0 0\n0 zero 0\n", "expected 3 numbers in each line, got 'zero' in row 1"),
    "short row": (header() + b"0 0 0\n0 0\n", "expected 3 numbers in each line, got 2 in row 1: '0 0'"),
    "short rows": (header() + b"0 0\n0 0\n\n\n", "expected 3 numbers in each line, got 2 in row 0: '0 0'"),
    "nan": (header() + b"0 0 0\n0 nan 0\n", r"points must be finite numbers, got \(0, nan, 0\) in row 1"),
    "binary inf": (
        header(LITTLE, 1) + struct.pack("<3f", 0, 0, float("inf")),
        r"points must be finite numbers, got \(0, 0, inf\) in row 0",
    ),
    "half a color": (
        header(properties=XYZ + "property uchar red\n") + b"0 0 0 1\n" * 2,
        "red, green, blue, got only red",
    ),
    "half a normal": (header(properties=XYZ + "property float nx\n") + b"0 0 0 1\n" * 2, "nx, ny, nz, got only nx"),
    "int color": (
        header(vertices=1, properties=XYZ + "".join(f"property int {c}\n" for c in ("red", "green", "blue")))
        + b"0 0 0 1 1 1\n",
        "expected colours of type uchar, ushort, float or double, all the same, got i4",
    ),
    "float color to 255": (
        header(vertices=1, properties=XYZ + "".join(f"property float {c}\n" for c in ("red", "green", "blue")))
        + b"0 0 0 1 255 1\n",
        r"colors must lie in \[0, 1\], got 1 to 255",
    ),
}


@pytest.mark.parametrize("case", BAD_FILES)
def test_bad_files_end_in_one_line_that_names_them(tmp_path, case):
    content, message = BAD_FILES[case]
    path = tmp_path / "bad.ply"
    path.write_bytes(content)
    tracemalloc.start()
    with pytest.raises(InputError, match=message) as error:
        read_ply(path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert str(error.value).startswith(f"{path}: ")
    assert "\n" not in str(error.value)
    assert peak < 20_000_000


def test_every_truncation_of_a_good_file_is_refused(tmp_path):
    good = encode("binary_big_endian", [FACES, SHUFFLED])
    path = tmp_path / "cut.ply"
    for length in range(len(good)):
        path.write_bytes(good[:length])
        with pytest.raises(InputError):
            read_ply(path)


def test_missing_files_folders_and_other_suffixes(tmp_path):
    with pytest.raises(InputError, match=r"none\.ply: expected a readable PLY file, got: No such file or directory"):
        read_cloud(tmp_path / "none.ply")
    (tmp_path / "folder.ply").mkdir()
    with pytest.raises(InputError, match="Is a directory"):
        read_cloud(tmp_path / "folder.ply")
    with pytest.raises(InputError, match=r"expected a cloud file \(\.ply, .*\.laz\), got suffix '\.png'"):
        read_cloud(tmp_path / "view.png")
