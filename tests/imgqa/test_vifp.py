import numpy as np
import pytest
import torch
from scipy.signal import correlate2d

from imgqa.metrics.vifp import vifp


def scipy_vifp(distorted: np.ndarray, reference: np.ndarray) -> float:
    """One pair of planes in [0, 255], with the square windows of the program."""
    kept = total = 0.0
    for scale in range(4):
        width = 2 ** (4 - scale) + 1
        offset = np.arange(width) - width // 2
        window = np.exp(-(offset[:, None] ** 2 + offset**2) / (2 * (width / 5) ** 2))
        window /= window.sum()

        def mean(plane: np.ndarray, window: np.ndarray = window) -> np.ndarray:
            return correlate2d(plane, window, mode="valid")

        if scale > 0:
            reference, distorted = mean(reference)[::2, ::2], mean(distorted)[::2, ::2]
        m1, m2 = mean(reference), mean(distorted)
        v1 = np.maximum(mean(reference**2) - m1**2, 0)
        v2 = np.maximum(mean(distorted**2) - m2**2, 0)
        cov = mean(reference * distorted) - m1 * m2
        gain = cov / (v1 + 1e-10)
        noise = v2 - gain * cov
        noise[gain < 0], gain[gain < 0] = v2[gain < 0], 0
        noise = np.maximum(noise, 1e-10)
        kept += np.log10(1 + gain**2 * v1 / (noise + 2)).sum()
        total += np.log10(1 + v1 / 2).sum()
    return kept / total


def test_against_scipy():
    x, y = torch.rand(2, 1, 3, 52, 47, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    y = 0.5 * x + 0.5 * y
    planes = [255 * (0.299 * p[0, 0] + 0.587 * p[0, 1] + 0.114 * p[0, 2]).numpy() for p in (x, y)]
    assert vifp(x, y).item() == pytest.approx(scipy_vifp(*planes), rel=1e-9)


def test_photographs_against_piq(photo_pairs, piq):
    distorted, reference = photo_pairs
    torch.testing.assert_close(
        vifp(distorted, reference), piq.vif_p(distorted, reference, reduction="none"), rtol=0, atol=5e-5
    )


def test_single_precision_is_enough(photo_pairs):
    distorted, reference = (batch[:, :, :200, :200] for batch in photo_pairs)
    torch.testing.assert_close(
        vifp(distorted, reference).double(), vifp(distorted.double(), reference.double()), rtol=0, atol=2e-5
    )


def test_raised_contrast_is_above_1():
    reference = 0.25 + 0.5 * torch.rand(1, 3, 48, 48, generator=torch.Generator().manual_seed(1))
    assert vifp(0.5 + 1.5 * (reference - 0.5), reference).item() > 1


def test_a_flat_reference_holds_no_information():
    flat = torch.full((2, 3, 41, 43), 0.3)
    image = flat.clone()
    image[0] = torch.rand(3, 41, 43, generator=torch.Generator().manual_seed(2))
    assert vifp(image, flat).tolist() == [0, 1]


def test_gradient():
    x, y = torch.rand(2, 1, 3, 41, 41, dtype=torch.float64, generator=torch.Generator().manual_seed(3))
    y = 0.8 * x + 0.2 * y
    direction = torch.randn(x.shape, dtype=torch.float64, generator=torch.Generator().manual_seed(4))
    step = torch.zeros(1, dtype=torch.float64, requires_grad=True)
    # Along one line, since every pixel would take minutes.
    assert torch.autograd.gradcheck(lambda s: vifp(x + s * direction, y), (step,), eps=1e-7, atol=1e-4)
