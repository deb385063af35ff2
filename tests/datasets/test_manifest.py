import os
from pathlib import Path

import numpy as np
import pytest

from rankqa_datasets.errors import InputError
from rankqa_datasets.manifest import check_manifest, read_manifest


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    root = tmp_path / "set"
    (root / "images").mkdir(parents=True)
    for name in ("a.png", "b.png", "c (1).png", "ref.png"):
        (root / "images" / name).write_bytes(name.encode())
    (tmp_path / "outside.png").write_bytes(b"outside")
    return root


def write(folder: Path, text: str | bytes) -> Path:
    path = folder / "manifest.csv"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


GOOD = "path,target\nimages/a.png,1\nimages/b.png,2.5\n"


def test_reads_every_column(folder):
    path = write(
        folder,
        "path,target,reference,content,target_std,votes,recipe,split,subset\n"
        "images/a.png,1.5,images/ref.png,house,0.5,30,blur_1,train,x\n"
        "images/c (1).png,-2e1,,garden,,18.0,,test,y\n",
    )
    manifest = read_manifest(path)
    first, second = manifest.stimuli
    assert (first.id, first.target, first.content, first.target_std) == ("images/a.png", 1.5, "house", 0.5)
    assert (first.votes, first.recipe, first.split, first.extra) == (30, "blur_1", "train", {"subset": "x"})
    assert first.reference == folder / "images/ref.png"
    assert first.path == folder / "images/a.png"
    assert second.reference is None
    assert second.recipe is None
    assert second.target_std is None
    assert (second.id, second.votes) == ("images/c (1).png", 18)
    assert manifest.root == folder
    np.testing.assert_array_equal(manifest.targets, [1.5, -20.0])
    assert manifest.targets.dtype == np.float64


def test_defaults_of_content(folder):
    path = write(folder, "path,target,reference\nimages/a.png,1,images/ref.png\nimages/b.png,2,\n")
    # Distortions of one reference belong together even if nobody says so.
    assert [s.content for s in read_manifest(path).stimuli] == ["images/ref.png", "images/b.png"]


@pytest.mark.parametrize(
    "text",
    [
        b"\xef\xbb\xbf" + GOOD.encode(),
        GOOD.replace("\n", "\r\n"),
        "path,target,,\nimages/a.png,1,,\nimages/b.png,2.5,,\n",
        "path,target\nimages/a.png,1,\n\nimages/b.png , 2.5 ,,\n",
        'path,target\n"images/a.png",1\n"images/b.png",2.5',
    ],
    ids=["bom", "crlf", "empty columns", "blanks", "quotes"],
)
def test_tolerates(folder, text):
    manifest = read_manifest(write(folder, text))
    assert [(s.id, s.target) for s in manifest.stimuli] == [("images/a.png", 1.0), ("images/b.png", 2.5)]


def test_root_elsewhere(folder, tmp_path):
    path = tmp_path / "scores.csv"
    path.write_text("path,target\na.png,1\nb.png,2\n")
    manifest = read_manifest(path, root=folder / "images")
    assert manifest.stimuli[0].path == folder / "images/a.png"


