import csv
import math
from pathlib import Path

import openpyxl
import pytest
from scipy.stats import t as student

from rankqa_datasets.card import read_card
from rankqa_datasets.errors import InputError
from rankqa_datasets.manifest import read_manifest
from rankqa_datasets.prepare import Prepared, prepare
from rankqa_datasets.split import read_split
from rankqa_datasets.stimulus import Stimulus


def make(root: Path, *names: str) -> None:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(name.encode())


def workbook(path: Path, rows: list[list[object]]) -> None:
    book = openpyxl.Workbook()
    for row in rows:
        book.worksheets[0].append(row)
    book.save(path)


def read(made: Prepared, root: Path, *, files: bool = True) -> dict[str, Stimulus]:
    return {s.id: s for s in read_manifest(made.manifest, root=root, files=files).stimuli}


ICIP_ROWS = [
    ("longdress_vox10_1300", "REF", "REF", 4.79, 0.14),
    ("longdress_vox10_1300", "OCT", "R01", 1.2, 0.17),
    ("longdress_vox10_1300", "AI", "RB01", 1.6, 0.17),
    ("ricardo10_frame0082", "AI", "R05", 4.2, 0.2),
    ("sarah9_frame0023", "TRI", "RRR02", 1.3, 0.18),
    ("redandblack_vox10_1550", "TRI", "R06", 4.8, 0.14),
    ("redandblack_vox10_1550", "OCT", "R06", 4.5, 0.16),
    ("loot_vox10_1200", "AI", "R05", 4.0, 0.15),
    ("loot_vox10_1200", "AI", "R04", 3.7, 0.16),
    ("romanoillamp", "OCT", "R01", 2.0, 0.2),
]
ICIP_FILES = {
    "GPCC_Octree_longdress/longdress_vox10_1300_OCT_r01.ply": "gpcc-octree_r01",
    "VPCC_longdress/longdress_vox10_1300_ai_rb01.ply": "vpcc_rb01",
    "VPCC_ricardo/ricardo10_ai_r05.ply": "vpcc_r05",
    "GPCC_Trisoup_sarah/sarah9_frame0023_TRI_r02.ply": "gpcc-trisoup_r02",
    "GPCC_Octree_redandblack/redandblack_vox10_1550_OCT_r06.ply": "gpcc-octree_r06",
    "VPCC_loot/loot_vox10_1200_ai_r04.ply": "vpcc_r04",
}


@pytest.fixture
def icip(tmp_path: Path) -> Path:
    make(tmp_path, *ICIP_FILES, "VPCC_loot/loot_vox10_1200_ai_r05.off", "ricardo10_frame0082.ply")
    # In the folder of trisoup clouds lie octree ones.
    make(tmp_path, "GPCC_Trisoup_redandblack/redandblack_vox10_1550_OCT_r06.ply")
    (tmp_path / "MOS").mkdir()
    lines = ["Point_Cloud_Name,Codec,Rate,MOS,CI", *(",".join(map(str, row)) for row in ICIP_ROWS)]
    (tmp_path / "MOS/AllLabsResultsSummary.csv").write_text("\n".join(lines))
    return tmp_path


def test_icip2020(icip):
    made = prepare("icip2020", icip)
    rows = read(made, icip)
    assert {name: row.recipe for name, row in rows.items()} == ICIP_FILES
    ricardo = rows["VPCC_ricardo/ricardo10_ai_r05.ply"]
    assert (ricardo.target, ricardo.content, ricardo.votes) == (4.2, "ricardo10_frame0082", 71)
    assert ricardo.reference == icip / "ricardo10_frame0082.ply"
    assert ricardo.target_std == pytest.approx(0.2 * math.sqrt(71) / student.ppf(0.975, 70))
    assert made.notes[:2] == (
        "left out romanoillamp: its clouds were never released",
        "left out 'redandblack_vox10_1550_TRI_r06.ply' and 1 more: the release has no PLY of theirs",
    )
    assert [path.name for path in made.splits] == [f"fold-{k}.csv" for k in range(1, 6)]


def test_icip2020_clouds_converted_by_the_user_are_taken(icip):
    make(icip, "VPCC_loot/loot_vox10_1200_ai_r05.ply")
    rows = read(prepare("icip2020", icip), icip)
    assert len(rows) == len(ICIP_FILES) + 1
    assert rows["VPCC_loot/loot_vox10_1200_ai_r05.ply"].target == 4.0


