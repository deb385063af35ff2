"""ICIP2020, IRPC and SIAT-PCQD: databases of clouds whose file names are made of the columns of a table."""

from rankqa_datasets.errors import InputError
from rankqa_datasets.release import Opinion, Release
from rankqa_datasets.release_table import TableRow, read_lines, read_rows

# Cloud, codec, rate, score and half interval in the release's table, and in the one of a public repository.
ICIP_COLUMNS = ("Point_Cloud_Name", "Codec", "Rate", "MOS", "CI")
ICIP_DERIVED_COLUMNS = ("pc_name", "codec_id", "codec_rate", "mos", "mos_ci")
# What the codec's name holds in both, its name in the recipe, its folder and its word in the file name.
ICIP_CODECS = {
    "OCT": ("gpcc-octree", "GPCC_Octree", "OCT"),
    "TRI": ("gpcc-trisoup", "GPCC_Trisoup", "TRI"),
    "AI": ("vpcc", "VPCC", "ai"),
}
# The name in folders; the seventh content of the study was never released.
ICIP_FOLDERS = {
    "longdress_vox10_1300": "longdress",
    "loot_vox10_1200": "loot",
    "redandblack_vox10_1550": "redandblack",
    "ricardo10_frame0082": "ricardo",
    "sarah9_frame0023": "sarah",
    "soldier_vox10_0690": "soldier",
}
# The release holds octree clouds in place of these, and one cloud in a format that no reader takes.
ICIP_ABSENT = {("redandblack_vox10_1550", "TRI"): None, ("loot_vox10_1200", "AI"): "r05"}

IRPC_SESSIONS = ("Rpoint", "Rcolor", "Rmesh")
IRPC_QUALITIES = ("L", "M", "H")

SIAT_SEQUENCE = "Sequences"


def icip2020(release: Release) -> list[Opinion]:
    """ICIP2020 (Perry et al.) without its rated references; the interval is that of Student's t."""
    path = release.path("scores")
    columns = ICIP_COLUMNS if path.name.casefold() == "alllabsresultssummary.csv" else ICIP_DERIVED_COLUMNS
    opinions, unreleased, absent = [], set(), []
    for row in read_rows(path, list(columns)):
        cloud, codec = row.text(columns[0]), row.text(columns[1])
        if codec.upper() == "REF":
            continue
        if cloud not in ICIP_FOLDERS:
            unreleased.add(cloud)
            continue
        key, rate = _icip_codec(row, columns[1]), _icip_rate(row, columns[2])
        recipe, folder, word = ICIP_CODECS[key]
        # Only here the frame is left out.
        stem = "ricardo10" if (cloud, key) == ("ricardo10_frame0082", "AI") else cloud
        name, folders = f"{stem}_{word}_{rate}.ply", [f"{folder}_{ICIP_FOLDERS[cloud]}"]
        may_be_absent = (cloud, key) in ICIP_ABSENT and ICIP_ABSENT[cloud, key] in (None, rate)
        if release.files and may_be_absent and release.find_cloud([name], folders) is None:
            absent.append(name)
            continue
        opinions.append(
            Opinion(
                path=release.cloud([name], folders),
                raw=row.number(columns[3]),
                reference=release.find_cloud([f"{cloud}.ply"]),
                content=cloud,
                std=row.number(columns[4]),
                recipe=f"{recipe}_{rate}",
                name=name,
            )
        )
    release.notes.extend(f"left out {cloud}: its clouds were never released" for cloud in sorted(unreleased))
    if absent:
        release.notes.append(f"left out '{absent[0]}' and {len(absent) - 1} more: the release has no PLY of theirs")
    return opinions


