"""Structural similarity."""

from jaxtyping import Float
from torch import Tensor

from imgqa.metrics.gaussian_window import gaussian_mean
from imgqa.metrics.image_pair import image_pair
from imgqa.metrics.viewing_scale import viewing_scale

WINDOW, SIGMA = 11, 1.5
C1, C2 = 0.01**2, 0.03**2


def ssim(image: Float[Tensor, "b c h w"], reference: Float[Tensor, "b c h w"]) -> Float[Tensor, " b"]:
    """SSIM: agreement of local luminance, contrast and structure. 1 for equal images, mostly above 0; higher is better.

    Mean over all places and channels of

        (2 mx my + C1) / (mx^2 + my^2 + C1) * (2 sxy + C2) / (sx^2 + sy^2 + C2)

    under an 11 x 11 Gaussian window of sigma 1.5 that stays inside the image, after the reduction of `viewing_scale`.

    Source: Wang, Bovik, Sheikh, Simoncelli, "Image quality assessment: from error visibility to structural similarity",
    IEEE TIP 13(4), 2004, and the program ssim_index.m, which takes grey images: for its number hand over one channel,
    `luma(image)[:, None]`. With three channels the result is the mean of theirs, as in piq; where the reduction is by 3
    or more its blocks are those of the program, not piq's (see `viewing_scale`).

    Args:
        image: values in [0, 1].
        reference: values in [0, 1].

    Raises:
        InputError: below 11 x 11 pixels, or different shapes.
    """
    x, y = image_pair("SSIM", image, reference, smallest=WINDOW, color=False)
    x, y = viewing_scale(x, mirror=True), viewing_scale(y, mirror=True)
    return ssim_terms(x, y)[0].mean(dim=1)


def ssim_terms(
    x: Float[Tensor, "b c h w"], y: Float[Tensor, "b c h w"]
) -> tuple[Float[Tensor, "b c"], Float[Tensor, "b c"]]:
    """Means over all places of SSIM, and of its contrast-structure factor alone, at the scale of x and y."""
    mean_x, mean_y, product = (gaussian_mean(plane, WINDOW, SIGMA) for plane in (x, y, x * y))
    # The two variances are only needed as a sum, which saves one of five passes.
    squares = gaussian_mean(x.square() + y.square(), WINDOW, SIGMA)
    means, mean_squares = mean_x * mean_y, mean_x.square() + mean_y.square()
    structure = (2 * (product - means) + C2) / (squares - mean_squares + C2)
    luminance = (2 * means + C1) / (mean_squares + C1)
    return (luminance * structure).mean(dim=(2, 3)), structure.mean(dim=(2, 3))
