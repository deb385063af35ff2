"""SJTU-PCQA, WPC, WPC2.0, LS-PCQA, BASICS and M-PCCD: databases of clouds whose names say content and recipe."""

import re
import statistics
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from rankqa_datasets.cloud_name import cloud_key
from rankqa_datasets.cloud_scores import (
    Score,
    cloud_scores,
    listed_cloud_scores,
    official_cloud_scores,
    raw_votes,
    score_table,
    sjtu_sheet,
    with_ending,
)
from rankqa_datasets.errors import InputError
from rankqa_datasets.release import Opinion, Release
from rankqa_datasets.release_table import read_rows

SJTU_NAME = re.compile(r"(?P<content>.+)_(?P<number>\d+)")
SJTU_LEVELS = 6

# The distortion, and what follows the content in its names.
WPC_SUFFIXES = {
    "downsampling": r"level_(\d+)",
    "gaussian-noise": r"gsigma_(\d+)_tsigma_(\d+)",
    "gpcc-trisoup": r"tsl_(\d+)_tqs_(\d+)",
    "vpcc": r"gQP_(\d+)_tQP_(\d+)",
    "gpcc-octree": r"pqs_(\d+)_qs_(\d+)(?:_rounded)?",
}
WPC2_SUFFIXES = {"vpcc": r"geo_(\d+)_col_(\d+)"}

LS_NAME = re.compile(r"(?P<content>.+)_(?P<type>[^_]+)_(?P<level>\d+)")

BASICS_NAME = re.compile(r"(?P<content>p\d\d)_(?P<type>[^_]+)_(?P<level>r\d\d)", re.IGNORECASE)
# Sources of the official test and validation parts; the other 45 train.
BASICS_TEST = frozenset({1, 5, 7, 12, 19, 29, 30, 32, 38, 47, 57, 59, 61, 63, 66})
BASICS_VALIDATION = frozenset({2, 4, 16, 17, 18, 31, 34, 37, 39, 42, 60, 62, 64, 71, 73})

MPCCD_NAME = re.compile(r"(?P<content>.+)_(?P<type>[^_]+)_R(?P<level>\d\d)")
# What the release calls the contents and the codecs of the lists.
MPCCD_SOURCES = {
    "amphoriskos": "amphoriskos_vox10",
    "biplane": "biplane_vox10",
    "head": "head_00039_vox9",
    "longdress": "longdress_vox10_1300",
    "loot": "loot_vox10_1200",
    "romanoillamp": "romanoillamp_vox10",
    "soldier": "soldier_vox10_0690",
    "the20smaria": "the20smaria_00600_vox10",
}
MPCCD_CODECS = {
    "Octree-Lifting": ("tmc13", "_octree-predlift"),
    "Octree-RAHT": ("tmc13", "_octree-raht"),
    "TriSoup-Lifting": ("tmc13", "_trisoup-predlift"),
    "TriSoup-RAHT": ("tmc13", "_trisoup-raht"),
    "VPCC": ("tmc2", ""),
}


@dataclass(frozen=True)
class Meaning:
    """What a name says: content and recipe; and what cloud and reference may be called in the release."""

    content: str
    recipe: str
    names: tuple[str, ...] = ()
    references: tuple[str, ...] = ()
    part: str | None = None


def sjtu(release: Release) -> list[Opinion]:
    """SJTU-PCQA: `<content>_<k>.ply`, where k // 6 is the type and k mod 6 the level, 0 being the mildest."""

    def meaning(stem: str) -> Meaning | None:
        match = SJTU_NAME.fullmatch(stem)
        number = int(match["number"]) if match else -1
        if match is None or not 0 <= number < SJTU_LEVELS * len(release.card.types):
            return None
        recipe = f"{release.card.types[number // SJTU_LEVELS]}_{number % SJTU_LEVELS}"
        # Some copies write numbers of two digits.
        return Meaning(match["content"], recipe, names=(f"{match['content']}_{number:02d}.ply",))

    listed = listed_cloud_scores(release)
    scores = list(sjtu_sheet(score_table(release))) if listed is None else listed
    return _opinions(release, scores, meaning, example="longdress_0.ply to longdress_41.ply")


def wpc(release: Release) -> list[Opinion]:
    """WPC: five distortions, told apart by the end of the name."""
    return _opinions(release, cloud_scores(release), _by_suffix(WPC_SUFFIXES), example="bag_level_7.ply")


def wpc2(release: Release) -> list[Opinion]:
    """WPC2.0: V-PCC with five steps for geometry and five for colour."""
    return _opinions(release, cloud_scores(release), _by_suffix(WPC2_SUFFIXES), example="bag_geo_26_col_26.ply")


