import csv
import statistics
from collections.abc import Sequence
from pathlib import Path

import openpyxl
import pytest
from click.testing import CliRunner

from rankqa_cli.main import cli
from rankqa_datasets.card import read_card
from rankqa_datasets.cloud_name import cloud_key
from rankqa_datasets.errors import InputError
from rankqa_datasets.manifest import read_manifest
from rankqa_datasets.prepare import Prepared, prepare
from rankqa_datasets.split import read_split
from rankqa_datasets.stimulus import Stimulus


def make(root: Path, *names: str) -> None:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(name.encode())


def table(path: Path, rows: Sequence[tuple[object, ...]], header: str = "name,mos", *, start: str = "") -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = [header, *(",".join(map(str, row)) for row in rows)]
    path.write_text(start + "\r\n".join(lines) + "\r\n", encoding="utf-8")


def lists(folder: Path, scores: dict[str, float], folds: list[set[str]], *, start: str = "") -> None:
    """Lists as the public repositories have them; a fold is the set of its test contents."""
    table(folder / "total.csv", [(name, score, "human") for name, score in scores.items()], "name,mos,class")
    for number, contents in enumerate(folds, start=1):
        test = [(n, s) for n, s in scores.items() if any(n.startswith(f"{content}_") for content in contents)]
        table(folder / f"test_{number}.csv", test, start=start)
        train = [(n, s) for n, s in scores.items() if (n, s) not in test]
        table(folder / f"train_{number}.csv", train, start=start)


def read(made: Prepared, root: Path, *, files: bool = True) -> dict[str, Stimulus]:
    return {s.id: s for s in read_manifest(made.manifest, root=root, files=files).stimuli}


SJTU_SCORES = {
    f"{content}_{k}.ply": round(9 - k / 6 - 0.1 * i, 6)
    for i, content in enumerate(("loot", "ULB Unicorn", "hhi"))
    for k in (0, 5, 6, 41)
}


@pytest.fixture
def sjtu(tmp_path: Path) -> Path:
    root = tmp_path / "SJTU-PCQA"
    make(root, *(f"distortion/{name.rpartition('_')[0]}/{name.replace('ULB U', 'ULB u')}" for name in SJTU_SCORES))
    make(root, "reference/loot.ply", "reference/hhi.ply")
    lists(root / "csvfiles/sjtu_data_info", SJTU_SCORES, [{"loot"}, {"ULB Unicorn"}, {"hhi"}])
    votes = [(name, 9, 8, 10, "" if name.startswith("hhi") else 9) for name in SJTU_SCORES]
    table(root / "csvfiles/sjtu_data_info/total_raw_score.csv", votes, "name,obs1,obs2,obs3,obs4")
    return root


def test_sjtu(sjtu):
    made = prepare("sjtu-pcqa", sjtu)
    rows = read(made, sjtu)
    assert len(rows) == 12
    first = rows["distortion/ULB Unicorn/ULB unicorn_41.ply"]
    assert (first.target, first.content) == (SJTU_SCORES["ULB Unicorn_41.ply"], "ULB Unicorn")
    assert first.recipe == "colour-noise-gaussian-noise_5"
    assert [r.recipe for r in rows.values() if r.content == "loot"] == [
        *("octree-compression_0", "octree-compression_5", "colour-noise_0", "colour-noise-gaussian-noise_5"),
    ]
    assert (first.votes, first.target_std) == (4, pytest.approx(statistics.stdev([9, 8, 10, 9])))
    hhi = rows["distortion/hhi/hhi_0.ply"]
    assert (hhi.votes, hhi.target_std) == (3, 1.0)
    assert hhi.reference == sjtu / "reference/hhi.ply"
    assert first.reference is None
    assert [path.name for path in made.splits] == ["fold-1.csv", "fold-2.csv", "fold-3.csv"]
    split = read_split(made.splits[1], tuple(rows.values()))
    assert {rows[id_].content for id_ in split.ids("test")} == {"ULB Unicorn"}
    assert len(split.ids("train")) == 8
    assert "no reference such as 'ULB Unicorn.ply' found for 1 contents" in made.notes
    assert any(note.startswith("expected lists of 9 folds, got 3 in ") for note in made.notes)


