"""Our D1 against the one that ICIP2020's authors published for each stimulus, both ways.

    python benchmarks/real/icip2020_d1.py TABLE REFERENCES CLOUDS

- TABLE: `src/data/icip2020_degraded_pcs_features.csv` of github.com/mauriceqch/2021_pc_perceptual_loss.
- REFERENCES: `manual_patches` of github.com/mauriceqch/pcc_attr_folding. The patches of a cloud make it whole: exactly,
  by the number of points, for longdress, loot and redandblack; an incomplete one (soldier) is left out.
- CLOUDS: a folder with the unpacked clouds of github.com/cherry0415/CPCD2.0, `<content>_G_<number>.ply`.

CPCD2.0 has no stimulus of ICIP2020, but G-PCC made the same geometry of the same reference wherever the numbers of
points are equal; colours differ. So each such cloud is compared with the rows of its content that have its number of
points. Prints Markdown, and exits with 1 where a value differs in the first four digits; where data is absent, it says
so and exits with 0.
"""

import argparse
import csv
import sys
from pathlib import Path

import numpy as np

from pcqa.cloud import Cloud
from pcqa.io import read_cloud
from pcqa.metrics.cloud_pair import CloudPair
from pcqa.metrics.point_to_point import d1

# The table's `max_energy` is 3 * 1024^2, and it has 75 dB where the error is 0.
PEAK, MOST = 1024.0, 75.0


def merged(folder):
    patches = [read_cloud(file).points for file in sorted(folder.rglob("*.ply"))]
    return Cloud(np.unique(np.concatenate(patches), axis=0)) if patches else None


def published_rows(table):
    """Content -> number of points -> rows; rates that share their geometry have equal values."""
    rows = {}
    with table.open(newline="", encoding="utf-8-sig") as file:
        for row in csv.DictReader(file):
            if row["codec_id"] != "REF":
                rows.setdefault(row["pc_name"], {}).setdefault(int(row["output_points"]), []).append(row)
    return rows


def compare(reference, cloud, rows):
    """The error, and (ours, published) of the values of each row."""
    error = d1(CloudPair(reference, cloud), peak=PEAK)
    ours = {
        "d1_mse_AB": error.mse_ab,
        "d1_mse_BA": error.mse_ba,
        "d1_psnr_AB": min(error.psnr_ab, MOST),
        "d1_psnr_BA": min(error.psnr_ba, MOST),
    }
    return error, [(value, float(row[column])) for row in rows for column, value in ours.items()]


def agrees(ours, theirs):
    """Whether both round to the same four digits, or lie closer than rounding can tell."""
    return f"{ours:.4g}" == f"{theirs:.4g}" or abs(ours - theirs) <= 1e-6 * abs(theirs)


def matches(table, references, files):
    """Reference, file, cloud and rows, wherever content and numbers of points are those of the table."""
    for content, by_size in published_rows(table).items():
        own = [file for file in files if file.name.split("_")[0] == content.split("_")[0]]
        reference = merged(references / content) if own else None
        if reference is None or str(reference.num_points) != next(iter(by_size.values()))[0]["input_points"]:
            continue
        for file in own:
            cloud = read_cloud(file)
            if cloud.num_points in by_size:
                yield reference, file, cloud, by_size[cloud.num_points]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("table", "references", "clouds"):
        parser.add_argument(name, type=Path)
    arguments = parser.parse_args()
    files = sorted(arguments.clouds.rglob("*_G_*.ply"))
    if not arguments.table.is_file() or not arguments.references.is_dir() or not files:
        print("skipped: expected the table of ICIP2020, a folder of references, and a folder of clouds *_G_*.ply")
        return

    print("| cloud | points | ICIP2020 | MSE, ref. to dist. | published | MSE, dist. to ref. | published | equal |")
    print("|---|---|---|---|---|---|---|---|")
    compared = equal = damaged = 0
    largest = 0.0
    for reference, file, cloud, rows in matches(arguments.table, arguments.references, files):
        error, pairs = compare(reference, cloud, rows)
        is_equal = all(agrees(*pair) for pair in pairs)
        compared, equal, damaged = compared + 1, equal + is_equal, damaged + (error.mse > 0)
        largest = max(largest, *(abs(ours - theirs) / theirs for ours, theirs in pairs if theirs))
        rates = ", ".join(f"{row['codec_id'].split('_')[1]} {row['codec_rate']}" for row in rows)
        values = [f"{value:.6g}" for pair in pairs[:2] for value in pair]
        cells = [file.stem, str(cloud.num_points), rates, *values, "yes" if is_equal else "NO"]
        print("| " + " | ".join(cells) + " |", flush=True)
    print(f"\nAll four digits of both MSEs and both PSNRs: {equal} of {compared} clouds, {damaged} of them lossy")
    print(f"Largest relative difference: {largest:.1e}")
    sys.exit(equal < compared)


if __name__ == "__main__":
    main()
