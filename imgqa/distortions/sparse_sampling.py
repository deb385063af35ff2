"""TID2013's sparse sampling and reconstruction (compressive sensing)."""

import math

import numpy as np
from jaxtyping import UInt8
from scipy.ndimage import gaussian_filter

from imgqa.distortions.block_dct import thresholded
from imgqa.distortions.pixels import to_uint8

ROUNDS = 12
FAR = 1e-3
FIRST_THRESHOLD, LAST_THRESHOLD = 120.0, 5.0


def sparse_sampling(
    image: UInt8[np.ndarray, "H W 3"], share: float, rng: np.random.Generator
) -> UInt8[np.ndarray, "H W 3"]:
    """Only the share `share` of the pixels is kept, at random; the rest is made up to be sparse in 8 x 8 cosines.

    Iterated thresholding: coefficients below a falling threshold are dropped on a grid of blocks that moves from round
    to round, and known pixels are put back. A reconstruction: TID2013 names the principle, its program is not public.
    """
    known = (rng.random(image.shape[:2]) < share)[..., None]
    known[0, 0] = True
    exact = image.astype(np.float64)
    # To begin with, each unknown pixel is the mean of the known ones about it; far from them all, the mean of all.
    width = 0.5 / math.sqrt(share)  # half the mean distance of known pixels
    near, weight = (gaussian_filter(x, (width, width, 0.0)) for x in (exact * known, known.astype(np.float64)))
    result = (near + FAR * exact[known[..., 0]].mean(axis=0)) / (weight + FAR)
    result = np.where(known, exact, result)
    for threshold in np.geomspace(FIRST_THRESHOLD, LAST_THRESHOLD, ROUNDS):
        y, x = rng.integers(8, size=2)
        result = np.where(known, exact, thresholded(result, float(threshold), (int(y), int(x))))
    return to_uint8(result)
