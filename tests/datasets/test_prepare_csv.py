import csv
import shutil
from pathlib import Path

import pytest

from rankqa_datasets.errors import InputError
from rankqa_datasets.manifest import read_manifest
from rankqa_datasets.prepare import prepare
from rankqa_datasets.split import read_split
from rankqa_datasets.stimulus import Stimulus


def make(root: Path, *names: str) -> None:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(name.encode())


def read(root: Path) -> dict[str, Stimulus]:
    return {stimulus.id: stimulus for stimulus in read_manifest(root / "manifest.csv").stimuli}


def test_kadid_is_higher_is_better_in_spite_of_its_column_name(tmp_path):
    make(tmp_path, "images/I01.png", "images/I02.png", "images/I81.png")
    make(tmp_path, "images/I01_01_01.png", "images/I02_10_05.png", "images/I81_25_03.png")
    (tmp_path / "dmos.csv").write_text(
        "dist_img,ref_img,dmos,var\n"
        "I01_01_01.png,I01.png,4.57,0.496\nI02_10_05.png,I02.png,1.5,0.7\nI81_25_03.png,I81.png,3,1\n"
    )
    made = prepare("kadid10k", tmp_path)
    rows = read(tmp_path)
    assert [(row.target, row.target_std, row.votes) for row in rows.values()] == [
        (4.57, 0.496, 30),
        (1.5, 0.7, 30),
        (3.0, 1.0, 30),
    ]
    assert [row.recipe for row in rows.values()] == ["gaussian-blur_1", "jpeg_5", "contrast_3"]
    assert [row.content for row in rows.values()] == ["I01", "I02", "I81"]
    assert rows["images/I81_25_03.png"].reference == tmp_path / "images/I81.png"
    assert made.notes == ("expected 10125 stimuli, got 3", "expected 81 contents, got 3")


KONIQ = """image_name,c1,c2,c3,c4,c5,c_total,MOS,SD,set
10004473376.jpg,0.0,0.0,0.238095238095,0.695238095238,0.0666666666667,105,77.3836206897,0.527277894494,training
10007357496.jpg,0.0,0.03125,0.46875,0.489583333333,0.0104166666667,96,68.7285714286,0.580003024795,test
10007903636.jpg,0.1,0.2,0.3,0.4,0.0,100,40.5,1.0,validation
"""


@pytest.fixture
def koniq(tmp_path: Path) -> Path:
    (tmp_path / "koniq10k_distributions_sets.csv").write_text(KONIQ)
    names = [line.split(",")[0] for line in KONIQ.splitlines()[1:]]
    make(tmp_path, *(f"512x384/{name}" for name in names))
    return tmp_path


def test_koniq_has_the_official_split_and_one_scale(koniq):
    names = [line.split(",")[0] for line in KONIQ.splitlines()[1:]]
    make(koniq, *(f"1024x768/{name}" for name in names))
    made = prepare("koniq10k", koniq)
    rows = list(read(koniq).values())
    assert [row.id for row in rows] == [f"1024x768/{name}" for name in names]
    assert [row.split for row in rows] == ["train", "test", "validation"]
    assert [row.votes for row in rows] == [105, 96, 100]
    assert rows[0].target == pytest.approx(77.3836206897)
    # The released SD is on the scale 1 to 5 of the votes, the MOS on 0 to 100.
    assert rows[0].target_std == pytest.approx(27.8 * 0.527277894494)
    assert [path.name for path in made.splits] == ["official.csv"]
    split = read_split(made.splits[0], rows)
    assert [split.parts[row.id] for row in rows] == ["train", "test", "validation"]
    assert made.notes[0] == "images are those of 1024x768"
    assert "expected 7058 stimuli of the part train, got 1" in made.notes


def test_koniq_with_the_small_images_only(koniq):
    assert prepare("koniq10k", koniq).notes[0] == "images are those of 512x384"
    assert next(iter(read(koniq))) == "512x384/10004473376.jpg"


