import dataclasses
from pathlib import Path

import pytest
from click.testing import CliRunner

from rankqa_cli.main import cli
from rankqa_datasets.card import card_names, read_card
from rankqa_datasets.errors import InputError
from rankqa_datasets.manifest import check_manifest, read_manifest
from rankqa_datasets.prepare import READERS, prepare
from rankqa_datasets.release import Release
from rankqa_datasets.release_table import read_rows


def make(root: Path, *names: str) -> None:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(name.encode())


@pytest.fixture
def kadid(tmp_path: Path) -> Path:
    root = tmp_path / "kadid10k"
    names = [f"I{ref:02d}_{kind:02d}_01" for ref in range(1, 6) for kind in (1, 2)]
    make(root, *(f"images/{name}.png" for name in names), *(f"images/I{ref:02d}.png" for ref in range(1, 6)))
    rows = "".join(f"{name}.png,{name[:3]}.png,{1 + k / 4},0.5\n" for k, name in enumerate(names))
    (root / "dmos.csv").write_text("dist_img,ref_img,dmos,var\n" + rows)
    return root


def run(*arguments: object):
    return CliRunner().invoke(cli, ["data", *map(str, arguments)])


def test_there_is_a_reader_for_each_card():
    assert sorted(READERS) == card_names()
    assert len(READERS) == 26


@pytest.mark.parametrize("name", card_names())
def test_cards_are_whole(name):
    card = read_card(name)
    empty = [f.name for f in dataclasses.fields(card) if getattr(card, f.name) in ("", None, [], {})]
    assert set(empty) <= {"low", "high", "columns", "parts", "types", "votes", "folds"}
    assert card.homepage.startswith("http")
    assert card.direction in ("higher", "lower")
    assert (card.split == "official") == bool(card.parts)
    assert (card.split == "by content") == (not card.parts and card.folds is None)
    assert card.folds is None or 2 <= card.folds <= card.contents
    if card.parts:
        assert sum(card.parts.values()) == card.stimuli
    if card.low is not None and card.high is not None:
        # Mirrored within its ends, a scale keeps them.
        assert sorted([card.target(card.low), card.target(card.high)]) == [card.low, card.high]
    assert card.target(2.0) > card.target(1.0) if card.direction == "higher" else card.target(2.0) < card.target(1.0)


def test_unknown_card():
    with pytest.raises(InputError, match="no card of a database 'ava'; known: agiqa3k, basics, bid"):
        read_card("ava")


def test_manifest_elsewhere_needs_the_root(kadid, tmp_path):
    made = prepare("kadid10k", kadid, out=tmp_path / "made" / "kadid.csv")
    assert made.manifest == tmp_path / "made" / "kadid.csv"
    assert {path.parent for path in made.splits} == {tmp_path / "made" / "kadid_splits"}
    assert check_manifest(made.manifest, root=kadid, low=1.0, high=5.0) == []
    assert sorted(path.name for path in kadid.iterdir()) == ["dmos.csv", "images"]
    with pytest.raises(InputError, match="no such file"):
        read_manifest(made.manifest)


def test_nothing_is_overwritten(kadid):
    prepare("kadid10k", kadid)
    with pytest.raises(InputError, match=r"manifest.csv exists already; nothing is overwritten"):
        prepare("kadid10k", kadid)
    (kadid / "manifest.csv").unlink()
    with pytest.raises(InputError, match="manifest_splits exists already"):
        prepare("kadid10k", kadid)


def test_missing_stimuli_are_counted(kadid):
    for name in ("I01_01_01.png", "I01_02_01.png", "I05.png"):
        (kadid / "images" / name).unlink()
    with pytest.raises(InputError) as caught:
        prepare("kadid10k", kadid)
    message = str(caught.value)
    assert "expected 'images/I01_01_01.png' and 2 more in" in message
    assert message.endswith("get it at https://database.mmsp-kn.de/kadid-10k-database.html")
    assert not (kadid / "manifest.csv").exists()


@pytest.mark.parametrize("name", card_names())
def test_missing_scores_name_the_file_and_the_homepage(name, tmp_path):
    with pytest.raises(InputError) as caught:
        prepare(name, tmp_path)
    message = str(caught.value)
    assert "expected '" in message
    assert read_card(name).homepage in message
    assert "\n" not in message
    assert not list(tmp_path.iterdir())


def test_root_that_is_no_folder(tmp_path):
    with pytest.raises(InputError, match="expected the folder of the release, got"):
        prepare("live", tmp_path / "no")


def test_a_manifest_with_faults_does_not_stay(kadid):
    with (kadid / "dmos.csv").open("a") as file:
        file.write("I01_01_01.png,I01.png,2.0,0.5\n")
    with pytest.raises(InputError, match="already in row 2"):
        prepare("kadid10k", kadid)
    assert sorted(path.name for path in kadid.iterdir()) == ["dmos.csv", "images"]


