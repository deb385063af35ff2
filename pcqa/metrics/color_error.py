"""Colour MSE, PSNR and Hausdorff distance, with the numbers of MPEG's pc_error 0.14.2."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Int, UInt8

from pcqa.metrics.cloud_pair import CloudPair
from pcqa.metrics.merged_cloud import MergedCloud
from pcqa.metrics.nearest_ties import NearestTies
from pcqa.metrics.psnr import psnr

Channels = tuple[float, float, float]
Space = Literal["ycbcr", "rgb", "ycocg"]
Tied = Literal["average", "weighted", "first", "closest", "farthest"]
Duplicates = Literal["average", "first"]


@dataclass(frozen=True)
class ColorError:
    """`_ab` goes from each point of the reference to the distorted cloud, `_ba` the other way.

    Three numbers are the channels of the colour space, in its order; `hausdorff` has red, green and blue in any space.
    The values without a direction are the worse of the two, for each channel.

    Attributes:
        mse_ab, mse_ba, mse: mean squared difference; Y, Cb, Cr of 0..1, or RGB of 0..255, or Y of 0..255 and Co, Cg of
            0..511; 0 is best.
        psnr_ab, psnr_ba, psnr: 10 log10(peak^2 / mse) in dB with those peaks, inf for MSE 0; higher is better.
        combined_psnr_ab, combined_psnr_ba, combined_psnr: (6 Y + U + V) / 8 of the three *PSNRs* above (not of the
            MSEs), in dB; RGB: their mean. The program has no such number. inf where any channel is equal.
        hausdorff_ab, hausdorff_ba, hausdorff: largest *squared* difference of red, green and blue, in 0..255^2.
        hausdorff_psnr_ab, hausdorff_psnr_ba, hausdorff_psnr: 10 log10(255^2 / hausdorff) in dB.
    """

    mse_ab: Channels
    mse_ba: Channels
    mse: Channels
    psnr_ab: Channels
    psnr_ba: Channels
    psnr: Channels
    combined_psnr_ab: float
    combined_psnr_ba: float
    combined_psnr: float
    hausdorff_ab: Channels
    hausdorff_ba: Channels
    hausdorff: Channels
    hausdorff_psnr_ab: Channels
    hausdorff_psnr_ba: Channels
    hausdorff_psnr: Channels


def color_error(
    pair: CloudPair, *, space: Space = "ycbcr", tied: Tied = "average", duplicates: Duplicates = "average"
) -> ColorError:
    """Colour error between each point and the nearest point of the other cloud.

    As in MPEGGroup/mpeg-pcc-dmetric 0.14.2, whose options are in brackets. Colours are 8 bit; BT.709 of full range is
    computed as there, with coefficients of four digits and a result of float32.

    Args:
        pair: two coloured clouds, in one unit.
        space: (`--mseSpace`) "ycbcr" BT.709 (1), "rgb" (0) or "ycocg", YCoCg-R (8).
        tied: (`--neighborsProc`) which colour counts where several points are equally near: their "average" (1); the
            average "weighted" by how many points of the file lie at each (2); the "first" of the sorted cloud (0, there
            any); the colour "closest" to the point's own (3) or "farthest" from it (4). "farthest" keeps the program's
            fault: where all tied colours equal the point's, it takes the first point of the whole sorted cloud.
        duplicates: (`--dropdups`) points of equal coordinates in one cloud take the "average" of their colours, rounded
            down (2), or the colour of the "first" in the file (1).

    Raises:
        InputError: a cloud without colours, or coordinates beyond float32.
    """
    pair.require_colors("color_error")
    a, b = pair.merged_reference, pair.merged_distorted
    colors_a, colors_b = (_colors(cloud, duplicates) for cloud in (a, b))
    # The program weighs by the points that it averaged, not by those that it dropped.
    weigh = tied == "weighted" and duplicates == "average"
    weights_a, weights_b = (cloud.counts if weigh else np.ones_like(cloud.counts) for cloud in (a, b))
    match = _MATCHES[tied]
    mse_ab, largest_ab = _differences(colors_a, match(colors_a, colors_b, weights_b, pair.ties_ab), space)
    mse_ba, largest_ba = _differences(colors_b, match(colors_b, colors_a, weights_a, pair.ties_ba), space)
    mse, largest = _larger(mse_ab, mse_ba), _larger(largest_ab, largest_ba)
    psnr_ab, psnr_ba, psnr_both = (_psnrs(channels, _PEAKS[space]) for channels in (mse_ab, mse_ba, mse))
    return ColorError(
        mse_ab=mse_ab,
        mse_ba=mse_ba,
        mse=mse,
        psnr_ab=psnr_ab,
        psnr_ba=psnr_ba,
        psnr=psnr_both,
        combined_psnr_ab=_combined(psnr_ab, space),
        combined_psnr_ba=_combined(psnr_ba, space),
        combined_psnr=_combined(psnr_both, space),
        hausdorff_ab=largest_ab,
        hausdorff_ba=largest_ba,
        hausdorff=largest,
        hausdorff_psnr_ab=_psnrs(largest_ab, _PEAKS["rgb"]),
        hausdorff_psnr_ba=_psnrs(largest_ba, _PEAKS["rgb"]),
        hausdorff_psnr=_psnrs(largest, _PEAKS["rgb"]),
    )


def _colors(cloud: MergedCloud, duplicates: Duplicates) -> UInt8[np.ndarray, "m 3"]:
    colors = cloud.colors if duplicates == "average" else cloud.first_colors
    assert colors is not None
    return colors


def average_tied_colors(
    colors: UInt8[np.ndarray, "m 3"], weights: Int[np.ndarray, " m"], ties: NearestTies
) -> UInt8[np.ndarray, "q 3"]:
    """The weighted mean colour of each tie set, rounded half away from zero."""
    tie_weights = weights[ties.rows]
    sums = np.add.reduceat(colors[ties.rows] * tie_weights[:, None], ties.starts, axis=0)
    total = np.add.reduceat(tie_weights, ties.starts)[:, None]
    return ((2 * sums + total) // (2 * total)).astype(np.uint8)


def _average(own: np.ndarray, colors: np.ndarray, weights: np.ndarray, ties: NearestTies) -> UInt8[np.ndarray, "q 3"]:
    return average_tied_colors(colors, weights, ties)


def _first(own: np.ndarray, colors: np.ndarray, weights: np.ndarray, ties: NearestTies) -> UInt8[np.ndarray, "q 3"]:
    return colors[ties.first_rows]


def _closest(own: np.ndarray, colors: np.ndarray, weights: np.ndarray, ties: NearestTies) -> UInt8[np.ndarray, "q 3"]:
    distances = _rgb_squares(own[ties.queries], colors[ties.rows])
    # Distance and place in one number: the first of the least distance.
    best = np.minimum.reduceat(distances * 2**40 + np.arange(len(distances)), ties.starts) % 2**40
    return colors[ties.rows[best]]


def _farthest(own: np.ndarray, colors: np.ndarray, weights: np.ndarray, ties: NearestTies) -> UInt8[np.ndarray, "q 3"]:
    distances = _rgb_squares(own[ties.queries], colors[ties.rows])
    best = np.minimum.reduceat(-distances * 2**40 + np.arange(len(distances)), ties.starts) % 2**40
    return colors[np.where(distances[best] > 0, ties.rows[best], 0)]


_MATCHES: dict[str, Callable[[np.ndarray, np.ndarray, np.ndarray, NearestTies], np.ndarray]] = {
    "average": _average,
    "weighted": _average,
    "first": _first,
    "closest": _closest,
    "farthest": _farthest,
}


def _rgb_squares(first: UInt8[np.ndarray, "t 3"], second: UInt8[np.ndarray, "t 3"]) -> Int[np.ndarray, " t"]:
    return np.square(first.astype(np.int64) - second).sum(axis=1)


def _differences(own: np.ndarray, matched: np.ndarray, space: Space) -> tuple[Channels, Channels]:
    """MSE of each channel of the space, and the largest squared difference of red, green and blue."""
    to_space = _TO_SPACE[space]
    # The difference is float32 and so is its square, as in the program.
    squares = (np.square(ours - theirs) for ours, theirs in zip(to_space(own), to_space(matched), strict=True))
    largest = (int(abs(a.astype(np.int16) - b).max()) ** 2 for a, b in zip(own.T, matched.T, strict=True))
    return _channels(square.mean(dtype=np.float64) for square in squares), _channels(largest)


def _channels(values) -> Channels:
    first, second, third = (float(value) for value in values)
    return first, second, third


def _larger(first: Channels, second: Channels) -> Channels:
    return _channels(map(max, first, second))


def _psnrs(errors: Channels, peaks: Channels) -> Channels:
    return _channels(map(psnr, errors, peaks))


def _combined(psnrs: Channels, space: Space) -> float:
    return float(np.dot(psnrs, _WEIGHTS[space]))


def rgb_to_ycbcr(rgb: UInt8[np.ndarray, "m 3"]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Y of 0..1, Cb and Cr of 0..1 with 0.5 for grey, float32: BT.709 as pc_error rounds its coefficients."""
    red, green, blue = rgb.T.astype(np.float64)
    return (
        ((0.2126 * red + 0.7152 * green + 0.0722 * blue) / 255).astype(np.float32),
        ((-0.1146 * red - 0.3854 * green + 0.5 * blue) / 255 + 0.5).astype(np.float32),
        ((0.5 * red - 0.4542 * green - 0.0458 * blue) / 255 + 0.5).astype(np.float32),
    )


def _rgb(rgb: UInt8[np.ndarray, "m 3"]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    red, green, blue = rgb.T.astype(np.float32)
    return red, green, blue


def _rgb_to_ycocg(rgb: UInt8[np.ndarray, "m 3"]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """YCoCg-R, the reversible transform in whole numbers; without the program's offsets, which cancel out."""
    red, green, blue = rgb.T.astype(np.int32)
    orange = red - blue
    rest = blue + (orange >> 1)
    leaf = green - rest
    luma = rest + (leaf >> 1)
    return luma.astype(np.float32), orange.astype(np.float32), leaf.astype(np.float32)


_TO_SPACE = {"ycbcr": rgb_to_ycbcr, "rgb": _rgb, "ycocg": _rgb_to_ycocg}
_PEAKS = {"ycbcr": (1.0, 1.0, 1.0), "rgb": (255.0, 255.0, 255.0), "ycocg": (255.0, 511.0, 511.0)}
_WEIGHTS = {"ycbcr": (6 / 8, 1 / 8, 1 / 8), "rgb": (1 / 3, 1 / 3, 1 / 3), "ycocg": (6 / 8, 1 / 8, 1 / 8)}