def test_koniq_sizes_are_never_mixed(koniq):
    make(koniq, "1024x768/10004473376.jpg")
    with pytest.raises(InputError, match=r"expected '1024x768/10007357496.jpg' and 1 more in"):
        prepare("koniq10k", koniq)


def test_koniq_votes_are_whole(koniq):
    path = koniq / "koniq10k_distributions_sets.csv"
    path.write_text(KONIQ.replace(",96,", ",96.5,"))
    with pytest.raises(InputError, match=r"row 3, column 'c_total': expected a whole number, got '96.5'"):
        prepare("koniq10k", koniq)


def test_koniq_unknown_set(koniq):
    path = koniq / "koniq10k_distributions_sets.csv"
    path.write_text(KONIQ.replace("1.0,validation", "1.0,dev"))
    with pytest.raises(InputError, match="row 4: expected a set of training, validation, test, got 'dev'"):
        prepare("koniq10k", koniq)


@pytest.mark.parametrize("folder", ["", "database/"])
def test_flive_parts_come_from_their_own_tables(tmp_path, folder):
    names = ["voc_emotic_ava/AVA__1.jpg", "blur_dataset/motion0044.jpg", "EE371R/cj2+019.jpg", "voc_emotic_ava/V 2.jpg"]
    make(tmp_path, *(f"database/{name}" for name in names))
    scores = "".join(f"{name},{60.5 + k}\n" for k, name in enumerate(names))
    (tmp_path / f"{folder}labels_image.csv").write_text("name,mos\n" + scores)
    (tmp_path / f"{folder}labels640.csv").write_text(
        f"mos_patch_1,name_patch,mos_image,name_image\n1,p,60.5,{names[0]}\n"
    )
    (tmp_path / f"{folder}labels=640_padded.csv").write_text(
        f"name_image,mos_image,is_valid\n{names[1]},61.5,True\n{names[2]},62.5,False\n{names[3]},63.5,False\n"
    )
    made = prepare("flive", tmp_path)
    rows = read(tmp_path)
    assert [*rows] == [f"database/{name}" for name in names]
    assert [row.split for row in rows.values()] == ["test", "validation", "train", "train"]
    assert [row.target for row in rows.values()] == [60.5, 61.5, 62.5, 63.5]
    assert [row.extra["subset"] for row in rows.values()] == [
        "voc_emotic_ava",
        "blur_dataset",
        "EE371R",
        "voc_emotic_ava",
    ]
    assert made.notes[2:] == (
        "expected 30256 stimuli of the part train, got 2",
        "expected 7727 stimuli of the part validation, got 1",
        "expected 1827 stimuli of the part test, got 1",
    )


def test_agiqa_groups_by_prompt(tmp_path):
    header = "name,prompt,adj1,adj2,style,mos_quality,std_quality,mos_align,std_align\n"
    names = ["AttnGAN_normal_000.jpg", "sd1.5_lowcorr_000.jpg", "midjourney_lowstep_007.jpg"]
    prompts = ['"a pizza, sci-fi style"', '"a pizza, sci-fi style"', "statue of a man"]
    (tmp_path / "data.csv").write_text(
        header
        + "".join(f"{n},{p},,,,{k + 0.5},0.25,1.5,0.5\n" for k, (n, p) in enumerate(zip(names, prompts, strict=True)))
    )
    make(tmp_path, *names)
    made = prepare("agiqa3k", tmp_path)
    rows = read(tmp_path)
    assert [row.target for row in rows.values()] == [0.5, 1.5, 2.5]
    assert [row.content for row in rows.values()] == ["a pizza, sci-fi style"] * 2 + ["statue of a man"]
    assert [row.recipe for row in rows.values()] == ["AttnGAN_normal", "sd1.5_lowcorr", "midjourney_lowstep"]
    assert made.contents == 2
    split = read_split(made.splits[0], tuple(rows.values()))
    assert split.parts[names[0]] == split.parts[names[1]] != split.parts[names[2]]