def test_sjtu_by_its_sheet(tmp_path):
    book = openpyxl.Workbook()
    contents = ["redandblack", "ULB Unicorn", "loot", "soldier", "Romanoillamp", "longdress", "statue", "shiva", "hhi"]
    for k in range(42):
        book.worksheets[0].append([9 - k / 6 - 0.01 * column for column in range(9)])
    book.save(tmp_path / "MOS.xlsx")
    make(tmp_path, *(f"{content}_{k:02d}.ply" for content in contents for k in range(42)))
    made = prepare("sjtu-pcqa", tmp_path)
    rows = read(made, tmp_path)
    assert len(rows) == 378
    assert rows["ULB Unicorn_01.ply"].target == pytest.approx(9 - 1 / 6 - 0.01)
    assert rows["hhi_41.ply"].target == pytest.approx(9 - 41 / 6 - 0.08)
    # Without lists there are as many folds by content as were published.
    assert [path.name for path in made.splits] == [f"fold-{k}.csv" for k in range(1, 10)]
    tested = [read_split(path, tuple(rows.values())).ids("test") for path in made.splits]
    assert sorted(id_ for ids in tested for id_ in ids) == sorted(rows)
    assert {len(ids) for ids in tested} == {42}
    assert "no published lists test_1.csv ... were found: 9 folds by content were made" in made.notes


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([[1.0] * 9] * 41, "expected 42 rows of 9 scores"),
        ([[1.0] * 8] * 42, "expected 42 rows of 9 scores"),
        ([[1.0] * 8 + ["x"]] * 42, "expected a score of 'hhi_0', got 'x'"),
        ([["hhi"] * 9], "expected 42 rows"),
        ([], "expected 42 rows"),
    ],
)
def test_sjtu_sheets_that_are_none(tmp_path, rows, message):
    book = openpyxl.Workbook()
    for row in rows:
        book.worksheets[0].append(row)
    book.save(tmp_path / "MOS.xlsx")
    with pytest.raises(InputError, match=message):
        prepare("sjtu-pcqa", tmp_path)


def edit(path: Path, old: str, new: str) -> None:
    text = path.read_bytes().decode()
    assert old in text
    path.write_bytes(text.replace(old, new, 1).encode())


@pytest.mark.parametrize(
    ("name", "old", "new", "message"),
    [
        (
            "test_2.csv",
            "ULB Unicorn_5.ply",
            "ULB Unicorn_7.ply",
            "test_2.csv: row 3: unknown stimulus 'ULB Unicorn_7.p",
        ),
        ("train_1.csv", "hhi_0.ply,8.8", "hhi_0.ply,8.7", "row 6: expected the score 8.8 of 'hhi_0.ply', got 8.7"),
        ("train_1.csv", "hhi_0.ply,8.8\r\n", "", "train_1.csv and test_1.csv in .*hhi_0.ply' is missing"),
        ("train_3.csv", "loot_5.ply", "loot_0.ply", "train_3.csv: row 3: expected the score"),
        ("test_1.csv", "loot_0.ply,9.0\r\n", "loot_0.ply,9.0\r\nloot_0.ply,9.0\r\n", "row 3: 'loot_0.ply' comes twice"),
        ("test_2.csv", "name,mos", "name,score", "expected the columns 'name, mos', got 'name, score'"),
        ("total.csv", "loot_0.ply", "loot_42.ply", "row 2: expected a name such as longdress_0.ply to .*'loot_42.ply'"),
        ("total.csv", "loot_0.ply,9.0", "loot_0.ply,good", "row 2, column 'mos': expected a number, got 'good'"),
        ("total_raw_score.csv", "loot_5.ply", "loot_0.ply", "row 3: 'loot_0.ply' comes twice"),
        ("total_raw_score.csv", "loot_5.ply,9", "loot_5.ply,x", "row 3, column 'obs1': expected a number, got 'x'"),
    ],
)
def test_lists_with_faults(sjtu, name, old, new, message):
    edit(sjtu / "csvfiles/sjtu_data_info" / name, old, new)
    with pytest.raises(InputError, match=message) as caught:
        prepare("sjtu-pcqa", sjtu)
    assert "\n" not in str(caught.value)
    assert not (sjtu / "manifest.csv").exists()
    assert not (sjtu / "manifest_splits").exists()


