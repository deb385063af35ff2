"""The pictures of docs/clouds.md, one a step, from a procedural cloud.

    rankqa data synth cloud --out demo
    rankqa train cloud --data demo/manifest.csv --recipe demo-cloud --out runs/demo
    python benchmarks/cloud_models/figures.py [--out docs/figures] [--run runs/demo --cloud demo/stimuli/NAME.ply]

Without --run the last picture, scores of patches and their way to the scale of opinions, is left out.
"""

import argparse
from pathlib import Path

import matplotlib as mpl
import numpy as np
import torch
from matplotlib import pyplot as plt
from PIL import Image

from pcqa.cloud import Cloud
from pcqa.models.grouping import group_points, make_groupings
from pcqa.models.mini_patches import mini_patch_map
from pcqa.patches import make_patches
from pcqa.render import render
from pcqa.view_crops import crop_views
from pcqa.views import axis_views, view_names
from rankqa_datasets.pristine_clouds import pristine_cloud

# Opaque white, so that pictures are the same on light and dark pages.
mpl.rcParams.update({"figure.facecolor": "white", "font.size": 9, "axes.titlesize": 9, "savefig.dpi": 110})
PATCH_COLORS = plt.get_cmap("tab10").colors
KIND, SEED = "vase", 7
PALE, CENTER, INSIDE = "#c4c4c4", "#d62728", "#1f77b4"


def make_cloud(points=24_000):
    places, colors = pristine_cloud(KIND, points, SEED)
    return Cloud(places, (colors / 255).astype(np.float32))


def scatter(axes, points, colors, size, title, *, reach=None):
    """Points from the front, the nearer ones over the others."""
    axes.set_proj_type("ortho")
    axes.scatter(*points.T, c=colors, s=size, linewidths=0, depthshade=False)
    middle = (points.max(axis=0) + points.min(axis=0)) / 2
    reach = np.ptp(points, axis=0).max() / 2 if reach is None else reach
    for value, limit in zip(middle, (axes.set_xlim, axes.set_ylim, axes.set_zlim), strict=True):
        limit(value - reach, value + reach)
    axes.set_box_aspect((1, 1, 1), zoom=1.3)
    axes.view_init(elev=25, azim=-60)
    axes.set_axis_off()
    axes.set_title(title, y=-0.12)


def save(figure, path):
    """As a picture of at most 200 colours, which is a third of the size."""
    figure.savefig(path, bbox_inches="tight", pad_inches=0.08)
    plt.close(figure)
    Image.open(path).convert("RGB").quantize(200, dither=Image.Dither.NONE).save(path, optimize=True)
    print(f"{path}: {path.stat().st_size // 1000} kB")


def draw_patches(cloud, patches, path):
    figure = plt.figure(figsize=(9, 3.2))
    scatter(figure.add_subplot(131, projection="3d"), cloud.points, cloud.colors, 1.2, "the file: points and colours")
    owner = np.tile(mpl.colors.to_rgb(PALE), (cloud.num_points, 1))
    for index, rows in enumerate(patches.indices):
        owner[rows] = PATCH_COLORS[index % 10]
    scatter(figure.add_subplot(132, projection="3d"), cloud.points, owner, 1.2, "16 patches, spread by farthest points")
    axes = figure.add_subplot(133, projection="3d")
    turn, rise = np.meshgrid(np.linspace(0, 2 * np.pi, 37), np.linspace(0, np.pi, 19))
    sphere = np.cos(turn) * np.sin(rise), np.sin(turn) * np.sin(rise), np.cos(rise)
    axes.plot_wireframe(*sphere, color=PALE, linewidth=0.3)
    scatter(axes, patches.points[0], patches.colors[0], 6, "one patch in the unit sphere", reach=1.0)
    save(figure, path)


def draw_groups(patches, path):
    points = torch.from_numpy(patches.points[:1])
    groupings = make_groupings(counts=(256, 64), radii=(0.2, 0.4), neighbors=(32, 32))
    tables = group_points(points, groupings)
    # Seen along the direction in which the patch is thinnest.
    flat = (points[0] @ torch.linalg.svd(points[0], full_matrices=False)[2].T).numpy()[:, :2]
    figure, panels = plt.subplots(1, 3, figsize=(9, 3.3))
    for level, grouping in enumerate(groupings):
        chosen = tables[f"centers_{level}"][0].numpy()
        middle = np.linalg.norm(flat[chosen], axis=1).argmin()
        inside = tables[f"neighbors_{level}_0"][0, middle].numpy()
        axes = panels[level]
        axes.plot(*flat.T, ".", color=PALE, markersize=3)
        axes.plot(*flat[chosen].T, ".", color=CENTER, markersize=4)
        axes.plot(*flat[inside].T, ".", color=INSIDE, markersize=7)
        axes.add_patch(plt.Circle(flat[chosen[middle]], grouping.radii[0], fill=False, color=INSIDE))
        axes.set_title(f"level {level + 1}: {grouping.count} centres (red)\nof {len(flat)} points; a ball (blue)")
        flat = flat[chosen]
    for center in flat:
        panels[2].plot(*np.stack([center, np.zeros(2)]).T, color=PALE, linewidth=0.6)
    panels[2].plot(*flat.T, ".", color=CENTER, markersize=5)
    panels[2].plot(0, 0, "o", color=INSIDE, markersize=12)
    panels[2].set_title("global level: the maximum over all\ncentres: one feature, one score")
    for axes in panels:
        axes.set(xlim=(-1, 1), ylim=(-1, 1), aspect="equal")
        axes.set_axis_off()
        axes.title.set_y(-0.17)
    save(figure, path)


