"""Full-reference metrics against the opinions of IRPC: 54 shapes, and the coloured clouds that have a reference.

    python benchmarks/real/irpc_metrics.py FOLDER [--values runs/irpc]

FOLDER holds `geometry.csv` and `color.csv`, manifests of IRPC's sessions RMesh and RColor (AlirezaJav/IRPC-Dataset).
Prints Markdown. First, of each metric of geometry, higher always better: SROCC, and PLCC after the logistic mapping,
over all stimuli, with 95 % intervals from a bootstrap of contents; SROCC within each content (9 stimuli: .70 is
significant at 5 %), and its mean. Then all metrics of the coloured pairs. Values are kept in `--values` as one CSV a
session, so that a second run, and one that was stopped, compute only what is missing. Without the folder it says so
and exits with 0.

How to read it
- Lengths are not comparable between contents (two have 10 bits, four 12), hence "10/12-bit PSNR": 3 (2^bits - 1)^2
  over the error. The PSNR of pc_error's default peak measures errors by the reference's largest gap instead: it fits
  better here, and hangs on one point of each content.
- Viewers saw shaded surfaces; the files here have only the vertices of the meshes. What they show of the surface is
  in its normals, and those have to be estimated from vertices. An independent look at the meshes themselves gave the
  same picture: agreement of normals has SROCC .95 (loot), .90 (Frog), .75 (longdress), .72 (Mask), .36 (Facade), .20
  (House) within contents, and D2 about 0 over all of them.
- PCQM's default radius, .004 of the size, holds few vertices of these meshes.
- "one colour": a metric of coloured clouds, of clouds painted grey, so that what is left is its geometry. GraphSIM,
  MS-GraphSIM, MS-PointSSIM and PointSSIM's colour are then 1 for all pairs, and not listed.
- Published for IRPC are PCQM with SROCC .831 and TCDM with .840 (TCDM's table), presumably over all coloured
  stimuli; seven of two contents say nothing about that.
"""

import argparse
import csv
import os
import sys
from dataclasses import fields
from pathlib import Path
from time import process_time

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np

from pcqa.cloud import Cloud
from pcqa.io import read_cloud
from pcqa.metrics import score
from pcqa.metrics.angular_similarity import angular_similarity
from pcqa.metrics.cloud_pair import CloudPair
from pcqa.metrics.mped import mped
from pcqa.metrics.pcqm import pcqm
from pcqa.metrics.point_pca2 import point_pca2
from pcqa.metrics.point_ssim import point_ssim
from pcqa.metrics.point_to_distribution import point_to_distribution
from pcqa.metrics.point_to_plane import d2
from pcqa.metrics.point_to_point import d1
from pcqa.metrics.score import fitting_metrics
from pcqa.metrics.surface_normals import surface_normals
from pcqa.metrics.table import METRICS
from pcqa.metrics.tcdm import tcdm
from rankqa_datasets.manifest import read_manifest
from shared_engine.evaluation import summarise, summarise_by

BITS = {"loot": 10, "longdress": 10}  # The others have 12.


def with_own_normals(pair):
    """The reference's normals are those of its mesh; the distorted cloud's have to be estimated."""
    merged = pair.merged_distorted
    distorted = Cloud(merged.points, normals=surface_normals(merged), source=pair.distorted.source)
    return angular_similarity(CloudPair(pair.reference, distorted))


def gray(pair):
    clouds = (pair.reference, pair.distorted)
    return CloudPair(*(Cloud(c.points, np.full(c.points.shape, 0.5, np.float32), source=c.source) for c in clouds))


# Name -> what it computes of a pair of bare clouds, and of the same pair in grey.
SHAPE_METRICS = {
    "d1": lambda pair, gray: d1(pair),
    "d2": lambda pair, gray: d2(pair),
    "p2d": lambda pair, gray: point_to_distribution(pair),
    "angular": lambda pair, gray: angular_similarity(pair, estimate_normals=True),
    "angular-mesh": lambda pair, gray: with_own_normals(pair),
    "pointssim-geometry": lambda pair, gray: point_ssim(pair, attribute="geometry"),
    "pointssim-normal": lambda pair, gray: point_ssim(pair, attribute="normal"),
    "pointssim-curvature": lambda pair, gray: point_ssim(pair, attribute="curvature"),
    "pointssim-geometry-9": lambda pair, gray: point_ssim(pair, attribute="geometry", voxel_bits=9),
    "pointssim-normal-9": lambda pair, gray: point_ssim(pair, attribute="normal", voxel_bits=9),
    "pointssim-curvature-9": lambda pair, gray: point_ssim(pair, attribute="curvature", voxel_bits=9),
    "pcqm": lambda pair, gray: pcqm(gray),
    "mped": lambda pair, gray: mped(gray),
    "mped-100": lambda pair, gray: mped(gray, points_per_key_point=100),
    "tcdm": lambda pair, gray: tcdm(gray),
    "pointpca2": lambda pair, gray: point_pca2(gray),
}

