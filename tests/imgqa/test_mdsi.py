import numpy as np
import pytest
import torch
from scipy.signal import convolve2d

from imgqa.metrics.mdsi import mdsi


def numpy_mdsi(image: np.ndarray, reference: np.ndarray) -> float:
    """(3, H, W) in [0, 255], with complex numbers as in MATLAB."""
    prewitt = np.array([[1.0, 0, -1], [1, 0, -1], [1, 0, -1]]) / 3
    factor = max(1, int(np.floor(min(image.shape[1:]) / 256 + 0.5)))

    def gradient(plane: np.ndarray) -> np.ndarray:
        return np.hypot(convolve2d(plane, prewitt, mode="same"), convolve2d(plane, prewitt.T, mode="same"))

    def reduce(rgb: np.ndarray) -> np.ndarray:
        begin, (height, width) = factor // 2, rgb.shape[1:]
        full = [convolve2d(plane, np.ones((factor, factor)) / factor**2) for plane in rgb]
        return np.stack([plane[begin : begin + height, begin : begin + width][::factor, ::factor] for plane in full])

    axes = np.array([[0.2989, 0.587, 0.114], [0.3, 0.04, -0.35], [0.34, -0.6, 0.17]])
    (l1, h1, m1), (l2, h2, m2) = (np.tensordot(axes, reduce(rgb), 1) for rgb in (reference, image))
    g1, g2, gf = gradient(l1), gradient(l2), gradient((l1 + l2) / 2)
    gs12 = (2 * g1 * g2 + 140) / (g1**2 + g2**2 + 140)
    gs13 = (2 * g1 * gf + 55) / (g1**2 + gf**2 + 55)
    gs23 = (2 * g2 * gf + 55) / (g2**2 + gf**2 + 55)
    colors = (2 * (h1 * h2 + m1 * m2) + 550) / (h1**2 + h2**2 + m1**2 + m2**2 + 550)
    roots = (0.6 * (gs12 + gs23 - gs13) + 0.4 * colors).astype(complex) ** 0.25
    return float(np.abs(roots - roots.mean()).mean() ** 0.25)


@pytest.mark.parametrize("size", [(40, 35), (385, 400), (640, 641)])
def test_against_numpy(size):
    x, y = torch.rand(2, 1, 3, *size, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    assert mdsi(x, y).item() == pytest.approx(numpy_mdsi(255 * x[0].numpy(), 255 * y[0].numpy()), rel=1e-9)


def test_negative_similarities_against_numpy():
    x = torch.zeros(1, 3, 24, 24, dtype=torch.float64)
    x[:, 0, :, :12], x[:, 2, :, 12:] = 1, 1
    y = x.flip(1)
    assert mdsi(x, y).item() == pytest.approx(numpy_mdsi(255 * x[0].numpy(), 255 * y[0].numpy()), rel=1e-9)


def test_photographs_against_piq(photo_pairs, piq):
    distorted, reference = photo_pairs
    expected = piq.mdsi(distorted, reference, reduction="none")
    torch.testing.assert_close(mdsi(distorted, reference), expected, rtol=0, atol=1e-5)


def test_gradient():
    x, y = torch.rand(2, 1, 3, 6, 7, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    y = 0.7 * x + 0.3 * y
    assert torch.autograd.gradcheck(mdsi, (x.requires_grad_(), y.requires_grad_()))
