"""All full-reference image metrics by name, with one direction."""

from collections.abc import Callable
from dataclasses import dataclass

from torch import Tensor

from imgqa.metrics.fsim import fsim, fsimc
from imgqa.metrics.gmsd import gmsd
from imgqa.metrics.mdsi import mdsi
from imgqa.metrics.ms_ssim import ms_ssim
from imgqa.metrics.psnr import psnr
from imgqa.metrics.ssim import ssim
from imgqa.metrics.vifp import vifp
from imgqa.metrics.vsi import vsi


@dataclass(frozen=True)
class Metric:
    """A metric as `function(image, reference)`, each (B, 3, H, W) in [0, 1], to its paper's values (B,)."""

    function: Callable[[Tensor, Tensor], Tensor]
    is_distance: bool = False
    """Whether lower is better in the paper."""

    def score(self, image: Tensor, reference: Tensor) -> Tensor:
        """The paper's values, with the sign turned for a distance: higher is better."""
        values = self.function(image, reference)
        return -values if self.is_distance else values


METRICS = {
    "psnr": Metric(psnr),
    "ssim": Metric(ssim),
    "ms-ssim": Metric(ms_ssim),
    "gmsd": Metric(gmsd, is_distance=True),
    "vifp": Metric(vifp),
    "fsim": Metric(fsim),
    "fsimc": Metric(fsimc),
    "mdsi": Metric(mdsi, is_distance=True),
    "vsi": Metric(vsi),
}