def upright(cloud):
    """The projections take +y for up, procedural clouds +z."""
    return Cloud(np.stack([cloud.points[:, 0], cloud.points[:, 2], -cloud.points[:, 1]], axis=1), cloud.colors)


def draw_views(cloud, path):
    shown = render(upright(cloud), views=axis_views(), size=224, splat=4)
    figure, axes = plt.subplots(1, 6, figsize=(9, 1.75))
    for place, view, name in zip(axes, shown.color.numpy(), view_names(axis_views()), strict=True):
        place.imshow(view)
        place.set_title(f"from {name}", y=-0.22)
        place.set_xticks([])
        place.set_yticks([])
    save(figure, path)


def draw_crops(cloud, path):
    shown = render(upright(cloud), views=axis_views(), size=512, splat=7)
    pixels, masks = shown.color.numpy(), shown.mask.numpy().astype(np.uint8)
    windows, _ = crop_views(pixels, masks, size=224, generator=torch.Generator().manual_seed(1))
    colors = shown.color.permute(0, 3, 1, 2)[None].float() / 255
    squares = mini_patch_map(colors, shown.mask[None].float(), random=False)[0].permute(1, 2, 0).numpy()
    figure, axes = plt.subplots(1, 3, figsize=(9, 3.2))
    titles = (
        "a view of 512 x 512 pixels",
        "a window of 224 x 224 pixels of it,\nplaced where the cloud is",
        "mini-patches: 49 squares of 32 x 32\npixels of all six views",
    )
    for place, picture, title in zip(axes, (pixels[4], windows[4], squares), titles, strict=True):
        place.imshow(picture)
        place.set_title(title, y=-0.05, va="top")
        place.set_xticks([])
        place.set_yticks([])
    for edge in range(32, 224, 32):
        axes[2].axhline(edge - 0.5, color="white", linewidth=0.8)
        axes[2].axvline(edge - 0.5, color="white", linewidth=0.8)
    save(figure, path)


def draw_scores(run, file, path):
    from rankqa_cli.modalities import read_run
    from rankqa_cli.scoring import FileScorer
    from shared_engine.calibration import read_calibration
    from shared_engine.run_folder import RunFolder

    kind, config = read_run(run)
    found = []
    scorer = FileScorer(run, kind, config, None)
    scorer.model.register_forward_hook(lambda _module, _inputs, out: found.append(out))
    ((_, score),) = scorer.scores([file])
    patch_scores = found[-1]["patch_scores"][0].detach().numpy()
    to_scale = read_calibration(RunFolder(run))
    print(f"{file.name}: mean of patches {score:.3f}, calibrated {to_scale(np.array([score]))[0]:.3f}")

    figure, (left, right) = plt.subplots(1, 2, figsize=(8, 2.7), gridspec_kw={"wspace": 0.3})
    left.bar(np.arange(1, len(patch_scores) + 1), patch_scores, color=INSIDE)
    left.axhline(score, color=CENTER)
    left.annotate(f"mean {score:.2f}", (len(patch_scores) + 0.5, score), color=CENTER, va="bottom", ha="right")
    left.set(xlabel="patch", ylabel="score of the model", title="the cloud's score is the mean of its patches'")
    rows = np.genfromtxt(run / "predictions.csv", delimiter=",", names=True, dtype=None, encoding="utf-8")
    line = np.linspace(rows["score"].min(), rows["score"].max(), 100)
    right.plot(rows["score"], rows["target"], ".", color=PALE, label="test clouds")
    right.plot(line, to_scale(line), color=INSIDE, label="calibration, fitted without them")
    right.plot([score], to_scale(np.array([score])), "o", color=CENTER, label="this cloud")
    right.set(xlabel="score of the model", ylabel="opinion scale", title="then a monotone curve to the opinions' scale")
    right.legend(frameon=False, fontsize=8)
    for axes in (left, right):
        axes.spines[["top", "right"]].set_visible(False)
    save(figure, path)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("docs/figures"))
    parser.add_argument("--run", type=Path)
    parser.add_argument("--cloud", type=Path)
    args = parser.parse_args()
    if (args.run is None) != (args.cloud is None):
        parser.error("--run and --cloud go together")
    cloud = make_cloud()
    patches = make_patches(cloud, count=16, size=1024, seed=0)
    draw_patches(cloud, patches, args.out / "cloud-patches.png")
    draw_groups(patches, args.out / "cloud-groups.png")
    draw_views(cloud, args.out / "cloud-views.png")
    draw_crops(cloud, args.out / "cloud-crops.png")
    if args.run is not None:
        draw_scores(args.run, args.cloud, args.out / "cloud-scores.png")


if __name__ == "__main__":
    main()