def test_a_content_in_both_lists_of_a_fold_is_refused(sjtu):
    folder = sjtu / "csvfiles/sjtu_data_info"
    edit(folder / "test_1.csv", "loot_0.ply,9.0\r\n", "")
    edit(folder / "train_1.csv", "name,mos\r\n", "name,mos\r\nloot_0.ply,9.0\r\n")
    with pytest.raises(InputError, match=r"train_1.csv and test_1.csv in .*: content 'loot' is in two parts"):
        prepare("sjtu-pcqa", sjtu)


def test_spellings_of_one_cloud():
    spellings = ("x/ULB Unicorn_1.ply", "ulbunicorn_1", "ULB unicorn_1.PLY'", "ULBUnicorn__1_rounded.ply")
    assert {cloud_key(name) for name in spellings} == {"ulbunicorn_1"}
    assert cloud_key("ULB Unicorn_11.ply") == "ulbunicorn_11"


def test_a_missing_list_is_named(sjtu):
    (sjtu / "csvfiles/sjtu_data_info/train_2.csv").unlink()
    with pytest.raises(InputError, match=r"cannot read .*train_2.csv"):
        prepare("sjtu-pcqa", sjtu)


@pytest.mark.parametrize("name", ["mpccd", "wpc2"])
def test_whose_lists_hold_the_scores(tmp_path, name):
    with pytest.raises(InputError) as caught:
        prepare(name, tmp_path)
    repository = read_card(name).sources[0].split()[0]
    assert f"_data_info/test_1.csv' and the like of {repository} in {tmp_path}; clouds are at http" in str(caught.value)


def test_lists_of_the_user(sjtu, tmp_path):
    own = tmp_path / "own"
    (sjtu / "csvfiles/sjtu_data_info").rename(own)
    with pytest.raises(
        InputError, match=r"expected 'MOS\.xlsx' or 'mos\.xlsx' or 'csvfiles/sjtu_data_info/test_1\.csv' and"
    ):
        prepare("sjtu-pcqa", sjtu)
    arguments = ["data", "prepare", "sjtu-pcqa", "--root", str(sjtu), "--folds", str(own)]
    result = CliRunner().invoke(cli, arguments)
    assert result.exit_code == 0, result.output
    assert "12 stimuli of 3 contents" in result.stdout
    assert read_manifest(sjtu / "manifest.csv").stimuli[0].votes == 4
    with pytest.raises(InputError, match=r"expected the lists train_1.csv and test_1.csv in"):
        prepare("sjtu-pcqa", sjtu, out=tmp_path / "x.csv", folds=tmp_path)


def test_clouds_that_are_missing_or_come_twice(sjtu, tmp_path):
    (sjtu / "distortion/loot/loot_0.ply").unlink()
    with pytest.raises(InputError, match=r"expected 'loot_0.ply' in .*--without-files"):
        prepare("sjtu-pcqa", sjtu)
    made = prepare("sjtu-pcqa", sjtu, out=tmp_path / "table.csv", files=False)
    rows = read(made, sjtu, files=False)
    assert [*rows] == [*SJTU_SCORES]
    assert rows["loot_0.ply"].content == "loot"
    make(sjtu, "distortion/loot/loot_0.ply", "copy/loot_0.ply")
    with pytest.raises(
        InputError, match=r"expected one file 'loot_0\.ply' in .* got 'copy/loot_0.ply' and 'distortion/"
    ):
        prepare("sjtu-pcqa", sjtu)


WPC_NAMES = {
    "level_7": "downsampling_7",
    "gsigma_0_tsigma_16": "gaussian-noise_0-16",
    "tsl_4_tqs_512": "gpcc-trisoup_4-512",
    "gQP_1_tQP_3": "vpcc_1-3",
    "pqs_1_qs_64": "gpcc-octree_1-64",
}
WPC_HEADER = ["Content", "Ply_name", "MOS", "Distortion_Type", "G_Parameter", "T_Parameter", None, "G_QP", "T_QP"]