def test_pieapp_turns_errors_into_quality(tmp_path):
    (tmp_path / "labels/test").mkdir(parents=True)
    (tmp_path / "test_reference_list.txt").write_text("ref_3.png\nref_8.png\n")
    for ref, scores in ((3, (0.5, 2.25)), (8, (-0.1, 1.0))):
        lines = "".join(
            f"ref_{ref}.png, distort_{ref}_gaussian_blur_{kind}_7.png, {score}\n"
            for kind, score in zip(("inter", "intra"), scores, strict=True)
        )
        header = "ref image, distorted image, score for distorted image\n"
        own = f"ref_{ref}.png,ref_{ref}.png,0\n"
        (tmp_path / f"labels/test/ref_{ref}_per_image_score.csv").write_text(header + lines + own)
        make(tmp_path, f"reference_images/test/ref_{ref}.png")
        names = [f"distort_{ref}_gaussian_blur_{kind}_7.png" for kind in ("inter", "intra")]
        make(tmp_path, *(f"distorted_images/test/ref_{ref}/{name}" for name in names))
    made = prepare("pieapp", tmp_path)
    rows = list(read(tmp_path).values())
    assert [row.target for row in rows] == [-0.5, -2.25, 0.1, -1]
    assert [row.content for row in rows] == ["ref_3", "ref_3", "ref_8", "ref_8"]
    assert {(row.recipe, row.split) for row in rows} == {("gaussian_blur", "test")}
    assert rows[0].reference == tmp_path / "reference_images/test/ref_3.png"
    assert made.notes == (
        "expected 600 stimuli, got 4",
        "expected 40 contents, got 2",
        "expected 600 stimuli of the part test, got 4",
    )
    (tmp_path / "labels/test/ref_8_per_image_score.csv").unlink()
    with pytest.raises(InputError, match=r"expected 'labels/test/ref_8_per_image_score.csv' in .*github.com/prashnani"):
        prepare("pieapp", tmp_path, out=tmp_path / "other.csv")
    (tmp_path / "test_reference_list.txt").write_bytes(b"\xff\xfe")
    with pytest.raises(InputError, match=r"cannot read .*test_reference_list.txt as text"):
        prepare("pieapp", tmp_path, out=tmp_path / "other.csv")


def test_real_biq2021_images_in_the_official_layout(shared_dir, tmp_path):
    """Forty real files with blanks, brackets and one .JPG; the tables are written as the release has them."""
    part = shared_dir / "data" / "biq2021-part"
    if not part.is_dir():
        pytest.skip("no BIQ2021 part beside this checkout")
    with (part / "manifest.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    chosen = rows[:20] + rows[-20:] + [row for row in rows if row["path"].endswith(".JPG")]
    (tmp_path / "Images").mkdir()
    tables = {"train": "Image Name,MOS,,\r\n", "test": "Image Name,MOS\r\n"}
    for row in chosen:
        name = Path(row["path"]).name
        shutil.copy(part / row["path"], tmp_path / "Images" / name)
        # The release's tables write .jpg even where the file is a .JPG, and the table of the training part has two
        # columns without a name.
        tail = ",," if row["split"] == "train" else ""
        tables[row["split"]] += f"{name.replace('.JPG', '.jpg')},{row['target']}{tail}\r\n"
    (tmp_path / "Train (Images and MOS).csv").write_text(tables["train"], newline="")
    (tmp_path / "Test (Images and MOS).csv").write_text(tables["test"], newline="")
    made = prepare("biq2021", tmp_path)
    expected = {f"Images/{Path(row['path']).name}": row for row in chosen}
    stimuli = read(tmp_path)
    assert stimuli.keys() == expected.keys()
    for id_, stimulus in stimuli.items():
        row = expected[id_]
        assert (stimulus.target, stimulus.split, stimulus.votes) == (float(row["target"]), row["split"], 30)
        assert stimulus.extra["subset"] == row["subset"]
    assert "expected 2000 stimuli of the part test, got 20" in made.notes
    assert [path.name for path in made.splits] == ["official.csv"]
