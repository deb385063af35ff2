import numpy as np
import pytest
import torch
from scipy.ndimage import correlate1d

from imgqa.metrics.ms_ssim import ms_ssim
from rankqa_datasets.errors import InputError


def scipy_ms_ssim(x: np.ndarray, y: np.ndarray) -> float:
    """One plane in [0, 1]; odd sides are mirrored at their end."""
    window = np.exp(-((np.arange(11) - 5.0) ** 2) / (2 * 1.5**2))
    window /= window.sum()

    def mean(plane: np.ndarray) -> np.ndarray:
        return correlate1d(correlate1d(plane, window, 0), window, 1)[5:-5, 5:-5]

    def halve(plane: np.ndarray) -> np.ndarray:
        plane = np.pad(plane, [(0, side % 2) for side in plane.shape], mode="symmetric")
        return (plane[::2, ::2] + plane[1::2, ::2] + plane[::2, 1::2] + plane[1::2, 1::2]) / 4

    value = 1.0
    for scale, weight in enumerate((0.0448, 0.2856, 0.3001, 0.2363, 0.1333)):
        if scale > 0:
            x, y = halve(x), halve(y)
        mx, my = mean(x), mean(y)
        vx, vy, cov = mean(x * x) - mx**2, mean(y * y) - my**2, mean(x * y) - mx * my
        factor = (2 * cov + 0.0009) / (vx + vy + 0.0009)
        if scale == 4:
            factor = factor * (2 * mx * my + 0.0001) / (mx**2 + my**2 + 0.0001)
        value *= max(0.0, float(factor.mean())) ** weight
    return value


@pytest.mark.parametrize("size", [(176, 192), (161, 187)])
def test_against_scipy(size):
    x, y = torch.rand(2, 1, 1, *size, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    y = 0.7 * x + 0.3 * y
    expected = scipy_ms_ssim(x[0, 0].numpy(), y[0, 0].numpy())
    assert ms_ssim(x, y).item() == pytest.approx(expected, rel=1e-10)


def test_photographs_against_piq(photo_pairs, piq):
    distorted, reference = photo_pairs
    expected = piq.multi_scale_ssim(distorted, reference, reduction="none")
    torch.testing.assert_close(ms_ssim(distorted, reference), expected, rtol=0, atol=5e-5)


def test_the_opposite_of_an_image_is_0_with_a_finite_gradient():
    # A negative mean structure: its root would be a complex number.
    x = torch.rand(1, 1, 161, 161, generator=torch.Generator().manual_seed(1)).requires_grad_()
    value = ms_ssim(x, 1 - x.detach())
    value.sum().backward()
    assert value.item() == 0
    assert x.grad is not None
    assert torch.isfinite(x.grad).all()


def test_160_pixels_are_too_few():
    with pytest.raises(InputError, match=r"MS-SSIM needs at least 161 x 161 pixels, got 200 x 160"):
        ms_ssim(torch.rand(1, 3, 160, 200), torch.rand(1, 3, 160, 200))