@pytest.mark.parametrize("rounded", ["", "_rounded"])
def test_wpc(tmp_path, rounded):
    book = openpyxl.Workbook()
    sheet = book.create_sheet("MOS")
    sheet.append(WPC_HEADER)
    score = 0.0
    for content in ("bag", "ping-pong_bat", "tool_box"):
        for suffix in WPC_NAMES:
            score += 5.5
            sheet.append([content, f"{content}_{suffix}.ply'", score, "x", 1, 2])
            name = f"{content}_{suffix}{rounded if 'pqs' in suffix else ''}.ply"
            make(tmp_path, f"Distorted/{content}/{name}")
        make(tmp_path, f"Original/{content}.ply")
    book.save(tmp_path / "WPC_MOS.xlsx")
    table(
        tmp_path / "total_raw_score.csv", [("bag_pqs_1_qs_64.ply", 20, 40), ("bag_referenced.ply", 100, 90)], "name,a,b"
    )
    made = prepare("wpc", tmp_path)
    rows = read(made, tmp_path)
    assert [r.recipe for r in rows.values()] == [*WPC_NAMES.values()] * 3
    assert [r.content for r in rows.values()] == ["bag"] * 5 + ["ping-pong_bat"] * 5 + ["tool_box"] * 5
    assert [r.target for r in rows.values()] == [5.5 * k for k in range(1, 16)]
    assert all(r.reference == tmp_path / f"Original/{r.content}.ply" for r in rows.values())
    last = rows[f"Distorted/bag/bag_pqs_1_qs_64{rounded}.ply"]
    assert (last.votes, last.target_std) == (2, pytest.approx(200**0.5))
    assert "no raw votes for 14 stimuli" in made.notes
    # Lists may say _rounded where the disk does not, and the other way round.
    scores = {f"{r.content}_{s}.ply": r.target for r, s in zip(rows.values(), [*WPC_NAMES] * 3, strict=True)}
    scores = {name.replace("qs_64", "qs_64_rounded"): score for name, score in scores.items()}
    lists(tmp_path / "lists", scores, [{"bag"}, {"ping-pong"}, {"tool"}])
    other = prepare("wpc", tmp_path, out=tmp_path / "other.csv", folds=tmp_path / "lists")
    assert read(other, tmp_path) == rows
    assert len(other.splits) == 3


def test_wpc2_lists_with_a_byte_order_mark(tmp_path):
    steps = (26, 50)
    scores = {
        f"{content}_geo_{g}_col_{c}.ply": 0.5 * g + 0.1 * c + i
        for i, content in enumerate(("bag", "tool_box"))
        for g in steps
        for c in steps
    }
    make(tmp_path, *scores)
    lists(tmp_path / "csvfiles/wpc2.0_data_info", scores, [{"bag"}, {"tool_box"}], start="\ufeff")
    (tmp_path / "csvfiles/wpc2.0_data_info/total.csv").unlink()
    made = prepare("wpc2", tmp_path)
    rows = read(made, tmp_path)
    assert {name: row.target for name, row in rows.items()} == scores
    assert rows["tool_box_geo_26_col_50.ply"].recipe == "vpcc_26-50"
    assert len(made.splits) == 2


LS_SCORES = {
    f"{model}_{kind}_{level}.ply": 5.0 - 0.5 * level + 0.1 * i
    for i, model in enumerate(("BirdV3", "4armsMonstre", "a_b"))
    for kind in ("ColorNoise", "C2AI-lossy-geom-lossy-attrs")
    for level in (1, 7)
}


def test_ls_pcqa(tmp_path):
    make(tmp_path, *(f"clouds/{name}" for name in LS_SCORES))
    lists(tmp_path / "ls_pcqa_data_info", LS_SCORES, [{"BirdV3"}, {"4armsMonstre", "a_b"}])
    votes = [(name, 4.5, 3.5) for name in LS_SCORES] + [("BirdV6_ChromaticAberration_1.ply", 1, 2)]
    table(tmp_path / "total_raw_score.csv", votes, "name,partner_1,partner_2")
    rows = read(prepare("ls-pcqa-i", tmp_path), tmp_path)
    assert rows["clouds/a_b_C2AI-lossy-geom-lossy-attrs_7.ply"].content == "a_b"
    assert rows["clouds/a_b_C2AI-lossy-geom-lossy-attrs_7.ply"].recipe == "C2AI-lossy-geom-lossy-attrs_7"
    assert {row.target for row in rows.values()} == set(LS_SCORES.values())
    assert {row.votes for row in rows.values()} == {2}