def test_icip2020_others_must_be_there(icip):
    (icip / "VPCC_loot/loot_vox10_1200_ai_r04.ply").unlink()
    with pytest.raises(InputError, match=r"expected 'loot_vox10_1200_ai_r04\.ply' in"):
        prepare("icip2020", icip)


def test_icip2020_unknown_codec(icip):
    path = icip / "MOS/AllLabsResultsSummary.csv"
    path.write_text(path.read_text().replace(",OCT,", ",DRACO,"))
    with pytest.raises(InputError, match=r"row 3: expected a codec of OCT, TRI, AI, got 'DRACO'"):
        prepare("icip2020", icip)


def test_icip2020_published_table(shared_dir, tmp_path):
    made = prepare("icip2020", shared_dir / "data/tables", out=tmp_path / "manifest.csv", files=False)
    assert (made.stimuli, made.contents, made.notes) == (90, 6, ())
    rows = tuple(read(made, shared_dir, files=False).values())
    assert {row.votes for row in rows} == {71}
    for row in rows:
        # Whole votes with this mean and this spread: the sum of their squares is a whole number.
        assert row.target_std is not None
        squares = 70 * row.target_std**2 + 71 * row.target**2
        assert squares == pytest.approx(round(squares), abs=1e-5)
    tested = [{row.content for row in rows if row.id in read_split(path, rows).ids("test")} for path in made.splits]
    assert sorted(map(len, tested)) == [1] * 6
    assert set().union(*tested) == {row.content for row in rows}


IRPC_SHEET = [
    [],
    [None, "MOS for only 18 subjects"],
    [],
    [None, None, None, None, "Rpoint", "Rcolor", "Rmesh"],
    [None, "Frog", "V-PCC", "L", 1.1, 2.1, 3.1],
    [None, None, None, "M", 1.2, 2.2, 3.2],
    [None, None, "PCL", "H", 1.3, 2.3, 3.3],
    [],
    [None, "Longdress", "G-PCC", "L", 1.4, 2.4, 3.4],
]
IRPC_RECIPES = ["VPCC_L", "VPCC_M", "PCL_H", "GPCC_L"]


@pytest.mark.parametrize(
    ("session", "names", "targets", "references"),
    [
        (
            "rpoint",
            ["V-PCC/Frog_VPCC_L.ply", "V-PCC/Frog_VPCC_M.ply", "PCL/Frog_PCL_H.ply", "G-PCC/longdress_GPCC_L.ply"],
            [1.1, 1.2, 1.3, 1.4],
            ["Original/10/Frog_O10.ply", "Original/10/Frog_O10.ply", "Original/12/Frog_O12.ply", None],
        ),
        (
            "rcolor",
            ["RColor/Frog_VPCC_L_C.ply", "V-PCC/Frog_VPCC_M.ply", "PCL/Frog_PCL_H.ply", "G-PCC/longdress_GPCC_L.ply"],
            [2.1, 2.2, 2.3, 2.4],
            ["RColor/FrogO_C.ply"] * 3 + [None],
        ),
        (
            "rmesh",
            [f"RMesh/{name}" for name in ("Frog_VPCC_L_M", "Frog_VPCC_M_M", "Frog_PCL__H_M", "longdress_GPCC_L_M")],
            [3.1, 3.2, 3.3, 3.4],
            ["RMesh/Originals/Mesh[FrogO].ply"] * 3 + [None],
        ),
    ],
)
def test_irpc(tmp_path, session, names, targets, references):
    workbook(tmp_path / "MOS_CommonSubjects.xlsx", IRPC_SHEET)
    names = [name if name.endswith(".ply") else f"{name}.ply" for name in names]
    make(tmp_path, *names, *filter(None, references))
    make(tmp_path, "V-PCC/Frog_VPCC_L.ply")
    made = prepare(f"irpc-{session}", tmp_path)
    rows = read(made, tmp_path)
    assert [*rows] == names
    assert [row.target for row in rows.values()] == targets
    assert [row.recipe for row in rows.values()] == IRPC_RECIPES
    assert [row.content for row in rows.values()] == ["Frog"] * 3 + ["Longdress"]
    assert {row.votes for row in rows.values()} == {18}
    assert [row.reference for row in rows.values()] == [name and tmp_path / name for name in references]
    assert [path.name for path in made.splits] == ["fold-1.csv", "fold-2.csv"]


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([["PC", "Codec"]], "expected the columns 'Rpoint, Rcolor, Rmesh'"),
        ([["Rpoint", "Rcolor", "Rmesh"]], "expected cloud, codec and quality left of 'Rpoint'"),
        ([IRPC_SHEET[3], [None, "Frog", "PCL", "X", 1, 2, 3]], "row 2: expected cloud, .* L, M or H, got 'X'"),
        ([IRPC_SHEET[3], [None, "Frog", "PCL", "L", 1, "good", 3]], "row 2, column 'Rcolor': .* got 'good'"),
    ],
)
def test_irpc_sheets_that_are_not_as_expected(tmp_path, rows, message):
    workbook(tmp_path / "MOS_CommonSubjects.xlsx", rows)
    with pytest.raises(InputError, match=message):
        prepare("irpc-rcolor", tmp_path)


