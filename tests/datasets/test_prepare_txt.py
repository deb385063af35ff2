from pathlib import Path

import numpy as np
import pytest

from rankqa_datasets.errors import InputError
from rankqa_datasets.manifest import read_manifest
from rankqa_datasets.prepare import prepare
from rankqa_datasets.prepare_txt import least_std_of_whole_votes
from rankqa_datasets.stimulus import Stimulus

# The first lines of the release of TID2013, MOS and mos_std.txt, letter case included.
TID2013 = {
    "I01_01_1.bmp": ("5.51429", "0.13013"),
    "i01_01_2.bmp": ("5.56757", "0.16008"),
    "I02_11_1.BMP": ("5.91667", "0.15151"),
    "i25_24_5.bmp": ("0.45946", "0.12345"),
}


def make(root: Path, *names: str) -> None:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(name.encode())


def read(root: Path) -> dict[str, Stimulus]:
    return {stimulus.id: stimulus for stimulus in read_manifest(root / "manifest.csv").stimuli}


@pytest.fixture
def tid(tmp_path: Path) -> Path:
    root = tmp_path / "tid2013"
    # On the disk, letter case is not that of the list, and the 25th reference is not like the others.
    make(root, *(f"distorted_images/{name.lower()}" for name in TID2013))
    make(root, "reference_images/I01.BMP", "reference_images/I02.BMP", "reference_images/i25.bmp")
    (root / "mos_with_names.txt").write_text("".join(f"{mos} {name}\r\n" for name, (mos, _) in TID2013.items()))
    (root / "mos_std.txt").write_text("".join(f"{std}\r\n" for _, std in TID2013.values()))
    return root


def test_tid2013_finds_files_in_any_letter_case(tid):
    made = prepare("tid2013", tid)
    rows = read(tid)
    assert [row.target for row in rows.values()] == [5.51429, 5.56757, 5.91667, 0.45946]
    assert [*rows] == [f"distorted_images/{name.lower()}" for name in TID2013]
    last = rows["distorted_images/i25_24_5.bmp"]
    assert (last.content, last.recipe) == ("I25", "sparse-sampling_5")
    assert last.reference == tid / "reference_images/i25.bmp"
    assert [row.recipe for row in rows.values()][:3] == ["gaussian-noise_1", "gaussian-noise_2", "jpeg2000_1"]
    assert made.notes[1:] == ("expected 3000 stimuli, got 4", "expected 25 contents, got 3")


def test_standard_errors_are_not_taken_for_spreads(tid):
    made = prepare("tid2013", tid)
    assert made.notes[0] == "mos_std.txt holds standard errors, not spreads of opinions: target_std stays empty"
    assert all(row.target_std is None for row in read(tid).values())


def test_spreads_are_taken(tid):
    (tid / "mos_std.txt").write_text("0.77\n0.95\n0.9\n0.7\n")
    prepare("tid2013", tid)
    assert [row.target_std for row in read(tid).values()] == [0.77, 0.95, 0.9, 0.7]


def test_without_spreads(tid):
    (tid / "mos_std.txt").unlink()
    assert prepare("tid2013", tid).notes[0] == "no mos_std.txt: target_std stays empty"


def test_least_std_of_whole_votes():
    rng = np.random.default_rng(0)
    votes = rng.integers(0, 10, size=(200, 7))
    assert np.all(least_std_of_whole_votes(votes.mean(axis=1)) <= votes.std(axis=1) + 1e-12)
    # The bound is reached by votes for two neighbours.
    np.testing.assert_allclose(least_std_of_whole_votes(np.array([13 / 3, 6.0])), [np.std([4, 4, 5]), 0], atol=1e-7)


def test_tid2008_has_17_types(tid):
    with pytest.raises(InputError, match="expected a distortion type from 1 to 17, got '24'"):
        prepare("tid2008", tid)


@pytest.mark.parametrize(
    ("file", "text", "message"),
    [
        ("mos_with_names.txt", "5.5 house.bmp\n" * 4, "expected names such as i01_01_1.bmp, got 'house.bmp'"),
        ("mos_with_names.txt", "I01_01_1.bmp 5.5\n", "line 1: expected a number, got 'I01_01_1.bmp'"),
        ("mos_std.txt", "0.7\n", "expected 4 lines as in mos_with_names.txt, got 1"),
        ("mos_with_names.txt", b"\xff\xfe\x00\x01", "cannot read .* as text"),
    ],
)
def test_tid_bad_text(tid, file, text, message):
    (tid / file).write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(InputError, match=message):
        prepare("tid2013", tid)


@pytest.fixture(params=["challenge", "authors"])
def pipal(request, tmp_path: Path) -> Path:
    """Both layouts: that of the 2021 challenge and that of the authors' repository."""
    root = tmp_path / "pipal"
    labels, references, images = {
        "challenge": ("Train_Label", "Train_Ref", "Distortion_"),
        "authors": ("MOS_Scores_train", "Reference_train", "Distortion/Distortion_"),
    }[request.param]
    for k, reference in enumerate(("A0001", "A0013")):
        make(root, f"{references}/{reference}.bmp")
        make(root, f"{images}{k + 1}/{reference}_00_00.bmp", f"{images}{k + 3}/{reference}_03_12.bmp")
        (root / labels).mkdir(exist_ok=True)
        (root / labels / f"{reference}.txt").write_text(
            f"{reference}_00_00.bmp,{1400 + k}.25\n{reference}_03_12.bmp,{1200 + k}\n"
        )
    return root


def test_pipal(pipal):
    made = prepare("pipal", pipal)
    rows = list(read(pipal).values())
    assert [row.target for row in rows] == [1400.25, 1200, 1401.25, 1201]
    assert [row.content for row in rows] == ["A0001", "A0001", "A0013", "A0013"]
    assert [row.recipe for row in rows] == ["00_00", "03_12", "00_00", "03_12"]
    assert [row.reference.name for row in rows if row.reference] == ["A0001.bmp", "A0001.bmp", "A0013.bmp", "A0013.bmp"]
    assert made.notes == ("expected 23200 stimuli, got 4", "expected 200 contents, got 2")


def test_pipal_bad_text(pipal):
    label = next(pipal.glob("*/A0013.txt"))
    label.write_text("A0001_00_00.bmp,1400\n")
    with pytest.raises(InputError, match=r"expected names such as A0013_00_00.bmp, got 'A0001_00_00.bmp'"):
        prepare("pipal", pipal)
    for path in label.parent.iterdir():
        path.unlink()
    with pytest.raises(InputError, match=r"expected files such as A0001.txt"):
        prepare("pipal", pipal)
