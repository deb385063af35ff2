import numpy as np
import pytest

from imgqa.distortions import DISTORTIONS, color_quantization, distort, gaussian_blur, pixelate, white_noise
from rankqa_datasets.errors import InputError
from rankqa_datasets.pristine_images import pristine_image

RNG = np.random.default_rng


@pytest.fixture(scope="module")
def images() -> list[np.ndarray]:
    return [pristine_image(kind, 96, 2) for kind in ("leaves", "scene", "text")]


def mse(first: np.ndarray, second: np.ndarray) -> float:
    return float(np.mean((first.astype(float) - second.astype(float)) ** 2))


@pytest.mark.parametrize("name", DISTORTIONS)
def test_levels_get_worse_and_seeds_decide(images, name):
    for image in images:
        before = image.copy()
        levels = [distort(image, name, level, seed=1) for level in range(1, 6)]
        np.testing.assert_array_equal(image, before)
        for distorted in levels:
            assert distorted.shape == image.shape
            assert distorted.dtype == np.uint8
        errors = [mse(image, distorted) for distorted in levels]
        assert errors[0] > 0
        assert errors == sorted(errors)
        np.testing.assert_array_equal(levels[2], distort(image, name, 3, seed=1))
    random = not np.array_equal(distort(images[0], name, 3, seed=1), distort(images[0], name, 3, seed=2))
    assert random == (name == "white_noise")


def test_noise_has_its_standard_deviation():
    grey = np.full((200, 200, 3), 128, np.uint8)
    noise = white_noise(grey, 10.0, RNG(0)).astype(float) - 128
    # Rounding to whole values adds 1/12 to the variance.
    assert noise.std() == pytest.approx(np.sqrt(100 + 1 / 12), rel=0.02)
    assert noise.mean() == pytest.approx(0, abs=0.2)
    channels = noise.reshape(-1, 3).T
    assert abs(np.corrcoef(channels)[0, 1]) < 0.03


def test_blur_of_a_point_is_the_gaussian():
    image = np.zeros((41, 41, 3), np.uint8)
    image[20, 20, 1] = 255
    x = np.arange(-20, 21)
    bell = np.exp(-(x**2) / (2 * 1.5**2))
    bell /= bell.sum()
    expected = np.zeros((41, 41, 3))
    expected[..., 1] = 255 * np.outer(bell, bell)
    np.testing.assert_allclose(gaussian_blur(image, 1.5, RNG(0)), expected, atol=0.6)


def test_pixels_are_the_means_of_their_squares():
    image = RNG(3).integers(0, 256, size=(10, 7, 3), dtype=np.uint8)
    result = pixelate(image, 4.0, RNG(0))
    for top in range(0, 10, 4):
        for left in range(0, 7, 4):
            square = image[top : top + 4, left : left + 4].reshape(-1, 3).mean(axis=0)
            np.testing.assert_allclose(result[top : top + 4, left : left + 4] - square, 0, atol=0.5001)
    np.testing.assert_array_equal(pixelate(image, 1.0, RNG(0)), image)


def test_quantization_leaves_so_many_values():
    ramp = np.repeat(np.arange(256, dtype=np.uint8)[:, None, None], 3, axis=2)
    for count in (2.0, 3.0, 16.0):
        values = np.unique(color_quantization(ramp, count, RNG(0)))
        np.testing.assert_array_equal(values, np.rint(np.linspace(0, 255, int(count))))
    np.testing.assert_array_equal(color_quantization(ramp, 256.0, RNG(0)), ramp)


@pytest.mark.parametrize(
    ("image", "name", "level", "message"),
    [
        (np.zeros((8, 8, 3), np.uint8), "fog", 1, "gaussian_blur"),
        (np.zeros((8, 8, 3), np.uint8), "jpeg", 0, "from 1 to 5, got 0"),
        (np.zeros((8, 8, 3), np.uint8), "jpeg", 6, "from 1 to 5, got 6"),
        (np.zeros((8, 8), np.uint8), "jpeg", 1, r"\(8, 8\)"),
        (np.zeros((8, 8, 3), np.float32), "jpeg", 1, "float32"),
    ],
)
def test_bad_requests(image, name, level, message):
    with pytest.raises(InputError, match=message):
        distort(image, name, level)