def test_pseudo_scores_are_a_database_of_their_own(tmp_path):
    make(tmp_path, *LS_SCORES)
    book = openpyxl.Workbook()
    book.worksheets[0].append(["name", "pseudoMOS"])
    for name, score in LS_SCORES.items():
        book.worksheets[0].append([name, score])
    book.save(tmp_path / "pseudoMOS.xlsx")
    # Lists of part I in the same folder are not its lists.
    lists(tmp_path, dict.fromkeys(LS_SCORES, 1.0), [{"BirdV3"}])
    made = prepare("ls-pcqa-full", tmp_path)
    assert {name: row.target for name, row in read(made, tmp_path).items()} == pytest.approx(LS_SCORES)
    assert [path.name for path in made.splits] == [f"seed_{seed}.csv" for seed in range(10)]


BASICS_SCORES = {
    f"{source}_{codec}.ply": 1.0 + 0.2 * i + 0.1 * j
    for i, source in enumerate(("p01", "p02", "p03", "p06"))
    for j, codec in enumerate(("geocnn_r01", "gpcc-octree-raht_r02", "vpcc_r05"))
}
BASICS_HEADER = "src,ppc,mos,std,ci"


def test_basics_by_its_lists(tmp_path):
    make(tmp_path, *(f"ppc/{name}" for name in BASICS_SCORES), *(f"src/{p}.ply" for p in ("p01", "p02", "p03", "p06")))
    lists(tmp_path / "csvfiles/basics_data_info", BASICS_SCORES, [{"p01", "p02"}, {"p03", "p06"}])
    made = prepare("basics", tmp_path)
    rows = read(made, tmp_path)
    parts = {row.content: row.split for row in rows.values()}
    assert parts == {"p01": "test", "p02": "validation", "p03": "train", "p06": "train"}
    assert rows["ppc/p03_gpcc-octree-raht_r02.ply"].recipe == "gpcc-octree-raht_r02"
    assert rows["ppc/p03_vpcc_r05.ply"].reference == tmp_path / "src/p03.ply"
    assert [path.name for path in made.splits] == ["official.csv", "fold-1.csv", "fold-2.csv"]


def test_basics_by_the_tables_of_the_challenge(tmp_path):
    make(tmp_path, *BASICS_SCORES)
    rows = [(f"{name[:3]}.ply", name, score, 0.7, 0.1) for name, score in BASICS_SCORES.items() if name[:3] != "p02"]
    table(tmp_path / "trainset_mos_std_ci.csv", [row for row in rows if row[0] != "p01.ply"], BASICS_HEADER)
    table(tmp_path / "testset_mos_std_ci.csv", [row for row in rows if row[0] == "p01.ply"], BASICS_HEADER)
    made = prepare("basics", tmp_path)
    stimuli = read(made, tmp_path)
    scores = {row[1]: row[2] for row in rows}
    assert {name: s.target for name, s in stimuli.items()} == pytest.approx(scores)
    assert {s.target_std for s in stimuli.values()} == {0.7}
    assert stimuli["p01_vpcc_r05.ply"].split == "test"
    assert [path.name for path in made.splits] == ["official.csv", "fold-1.csv", "fold-2.csv", "fold-3.csv"]


