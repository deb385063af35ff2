"""CSIQ, SPAQ and BID: databases whose scores are in a workbook."""

import statistics

from rankqa_datasets.errors import InputError
from rankqa_datasets.release import Opinion, Release
from rankqa_datasets.release_table import read_rows

# The sheet's word for a type, the folder, and the tag in the file name (their letter case varies between copies).
CSIQ_TYPES = {
    "noise": ("awgn", "AWGN"),
    "blur": ("blur", "BLUR"),
    "contrast": ("contrast", "contrast"),
    "fnoise": ("fnoise", "fnoise"),
    "jpeg": ("jpeg", "JPEG"),
    "jpeg2000": ("jpeg2000", "jpeg2000"),
}
BID_GRADE = "Grade #"


def csiq(release: Release) -> list[Opinion]:
    """CSIQ: one row a stimulus, whose file name is made of image, type and level."""
    columns, path = release.card.columns, release.path("scores")
    opinions = []
    for row in read_rows(path, list(columns.values()), sheet=str(release.card.files["sheet"])):
        image, kind, level = row.text(columns["name"]), row.text(columns["type"]), row.text(columns["level"])
        kind = kind.lower().replace(" ", "")
        if kind not in CSIQ_TYPES:
            raise InputError(f"{path}: row {row.line}: expected a type of {', '.join(CSIQ_TYPES)}, got '{kind}'")
        folder, tag = CSIQ_TYPES[kind]
        opinions.append(
            Opinion(
                path=release.stimulus(f"dst_imgs/{folder}/{image}.{tag}.{level}.png"),
                raw=row.number(columns["target"]),
                reference=release.stimulus(f"src_imgs/{image}.png"),
                content=image,
                std=row.number(columns["std"]),
                recipe=f"{kind}_{level}",
            )
        )
    return opinions


def spaq(release: Release) -> list[Opinion]:
    """SPAQ: file name and MOS in the first two columns."""
    columns, images = release.card.columns, release.folders("images")
    return [
        Opinion(path=release.stimulus(row.text(columns["name"]), images), raw=row.number(columns["target"]))
        for row in read_rows(release.path("scores"), list(columns.values()))
    ]


def bid(release: Release) -> list[Opinion]:
    """BID: numbers that are not contiguous, and all grades of each image."""
    columns, images = release.card.columns, release.folders("images")
    opinions = []
    for row in read_rows(release.path("scores"), list(columns.values()), sheet=str(release.card.files["sheet"])):
        grades = row.numbers(BID_GRADE)
        opinions.append(
            Opinion(
                path=release.stimulus(f"DatabaseImage{row.whole(columns['name']):04d}.JPG", images),
                raw=row.number(columns["target"]),
                std=statistics.stdev(grades) if len(grades) > 1 else None,
                votes=row.whole(columns["votes"]),
            )
        )
    return opinions
