import numpy as np
import torch

from imgqa.metrics.ssim import ssim


def naive_ssim(x: np.ndarray, y: np.ndarray) -> float:
    """The formula, place by place, on one plane in [0, 255]."""
    offset = np.arange(11) - 5
    window = np.exp(-(offset[:, None] ** 2 + offset**2) / (2 * 1.5**2))
    window /= window.sum()
    c1, c2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
    values = []
    for row in range(x.shape[0] - 10):
        for column in range(x.shape[1] - 10):
            a, b = (plane[row : row + 11, column : column + 11] for plane in (x, y))
            mx, my = (window * a).sum(), (window * b).sum()
            sxx, syy, sxy = (
                (window * (p - mp) * (q - mq)).sum()
                for p, mp, q, mq in ((a, mx, a, mx), (b, my, b, my), (a, mx, b, my))
            )
            values.append((2 * mx * my + c1) * (2 * sxy + c2) / ((mx**2 + my**2 + c1) * (sxx + syy + c2)))
    return float(np.mean(values))


def test_against_a_naive_loop():
    x, y = torch.rand(2, 2, 3, 17, 23, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    y = 0.5 * x + 0.5 * y
    expected = [
        np.mean([naive_ssim(255 * a, 255 * b) for a, b in zip(image, reference, strict=True)])
        for image, reference in zip(x.numpy(), y.numpy(), strict=True)
    ]
    np.testing.assert_allclose(ssim(x, y).numpy(), expected, rtol=1e-10)


def test_constant_images():
    # Only the luminance factor is left.
    x, y = torch.full((1, 1, 11, 11), 0.2, dtype=torch.float64), torch.full((1, 1, 11, 11), 0.8, dtype=torch.float64)
    assert torch.allclose(ssim(x, y), torch.tensor((2 * 0.16 + 1e-4) / (0.04 + 0.64 + 1e-4), dtype=torch.float64))


def test_photographs_against_piq(photo_pairs, piq):
    distorted, reference = photo_pairs
    torch.testing.assert_close(
        ssim(distorted, reference), piq.ssim(distorted, reference, reduction="none"), rtol=0, atol=5e-5
    )


def test_large_images_are_reduced_as_in_the_program():
    # 640 / 256 = 2.5 rounds to 3, and each block of 3 x 3 is centred on its pixel, mirrored at the border.
    x, y = torch.rand(2, 1, 1, 640, 660, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    small = []
    for plane in (x, y):
        padded = np.pad(plane[0, 0].numpy(), 1, mode="symmetric")
        blocks = sum(padded[i : i + 640 : 3, j : j + 660 : 3] for i in range(3) for j in range(3)) / 9
        small.append(torch.from_numpy(blocks)[None, None])
    assert small[0].shape == (1, 1, 214, 220)
    torch.testing.assert_close(ssim(x, y), ssim(*small))


def test_gradient():
    x, y = torch.rand(2, 1, 1, 12, 13, dtype=torch.float64, generator=torch.Generator().manual_seed(2))
    assert torch.autograd.gradcheck(ssim, (x.requires_grad_(), y.requires_grad_()))
    assert torch.autograd.gradgradcheck(ssim, (x, y))
