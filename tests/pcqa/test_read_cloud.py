import pytest

from pcqa.io import FOLDER_SUFFIXES, READERS, read_cloud
from pcqa.modality import CLOUD
from rankqa_datasets.errors import InputError


def test_folders_are_searched_for_every_format_but_notes():
    assert CLOUD.suffixes == FOLDER_SUFFIXES
    assert set(READERS) - set(FOLDER_SUFFIXES) == {".txt"}


@pytest.mark.parametrize("suffix", READERS)
def test_missing_files_and_folders_end_in_one_line(tmp_path, suffix):
    if suffix in (".las", ".laz"):
        pytest.importorskip("laspy")
    path = tmp_path / f"cloud{suffix}"
    with pytest.raises(InputError, match=r"expected a readable \w+ file, got: No such file or directory") as error:
        read_cloud(path)
    assert str(error.value).startswith(f"{path}: ")
    path.mkdir()
    with pytest.raises(InputError, match=r"expected a readable \w+ file, got: Is a directory"):
        read_cloud(path)


@pytest.mark.parametrize("suffix", [".ply", ".pcd", ".xyz"])
def test_one_point_is_a_cloud(tmp_path, suffix):
    headers = {
        ".ply": "ply\nformat ascii 1.0\nelement vertex 1\n"
        + "".join(f"property float {name}\n" for name in "xyz")
        + "end_header\n",
        ".pcd": "FIELDS x y z\nSIZE 4 4 4\nTYPE F F F\nPOINTS 1\nDATA ascii\n",
        ".xyz": "",
    }
    path = tmp_path / f"cloud{suffix}"
    path.write_text(headers[suffix] + "1 2 3\n")
    assert read_cloud(path).points.tolist() == [[1, 2, 3]]
