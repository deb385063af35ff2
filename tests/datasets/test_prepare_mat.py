from pathlib import Path

import numpy as np
import pytest
from scipy.io import savemat

from rankqa_datasets.errors import InputError
from rankqa_datasets.manifest import read_manifest
from rankqa_datasets.prepare import prepare
from rankqa_datasets.split import read_split
from rankqa_datasets.stimulus import Stimulus

COUNTS = {"jp2k": (227, 169), "jpeg": (233, 175), "wn": (174, 145), "gblur": (174, 145), "fastfading": (174, 145)}
NAMES = [f"{folder}/img{k}.bmp" for folder, (count, _) in COUNTS.items() for k in range(1, count + 1)]


def make(root: Path, *names: str) -> None:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(name.encode())


def read(root: Path) -> dict[str, Stimulus]:
    return {stimulus.id: stimulus for stimulus in read_manifest(root / "manifest.csv").stimuli}


def cell(names: list[str], shape: tuple[int, int]) -> np.ndarray:
    array = np.empty(len(names), dtype=object)
    array[:] = names
    return array.reshape(shape)


@pytest.fixture
def live(tmp_path: Path) -> tuple[Path, np.ndarray, np.ndarray, list[str]]:
    """The full folder of release 2 with empty-handed images: its vectors are positional, so all 982 must be there."""
    root = tmp_path / "databaserelease2"
    rng = np.random.default_rng(0)
    copies = np.concatenate([np.arange(count) >= left for count, left in COUNTS.values()])
    scores = np.where(copies, 0.0, rng.uniform(1, 99, size=982).round(4))
    references = [f"ref{k % 29}.bmp" for k in range(982)]
    make(root, *NAMES, *(f"refimgs/{name}" for name in set(references)))
    savemat(root / "dmos.mat", {"dmos": scores[None], "orgs": copies[None].astype(np.uint8)})
    savemat(root / "refnames_all.mat", {"refnames_all": cell(references, (1, 982))})
    return root, scores, copies, references


def test_live_drops_copies_of_references_and_flips_dmos(live):
    root, scores, copies, references = live
    made = prepare("live", root)
    assert made.notes == ("scores are those of dmos.mat",)
    rows = read(root)
    assert len(rows) == made.stimuli == 779
    assert made.contents == 29
    for k in (0, 168, 227, 460, 981 - 40):
        assert not copies[k]
        row = rows[NAMES[k]]
        assert row.target == pytest.approx(100 - scores[k], abs=1e-9)
        assert row.content == references[k].removesuffix(".bmp")
        assert row.reference == root / "refimgs" / references[k]
        assert row.recipe == NAMES[k].split("/")[0]
        assert row.target_std is None
    # Less distorted by the raw score is better by the target.
    kept = np.flatnonzero(~copies)
    targets = np.array([rows[NAMES[k]].target for k in kept])
    np.testing.assert_array_equal(np.argsort(targets), np.argsort(-scores[kept]))


def test_live_prefers_the_realigned_scores(live):
    root, _, copies, _ = live
    realigned = np.where(copies, 0.0, np.linspace(-2.64, 111.77, 982))
    spreads = np.where(copies, 0.0, 5.5)
    savemat(root / "dmos_realigned.mat", {"dmos_new": realigned[None], "orgs": copies[None], "dmos_std": spreads[None]})
    made = prepare("live", root)
    assert made.notes[0] == "scores are those of dmos_realigned.mat"
    assert "outside of the card's scale 0 to 100" in made.notes[1]
    row = read(root)["jp2k/img1.bmp"]
    assert row.target == pytest.approx(102.64)
    assert row.target_std == pytest.approx(5.5)