def test_a_disk_that_fills_up_leaves_nothing(kadid, monkeypatch):
    def full(split, path) -> None:
        if path.name == "seed_3.csv":
            raise InputError("no space left")
        path.write_text("path,split")

    monkeypatch.setattr("rankqa_datasets.prepare.write_split", full)
    with pytest.raises(InputError, match="no space left"):
        prepare("kadid10k", kadid)
    assert sorted(path.name for path in kadid.iterdir()) == ["dmos.csv", "images"]


def test_scores_outside_of_the_scale_are_reported(kadid):
    text = (kadid / "dmos.csv").read_text()
    (kadid / "dmos.csv").write_text(text.replace(",1.0,", ",7.5,"))
    assert prepare("kadid10k", kadid).notes[-1] == "1 raw scores lie outside of the card's scale 1 to 5"


@pytest.mark.parametrize(
    "text",
    [
        b"\xef\xbb\xbfName, MOS\na.png, 1.5\n",
        b"mos,NAME\r\n1.5,a.png\r\n\r\n",
        b"x, name ,,mos\n9,a.png,,1.5,,\n",
        "ä,name,mos\nö,a.png,1.5\n".encode("latin-1"),
    ],
    ids=["bom and blanks", "other order", "nameless columns", "latin-1"],
)
def test_tables_are_read_by_column_name(tmp_path, text):
    (tmp_path / "t.csv").write_bytes(text)
    (row,) = read_rows(tmp_path / "t.csv", ["name", "MOS"])
    assert (row.text("name"), row.number("MOS")) == ("a.png", 1.5)


@pytest.mark.parametrize("cell", ["nan", "inf", "1,5", "good"])
def test_cells_that_are_no_numbers(tmp_path, cell):
    (tmp_path / "t.csv").write_text(f'name,mos\na.png,"{cell}"\n')
    (row,) = read_rows(tmp_path / "t.csv", ["name", "mos"])
    with pytest.raises(InputError, match=f"row 2, column 'mos': expected a number, got '{cell}'"):
        row.number("mos")


def test_an_open_quotation_mark_does_not_tear_the_message(kadid):
    text = (kadid / "dmos.csv").read_text()
    (kadid / "dmos.csv").write_text(text.replace("1.25", '"1.25', 1))
    with pytest.raises(InputError, match=r"row 3, column 'dmos': expected a number, got '1.25,") as caught:
        prepare("kadid10k", kadid)
    assert "\n" not in str(caught.value)


def test_exact_letter_case_comes_first(tmp_path):
    make(tmp_path, "images/a.BMP", "images/A.bmp", "images/b.bmp")
    release = Release(tmp_path, read_card("tid2013"))
    assert release.find("images/A.bmp") == "images/A.bmp"
    assert release.find("images/a.BMP") == "images/a.BMP"
    assert release.find("IMAGES/B.BMP") == "images/b.bmp"
    assert release.find("images/../images/b.bmp") is None


def test_command_prepare(kadid):
    result = run("prepare", "kadid10k", "--root", kadid)
    assert result.exit_code == 0
    assert f"{kadid / 'manifest.csv'}: 10 stimuli of 5 contents" in result.stdout
    assert str(kadid / "manifest_splits" / "seed_9.csv") in result.stdout
    assert "note: expected 10125 stimuli, got 10" in result.stderr
    assert run("check", kadid / "manifest.csv").exit_code == 0


def test_command_prepare_without_files(kadid, tmp_path):
    for image in (kadid / "images").iterdir():
        image.unlink()
    out = tmp_path / "table.csv"
    assert "--without-files" in run("prepare", "kadid10k", "--root", kadid, "--out", out).output
    result = run("prepare", "kadid10k", "--root", kadid, "--out", out, "--without-files")
    assert result.exit_code == 0
    assert f"{out}: 10 stimuli of 5 contents" in result.stdout
    assert run("check", out).exit_code == 1
    assert run("check", out, "--without-files").exit_code == 0
    assert run("check", out, "--without-files", "--modality", "image").exit_code == 2
    assert run("split", out, "--out", tmp_path / "one.csv", "--without-files").exit_code == 0


def test_command_errors(kadid, tmp_path):
    result = run("prepare", "kadid", "--root", kadid)
    assert result.exit_code == 2
    assert "unknown database 'kadid': did you mean 'kadid10k'?" in result.output
    result = run("prepare", "koniq10k", "--root", kadid)
    assert result.exit_code == 1
    assert result.output.startswith("Error: KonIQ-10k: expected '")
    assert result.output.count("\n") == 1


def test_command_list():
    result = run("list")
    assert result.exit_code == 0
    assert [line.split()[0] for line in result.output.splitlines()[1:]] == card_names()
    assert run("list", "tid").exit_code == 2


@pytest.mark.parametrize("name", card_names())
def test_command_list_of_one(name):
    result = run("list", name)
    card = read_card(name)
    assert result.exit_code == 0
    for text in (card.title, card.licence, card.homepage, card.citation, card.content, *card.notes, *card.sources):
        assert text in result.output
