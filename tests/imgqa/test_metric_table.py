"""What holds for every metric."""

import pytest
import torch

from imgqa.metrics.image_pair import image_pair
from imgqa.metrics.table import METRICS
from rankqa_datasets.errors import InputError

SIZE = (164, 170)
# The best value, in the direction of the paper.
EQUAL = {"psnr": torch.inf, "gmsd": 0.0, "mdsi": 0.0}
SMALLEST = {"ssim": 11, "ms-ssim": 161, "gmsd": 3, "vifp": 41, "fsim": 3, "fsimc": 3, "mdsi": 3, "vsi": 3}


@pytest.fixture(scope="module")
def batch() -> torch.Tensor:
    """A smooth coloured image with noise, a grey one, one of two flat halves, and black."""
    generator = torch.Generator().manual_seed(0)
    y, x = torch.meshgrid(torch.linspace(0, 6, SIZE[0]), torch.linspace(0, 9, SIZE[1]), indexing="ij")
    waves = torch.stack([x.sin() * y.cos(), (x + y).sin(), (x - 2 * y).cos()])
    noisy = (0.5 + 0.3 * waves + 0.05 * torch.randn(3, *SIZE, generator=generator)).clamp(0, 1)
    halves = torch.zeros(3, *SIZE)
    halves[0, :, 80:] = 1
    return torch.stack([noisy, noisy[:1].expand(3, -1, -1), halves, torch.zeros(3, *SIZE)])


@pytest.mark.parametrize("name", METRICS)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_equal_images_have_the_best_value(batch, name, dtype):
    images = batch.to(dtype)
    torch.testing.assert_close(
        METRICS[name].function(images, images),
        torch.full((4,), EQUAL.get(name, 1.0), dtype=dtype),
        rtol=0,
        # The program of VIFp adds 1e-10 in a denominator; means under weights are rounded.
        atol=1e-6 if name in ("vifp", "fsim", "fsimc", "vsi") else 0,
    )


@pytest.mark.parametrize("name", METRICS)
def test_gradients_are_finite_for_equal_and_flat_images(batch, name):
    for image, reference in ((batch, batch), (batch, batch.flip(0)), (batch.flip(0), batch)):
        image = image.clone().requires_grad_()
        reference = reference.clone().requires_grad_()
        values = METRICS[name].function(image, reference)
        values[values.isfinite()].sum().backward()
        for tensor in (image, reference):
            assert tensor.grad is None or torch.isfinite(tensor.grad).all()
        assert not values.isnan().any()


@pytest.mark.parametrize("name", METRICS)
def test_a_batch_is_its_images_one_by_one(batch, name):
    reference = (0.8 * batch + 0.1).contiguous()
    function = METRICS[name].function
    alone = torch.cat([function(batch[i : i + 1], reference[i : i + 1]) for i in range(3)])
    torch.testing.assert_close(function(batch[:3], reference[:3]), alone, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("name", METRICS)
def test_more_noise_scores_lower(batch, name):
    noise = torch.randn(3, *SIZE, generator=torch.Generator().manual_seed(1))
    noisy = torch.stack([(batch[0] + sigma * noise).clamp(0, 1) for sigma in (0.02, 0.06, 0.2)])
    scores = METRICS[name].score(noisy, batch[:1].expand(3, -1, -1, -1))
    assert scores[0] > scores[1] > scores[2]


@pytest.mark.parametrize("name", [name for name in METRICS if name != "psnr"])
def test_half_precision_is_computed_in_single(batch, name):
    image, reference = batch[:1].half(), batch[1:2].half()
    function = METRICS[name].function
    value = function(image, reference)
    assert value.dtype == torch.float32
    assert torch.equal(value, function(image.float(), reference.float()))


@pytest.mark.parametrize(("name", "side"), SMALLEST.items())
def test_the_smallest_image(name, side):
    image, reference = torch.rand(2, 1, 3, side, side + 1, generator=torch.Generator().manual_seed(2))
    assert torch.isfinite(METRICS[name].function(image, reference)).all()
    with pytest.raises(InputError, match=rf"needs at least {side} x {side} pixels, got {side + 1} x {side - 1}"):
        METRICS[name].function(image[:, :, :-1], reference[:, :, :-1])


def test_other_input_is_refused(batch):
    with pytest.raises(InputError, match=r"equal shape, got an image of \(4, 3, 164, 170\) and a reference of \(3, "):
        image_pair("X", batch, batch[:3], smallest=3)
    with pytest.raises(InputError, match=r"X expects images \(B, 3, H, W\), got the shape \(4, 1, 164, 170\)"):
        image_pair("X", batch[:, :1], batch[:, :1], smallest=3)
    with pytest.raises(
        InputError, match=r"X expects floats in \[0, 1\], got a reference of torch\.uint8: divide by 255"
    ):
        image_pair("X", batch, batch.byte(), smallest=3)
    assert image_pair("X", batch[:, :1], batch[:, :1], smallest=3, color=False)[0].shape[1] == 1
