import numpy as np
import pytest
import torch
from PIL import Image
from scipy.signal import convolve2d

from imgqa.metrics.saliency import saliency
from imgqa.metrics.vsi import vsi


def resize(plane: np.ndarray, height: int, width: int) -> np.ndarray:
    """Pillow's bilinear filter widens when it shrinks and aligns pixel borders, as MATLAB's imresize does."""
    image = Image.fromarray(plane.astype(np.float32))
    return np.asarray(image.resize((width, height), Image.Resampling.BILINEAR)).astype(np.float64)


def numpy_saliency(rgb: np.ndarray) -> np.ndarray:
    """(3, H, W) in [0, 255]."""
    height, width = rgb.shape[1:]
    small = np.stack([resize(plane, 256, 256) for plane in rgb]) / 255
    linear = np.where(small <= 0.04045, small / 12.92, ((small + 0.055) / 1.055) ** 2.4)
    matrix = [[0.4124564, 0.3575761, 0.1804375], [0.2126729, 0.7151522, 0.0721750], [0.0193339, 0.1191920, 0.9503041]]
    xyz = np.tensordot(np.array(matrix), linear, 1) / np.array([0.9642, 1, 0.8251])[:, None, None]
    fx, fy, fz = np.where(xyz > 0.008856, np.cbrt(xyz), (903.3 * xyz + 16) / 116)
    lab = [116 * fy - 16, 500 * (fx - fy), 200 * (fy - fz)]
    u = (np.arange(256) - 128) / 256
    radius = np.fft.ifftshift(np.sqrt(u[:, None] ** 2 + u**2))
    outside = radius**2 > 0.25
    radius[0, 0] = 1
    log_gabor = np.exp(-(np.log(radius / 0.021) ** 2) / (2 * 1.34**2))
    log_gabor[outside] = 0
    log_gabor[0, 0] = 0
    energy = np.sqrt(sum(np.fft.ifft2(np.fft.fft2(channel) * log_gabor).real ** 2 for channel in lab))
    place = np.arange(1, 257) - 128
    centre = np.exp(-(place[:, None] ** 2 + place**2) / 145**2)
    a, b = ((channel - channel.min()) / (channel.max() - channel.min()) for channel in lab[1:])
    warm = 1 - np.exp(-(a**2 + b**2) / 0.001**2)
    full = resize(energy * centre * warm, height, width)
    return (full - full.min()) / (full.max() - full.min())


def numpy_vsi(image: np.ndarray, reference: np.ndarray) -> float:
    """(3, H, W) in [0, 255]."""
    scharr = np.array([[3.0, 0, -3], [10, 0, -10], [3, 0, -3]]) / 16
    factor = max(1, int(np.floor(min(image.shape[1:]) / 256 + 0.5)))

    def reduce(plane: np.ndarray) -> np.ndarray:
        begin, (height, width) = factor // 2, plane.shape
        full = convolve2d(plane, np.ones((factor, factor)) / factor**2)
        return full[begin : begin + height, begin : begin + width][::factor, ::factor]

    def maps(rgb: np.ndarray) -> list[np.ndarray]:
        axes = np.array([[0.06, 0.63, 0.27], [0.3, 0.04, -0.35], [0.34, -0.6, 0.17]])
        light, m, n = (reduce(plane) for plane in np.tensordot(axes, rgb, 1))
        gradient = np.hypot(convolve2d(light, scharr, mode="same"), convolve2d(light, scharr.T, mode="same"))
        return [reduce(numpy_saliency(rgb)), gradient, m, n]

    pairs = list(zip(maps(image), maps(reference), strict=True))
    s_saliency, s_gradient, s_m, s_n = (
        (2 * a * b + c) / (a**2 + b**2 + c) for (a, b), c in zip(pairs, (1.27, 386, 130, 130), strict=True)
    )
    weight = np.maximum(*pairs[0])
    color = ((s_m * s_n).astype(complex) ** 0.02).real
    return float((s_gradient**0.4 * s_saliency * color * weight).sum() / weight.sum())


@pytest.mark.parametrize("size", [(256, 256), (300, 270), (100, 130), (520, 400)])
def test_saliency_against_numpy(size):
    rgb = torch.rand(1, 3, *size, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    # Pillow resizes in single precision.
    np.testing.assert_allclose(saliency(rgb)[0].numpy(), numpy_saliency(255 * rgb[0].numpy()), atol=1e-5)


@pytest.mark.parametrize("size", [(40, 35), (385, 400), (640, 641)])
def test_against_numpy(size):
    x, y = torch.rand(2, 1, 3, *size, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    y = 0.6 * x + 0.4 * y
    assert vsi(x, y).item() == pytest.approx(numpy_vsi(255 * x[0].numpy(), 255 * y[0].numpy()), abs=1e-6)


def test_photographs_against_numpy(photo_pairs):
    distorted, reference = photo_pairs
    expected = [
        numpy_vsi(255 * image, 255 * pristine)
        for image, pristine in zip(distorted.double().numpy(), reference.double().numpy(), strict=True)
    ]
    np.testing.assert_allclose(vsi(distorted, reference).numpy(), expected, atol=1e-5)


def test_photographs_of_256_pixels_against_piq(photo_pairs, piq):
    # At this size piq resizes and reduces nothing, which elsewhere it does not do as the program does.
    distorted, reference = (batch[:, :, 100:356, 200:456].contiguous() for batch in photo_pairs)
    expected = piq.vsi(distorted, reference, reduction="none")
    torch.testing.assert_close(vsi(distorted, reference), expected, rtol=0, atol=2e-5)


def test_gradient_along_a_line():
    x, y = torch.rand(2, 1, 3, 24, 26, dtype=torch.float64, generator=torch.Generator().manual_seed(2))
    y = 0.6 * x + 0.4 * y
    direction = torch.randn(x.shape, dtype=torch.float64, generator=torch.Generator().manual_seed(3))
    step = torch.zeros(1, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda s: vsi(x + s * direction, y), (step,), eps=1e-8, atol=1e-6)