def ls_pcqa(release: Release) -> list[Opinion]:
    """LS-PCQA part I: the 930 clouds with opinions."""
    return _opinions(release, cloud_scores(release), _by_name(LS_NAME), example="BirdV3_ColorNoise_3.ply")


def pseudo_ls_pcqa(release: Release) -> list[Opinion]:
    """All of LS-PCQA, whose scores a program made up; for pretraining only."""
    scores = list(official_cloud_scores(release))
    return _opinions(release, scores, _by_name(LS_NAME), example="BirdV3_ColorNoise_3.ply")


def basics(release: Release) -> list[Opinion]:
    """BASICS: the lists have corrected scores of all clouds, the tables of the challenge those of two parts."""

    def meaning(stem: str) -> Meaning | None:
        found = _by_name(BASICS_NAME)(stem)
        if found is None:
            return None
        source = int(found.content[1:])
        part = "test" if source in BASICS_TEST else "validation" if source in BASICS_VALIDATION else "train"
        return Meaning(found.content.lower(), found.recipe, part=part)

    scores = listed_cloud_scores(release)
    if scores is None:
        columns = release.card.columns
        paths = [score_table(release), release.path("test")]
        rows = [row for path in paths for row in read_rows(path, list(columns.values()))]
        scores = [
            Score(
                row.path,
                row.line,
                with_ending(row.text(columns["name"])),
                row.number(columns["target"]),
                row.number(columns["std"]),
            )
            for row in rows
        ]
    return _opinions(release, scores, meaning, example="p01_vpcc_r03.ply")


def mpccd(release: Release) -> list[Opinion]:
    """M-PCCD: the lists have short names, the release has long ones."""

    def meaning(stem: str) -> Meaning | None:
        match = MPCCD_NAME.fullmatch(stem)
        codec = MPCCD_CODECS.get(match["type"]) if match else None
        if match is None or codec is None or match["content"] not in MPCCD_SOURCES:
            return None
        source, level = MPCCD_SOURCES[match["content"]], match["level"]
        long = f"{codec[0]}_{source}_dec_geom{level}_text{level}{codec[1]}.ply"
        recipe = f"{match['type']}_R{level}"
        return Meaning(match["content"], recipe, names=(long,), references=(f"{source}.ply",))

    return _opinions(release, cloud_scores(release), meaning, example="head_Octree-RAHT_R01.ply")


def _opinions(
    release: Release, scores: Iterable[Score], meaning: Callable[[str], Meaning | None], *, example: str
) -> list[Opinion]:
    """What the names say joined with votes, clouds and references.

    Raises:
        InputError: a name says nothing, or files of a release are ambiguous.
    """
    votes = raw_votes(release)
    opinions, without_votes, without_reference = [], 0, set()
    for score in scores:
        said = meaning(score.name.removesuffix(".ply"))
        if said is None:
            raise InputError(f"{score.path}: row {score.line}: expected a name such as {example}, got '{score.name}'")
        own = votes.get(cloud_key(score.name), [])
        without_votes += not own
        spread = statistics.stdev(own) if len(own) > 1 else None
        reference = release.find_cloud([*said.references, f"{said.content}.ply"])
        if reference is None:
            without_reference.add(said.content)
        opinions.append(
            Opinion(
                path=release.cloud([score.name, *said.names]),
                raw=score.raw,
                reference=reference,
                content=said.content,
                std=spread if score.std is None else score.std,
                votes=len(own) or None,
                recipe=said.recipe,
                part=said.part,
                name=score.name,
            )
        )
    if votes and without_votes:
        release.notes.append(f"no raw votes for {without_votes} stimuli")
    if "votes" in release.card.files and not votes:
        release.notes.append(f"no {release.card.choices('votes')[0]}: votes stay empty")
    if release.files and without_reference:
        release.notes.append(
            f"no reference such as '{min(without_reference)}.ply' found for {len(without_reference)} contents"
        )
    return opinions


def _by_name(pattern: re.Pattern[str]) -> Callable[[str], Meaning | None]:
    def meaning(stem: str) -> Meaning | None:
        match = pattern.fullmatch(stem)
        return None if match is None else Meaning(match["content"], f"{match['type']}_{match['level']}")

    return meaning


def _by_suffix(suffixes: dict[str, str]) -> Callable[[str], Meaning | None]:
    patterns = {kind: re.compile(f"(?P<content>.+)_{suffix}", re.IGNORECASE) for kind, suffix in suffixes.items()}

    def meaning(stem: str) -> Meaning | None:
        for kind, pattern in patterns.items():
            match = pattern.fullmatch(stem)
            if match is not None:
                content, *levels = match.groups()
                return Meaning(content, f"{kind}_{'-'.join(levels)}", references=(f"{content}_referenced.ply",))
        return None

    return meaning