def test_irpc_sessions_of_the_copy_at_hand(shared_dir, tmp_path):
    """The scores that were taken from the same sheet by other means, and joined by file name."""
    header = ["path", "target", "reference", "content", "votes", "recipe"]
    with (shared_dir / "data/irpc/geometry.csv").open(newline="") as file:
        known = list(csv.DictReader(file))
    assert [*known[0]] == header
    sheet: list[list[object]] = [[None, None, None, "Rpoint", "Rcolor", "Rmesh"]]
    sheet += [[row["content"], *row["recipe"].split("_"), 1, 1, row["target"]] for row in known]
    workbook(tmp_path / "MOS_CommonSubjects.xlsx", sheet)
    made = prepare("irpc-rmesh", tmp_path, files=False)
    card = read_card("irpc-rmesh")
    assert (made.stimuli, made.contents, len(made.splits)) == (card.stimuli, card.contents, card.folds)
    assert [row.recipe for row in read(made, tmp_path, files=False).values()] == [row["recipe"] for row in known]


SIAT_SHEET = [
    ["DMOS of SIAT-PCQD"],
    ["No.", "Sequences", "Rate", "Geometry QP", "Texture QP", "DMOS"],
    [1, "Longdress", 1, 20, 27, 4.5],
    [None, None, 2, 20, 37, 3.5],
    [2, "ULBUnicorn", 1, 24, 27, 4.25],
    [None, None, 17, 32, 47, 1.5],
    [None, "Note: measured with a headset"],
]


def test_siat(tmp_path):
    workbook(tmp_path / "DMOS.xlsx", SIAT_SHEET)
    names = ["Longdress_r01", "Longdress_r02", "ULBUnicorn_r01", "ULBUnicorn_r17"]
    make(tmp_path, *(f"distorted/{name}.ply" for name in names), "reference/longdress.ply")
    rows = read(prepare("siat-pcqd", tmp_path), tmp_path)
    assert [*rows] == [f"distorted/{name}.ply" for name in names]
    assert [row.target for row in rows.values()] == [4.5, 3.5, 4.25, 1.5]
    assert [row.recipe for row in rows.values()] == ["vpcc_r01", "vpcc_r02", "vpcc_r01", "vpcc_r17"]
    assert [row.content for row in rows.values()] == ["Longdress"] * 2 + ["ULBUnicorn"] * 2
    assert rows["distorted/Longdress_r02.ply"].reference == tmp_path / "reference/longdress.ply"


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([["a", "b"]], "expected a column 'Sequences', got 'a, b'"),
        ([["Sequences", "DMOS"], ["Loot", 1]], "expected the number of the rate and a score right of 'Sequences'"),
        ([SIAT_SHEET[1], [1, None, 1, 1, 1, 2.0]], "row 2: expected a sequence, got an empty cell"),
        ([SIAT_SHEET[1], [1, "Loot", "x", 1, 1, 2.0]], "row 2, column 'rate': expected a number, got 'x'"),
        ([SIAT_SHEET[1], [1, "Loot", 1, 1, 1, "x"]], "row 2, column 'score': expected a number, got 'x'"),
    ],
)
def test_siat_sheets_that_are_not_as_expected(tmp_path, rows, message):
    workbook(tmp_path / "DMOS.xlsx", rows)
    with pytest.raises(InputError, match=message):
        prepare("siat-pcqd", tmp_path)
