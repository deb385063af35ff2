import numpy as np
import pytest

from pcqa.io import read_cloud, read_xyz
from rankqa_datasets.errors import InputError

NORMALS = [[0, -0.6, 0.8], [1, 0, 0]]


def read(folder, text, suffix=".xyz"):
    path = folder / f"cloud{suffix}"
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return read_cloud(path)


@pytest.mark.parametrize("suffix", [".xyz", ".txt", ".XYZ"])
@pytest.mark.parametrize(
    "text",
    [
        "1 2 3\n4.5 -5 6e3\n",
        "1 2 3\r\n4.5 -5 6e3",
        "\n  1\t2   3\n\n4.5 -5 6000 \n\n",
        "1,2,3\n4.5, -5, 6000\n",
        "1; 2; 3\n4.5; -5; 6000\n",
        "# made by hand\n// twice\n1 2 3\n# in between\n4.5 -5 6000\n",
        "x y z\n1 2 3\n4.5 -5 6000\n",
        "//Z,X,Y\n3,1,2\n6000,4.5,-5\n",
        "2\n1 2 3\n4.5 -5 6000\n",
        "1 2 3 17\n4.5 -5 6000 18\n",
        "# x y z a c d e\n1 2 3 9 9 9 9\n4.5 -5 6000 9 9 9 9\n",
    ],
)
def test_coordinates_in_every_dress(tmp_path, text, suffix):
    cloud = read(tmp_path, text, suffix)
    assert cloud.points.tolist() == [[1, 2, 3], [4.5, -5, 6000]]
    assert cloud.points.dtype == np.float64
    assert cloud.colors is None
    assert cloud.normals is None
    assert cloud.source == tmp_path / f"cloud{suffix}"


@pytest.mark.parametrize(
    ("text", "suffix", "colors", "normals"),
    [
        ("0 0 0 255 0 51\n1 1 1 0 0 102\n", ".xyz", [[1, 0, 0.2], [0, 0, 0.4]], None),
        ("0 0 0 1 0 0.2\n1 1 1 0 0 0.4\n", ".xyz", [[1, 0, 0.2], [0, 0, 0.4]], None),
        ("0 0 0 0 0 0\n", ".txt", [[0, 0, 0]], None),
        ("0 0 0 0 -0.6 0.8\n1 1 1 1 0 0\n", ".xyz", None, NORMALS),
        ("0 0 0 1 0 0\n1 1 1 0 0 1\n", ".xyzrgb", [[1, 0, 0], [0, 0, 1]], None),
        ("0 0 0 1 0 0 7\n1 1 1 0 0 1 7\n", ".xyzn", None, [[1, 0, 0], [0, 0, 1]]),
        ("0 0 0 255 0 51 0 -0.6 0.8\n1 1 1 0 0 102 1 0 0\n", ".xyz", [[1, 0, 0.2], [0, 0, 0.4]], NORMALS),
        ("0 0 0 0 -0.6 0.8 255 0 51\n1 1 1 1 0 0 0 0 102\n", ".xyz", [[1, 0, 0.2], [0, 0, 0.4]], NORMALS),
        ("//X Y Z R G B Nx Ny Nz\n0 0 0 1 0 0 0 0 1\n", ".txt", [[1, 0, 0]], [[0, 0, 1]]),
        ("x,y,z,intensity,red,green,blue\n0,0,0,900,255,0,51\n", ".txt", [[1, 0, 0.2]], None),
        ("nx ny nz x y z\n3 0 4 0 0 0\n", ".txt", None, [[3, 0, 4]]),
    ],
)
def test_colors_and_normals(tmp_path, text, suffix, colors, normals):
    cloud = read(tmp_path, text, suffix)
    for expected, found in ((colors, cloud.colors), (normals, cloud.normals)):
        if expected is None:
            assert found is None
        else:
            np.testing.assert_array_equal(found, np.float32(expected))
            assert found.dtype == np.float32


def test_blocks_join_to_the_whole_file(tmp_path, monkeypatch):
    table = np.random.default_rng(0).integers(0, 256, (300, 6))
    monkeypatch.setattr("pcqa.io.text_rows.BLOCK_BYTES", 1000)
    np.savetxt(tmp_path / "cloud.xyz", table, fmt="%d", header="x y z r g b")
    cloud = read_xyz(tmp_path / "cloud.xyz")
    np.testing.assert_array_equal(cloud.points, table[:, :3])
    np.testing.assert_array_equal(cloud.colors, np.float32(table[:, 3:]) / np.float32(255))


BAD_FILES = {
    "empty file": ("", "got an empty file"),
    "blank": ("\n \n", "expected lines of numbers, got none"),
    "comments": ("# x y z\n# nothing\n", "expected lines of numbers, got none"),
    "words": (
        "A cloud of mine\n1 2 3\n",
        "expected a row of numbers, column names with x y z, or a # comment: 'A cloud",
    ),
    "png": (b"\x89PNG\r\n\x1a\n" + b"\0" * 100, "expected a row of numbers"),
    "no line ends": ("1 " * 2_000_000, "expected lines of numbers, got one of more than 1048576 bytes"),
    "two columns": ("1 2\n3 4\n", "2 numbers in a line could mean anything; name the columns"),
    "seven columns": ("1 2 3 4 5 6 7\n", "7 numbers in a line could mean anything; name the columns"),
    "a short row": ("1 2 3\n1 2\n", "expected 3 numbers in each line, got 2 in row 1: '1 2'"),
    "a word": ("1 2 3\n1 2 z\n", "expected 3 numbers in each line, got 'z' in row 1"),
    "an empty cell": ("1,2,3\n1,,3\n", "expected 3 numbers in each line, got '' in row 1"),
    "decimal commas": ("1,5 2,5 3,5\n", "expected 4 numbers in each line, got '5 2' in row 0"),
    "nan": ("1 2 3\n1 nan 3\n", r"points must be finite numbers, got \(1, nan, 3\) in row 1"),
    "huge": ("1 2 1e999\n", "points must be finite numbers"),
    "lying count": ("3\n1 2 3\n4 5 6\n", "the first line promises 3 points, 2 follow"),
    "names": ("x y z r g b\n1 2 3\n", "the header names 6 columns, the first row has 3"),
    "name twice": ("x y z x\n1 2 3 4\n", "column 'x' occurs twice"),
    "half a color": ("x y z r\n1 2 3 4\n", "expected all of the columns r, g, b, got only r"),
    "open meaning": ("0 0 0 0 0 1\n", "columns 4 to 6 have length 1 and no negative value: .* name the columns"),
    "no meaning": ("0 0 0 -9 3 1\n", "columns 4 to 6 from -9 to 3 are neither colours"),
    "two colors": ("0 0 0 9 9 9 9 9 9\n", "columns 4 to 6 and 7 to 9 both look like colors"),
    "bright": ("0 0 0 9 9 999\n", "expected colours from 0 to 255, or from 0 to 1, got 999"),
    "nan color": ("0 0 0 9 9 nan\n", "colors must be finite"),
    "huge normal": ("x y z nx ny nz\n0 0 0 0 0 1e300\n", "normals must be finite"),
}


@pytest.mark.parametrize("case", BAD_FILES)
def test_bad_files_end_in_one_line_that_names_them(tmp_path, case):
    content, message = BAD_FILES[case]
    with pytest.raises(InputError, match=message) as error:
        read(tmp_path, content)
    assert str(error.value).startswith(f"{tmp_path / 'cloud.xyz'}: ")
    assert "\n" not in str(error.value)