def irpc(release: Release) -> list[Opinion]:
    """One session of IRPC: scores of the 18 people who took part in all three, in a sheet of merged cells."""
    session, path = release.card.columns["target"], release.path("scores")
    lines = read_lines(path)
    start = next((i for i, line in enumerate(lines) if all(name in line for name in IRPC_SESSIONS)), None)
    if start is None:
        raise InputError(f"{path}: expected the columns '{', '.join(IRPC_SESSIONS)}', got none")
    first = lines[start].index(IRPC_SESSIONS[0])
    if first < 3:
        raise InputError(f"{path}: expected cloud, codec and quality left of '{IRPC_SESSIONS[0]}'")
    score, letter = lines[start].index(session), session[1].upper()
    opinions: list[Opinion] = []
    content = codec = ""
    for number, line in enumerate(lines[start + 1 :], start=start + 2):
        if not line[score]:
            continue
        content, codec = line[first - 3] or content, line[first - 2].replace("-", "") or codec
        quality = line[first - 1]
        if not content or not codec or quality not in IRPC_QUALITIES:
            raise InputError(f"{path}: row {number}: expected cloud, codec and a quality L, M or H, got '{quality}'")
        stem = f"{content}_{codec}_{quality}"
        decoded = [] if letter == "M" else [f"{stem}.ply"]
        # V-PCC coded 10 bits, whatever the original has.
        depths = ("10", "12") if codec == "VPCC" else ("12", "10")
        originals = [f"{content}_O{depth}.ply" for depth in depths if letter != "M"]
        row = TableRow(path, number, {session.lower(): line[score]})
        opinions.append(
            Opinion(
                path=release.cloud([f"{stem}_{letter}.ply", *decoded]),
                raw=row.number(session),
                reference=release.find_cloud([f"{content}O_{letter}.ply", f"Mesh[{content}O].ply", *originals]),
                content=content,
                recipe=f"{codec}_{quality}",
                name=f"{stem}.ply",
            )
        )
    return opinions


def siat(release: Release) -> list[Opinion]:
    """SIAT-PCQD: sequence (in merged cells), number of the rate beside it, and the score in the last column."""
    path = release.path("scores")
    lines = read_lines(path)
    start = next((i for i, line in enumerate(lines) if SIAT_SEQUENCE in line), None)
    if start is None:
        raise InputError(f"{path}: expected a column '{SIAT_SEQUENCE}', got '{', '.join(lines[0]) if lines else ''}'")
    header = lines[start]
    place = header.index(SIAT_SEQUENCE)
    last = max(column for column, cell in enumerate(header) if cell)
    if last < place + 2:
        raise InputError(f"{path}: expected the number of the rate and a score right of '{SIAT_SEQUENCE}'")
    opinions: list[Opinion] = []
    sequence = ""
    for number, line in enumerate(lines[start + 1 :], start=start + 2):
        if not line[last]:
            continue
        sequence = line[place] or sequence
        row = TableRow(path, number, {"rate": line[place + 1].lower().removeprefix("r"), "score": line[last]})
        if not sequence:
            raise InputError(f"{path}: row {number}: expected a sequence, got an empty cell")
        rate = f"r{row.whole('rate'):02d}"
        name = f"{sequence}_{rate}.ply"
        opinions.append(
            Opinion(
                path=release.cloud([name]),
                raw=row.number("score"),
                reference=release.find_cloud([f"{sequence}.ply"]),
                content=sequence,
                recipe=f"vpcc_{rate}",
                name=name,
            )
        )
    return opinions


def _icip_codec(row: TableRow, column: str) -> str:
    """The key of ICIP_CODECS: `OCT` of `OCT` and of `GPCC_OCT_PRED`."""
    words = row.text(column).upper().split("_")
    for key in ICIP_CODECS:
        if key in words:
            return key
    raise InputError(f"{row.path}: row {row.line}: expected a codec of {', '.join(ICIP_CODECS)}, got '{words[0]}'")


def _icip_rate(row: TableRow, column: str) -> str:
    """`r01` of `R01`, and of the `RRR01` that the table has for one cloud."""
    rate = row.text(column).lower()
    return f"r{rate.lstrip('r')}" if rate.startswith("rr") else rate