@pytest.mark.parametrize("long", [True, False])
def test_mpccd(tmp_path, long):
    official = {
        "head_Octree-Lifting_R01.ply": "tmc13_head_00039_vox9_dec_geom01_text01_octree-predlift.ply",
        "head_VPCC_R05.ply": "tmc2_head_00039_vox9_dec_geom05_text05.ply",
        "soldier_TriSoup-RAHT_R06.ply": "tmc13_soldier_vox10_0690_dec_geom06_text06_trisoup-raht.ply",
        "soldier_TriSoup-Lifting_R02.ply": "tmc13_soldier_vox10_0690_dec_geom02_text02_trisoup-predlift.ply",
        "soldier_Octree-RAHT_R03.ply": "tmc13_soldier_vox10_0690_dec_geom03_text03_octree-raht.ply",
    }
    make(tmp_path, *(official.values() if long else official), "references/head_00039_vox9.ply")
    lists(tmp_path / "mpccd_data_info", {name: 1.0 + k for k, name in enumerate(official)}, [{"head"}, {"soldier"}])
    rows = read(prepare("mpccd", tmp_path), tmp_path)
    assert [*rows] == [*(official.values() if long else official)]
    assert [row.content for row in rows.values()] == ["head"] * 2 + ["soldier"] * 3
    assert [row.recipe for row in rows.values()][:2] == ["Octree-Lifting_R01", "VPCC_R05"]
    assert [row.reference is None for row in rows.values()] == [False] * 2 + [True] * 3


def test_mpccd_unknown_content(tmp_path):
    lists(tmp_path, {"banana_VPCC_R01.ply": 1.0, "head_VPCC_R01.ply": 2.0}, [{"head"}])
    with pytest.raises(
        InputError, match=r"expected a name such as head_Octree-RAHT_R01.ply, got 'banana_VPCC_R01.ply'"
    ):
        prepare("mpccd", tmp_path, files=False)


@pytest.mark.parametrize(
    ("name", "low", "high", "sizes", "votes"),
    [
        ("sjtu-pcqa", 1.0, 9.796875, [42] * 9, {16, 17}),
        ("wpc", 1.812600251, 94.30498452, [148] * 5, {30}),
        ("wpc2", 10.82306706, 93.13624992, [100] * 4, {None}),
        ("ls-pcqa-i", 1.0, 4.964285714, [185, 190, 185, 185, 185], {16}),
        ("basics", 1.016054407, 4.900231542, [300, 296, 300, 298, 300], set(range(57, 64))),
        ("mpccd", 1.0, 5.0, [58] * 4, {None}),
    ],
)
def test_published_tables(shared_dir, tmp_path, name, low, high, sizes, votes):
    made = prepare(name, shared_dir / "data/tables", out=tmp_path / "manifest.csv", files=False)
    card = read_card(name)
    assert (made.stimuli, made.contents) == (card.stimuli, card.contents)
    # No count differs from the card's, no score lies outside of its scale, no votes are missing.
    assert [note for note in made.notes if not note.startswith("scores are those of the lists")] == []
    rows = read(made, shared_dir, files=False)
    assert (min(s.target for s in rows.values()), max(s.target for s in rows.values())) == (low, high)
    assert {row.votes for row in rows.values()} == votes
    assert all((row.target_std is None) == (row.votes is None) for row in rows.values())
    folds = [path for path in made.splits if path.name.startswith("fold")]
    tested = [read_split(path, tuple(rows.values())).ids("test") for path in folds]
    assert [len(ids) for ids in tested] == sizes
    assert len({id_ for ids in tested for id_ in ids}) == card.stimuli
    folder = shared_dir / "data/tables/folds" / {"wpc2": "wpc2.0", "ls-pcqa-i": "ls_pcqa"}.get(name, name.split("-")[0])
    for number, ids in enumerate(tested, start=1):
        with (folder / f"test_{number}.csv").open(encoding="utf-8-sig", newline="") as file:
            assert sorted(ids) == sorted(row["name"] for row in csv.DictReader(file))


def test_published_tables_by_the_command(shared_dir, tmp_path):
    out = tmp_path / "sjtu.csv"
    tables = str(shared_dir / "data/tables")
    arguments = ["data", "prepare", "sjtu-pcqa", "--root", tables, "--out", str(out), "--without-files"]
    result = CliRunner().invoke(cli, arguments)
    assert result.exit_code == 0, result.output
    assert f"{out}: 378 stimuli of 9 contents" in result.stdout
    assert out.read_text().startswith("path,target,content,target_std,votes,recipe\nhhi_0.ply,9.516666667,hhi,")