HEAD = "path,target\nimages/a.png,1\n"
BAD = {
    "no path column": ("file,target\nimages/a.png,1\nimages/b.png,2\n", 1, "path", "expected a column 'path'"),
    "no target column": ("path,mos\nimages/a.png,1\nimages/b.png,2\n", 1, "target", "got the columns 'path, mos'"),
    "semicolons": ("path;target\nimages/a.png;1\nimages/b.png;2\n", 1, "path", "separated by commas"),
    "misspelt column": ("path,target,refrence\nimages/a.png,1,\nimages/b.png,2,\n", 1, "refrence", "'reference'"),
    "capital column": ("path,target,Split\nimages/a.png,1,\nimages/b.png,2,\n", 1, "Split", "'split'"),
    "column twice": ("path,target,target\nimages/a.png,1,1\nimages/b.png,2,2\n", 1, "target", "twice"),
    "column without name": ("path,,target\nimages/a.png,,1\nimages/b.png,,2\n", 1, "", "column 2 has no name"),
    "target as text": (HEAD + "images/b.png,good\n", 3, "target", "got 'good'"),
    "decimal comma": (HEAD + 'images/b.png,"1,5"\n', 3, "target", "got '1,5'"),
    "underscore": (HEAD + "images/b.png,1_5\n", 3, "target", "got '1_5'"),
    "nan": (HEAD + "images/b.png,NaN\n", 3, "target", "finite"),
    "inf": (HEAD + "images/b.png,-inf\n", 3, "target", "finite"),
    "no target": (HEAD + "images/b.png,\n", 3, "target", "got ''"),
    "no path": (HEAD + ",2\n", 3, "path", "empty cell"),
    "missing file": (HEAD + "images/no.png,2\n", 3, "path", "no such file: 'images/no.png'"),
    "a folder": (HEAD + "images,2\n", 3, "path", "no such file"),
    "name too long": (HEAD + "x" * 5000 + ",2\n", 3, "path", "no such file"),
    "duplicate": (HEAD + "images/a.png,2\n", 3, "path", "already in row 2"),
    "duplicate in other words": (HEAD + "images/../images//a.png,2\n", 3, "path", "already in row 2"),
    "parent": (HEAD + "../outside.png,2\n", 3, "path", "leads out of"),
    "reference outside": (
        "path,target,reference\nimages/a.png,1,../outside.png\nimages/b.png,2,\n",
        2,
        "reference",
        "leads out",
    ),
    "reference missing": ("path,target,reference\nimages/a.png,1,no.png\nimages/b.png,2,\n", 2, "reference", "no such"),
    "negative std": ("path,target,target_std\nimages/a.png,1,-1\nimages/b.png,2,\n", 2, "target_std", "at least 0"),
    "nan std": ("path,target,target_std\nimages/a.png,1,nan\nimages/b.png,2,\n", 2, "target_std", "finite"),
    "no votes": ("path,target,votes\nimages/a.png,1,0\nimages/b.png,2,\n", 2, "votes", "positive whole"),
    "half a vote": ("path,target,votes\nimages/a.png,1,1.5\nimages/b.png,2,\n", 2, "votes", "positive whole"),
    "votes as text": ("path,target,votes\nimages/a.png,1,many\nimages/b.png,2,\n", 2, "votes", "'many'"),
    "split word": ("path,target,split\nimages/a.png,1,train\nimages/b.png,2,dev\n", 3, "split", "got 'dev'"),
    "split gap": ("path,target,split\nimages/a.png,1,train\nimages/b.png,2,\n", 3, "split", "empty cell"),
    "leak": (
        "path,target,content,split\nimages/a.png,1,house,train\nimages/b.png,2,house,test\n",
        3,
        "split",
        "content 'house' is in split 'train' in row 2 and in 'test' here",
    ),
    "two contents of a reference": (
        "path,target,content,reference\nimages/a.png,1,x,images/ref.png\nimages/b.png,2,y,images/ref.png\n",
        3,
        "content",
        "is in content 'x' in row 2",
    ),
    "too few cells": ("path,target,votes\nimages/a.png,1,\nimages/b.png,2\n", 3, "", "expected 3 cells"),
    "too many cells": (HEAD + "images/b.png,2,3\n", 3, "", "expected 2 cells"),
    "one row": (HEAD, 0, "", "at least 2 rows, got 1"),
    "no row": ("path,target\n", 0, "", "at least 2 rows, got 0"),
    "empty": ("", 0, "", "got no row"),
    "unclosed quote": (HEAD + '"images/b.png,2\n', 3, "", "well-formed"),
    "binary": (b"\x89PNG\r\n\x1a\n\0\0", 0, "", "UTF-8"),
    "zero bytes": (b"path,target\0\n", 0, "", "binary"),
    "utf-16": (GOOD.encode("utf-16"), 0, "", "UTF-8"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_input(folder, case):
    text, row, column, message = BAD[case]
    path = write(folder, text)
    problems = check_manifest(path)
    first = next(problem for problem in problems if message in problem.message)
    assert (first.row, first.column) == (row, column)
    with pytest.raises(InputError) as caught:
        read_manifest(path)
    line = str(caught.value)
    assert "\n" not in line
    assert line.startswith(str(path))
    if len(problems) == 1:
        assert message in line
        assert "more" not in line
    else:
        assert f"(and {len(problems) - 1} more: rankqa data check {path})" in line


def test_absolute_path_and_link_lead_out(folder, tmp_path):
    absolute = folder / "images/b.png"
    assert "absolute" in check_manifest(write(folder, f"{HEAD}{absolute},2\n"))[0].message
    (folder / "link.png").symlink_to(tmp_path / "outside.png")
    assert "leads out" in check_manifest(write(folder, HEAD + "link.png,2\n"))[0].message
    (folder / "inner.png").symlink_to(folder / "images/b.png")
    assert check_manifest(write(folder, HEAD + "inner.png,2\n")) == []
    (folder / "circle.png").symlink_to(folder / "circle.png")
    assert "no such file" in check_manifest(write(folder, HEAD + "circle.png,2\n"))[0].message


def test_rows_that_are_no_files(folder):
    path = write(folder, "path,target,note\nlost/a.ply,1,x\n./b.ply,2,y\n")
    manifest = read_manifest(path, files=False)
    assert [s.id for s in manifest.stimuli] == ["lost/a.ply", "./b.ply"]
    # A row lies in the table as a file lies in a folder.
    assert [s.path for s in manifest.stimuli] == [path.resolve() / "lost/a.ply", path.resolve() / "b.ply"]
    for name, message in (("../b.ply", "leads out"), ("lost/../a.ply", "already in row 2"), (".", "no such")):
        bad = write(folder, f"path,target\na.ply,1\n{name},2\n")
        with pytest.raises(InputError, match=message):
            read_manifest(bad, files=False)
    bad = write(folder, "path,target\na.ply,1\na.ply,x\n../b.ply,2\n")
    with pytest.raises(InputError, match=r"\(and 1 more: rankqa data check .* --without-files\)"):
        read_manifest(bad, files=False)


def test_missing_manifest(folder):
    with pytest.raises(InputError, match="cannot read the manifest"):
        read_manifest(folder / "no.csv")
    with pytest.raises(InputError, match="cannot read the manifest"):
        read_manifest(folder)


def test_all_problems_with_their_rows(folder):
    text = "path,target\nimages/a.png,x\n\nimages/no.png,1\nimages/b.png,nan\n"
    path = write(folder, text)
    assert [problem.row for problem in check_manifest(path)] == [2, 4, 5]
    with pytest.raises(InputError, match=r"row 2, column target.*\(and 2 more: rankqa data check"):
        read_manifest(path)


def test_row_numbers_after_a_cell_of_two_lines(folder):
    path = write(folder, 'path,target,note\nimages/a.png,1,"two\nlines"\nimages/b.png,x,\n')
    assert [problem.row for problem in check_manifest(path)] == [4]


def test_check_finds_twins_range_and_damage(folder):
    (folder / "images/b.png").write_bytes(b"a.png")
    path = write(folder, "path,target\nimages/a.png,1\nimages/b.png,2\nimages/c (1).png,9\n")
    assert len(read_manifest(path).stimuli) == 3

    def decode(file: Path) -> None:
        if file.name == "c (1).png":
            raise ValueError("truncated")

    found = [(problem.row, problem.column) for problem in check_manifest(path, low=1, high=5, decode=decode)]
    assert found == [(3, "path"), (4, "target"), (4, "path")]
    assert "same bytes as row 2" in check_manifest(path)[0].message


def test_twins_with_one_target_are_no_problem(folder):
    (folder / "images/b.png").write_bytes(b"a.png")
    assert check_manifest(write(folder, "path,target\nimages/a.png,2\nimages/b.png,2\n")) == []


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_unreadable_file(folder):
    (folder / "images/b.png").write_bytes(b"a.png")
    (folder / "images/b.png").chmod(0)
    problems = check_manifest(write(folder, GOOD))
    assert "cannot read" in problems[0].message


@pytest.mark.parametrize(
    ("name", "rows"), [("biq2021-part/manifest.csv", 1500), ("irpc/geometry.csv", 54), ("irpc/color.csv", 16)]
)
def test_real_manifests(shared_dir, name, rows):
    path = shared_dir / "data" / name
    assert len(read_manifest(path).stimuli) == rows
    assert check_manifest(path, low=0, high=5) == []


def test_files_may_be_absent_where_only_the_table_counts(folder):
    path = write(folder, "path,target,reference\nno/a.ply,1,no/ref.ply\nno/b.ply,2,\n")
    with pytest.raises(InputError, match=r"no such file: 'no/a\.ply'"):
        read_manifest(path)
    stimuli = read_manifest(path, files=False).stimuli
    assert [s.id for s in stimuli] == ["no/a.ply", "no/b.ply"]
    # They lie in the table as a file lies in a folder.
    assert stimuli[0].path == path / "no/a.ply"
    assert stimuli[0].reference == path / "no/ref.ply"
    assert check_manifest(path, files=False) == []
    # All other faults are still found.
    write(folder, "path,target\nno/a.ply,1\nno/a.ply,2\n../c.ply,x\n")
    assert [problem.row for problem in check_manifest(path, files=False)] == [3, 4, 4]


@pytest.mark.parametrize(
    ("rows", "fault"),
    [
        ("images/a.png,1,csiq,lower\nimages/b.png,2,csiq,lower\n", "row 2, column direction: 'lower', expected 'high"),
        (
            "images/a.png,1,tid,higher\nimages/b.png,2,csiq,Lower\n",
            "row 3, column direction: 'Lower' here and 'higher' in 1 other rows, expected 'higher' throughout: "
            "turn the targets of 'csiq' round, or make the manifest with rankqa data prepare, which does it",
        ),
    ],
)
def test_databases_of_opposite_direction(folder, rows, fault):
    path = write(folder, "path,target,database,direction\n" + rows)
    with pytest.raises(InputError) as caught:
        read_manifest(path)
    assert fault in str(caught.value)
    assert "\n" not in str(caught.value)
    write(folder, "path,target,database,direction\nimages/a.png,1,tid,higher\nimages/b.png,2,csiq,\n")
    assert len(read_manifest(path).stimuli) == 2
