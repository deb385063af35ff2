import math
from pathlib import Path

import numpy as np
import pytest

from pcqa.cloud import Cloud
from pcqa.metrics.cloud_pair import CloudPair
from pcqa.metrics.color_error import color_error
from rankqa_datasets.errors import InputError


def cloud(seed: int, size: int = 5, count: int = 120) -> Cloud:
    """Voxels of random colours, some of them repeated, many equally far from those of another such cloud."""
    rng = np.random.default_rng(seed)
    points = rng.integers(0, size, (count, 3)).astype(np.float32)
    return Cloud(points, eight_bit(rng.integers(0, 256, (count, 3))))


def eight_bit(colors) -> np.ndarray:
    return (np.asarray(colors) / 255).astype(np.float32)


def merged(cloud: Cloud, duplicates: str) -> dict[tuple, tuple[list[int], int]]:
    """Position -> colour and number of points, positions in rising order."""
    assert cloud.colors is not None
    found: dict[tuple, list] = {}
    for point, color in zip(cloud.points.tolist(), np.rint(cloud.colors * 255).astype(int).tolist(), strict=True):
        found.setdefault(tuple(point), []).append(color)
    choose = {"average": lambda all: [sum(c) // len(all) for c in zip(*all, strict=True)], "first": lambda all: all[0]}
    return {place: (choose[duplicates](found[place]), len(found[place])) for place in sorted(found)}


def convert(color: list[int], space: str) -> list[float]:
    r, g, b = color
    if space == "rgb":
        return [r, g, b]
    if space == "ycocg":
        co = r - b
        t = b + co // 2
        cg = g - t
        return [t + cg // 2, co, cg]
    y = 0.2126 * r + 0.7152 * g + 0.0722 * b
    # The program's coefficients: (b - y) / 1.8556 and (r - y) / 1.5748, rounded to four digits.
    return [y / 255, (-0.1146 * r - 0.3854 * g + 0.5 * b) / 255, (0.5 * r - 0.4542 * g - 0.0458 * b) / 255]


def naive(a: Cloud, b: Cloud, space: str, tied: str, duplicates: str) -> tuple[list[float], list[int]]:
    """MSE of each channel and largest squared RGB difference, from each point of a, by the rules, in plain Python."""
    searched = merged(b, duplicates)
    squares, differences = [], []
    for place, (own, _) in merged(a, duplicates).items():
        distance = {other: math.dist(place, other) ** 2 for other in searched}
        nearest = [searched[other] for other in searched if abs(distance[other] - min(distance.values())) < 1e-8]
        apart = [math.dist(own, color) for color, _ in nearest]
        weights = [count if tied == "weighted" and duplicates == "average" else 1 for _, count in nearest]
        if tied == "first":
            color = nearest[0][0]
        elif tied == "closest":
            color = nearest[apart.index(min(apart))][0]
        elif tied == "farthest":
            # The fault of the program: with no colour farther than 0 it takes the first point of all.
            color = nearest[apart.index(max(apart))][0] if max(apart) > 0 else next(iter(searched.values()))[0]
        else:
            channels = zip(*(color for color, _ in nearest), strict=True)
            sums = [sum(w * value for w, value in zip(weights, channel, strict=True)) for channel in channels]
            color = [math.floor(total / sum(weights) + 0.5) for total in sums]
        pairs = zip(convert(own, space), convert(color, space), strict=True)
        squares.append([(ours - theirs) ** 2 for ours, theirs in pairs])
        differences.append([(ours - theirs) ** 2 for ours, theirs in zip(own, color, strict=True)])
    return np.mean(squares, axis=0).tolist(), np.max(differences, axis=0).tolist()


@pytest.mark.parametrize("tied", ["average", "weighted", "first", "closest", "farthest"])
@pytest.mark.parametrize("space", ["ycbcr", "rgb", "ycocg"])
@pytest.mark.parametrize("duplicates", ["average", "first"])
def test_equals_a_naive_loop(space, tied, duplicates):
    a, b = cloud(0), cloud(1, count=60)
    result = color_error(CloudPair(a, b), space=space, tied=tied, duplicates=duplicates)
    (mse_ab, max_ab), (mse_ba, max_ba) = (naive(*pair, space, tied, duplicates) for pair in ((a, b), (b, a)))
    assert result.mse_ab == pytest.approx(mse_ab, rel=1e-5)
    assert result.mse_ba == pytest.approx(mse_ba, rel=1e-5)
    assert result.mse == tuple(map(max, result.mse_ab, result.mse_ba))
    assert (list(result.hausdorff_ab), list(result.hausdorff_ba)) == (max_ab, max_ba)
    assert result.hausdorff == tuple(map(max, max_ab, max_ba))
    peaks = {"ycbcr": (1, 1, 1), "rgb": (255, 255, 255), "ycocg": (255, 511, 511)}[space]
    assert result.psnr == pytest.approx([10 * math.log10(p * p / e) for p, e in zip(peaks, result.mse, strict=True)])
    assert result.hausdorff_psnr == pytest.approx([10 * math.log10(255**2 / e) for e in result.hausdorff])


def test_combined_psnr_weighs_the_psnrs_six_to_one_to_one():
    pair = CloudPair(cloud(2), cloud(3))
    result = color_error(pair)
    y, u, v = result.psnr
    assert result.combined_psnr == pytest.approx((6 * y + u + v) / 8)
    y, u, v = result.psnr_ab
    assert result.combined_psnr_ab == pytest.approx((6 * y + u + v) / 8)
    rgb = color_error(pair, space="rgb")
    assert rgb.combined_psnr == pytest.approx(sum(rgb.psnr) / 3)


def test_equal_clouds_are_infinitely_good():
    same = cloud(0)
    result = color_error(CloudPair(same, same))
    assert result.mse == result.hausdorff == (0, 0, 0)
    assert result.psnr == result.hausdorff_psnr == (math.inf,) * 3
    assert result.combined_psnr == math.inf


def test_points_may_be_reordered_moved_and_exchanged():
    a, b = cloud(4), cloud(5)
    assert a.colors is not None
    result = color_error(CloudPair(a, b))
    order = np.random.default_rng(0).permutation(a.num_points)
    assert color_error(CloudPair(Cloud(a.points[order], a.colors[order]), b)) == result
    moved = [Cloud(c.points + np.array([9, -400, 2], np.float32), c.colors) for c in (a, b)]
    assert color_error(CloudPair(*moved)) == result
    swapped = color_error(CloudPair(b, a))
    assert (swapped.mse_ab, swapped.hausdorff_ba, swapped.psnr) == (result.mse_ba, result.hausdorff_ab, result.psnr)


def test_a_half_is_rounded_up():
    a = Cloud(np.zeros((1, 3), np.float32), eight_bit([[0, 0, 0]]))
    b = Cloud(np.array([[1, 0, 0], [-1, 0, 0]], np.float32), eight_bit([[1, 2, 4], [2, 3, 4]]))
    assert color_error(CloudPair(a, b), space="rgb").hausdorff_ab == (4, 9, 16)
    twice = Cloud(np.zeros((2, 3), np.float32), eight_bit([[1, 2, 4], [2, 3, 4]]))
    # But colours of equal points are rounded down.
    assert color_error(CloudPair(a, twice), space="rgb").hausdorff_ab == (1, 4, 16)


def test_a_cloud_without_colours_is_named():
    bare = Cloud(np.zeros((1, 3)), source=Path("bare.ply"))
    with pytest.raises(InputError, match=r"bare\.ply: color_error compares colours, and the cloud has none"):
        color_error(CloudPair(cloud(0), bare))