# Row of the table -> column of values, and whether it is a distance. "@bits" makes a PSNR of the content's bits.
ROWS = {
    "D1 MSE": ("d1.mse", True),
    "D1 PSNR, 10/12-bit": ("d1.mse@bits", False),
    "D1 PSNR, default peak": ("d1.psnr", False),
    "D1 MSE, reference to distorted": ("d1.mse_ab", True),
    "D1 MSE, distorted to reference": ("d1.mse_ba", True),
    "D1 Hausdorff": ("d1.hausdorff", True),
    "D1 Hausdorff PSNR, 10/12-bit": ("d1.hausdorff@bits", False),
    "D2 MSE": ("d2.mse", True),
    "D2 PSNR, 10/12-bit": ("d2.mse@bits", False),
    "D2 PSNR, default peak": ("d2.psnr", False),
    "D2 MSE, reference to distorted": ("d2.mse_ab", True),
    "D2 MSE, distorted to reference": ("d2.mse_ba", True),
    "D2 Hausdorff": ("d2.hausdorff", True),
    "D2 Hausdorff PSNR, 10/12-bit": ("d2.hausdorff@bits", False),
    "P2D": ("p2d.geometry", True),
    "P2D, reference to distorted": ("p2d.geometry_ab", True),
    "P2D, distorted to reference": ("p2d.geometry_ba", True),
    "angular, mean": ("angular.mean", False),
    "angular, RMS": ("angular.rms", False),
    "angular, least": ("angular.least", False),
    "angular, mean, reference to distorted": ("angular.mean_ab", False),
    "angular, mean, distorted to reference": ("angular.mean_ba", False),
    "angular, mean, reference's normals of its mesh": ("angular-mesh.mean", False),
    "PointSSIM geometry": ("pointssim-geometry.similarity", False),
    "PointSSIM normal": ("pointssim-normal.similarity", False),
    "PointSSIM curvature": ("pointssim-curvature.similarity", False),
    "PointSSIM geometry, 9 bits": ("pointssim-geometry-9.similarity", False),
    "PointSSIM normal, 9 bits": ("pointssim-normal-9.similarity", False),
    "PointSSIM curvature, 9 bits": ("pointssim-curvature-9.similarity", False),
    "PCQM, one colour: f1, mean curvature": ("pcqm.f1", True),
    "PCQM, one colour: f2, its spread": ("pcqm.f2", True),
    "PCQM, one colour: f3, its pattern": ("pcqm.f3", True),
    "MPED, one colour": ("mped.difference", True),
    "MPED, one colour, 100 times the key points": ("mped-100.difference", True),
    "TCDM, one colour": ("tcdm.similarity", False),
    "PointPCA2 shift (13)": ("pointpca2.shift", True),
    "PointPCA2 centroid (22)": ("pointpca2.centroid", True),
    "PointPCA2 variance 1 (25)": ("pointpca2.variance_1", False),
    "PointPCA2 variance 3 (27)": ("pointpca2.variance_3", False),
    "PointPCA2 decorrelation 3 (30)": ("pointpca2.decorrelation_3", True),
    "PointPCA2 surface variation (36)": ("pointpca2.surface_variation", False),
    "PointPCA2 sphericity (37)": ("pointpca2.sphericity", False),
    "PointPCA2 plane similarity (38)": ("pointpca2.plane_similarity", False),
    "PointPCA2 parallelity 3 (40)": ("pointpca2.parallelity_3", True),
}


def shape_values(stimulus):
    pair = CloudPair(*(read_cloud(path) for path in (stimulus.reference, stimulus.path)))
    painted = gray(pair)
    return {
        f"{name}.{field.name}": value
        for name, metric in SHAPE_METRICS.items()
        for result in [metric(pair, painted)]
        for field in fields(result)
        if isinstance(value := getattr(result, field.name), float)
    }


