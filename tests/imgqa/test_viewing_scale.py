import numpy as np
import pytest
import torch

from imgqa.metrics.viewing_scale import box_reduce, viewing_scale


def naive(plane: np.ndarray, factor: int, mode: str) -> np.ndarray:
    """Block by block; the blocks begin (factor - 1) // 2 pixels before their pixel."""
    before = (factor - 1) // 2
    padded = np.pad(plane, factor, mode=mode)
    return np.array(
        [
            [
                padded[row + factor - before :, column + factor - before :][:factor, :factor].mean()
                for column in range(0, plane.shape[1], factor)
            ]
            for row in range(0, plane.shape[0], factor)
        ]
    )


@pytest.mark.parametrize("factor", [1, 2, 3, 4, 5])
@pytest.mark.parametrize(("mirror", "mode"), [(True, "symmetric"), (False, "constant")])
def test_blocks_against_a_naive_loop(factor, mirror, mode):
    for size in ((12, 13), (14, 15), (16, 11)):
        image = torch.rand(1, 1, *size, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
        reduced = box_reduce(image, factor, mirror=mirror)
        np.testing.assert_allclose(reduced[0, 0].numpy(), naive(image[0, 0].numpy(), factor, mode), rtol=1e-12)


@pytest.mark.parametrize(
    ("side", "reduced"), [(200, 200), (383, 383), (384, 192), (512, 256), (639, 320), (640, 214), (896, 224)]
)
def test_the_factor_is_the_side_by_256_with_halves_up(side, reduced):
    assert viewing_scale(torch.zeros(1, 1, side, 1000)).shape[2] == reduced


def test_gradient():
    image = torch.rand(1, 2, 7, 5, dtype=torch.float64, generator=torch.Generator().manual_seed(1)).requires_grad_()
    assert torch.autograd.gradcheck(lambda x: box_reduce(x, 3, mirror=True), (image,))
    assert torch.autograd.gradcheck(lambda x: box_reduce(x, 2, mirror=False), (image,))
