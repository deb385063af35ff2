"""Gradient magnitude similarity deviation."""

from jaxtyping import Float
from torch import Tensor

from imgqa.metrics.color_axes import luma
from imgqa.metrics.gradient_magnitude import PREWITT, gradient_magnitude
from imgqa.metrics.image_pair import image_pair
from imgqa.metrics.similarity import similarity
from imgqa.metrics.viewing_scale import box_reduce

T = 170.0 / 255**2  # for values in [0, 1]


def gmsd(image: Float[Tensor, "b 3 h w"], reference: Float[Tensor, "b 3 h w"]) -> Float[Tensor, " b"]:
    """GMSD: how unevenly gradients are kept over the image. A distance: 0 for equal images, at most about 0.5.

    Standard deviation over all places of the similarity of Prewitt gradient magnitudes, on luma after 2 x 2 means.

    Source: Xue, Zhang, Mou, Bovik, "Gradient magnitude similarity deviation: a highly efficient perceptual image
    quality index", IEEE TIP 23(2), 2014, and the program GMSD.m, whose `std2` divides by N - 1 (piq: by N). Zeros
    stand outside the image in both filters, as in the program. Its grey input is rounded to 8 bits; here it is not.

    Args:
        image: values in [0, 1].
        reference: values in [0, 1].

    Raises:
        InputError: below 3 x 3 pixels, no colour, or different shapes.
    """
    image, reference = image_pair("GMSD", image, reference, smallest=3)
    x, y = (
        gradient_magnitude(box_reduce(luma(images)[:, None], 2, mirror=False), PREWITT) for images in (image, reference)
    )
    return similarity(x, y, T).std(dim=(1, 2, 3))
