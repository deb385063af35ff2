import contextlib
import statistics
from pathlib import Path

import openpyxl
import pytest

from rankqa_datasets.errors import InputError
from rankqa_datasets.manifest import read_manifest
from rankqa_datasets.prepare import prepare
from rankqa_datasets.stimulus import Stimulus


def make(root: Path, *names: str) -> None:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(name.encode())


def read(root: Path) -> dict[str, Stimulus]:
    return {stimulus.id: stimulus for stimulus in read_manifest(root / "manifest.csv").stimuli}


def workbook(path: Path, sheets: dict[str, list[list[object]]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    book = openpyxl.Workbook()
    book.remove(book.worksheets[0])
    for name, rows in sheets.items():
        sheet = book.create_sheet(name)
        for row in rows:
            sheet.append(row)
    book.save(path)


# Above the header of the real sheet are three rows, left of it three columns.
CSIQ_HEADER = [None, None, None, "image", "dst_idx", "dst_type", "dst_lev", "dmos_std", "dmos"]
CSIQ_ROWS = [
    (1600, 1, "noise", 1, 0.061, 0.062),
    (1600, 6, "jpeg 2000", 5, 0.1, 0.9),
    ("boston", 3, "contrast", 3, 0.05, 0.25),
    ("boston", 4, "fnoise", 2, 0.05, 0.5),
    ("fisher", 5, "jpeg", 4, 0.05, 0),
    ("fisher", 2, "blur", 4, 0.05, 1),
]


@pytest.fixture
def csiq(tmp_path: Path) -> Path:
    root = tmp_path / "CSIQ"
    rows = [[], ["CSIQ"], [], CSIQ_HEADER, *([None, None, None, *row] for row in CSIQ_ROWS)]
    workbook(root / "csiq.DMOS.xlsx", {"notes": [["x"]], "all_by_distortion": [["y"]], "all_by_image": rows})
    make(root, *(f"src_imgs/{name}.png" for name in ("1600", "boston", "fisher")))
    make(root, "dst_imgs/AWGN/1600.AWGN.1.png", "dst_imgs/jpeg2000/1600.jpeg2000.5.png")
    make(root, "dst_imgs/contrast/boston.contrast.3.png", "dst_imgs/fnoise/boston.fnoise.2.png")
    make(root, "dst_imgs/jpeg/fisher.JPEG.4.png", "dst_imgs/blur/fisher.BLUR.4.png")
    return root


def test_csiq(csiq):
    made = prepare("csiq", csiq)
    rows = read(csiq)
    noise = rows["dst_imgs/AWGN/1600.AWGN.1.png"]
    assert (noise.target, noise.target_std, noise.content, noise.recipe) == (0.938, 0.061, "1600", "noise_1")
    assert noise.reference == csiq / "src_imgs/1600.png"
    assert [row.target for row in rows.values()] == [0.938, 0.1, 0.75, 0.5, 1, 0]
    assert [row.recipe for row in rows.values()][1:] == ["jpeg2000_5", "contrast_3", "fnoise_2", "jpeg_4", "blur_4"]
    assert made.notes == ("expected 866 stimuli, got 6", "expected 30 contents, got 3")


def test_csiq_unknown_type(csiq):
    workbook(csiq / "csiq.DMOS.xlsx", {"all_by_image": [CSIQ_HEADER, [None] * 3 + ["boston", 1, "rain", 1, 0.1, 0.1]]})
    with pytest.raises(InputError, match=r"row 2: expected a type of noise, .*got 'rain'"):
        prepare("csiq", csiq)


SPAQ_HEADER = ["Image name", "MOS", "Brightness", "Colorfulness", "Contrast", "Noisiness", "Sharpness"]


@pytest.mark.parametrize("name", ["MOS and Image attribute scores.xlsx", "MOS_and_Image_attribute_scores.xlsx"])
def test_spaq(tmp_path, name):
    rows = [[f"0000{k}.jpg", 10.5 * k, 1, 2, 3, 4, 5] for k in range(1, 6)]
    workbook(tmp_path / "Annotations" / name, {"Sheet1": [SPAQ_HEADER, *rows]})
    make(tmp_path, *(f"TestImage/{row[0]}" for row in rows))
    made = prepare("spaq", tmp_path)
    stimuli = read(tmp_path)
    assert [row.target for row in stimuli.values()] == [10.5, 21, 31.5, 42, 52.5]
    assert [*stimuli] == [f"TestImage/0000{k}.jpg" for k in range(1, 6)]
    assert [path.name for path in made.splits] == [f"seed_{seed}.csv" for seed in range(10)]


BID_HEADER = ["Image Number", "Average Subjective Grade", "Number of Grades", *(f"Grade #{k}" for k in range(1, 6))]
BID_ROWS = [[1, 3.25, 3, 3.0, 3.25, 3.5], [3, 0.5, 2, 0.25, 0.75], [4, 5, 1, 5]]


@pytest.fixture
def bid(tmp_path: Path) -> Path:
    workbook(tmp_path / "DatabaseGrades.xlsx", {"Plan1": [BID_HEADER, *BID_ROWS], "Plan2": []})
    make(tmp_path, *(f"ImageDatabase/DatabaseImage{number:04d}.JPG" for number in (1, 3, 4)))
    return tmp_path


def test_bid(bid):
    prepare("bid", bid)
    rows = read(bid)
    assert [*rows] == [f"ImageDatabase/DatabaseImage{number:04d}.JPG" for number in (1, 3, 4)]
    assert [row.target for row in rows.values()] == [3.25, 0.5, 5]
    assert [row.votes for row in rows.values()] == [3, 2, 1]
    stds = [row.target_std for row in rows.values()]
    assert stds[:2] == pytest.approx([statistics.stdev(row[3:]) for row in BID_ROWS[:2]])
    # The spread of one grade is not known, rather than 0.
    assert stds[2] is None


def test_bid_as_released_is_an_old_workbook(bid):
    (bid / "DatabaseGrades.xlsx").rename(bid / "DatabaseGrades.xls")
    with pytest.raises(InputError, match=r"save DatabaseGrades.xls as .xlsx, then type this again"):
        prepare("bid", bid)


@pytest.mark.parametrize(
    ("sheets", "message"),
    [
        ({"Sheet1": [BID_HEADER, *BID_ROWS]}, "expected a sheet 'Plan1', got 'Sheet1'"),
        ({"Plan1": [["Number", "Grade"], [1, 2]]}, "expected the columns 'Image Number, .*got 'Number, Grade'"),
        ({"Plan1": []}, "got 'no row'"),
        ({"Plan1": [BID_HEADER, [1, "good", 3]]}, "row 2, column 'Average Subjective Grade': .*got 'good'"),
        ({"Plan1": [BID_HEADER, [1, None, 3]]}, "row 2, column 'Average Subjective Grade': .*empty cell"),
        ({"Plan1": [BID_HEADER, [1, 2, 3, "x"]]}, "row 2, column 'grade #1': expected a number, got 'x'"),
    ],
)
def test_sheets_that_are_not_as_expected(bid, sheets, message):
    workbook(bid / "DatabaseGrades.xlsx", sheets)
    with pytest.raises(InputError, match=message):
        prepare("bid", bid)


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 cut off", b"text"])
def test_damaged_workbook(bid, content):
    (bid / "DatabaseGrades.xlsx").write_bytes(content)
    with pytest.raises(InputError, match=r"DatabaseGrades.xlsx: expected an .xlsx workbook"):
        prepare("bid", bid)


@pytest.mark.parametrize("start", range(0, 6000, 500))
def test_workbook_with_bytes_turned_round(bid, start):
    path = bid / "DatabaseGrades.xlsx"
    content = bytearray(path.read_bytes())
    content[start : start + 40] = bytes(255 - byte for byte in content[start : start + 40])
    path.write_bytes(content)
    # Some damage is in parts that nobody reads.
    with contextlib.suppress(InputError):
        prepare("bid", bid)
