"""Metrics of an image file to its reference file."""

from collections.abc import Iterable
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from imgqa.decode import decode_image
from imgqa.metrics.table import METRICS
from rankqa_datasets.errors import InputError


def score_files(image: Path, reference: Path, names: Iterable[str]) -> dict[str, float]:
    """Scores of one file by metrics from METRICS, higher is better; computed in double precision, as in MATLAB.

    Args:
        image: any format that `decode_image` reads.
        reference: an image of the same size.
        names: keys of METRICS.

    Returns:
        Name -> score; PSNR of equal images is +inf.

    Raises:
        InputError: a file that cannot be decoded, different sizes, or an image too small for a metric; names the file.
    """
    distorted, pristine = _pixels(image), _pixels(reference)
    if distorted.shape != pristine.shape:
        (height, width), (wanted_height, wanted_width) = distorted.shape[2:], pristine.shape[2:]
        raise InputError(
            f"{image} has {width} x {height} pixels, its reference {reference} {wanted_width} x {wanted_height}: "
            "full-reference metrics need equal sizes"
        )
    try:
        with torch.no_grad():
            scores = {name: METRICS[name].score(distorted, pristine).item() for name in names}
    except InputError as error:
        raise InputError(f"{image}: {error}") from error
    for name, score in scores.items():
        if np.isnan(score):
            raise InputError(f"{image}: {name} is not defined for this pair")
    return scores


def _pixels(path: Path) -> Float[Tensor, "1 3 h w"]:
    # Copied: a decoder's array may be read-only.
    pixels = torch.from_numpy(np.array(decode_image(path))).permute(2, 0, 1)
    return pixels[None].double().div_(255)
