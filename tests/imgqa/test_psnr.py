import math
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from imgqa.metrics.psnr import psnr, psnr_of_stimulus
from rankqa_datasets.errors import InputError
from rankqa_datasets.stimulus import Stimulus


def numpy_psnr(image: np.ndarray, reference: np.ndarray, peak: float) -> float:
    difference = image.astype(np.float64) - reference.astype(np.float64)
    return 10 * math.log10(peak**2 / np.mean(difference**2))


def stimulus(path: Path, reference: Path | None) -> Stimulus:
    return Stimulus(id=path.name, path=path, target=1.0, reference=reference, content="a")


@pytest.fixture
def pair() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    reference = rng.integers(0, 256, (20, 30, 3), dtype=np.uint8)
    noisy = np.clip(reference + rng.normal(0, 9, reference.shape), 0, 255).astype(np.uint8)
    return noisy, reference


def test_each_image_against_the_formula():
    generator = torch.Generator().manual_seed(0)
    image, reference = torch.rand(2, 4, 3, 9, 11, dtype=torch.float64, generator=generator)
    expected = [numpy_psnr(a.numpy(), b.numpy(), 1.0) for a, b in zip(image, reference, strict=True)]
    np.testing.assert_allclose(psnr(image, reference).numpy(), expected, rtol=1e-12)


def test_a_known_value():
    # A difference of one grey level everywhere: 20 log10(255) dB.
    image = torch.full((1, 3, 4, 4), 100 / 255, dtype=torch.float64)
    assert psnr(image, image + 1 / 255).item() == pytest.approx(20 * math.log10(255))


def test_gradient():
    generator = torch.Generator().manual_seed(1)
    image, reference = torch.rand(2, 2, 1, 3, 3, dtype=torch.float64, generator=generator)
    assert torch.autograd.gradcheck(lambda image: psnr(image, reference), (image.requires_grad_(),))


def test_identical_images_are_infinite_with_zero_gradient():
    image = torch.rand(2, 3, 4, 4, generator=torch.Generator().manual_seed(2))
    reference = image.clone()
    reference[1] += 0.1
    image.requires_grad_()
    value = psnr(image, reference)
    assert value[0] == torch.inf
    assert torch.isfinite(value[1])
    value[1:].sum().backward()
    assert image.grad is not None
    assert torch.equal(image.grad[0], torch.zeros(3, 4, 4))
    assert torch.isfinite(image.grad).all()


def test_stimulus_against_the_formula(tmp_path, pair):
    noisy, reference = pair
    Image.fromarray(noisy).save(tmp_path / "noisy.png")
    Image.fromarray(reference).save(tmp_path / "reference.png")
    value = psnr_of_stimulus(stimulus(tmp_path / "noisy.png", tmp_path / "reference.png"))
    assert value == pytest.approx(numpy_psnr(noisy, reference, 255), rel=1e-12)
    assert psnr_of_stimulus(stimulus(tmp_path / "noisy.png", tmp_path / "noisy.png")) == math.inf


def test_stimulus_without_reference_or_with_another_size(tmp_path, pair):
    Image.fromarray(pair[0]).save(tmp_path / "a.png")
    Image.fromarray(pair[1][:10]).save(tmp_path / "b.png")
    with pytest.raises(InputError, match=r"a\.png has no reference"):
        psnr_of_stimulus(stimulus(tmp_path / "a.png", None))
    with pytest.raises(InputError, match=r"a\.png has 30 x 20 pixels, its reference 30 x 10"):
        psnr_of_stimulus(stimulus(tmp_path / "a.png", tmp_path / "b.png"))
