"""The 5/3 wavelet of JPEG 2000 (ISO/IEC 15444-1, annex F) in floating point, on images of any size."""

import numpy as np
from jaxtyping import Float

LEVELS = 5


def analysis(image: Float[np.ndarray, "H W C"]) -> list[np.ndarray]:
    """Bands from coarse to fine: the means first, then details of columns, rows and both of each level."""
    details: list[np.ndarray] = []
    low = image
    for _ in range(LEVELS):
        if min(low.shape[:2]) < 2:
            break
        top, bottom = _split(low)
        (low, right), (left, corner) = (tuple(map(_turn, _split(_turn(half)))) for half in (top, bottom))
        details = [right, left, corner, *details]
    return [low.copy(), *(band.copy() for band in details)]


def synthesis(bands: list[np.ndarray], size: tuple[int, int]) -> Float[np.ndarray, "H W C"]:
    """The image whose analysis gave the bands; `size` is its height and width (bands do not tell odd from even)."""
    low = bands[0]
    for right, left, corner in zip(bands[1::3], bands[2::3], bands[3::3], strict=True):
        top, bottom = (_turn(_joined(_turn(a), _turn(b))) for a, b in ((low, right), (left, corner)))
        low = _joined(top, bottom)
    if low.shape[:2] != tuple(size):
        raise ValueError(f"expected the bands of an image of {tuple(size)}, got those of {low.shape[:2]}")
    return low


def _turn(image: np.ndarray) -> np.ndarray:
    return image.swapaxes(0, 1)


def _split(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Lifting along the rows: details = odd - mean of even neighbours, means = even + a quarter of the details."""
    even, odd = x[0::2], x[1::2]
    detail = odd - _around(even, len(odd), after=True) / 2
    return even + _around(detail, len(even), after=False) / 4, detail


def _joined(mean: np.ndarray, detail: np.ndarray) -> np.ndarray:
    even = mean - _around(detail, len(mean), after=False) / 4
    x = np.empty((len(mean) + len(detail), *mean.shape[1:]))
    x[0::2], x[1::2] = even, detail + _around(even, len(detail), after=True) / 2
    return x


def _around(x: np.ndarray, count: int, *, after: bool) -> np.ndarray:
    """Sum of the two neighbours in the other half of `count` samples, mirrored at the ends."""
    first = 0 if after else -1
    index = np.arange(count) + first
    return x[np.clip(index, 0, len(x) - 1)] + x[np.clip(index + 1, 0, len(x) - 1)]
