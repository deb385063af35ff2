import numpy as np
import pytest
import torch
from scipy.signal import convolve2d

from imgqa.metrics.gmsd import gmsd


def scipy_gmsd(x: np.ndarray, y: np.ndarray) -> float:
    """MATLAB's conv2 'same' begins half a kernel in; for the 2 x 2 mean that is scipy's 'full' from 1 on."""
    prewitt = np.array([[1.0, 0, -1], [1, 0, -1], [1, 0, -1]]) / 3
    maps = []
    for rgb in (x, y):
        grey = 255 * (0.299 * rgb[0] + 0.587 * rgb[1] + 0.114 * rgb[2])
        small = convolve2d(grey, np.ones((2, 2)) / 4, mode="full")[1:, 1:][::2, ::2]
        maps.append(
            np.hypot(convolve2d(small, prewitt, mode="same"), convolve2d(small, prewitt.T, mode="same")),
        )
    quality = (2 * maps[0] * maps[1] + 170) / (maps[0] ** 2 + maps[1] ** 2 + 170)
    return float(np.std(quality, ddof=1))


@pytest.mark.parametrize("size", [(20, 24), (21, 25), (20, 25)])
def test_against_scipy(size):
    x, y = torch.rand(2, 1, 3, *size, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    assert gmsd(x, y).item() == pytest.approx(scipy_gmsd(x[0].numpy(), y[0].numpy()), rel=1e-10)


def test_photographs_against_piq(photo_pairs, piq):
    distorted, reference = photo_pairs
    expected = piq.gmsd(distorted, reference, reduction="none")
    torch.testing.assert_close(gmsd(distorted, reference), expected, rtol=0, atol=1e-5)


def test_gradient():
    x, y = torch.rand(2, 1, 3, 6, 7, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    assert torch.autograd.gradcheck(gmsd, (x.requires_grad_(), y.requires_grad_()))