def color_values(stimulus):
    reference, distorted = (read_cloud(path) for path in (stimulus.reference, stimulus.path))
    names = fitting_metrics(CloudPair(reference, distorted), METRICS, {})
    return {name: result.score for name, result in score(reference, distorted, metrics=names).items()}


def kept_values(stimuli, compute, file):
    """Values by stimulus, computed where the file has none; its columns are those of the first row."""
    known = {}
    if file.exists():
        with file.open(newline="", encoding="utf-8") as opened:
            known = {row.pop("path"): row for row in csv.DictReader(opened)}
    for number, stimulus in enumerate(stimuli, 1):
        if stimulus.id in known:
            continue
        start = process_time()
        row = known[stimulus.id] = compute(stimulus)
        is_new = not file.exists()
        with file.open("a", newline="", encoding="utf-8") as opened:
            writer = csv.DictWriter(opened, ["path", *next(iter(known.values()))])
            if is_new:
                writer.writeheader()
            writer.writerow({"path": stimulus.id} | row)
        seconds = process_time() - start
        print(f"{number} of {len(stimuli)}: {stimulus.id}, {seconds:.0f} s of CPU", file=sys.stderr, flush=True)
    return [{name: float(value) for name, value in known[stimulus.id].items()} for stimulus in stimuli]


def oriented(stimuli, rows, column, is_distance):
    """The scores of a row of the table, higher is better."""
    name, _, unit = column.partition("@")
    values = np.array([row[name] for row in rows])
    if unit:
        peaks = np.array([2.0 ** BITS.get(stimulus.content, 12) - 1 for stimulus in stimuli])
        values = 10 * np.log10(3 * peaks**2 / values)
    return -values if is_distance else values


def cell(summary, criterion):
    low, high = summary["intervals"][criterion]
    return f"{summary[criterion]:.3f} [{low:.2f}, {high:.2f}]"


def print_table(header, lines):
    print("| " + " | ".join(header) + " |\n|" + "---|" * len(header))
    print("\n".join("| " + " | ".join(line) + " |" for line in lines) + "\n")


def print_shapes(stimuli, rows):
    contents = sorted({stimulus.content for stimulus in stimuli})
    lines = []
    for label, (column, is_distance) in ROWS.items():
        scores = oriented(stimuli, rows, column, is_distance)
        summary = summarise(stimuli, scores)
        groups = summarise_by(stimuli, scores, "content")
        within = [groups[content]["srocc"] for content in contents]
        pooled = [cell(summary, criterion) for criterion in ("srocc", "plcc")]
        lines.append([label, *pooled, f"{np.mean(within):.3f}", *(f"{value:.2f}" for value in within)])
    print(f"{len(stimuli)} shapes of {len(contents)} contents\n")
    print_table(["metric", "SROCC", "PLCC", "mean within", *contents], lines)


def print_colors(stimuli, rows):
    names = list(rows[0])
    lines = [
        [Path(stimulus.id).stem, f"{stimulus.target:.2f}", *(f"{row[name]:.4g}" for name in names)]
        for stimulus, row in zip(stimuli, rows, strict=True)
    ]
    sroccs = [summarise(stimuli, np.array([row[name] for row in rows]))["srocc"] for name in names]
    lines.append([f"SROCC of the {len(stimuli)}", "", *(f"{value:.2f}" for value in sroccs)])
    print(f"{len(stimuli)} coloured pairs, scores as `pcqa.metrics.score` gives them (higher is better)\n")
    print_table(["pair", "MOS", *names], lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--values", type=Path, default=Path("runs/irpc"))
    arguments = parser.parse_args()
    if not (arguments.folder / "geometry.csv").is_file():
        print(f"skipped: no geometry.csv in {arguments.folder}")
        return
    arguments.values.mkdir(parents=True, exist_ok=True)
    shapes = read_manifest(arguments.folder / "geometry.csv").stimuli
    print_shapes(shapes, kept_values(shapes, shape_values, arguments.values / "geometry.csv"))
    colored = [s for s in read_manifest(arguments.folder / "color.csv").stimuli if s.reference is not None]
    print_colors(colored, kept_values(colored, color_values, arguments.values / "color.csv"))


if __name__ == "__main__":
    main()
