"""Distortions of clouds with levels, those of SJTU-PCQA, WPC and LS-PCQA: seeded, a Cloud in, a Cloud out."""

import numpy as np

from pcqa.cloud import Cloud
from pcqa.distortions.distortion import Distortion
from pcqa.distortions.lengths import require_moderate_lengths
from pcqa.distortions.table import DISTORTIONS, PSNR_MAY_RISE
from rankqa_datasets.errors import InputError

__all__ = ["DISTORTIONS", "PSNR_MAY_RISE", "Distortion", "distort"]


def distort(cloud: Cloud, name: str, level: int, *, seed: int = 0) -> Cloud:
    """The cloud with distortion `name` of DISTORTIONS at a level from 1 (weak) upwards.

    One seed gives the same random choices at all levels, so that a ladder of levels is one story told louder. A cloud
    of one point, or of equal points, stays valid: lengths that are shares of its longest side are 0 there.

    Raises:
        InputError: unknown name or level, a type that changes colours of a cloud without colours, or coordinates beyond
            1e35.
    """
    if name not in DISTORTIONS:
        raise InputError(f"expected a distortion of {', '.join(DISTORTIONS)}, got '{name}'")
    distortion = DISTORTIONS[name]
    if not 1 <= level <= len(distortion.amounts):
        raise InputError(f"expected a level of {name} from 1 to {len(distortion.amounts)}, got {level}")
    require_moderate_lengths(cloud)
    return distortion.function(cloud, distortion.amounts[level - 1], np.random.default_rng(seed))
