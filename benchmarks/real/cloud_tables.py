"""Manifests and fold files of public point-cloud databases from their score tables alone, without a cloud.

    python benchmarks/real/cloud_tables.py TABLES --out FOLDER
    rankqa baseline recipe-oracle --data FOLDER/sjtu/manifest.csv --folds FOLDER/sjtu/folds
    rankqa baseline rater-ceiling --data FOLDER/sjtu/manifest.csv --votes TABLES/votes/sjtu.csv

TABLES holds folds/DATABASE/{total,train_1,test_1,...}.csv with the columns name and mos, as published with MM-PCQA,
CLIP-PCQA and AFNet. Content and recipe come from the names. The raw votes of BASICS are on another scale than its
scores: leave --data out there.
"""

import argparse
import csv
from pathlib import Path

# Content and recipe part at the nth underscore from the left or, negative, from the right.
UNDERSCORE = {"sjtu": -1, "ls_pcqa": -2, "basics": 1, "mpccd": 1, "wpc2.0": -4}
# Recipes of WPC, by their first words; its contents hold underscores themselves.
WPC_RECIPES = {"gQP", "gsigma", "level", "pqs", "tsl"}
DATABASES = (*UNDERSCORE, "wpc")


def content_and_recipe(database: str, name: str) -> tuple[str, str]:
    words = name.removesuffix(".ply").split("_")
    at = UNDERSCORE.get(database) or next(i for i, word in enumerate(words) if word in WPC_RECIPES)
    return "_".join(words[:at]), "_".join(words[at:])


def read_scores(path: Path) -> dict[str, str]:
    """Score by name; some tables start with a byte-order mark, and names of WPC may end in an apostrophe."""
    with path.open(newline="", encoding="utf-8-sig") as file:
        return {row["name"].rstrip("'"): row["mos"] for row in csv.DictReader(file)}


def read_folds(folder: Path) -> list[tuple[dict[str, str], dict[str, str]]]:
    """Training and test scores of each fold."""
    count = len(list(folder.glob("test_*.csv")))
    return [tuple(read_scores(folder / f"{part}_{k}.csv") for part in ("train", "test")) for k in range(1, count + 1)]


def write_rows(path: Path, rows: list[dict[str, str]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, rows[0], lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def write_database(database: str, tables: Path, out: Path) -> None:
    folds = read_folds(tables / "folds" / database)
    scores = {name: score for _, test in folds for name, score in test.items()}
    rows = []
    for name, score in scores.items():
        content, recipe = content_and_recipe(database, name)
        rows.append({"path": name, "target": score, "content": content, "recipe": recipe})
    write_rows(out / "manifest.csv", rows)
    for k, (train, test) in enumerate(folds, start=1):
        parts = dict.fromkeys(train, "train") | dict.fromkeys(test, "test")
        assert parts.keys() == scores.keys(), f"{database}, fold {k}: not all stimuli are in it"
        same = all(float(scores[name]) == float(score) for name, score in (train | test).items())
        assert same, f"{database}, fold {k}: other scores than in the other folds"
        write_rows(out / "folds" / f"fold_{k}.csv", [{"path": name, "split": part} for name, part in parts.items()])
    print(f"{out}: {len(rows)} stimuli of {len({row['content'] for row in rows})} contents, {len(folds)} folds")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("tables", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args()
    for database in DATABASES:
        if (args.tables / "folds" / database).is_dir():
            write_database(database, args.tables, args.out / database)


if __name__ == "__main__":
    main()
