"""KADID-10k, KonIQ-10k, FLIVE, AGIQA-3K, BIQ2021 and PieAPP: databases whose scores are in CSV files."""

import re
from pathlib import PurePosixPath

from rankqa_datasets.errors import InputError
from rankqa_datasets.release import Opinion, Release
from rankqa_datasets.release_table import read_rows
from rankqa_datasets.release_text import text_lines

KADID_NAME = re.compile(r"(I\d\d)_(\d\d)_(\d\d)\.png", re.IGNORECASE)
PIEAPP_NAME = re.compile(r"distort_\d+_(.+)_(?:inter|intra)_.+\.png", re.IGNORECASE)
KONIQ_PARTS = {"training": "train", "validation": "validation", "test": "test"}


def kadid(release: Release) -> list[Opinion]:
    """KADID-10k: the name says reference, type and level."""
    columns, path = release.card.columns, release.path("scores")
    opinions = []
    for row in read_rows(path, list(columns.values())):
        name, reference = row.text(columns["name"]), row.text(columns["reference"])
        match = KADID_NAME.fullmatch(name)
        if match is None:
            raise InputError(f"{path}: row {row.line}: expected a name such as I01_01_01.png, got '{name}'")
        opinions.append(
            Opinion(
                path=release.stimulus(f"images/{name}"),
                raw=row.number(columns["target"]),
                reference=release.stimulus(f"images/{reference}"),
                content=PurePosixPath(reference).stem,
                std=row.number(columns["std"]),
                recipe=release.recipe(match.group(2), match.group(3)),
            )
        )
    return opinions


def koniq(release: Release) -> list[Opinion]:
    """KonIQ-10k: MOS, number of votes and the official part of each image."""
    columns, path = release.card.columns, release.path("scores")
    images = release.folders("images")[:1]
    release.notes.append(f"images are those of {images[0]}")
    opinions = []
    for row in read_rows(path, list(columns.values())):
        part = row.text(columns["part"])
        if part not in KONIQ_PARTS:
            raise InputError(f"{path}: row {row.line}: expected a set of {', '.join(KONIQ_PARTS)}, got '{part}'")
        opinions.append(
            Opinion(
                path=release.stimulus(row.text(columns["name"]), images),
                raw=row.number(columns["target"]),
                std=row.number(columns["std"]),
                votes=row.whole(columns["votes"]),
                part=KONIQ_PARTS[part],
            )
        )
    return opinions


def flive(release: Release) -> list[Opinion]:
    """FLIVE: whole images; the test and validation parts stand in tables of their own."""
    columns, images = release.card.columns, release.folders("images")
    test = {row.text(columns["part"]) for row in read_rows(release.path("test"), [columns["part"]])}
    padded = read_rows(release.path("validation"), [columns["part"], columns["valid"]])
    validation = {row.text(columns["part"]) for row in padded if row.text(columns["valid"]).lower() == "true"}
    opinions = []
    for row in read_rows(release.path("scores"), [columns["name"], columns["target"]]):
        name = row.text(columns["name"])
        opinions.append(
            Opinion(
                path=release.stimulus(name, images),
                raw=row.number(columns["target"]),
                part="test" if name in test else "validation" if name in validation else "train",
                subset=name.partition("/")[0],
            )
        )
    return opinions


def agiqa(release: Release) -> list[Opinion]:
    """AGIQA-3K: the name without its number is the generator, the prompt is the content."""
    columns, images = release.card.columns, release.folders("images")
    opinions = []
    for row in read_rows(release.path("scores"), list(columns.values())):
        name = row.text(columns["name"])
        opinions.append(
            Opinion(
                path=release.stimulus(name, images),
                raw=row.number(columns["target"]),
                content=row.text(columns["content"]),
                std=row.number(columns["std"]),
                recipe=PurePosixPath(name).stem.rpartition("_")[0],
            )
        )
    return opinions


def biq2021(release: Release) -> list[Opinion]:
    """BIQ2021: one table a part; the name starts with the subset."""
    columns, images = release.card.columns, release.folders("images")
    return [
        Opinion(
            path=release.stimulus(row.text(columns["name"]), images),
            raw=row.number(columns["target"]),
            part=part,
            subset=row.text(columns["name"]).partition(" ")[0],
        )
        for part in ("train", "test")
        for row in read_rows(release.path(part), list(columns.values()))
    ]


def pieapp(release: Release) -> list[Opinion]:
    """PieAPP's test part: an error for each distorted image; the reference itself, where it is listed, is left out."""
    columns = release.card.columns
    opinions = []
    for line in text_lines(release.path("list")):
        reference = PurePosixPath(line).stem
        label = release.find(f"labels/test/{reference}_per_image_score.csv")
        if label is None:
            expected = str(release.card.files["scores"]).replace("<ref>", reference)
            raise InputError(
                f"{release.card.title}: expected '{expected}' in {release.root}: get it at {release.card.homepage}"
            )
        for row in read_rows(release.root / label, list(columns.values())):
            name = row.text(columns["name"])
            if PurePosixPath(name).stem == reference:
                continue
            match = PIEAPP_NAME.fullmatch(name)
            opinions.append(
                Opinion(
                    path=release.stimulus(f"{reference}/{name}", release.folders("images")),
                    raw=row.number(columns["target"]),
                    reference=release.stimulus(f"{reference}.png", release.folders("references")),
                    content=reference,
                    recipe=match.group(1) if match else None,
                    part="test",
                )
            )
    return opinions