def test_live_splits_keep_references_together(live):
    root = live[0]
    made = prepare("live", root)
    assert [path.name for path in made.splits] == [f"seed_{seed}.csv" for seed in range(10)]
    assert {path.parent for path in made.splits} == {root / "manifest_splits"}
    stimuli = tuple(read(root).values())
    splits = [read_split(path, stimuli) for path in made.splits]
    assert len({split.digest for split in splits}) == 10
    for split in splits:
        assert 0.17 < len(split.ids("test")) / 779 < 0.23
        assert not split.ids("validation")


def test_live_of_another_length(live):
    root, scores, copies, _ = live
    savemat(root / "dmos.mat", {"dmos": scores[None, :900], "orgs": copies[None]})
    with pytest.raises(InputError, match=r"dmos.mat: .*of one length, got \[982, 900, 982, 982\]"):
        prepare("live", root)


@pytest.fixture
def live_c(tmp_path: Path) -> Path:
    root = tmp_path / "ChallengeDB_release"
    names = [f"t{k}.bmp" for k in range(1, 8)] + ["3.bmp", "4.bmp", "1024.JPG", "1026.bmp", "1030.jpg"]
    make(root, *(f"Images/trainingImages/{name}" for name in names[:7]), *(f"Images/{name}" for name in names[7:]))
    (root / "Data").mkdir()
    savemat(root / "Data/AllImages_release.mat", {"AllImages_release": cell(names, (12, 1))})
    savemat(root / "Data/AllMOS_release.mat", {"AllMOS_release": np.linspace(10.0, 65.0, 12)[None]})
    savemat(root / "Data/AllStdDev_release.mat", {"AllStdDev_release": np.linspace(15.0, 20.5, 12)[None]})
    return root


def test_live_c_leaves_out_the_training_images(live_c):
    made = prepare("livec", live_c)
    assert made.notes == ("expected 1162 stimuli, got 5", "expected 1162 contents, got 5")
    rows = read(live_c)
    assert [*rows] == ["Images/3.bmp", "Images/4.bmp", "Images/1024.JPG", "Images/1026.bmp", "Images/1030.jpg"]
    assert [row.target for row in rows.values()] == pytest.approx([45, 50, 55, 60, 65])
    assert [row.target_std for row in rows.values()] == pytest.approx([18.5, 19, 19.5, 20, 20.5])
    assert all(row.reference is None and row.content == row.id for row in rows.values())


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "cannot read .*AllMOS_release.mat as a MATLAB file"),
        (b"no matlab file" * 40, "cannot read .*AllMOS_release.mat as a MATLAB file"),
        # The header of a 7.3 file, which is HDF5: version 2.0 in bytes 124 to 126.
        (b"MATLAB 7.3 MAT-file".ljust(124) + b"\x00\x02IM" + b"\x89HDF" * 200, "7.3; save it with -v7"),
    ],
)
def test_files_that_are_no_matlab_files(live_c, content, message):
    (live_c / "Data/AllMOS_release.mat").write_bytes(content)
    with pytest.raises(InputError, match=message):
        prepare("livec", live_c)
    assert not (live_c / "manifest.csv").exists()


@pytest.mark.parametrize(
    ("variables", "message"),
    [
        ({"MOS": np.zeros(12)}, "expected the variable 'AllMOS_release', got 'MOS'"),
        ({"AllMOS_release": cell(["a"] * 12, (12, 1))}, "expected numbers in 'AllMOS_release'"),
        ({"AllMOS_release": np.full(12, np.nan)}, "expected a finite score for 'Images/3.bmp', got nan"),
    ],
)
def test_variables_that_are_not_as_expected(live_c, variables, message):
    savemat(live_c / "Data/AllMOS_release.mat", variables)
    with pytest.raises(InputError, match=message):
        prepare("livec", live_c)


def test_names_that_are_numbers(live_c):
    savemat(live_c / "Data/AllImages_release.mat", {"AllImages_release": np.zeros(12)})
    with pytest.raises(InputError, match="cell array of strings in 'AllImages_release'"):
        prepare("livec", live_c)
