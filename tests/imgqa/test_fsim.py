import numpy as np
import pytest
import torch
from scipy.signal import convolve2d

from imgqa.metrics.fsim import fsim, fsimc
from imgqa.metrics.phase_congruency import phase_congruency


def numpy_phase_congruency(image: np.ndarray) -> np.ndarray:
    """Kovesi's measure written out: one filter at a time, and the noise as its sums over filter pairs."""
    rows, columns = image.shape

    def axis(size: int) -> np.ndarray:
        return np.arange(-(size - 1) / 2, size / 2) / (size - 1) if size % 2 else np.arange(-size / 2, size / 2) / size

    x, y = np.meshgrid(axis(columns), axis(rows))
    radius, theta = np.fft.ifftshift(np.sqrt(x**2 + y**2)), np.fft.ifftshift(np.arctan2(-y, x))
    low_pass = 1 / (1 + (radius / 0.45) ** 30)
    radius[0, 0] = 1
    energy_all, amplitude_all = np.zeros(image.shape), np.zeros(image.shape)
    for orientation in range(4):
        angle = orientation * np.pi / 4
        sine = np.sin(theta) * np.cos(angle) - np.cos(theta) * np.sin(angle)
        cosine = np.cos(theta) * np.cos(angle) + np.sin(theta) * np.sin(angle)
        spread = np.exp(-(np.arctan2(sine, cosine) ** 2) / (2 * (np.pi / 4 / 1.2) ** 2))
        responses, kernels, powers = [], [], []
        for scale in range(4):
            log_gabor = np.exp(-(np.log(radius * 6 * 2**scale) ** 2) / (2 * np.log(0.55) ** 2)) * low_pass
            log_gabor[0, 0] = 0
            transfer = log_gabor * spread
            kernels.append(np.fft.ifft2(transfer).real * np.sqrt(rows * columns))
            responses.append(np.fft.ifft2(np.fft.fft2(image) * transfer))
            powers.append((transfer**2).sum())
        total = sum(responses)
        unit = total / (np.abs(total) + 1e-4)
        energy = sum((np.conj(unit) * r).real - np.abs((np.conj(unit) * r).imag) for r in responses)
        noise_power = -np.median(np.abs(responses[0]) ** 2) / np.log(0.5) / powers[0]
        squares = sum((k**2).sum() for k in kernels)
        pairs = sum((kernels[i] * kernels[j]).sum() for i in range(4) for j in range(i + 1, 4))
        tau = np.sqrt((2 * noise_power * squares + 4 * noise_power * pairs) / 2)
        threshold = (tau * np.sqrt(np.pi / 2) + 2 * np.sqrt((2 - np.pi / 2) * tau**2)) / 1.7
        energy_all += np.maximum(energy - threshold, 0)
        amplitude_all += sum(np.abs(r) for r in responses)
    return energy_all / amplitude_all


def numpy_fsim(image: np.ndarray, reference: np.ndarray) -> tuple[float, float]:
    """FSIM and FSIMc of (3, H, W) in [0, 255]."""
    scharr = np.array([[3.0, 0, -3], [10, 0, -10], [3, 0, -3]]) / 16
    factor = max(1, int(np.floor(min(image.shape[1:]) / 256 + 0.5)))

    def planes(rgb: np.ndarray) -> list[np.ndarray]:
        matrix = np.array([[0.299, 0.587, 0.114], [0.596, -0.274, -0.322], [0.211, -0.523, 0.312]])
        yiq = np.tensordot(matrix, rgb, 1)
        mean = np.ones((factor, factor)) / factor**2
        # MATLAB's 'same' begins at floor(f / 2) of the full convolution.
        begin, (height, width) = factor // 2, rgb.shape[1:]
        full = [convolve2d(plane, mean)[begin : begin + height, begin : begin + width] for plane in yiq]
        y, i, q = (plane[::factor, ::factor] for plane in full)
        gradient = np.hypot(convolve2d(y, scharr, mode="same"), convolve2d(y, scharr.T, mode="same"))
        return [numpy_phase_congruency(y), gradient, i, q]

    pairs = list(zip(planes(image), planes(reference), strict=True))
    s_phase, s_gradient, s_i, s_q = (
        (2 * a * b + t) / (a**2 + b**2 + t) for (a, b), t in zip(pairs, (0.85, 160, 200, 200), strict=True)
    )
    weight = np.maximum(*pairs[0])
    color = ((s_i * s_q).astype(complex) ** 0.03).real
    similarity = s_phase * s_gradient * weight
    return similarity.sum() / weight.sum(), (similarity * color).sum() / weight.sum()


def random_pair(*size: int) -> tuple[torch.Tensor, torch.Tensor]:
    x, y = torch.rand(2, 1, 3, *size, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    return x, 0.6 * x + 0.4 * y


@pytest.mark.parametrize("size", [(32, 40), (33, 40), (33, 41)])
def test_phase_congruency_against_numpy(size):
    image = 255 * torch.rand(2, *size, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    expected = np.stack([numpy_phase_congruency(plane) for plane in image.numpy()])
    np.testing.assert_allclose(phase_congruency(image).numpy(), expected, atol=1e-9)


@pytest.mark.parametrize("size", [(40, 35), (385, 400), (640, 641)])
def test_against_numpy(size):
    x, y = random_pair(*size)
    expected = numpy_fsim(255 * x[0].numpy(), 255 * y[0].numpy())
    assert fsim(x, y).item() == pytest.approx(expected[0], rel=1e-8)
    assert fsimc(x, y).item() == pytest.approx(expected[1], rel=1e-8)


def test_opposite_colours_against_numpy():
    # Negative colour similarities have complex powers.
    x = torch.zeros(1, 3, 24, 24, dtype=torch.float64)
    x[:, 0, :, :12], x[:, 2, :, 12:] = 1, 1
    y = x.flip(1)
    assert fsimc(x, y).item() == pytest.approx(numpy_fsim(255 * x[0].numpy(), 255 * y[0].numpy())[1], rel=1e-8)


@pytest.mark.parametrize("metric", [fsim, fsimc])
def test_photographs_against_piq(photo_pairs, piq, metric):
    distorted, reference = photo_pairs
    expected = piq.fsim(distorted, reference, reduction="none", chromatic=metric is fsimc)
    torch.testing.assert_close(metric(distorted, reference), expected, rtol=0, atol=5e-5)


@pytest.mark.parametrize("metric", [fsim, fsimc])
def test_gradient_along_a_line(metric):
    x, y = random_pair(24, 26)
    direction = torch.randn(x.shape, dtype=torch.float64, generator=torch.Generator().manual_seed(2))
    step = torch.zeros(1, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda s: metric(x + s * direction, y), (step,), eps=1e-8, atol=1e-6)


def test_images_without_features_are_compared_evenly():
    flat = torch.full((1, 3, 16, 16), 0.5).requires_grad_()
    value = fsim(flat, torch.full((1, 3, 16, 16), 0.25))
    value.sum().backward()
    assert 0 < value.item() <= 1
    assert flat.grad is not None
    assert torch.isfinite(flat.grad).all()
