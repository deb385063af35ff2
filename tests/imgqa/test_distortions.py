import hashlib

import numpy as np
import pytest
from PIL import Image, features

from imgqa.distortions import DISTORTIONS, PSNR_MAY_RISE, UNORDERED, blur, brightness, colors, distort, quantization
from imgqa.distortions.block_dct import block_dct, inverse_block_dct, padded
from imgqa.distortions.color_spaces import lab_from_rgb, rgb_from_lab, rgb_from_ycbcr, ycbcr_from_rgb
from imgqa.distortions.compression import jpeg2000
from imgqa.distortions.demo_types import color_quantization, gaussian_blur, pixelate, white_noise
from imgqa.distortions.noise import high_frequency, impulse, masked, multiplicative, spatially_correlated
from imgqa.distortions.spatial import color_blocks, misplaced_patches, resample
from imgqa.distortions.wavelet import analysis, synthesis
from rankqa_datasets.errors import InputError
from rankqa_datasets.pristine_images import pristine_image

RNG = np.random.default_rng

# Types that draw random numbers; all others are functions of the image alone.
RANDOM = {
    "white_noise",
    "kadid_motion_blur",
    "kadid_color_shift",
    "kadid_white_noise",
    "kadid_white_noise_ycbcr",
    "kadid_impulse_noise",
    "kadid_multiplicative_noise",
    "kadid_denoise",
    "kadid_jitter",
    "kadid_non_eccentricity_patch",
    "kadid_color_block",
    "tid_spatially_correlated_noise",
    "tid_masked_noise",
    "tid_high_frequency_noise",
    "tid_jpeg_transmission_errors",
    "tid_jpeg2000_transmission_errors",
    "tid_local_blocks",
    "tid_comfort_noise",
    "tid_lossy_compression_of_noise",
    "tid_sparse_sampling",
}

# First levels of KADID-10k that change nothing: Gaussian of 0.1 pixels, motion of 1 pixel, saturation times 1.
IDENTITIES = {("kadid_gaussian_blur", 1), ("kadid_motion_blur", 1), ("kadid_color_saturation_2", 1)}


@pytest.fixture(scope="module")
def images() -> list[np.ndarray]:
    return [pristine_image(kind, 96, 2) for kind in ("leaves", "scene", "text")]


@pytest.fixture(scope="module")
def photos(shared_dir) -> list[np.ndarray]:
    folder = shared_dir / "data" / "photos"
    if not folder.is_dir():
        pytest.skip("no photographs beside this checkout")
    result = []
    for path in sorted(folder.glob("*.png"))[::5]:
        with Image.open(path) as image:
            result.append(np.asarray(image)[100:228, 150:342])
    return result


def mse(first: np.ndarray, second: np.ndarray) -> float:
    return float(np.mean((first.astype(float) - second.astype(float)) ** 2))


@pytest.mark.parametrize("name", DISTORTIONS)
def test_same_seed_same_image(images, name):
    image = images[0]
    before = image.copy()
    levels = [distort(image, name, level, seed=1) for level in range(1, 6)]
    np.testing.assert_array_equal(image, before)
    for level, distorted in enumerate(levels, start=1):
        assert distorted.shape == image.shape
        assert distorted.dtype == np.uint8
        assert np.array_equal(distorted, image) == ((name, level) in {*IDENTITIES, ("kadid_mean_shift", 3)})
    np.testing.assert_array_equal(levels[2], distort(image, name, 3, seed=1))
    random = not np.array_equal(levels[2], distort(image, name, 3, seed=2))
    assert random == (name in RANDOM)


@pytest.mark.parametrize("name", ["gaussian_blur", "white_noise", "jpeg", "pixelate", "color_quantization"])
def test_demo_types_get_worse_on_procedural_images(images, name):
    for image in images:
        errors = [mse(image, distort(image, name, level, seed=1)) for level in range(1, 6)]
        assert errors[0] > 0
        assert errors == sorted(errors)


@pytest.mark.parametrize("name", [name for name in DISTORTIONS if name not in {**UNORDERED, **PSNR_MAY_RISE}])
def test_psnr_falls_on_photographs(photos, name):
    for image in photos:
        errors = [mse(image, distort(image, name, level, seed=1)) for level in range(1, 6)]
        assert errors == sorted(errors)
        assert errors[4] > 1.2 * errors[1] > 0


# Medians over contents of the PSNR of luma that TID2013 lists for its images (metrics_values/PSNR.txt).
TID_PSNR = {
    "tid_spatially_correlated_noise": ((37.8, 34.9, 31.8, 28.8, 25.9), 0.3),
    "tid_masked_noise": ((37.4, 34.6, 31.7, 28.7, 25.8), 1.0),
    "tid_high_frequency_noise": ((37.8, 34.8, 29.9, 24.9, 20.0), 0.5),
    "tid_jpeg2000_transmission_errors": ((34.6, 31.7, 28.7, 25.6, 22.3), 3.0),
    "tid_comfort_noise": ((35.0, 31.9, 28.8, 25.8, 22.9), 2.5),
    "tid_lossy_compression_of_noise": ((35.6, 32.8, 30.0, 27.3, 23.6), 1.5),
    "tid_sparse_sampling": ((35.2, 32.1, 29.0, 25.9, 22.7), 3.0),
}


@pytest.mark.parametrize("name", TID_PSNR)
def test_levels_are_those_of_tid(photos, name):
    # TID2013's contents are crops of these photographs; the parts taken here differ, hence the tolerance.
    levels = []
    for level in range(1, 6):
        psnr = []
        for image in photos:
            luma = ycbcr_from_rgb(distort(image, name, level, seed=1) / 255) - ycbcr_from_rgb(image / 255)
            psnr.append(-10 * np.log10(np.mean(luma[..., 0] ** 2)))
        levels.append(np.median(psnr))
    expected, tolerance = TID_PSNR[name]
    np.testing.assert_allclose(levels, expected, atol=tolerance)


def test_table_is_whole():
    assert sum(name.startswith("kadid_") for name in DISTORTIONS) == 25
    assert sum(name.startswith("tid_") for name in DISTORTIONS) == 11
    assert all(len(distortion.amounts) == 5 for distortion in DISTORTIONS.values())
    assert set(UNORDERED) | set(PSNR_MAY_RISE) <= set(DISTORTIONS)


def test_demo_types_keep_their_pixels():
    # White noise and quantisation do not depend on a codec's version.
    image = (np.arange(40 * 30 * 3).reshape(40, 30, 3) * 7 % 251).astype(np.uint8)
    together = b"".join(
        distort(image, name, level, seed=3).tobytes()
        for name in ("gaussian_blur", "white_noise", "pixelate", "color_quantization")
        for level in range(1, 6)
    )
    assert hashlib.sha256(together).hexdigest()[:16] == "48a81e26b6dc01cb"


@pytest.mark.parametrize("shape", [(8, 8), (9, 41), (33, 12)])
@pytest.mark.parametrize("fill", ["noise", "black", "white", "grey"])
def test_small_and_flat_images(shape, fill):
    image = np.full((*shape, 3), {"black": 0, "white": 255}.get(fill, 77), np.uint8)
    if fill == "noise":
        image = RNG(0).integers(0, 256, size=(*shape, 3), dtype=np.uint8)
    for name in DISTORTIONS:
        for level in (1, 5):
            result = distort(image, name, level, seed=3)
            assert result.shape == image.shape
            assert result.dtype == np.uint8
            assert not np.shares_memory(result, image)


def test_noise_has_its_standard_deviation():
    grey = np.full((200, 200, 3), 128, np.uint8)
    noise = white_noise(grey, 10.0, RNG(0)).astype(float) - 128
    # Rounding to whole values adds 1/12 to the variance.
    assert noise.std() == pytest.approx(np.sqrt(100 + 1 / 12), rel=0.02)
    assert noise.mean() == pytest.approx(0, abs=0.2)
    channels = noise.reshape(-1, 3).T
    assert abs(np.corrcoef(channels)[0, 1]) < 0.03


@pytest.mark.parametrize("noise", [spatially_correlated, masked, high_frequency])
@pytest.mark.parametrize("psnr", [33.0, 24.0])
def test_noise_of_tid_has_its_psnr(noise, psnr):
    image = (128 + 40 * np.sin(np.arange(128) / 5)[:, None, None] + np.zeros((128, 128, 3))).astype(np.uint8)
    noisy = noise(image, psnr, RNG(0))
    assert 10 * np.log10(255**2 / mse(image, noisy)) == pytest.approx(psnr, abs=0.15)


def test_noise_of_tid_has_its_spectrum():
    grey = np.full((256, 256, 3), 128, np.uint8)
    frequency = np.hypot(np.fft.fftfreq(256)[:, None], np.fft.fftfreq(256))
    low, high = frequency < 0.1, frequency > 0.4
    power = {
        noise: np.abs(np.fft.fft2(noise(grey, 27.0, RNG(0))[..., 1].astype(float) - 128)) ** 2
        for noise in (spatially_correlated, masked, high_frequency)
    }
    assert power[spatially_correlated][low].mean() > 20 * power[spatially_correlated][high].mean()
    assert power[masked][low].mean() == pytest.approx(power[masked][high].mean(), rel=0.1)
    assert power[high_frequency][high].mean() > 20 * power[high_frequency][low].mean()


def test_masked_noise_hides_in_texture():
    image = np.full((64, 128, 3), 128, np.uint8)
    image[:, 64:] = RNG(0).integers(60, 196, size=(64, 64, 1))
    error = (masked(image, 27.0, RNG(1)).astype(float) - image) ** 2
    assert error[:, 72:].mean() > 100 * error[:, :56].mean()


def test_impulses_and_speckle():
    image = np.full((300, 300, 3), 100, np.uint8)
    weak, strong = impulse(image, 0.01, RNG(0)), impulse(image, 0.03, RNG(0))
    assert set(np.unique(strong)) == {0, 100, 255}
    assert np.mean(strong != 100) == pytest.approx(0.03, rel=0.05)
    np.testing.assert_array_equal(strong[weak != 100], weak[weak != 100])
    speckle = multiplicative(image, 0.02, RNG(0)) / 100.0
    assert speckle.std() == pytest.approx(np.sqrt(0.02), rel=0.02)
    # Uniform, not Gaussian: nothing beyond sqrt(3) deviations.
    assert np.abs(speckle - 1).max() < np.sqrt(0.06) + 0.005


def test_blur_of_a_point_is_the_gaussian():
    image = np.zeros((41, 41, 3), np.uint8)
    image[20, 20, 1] = 255
    x = np.arange(-20, 21)
    bell = np.exp(-(x**2) / (2 * 1.5**2))
    bell /= bell.sum()
    expected = np.zeros((41, 41, 3))
    expected[..., 1] = 255 * np.outer(bell, bell)
    np.testing.assert_allclose(gaussian_blur(image, 1.5, RNG(0)), expected, atol=0.6)
    # MATLAB's is cut at 2 sigma.
    bell = np.where(np.abs(x) <= 3, bell, 0)
    expected[..., 1] = 255 * np.outer(bell, bell) / bell.sum() ** 2
    np.testing.assert_allclose(blur.gaussian(image, 1.5, RNG(0)), expected, atol=0.51)


@pytest.mark.parametrize("radius", [1.0, 2.0, 3.7, 8.0])
def test_disk_kernel_holds_areas(radius):
    kernel = blur.disk_kernel(radius)
    half = kernel.shape[0] // 2
    fine = (np.arange(kernel.shape[0] * 100) + 0.5) / 100 - 0.5 - half
    inside = fine[:, None] ** 2 + fine**2 < radius**2
    areas = inside.reshape(kernel.shape[0], 100, kernel.shape[0], 100).mean(axis=(1, 3))
    np.testing.assert_allclose(kernel, areas / (np.pi * radius**2), atol=2e-3 / radius)
    assert kernel.sum() == pytest.approx(1)


def test_disk_kernel_of_matlab():
    # fspecial('disk', 1), as MATLAB's documentation of older releases prints it.
    expected = [[0.0251, 0.1453, 0.0251], [0.1453, 0.3183, 0.1453], [0.0251, 0.1453, 0.0251]]
    np.testing.assert_allclose(blur.disk_kernel(1.0), expected, atol=5e-5)


def test_line_kernel():
    np.testing.assert_allclose(blur.line_kernel(1.0, 0.7), np.pad([[1.0]], 1), atol=1e-12)
    row = blur.line_kernel(5.0, 0.0)
    np.testing.assert_allclose(row, np.pad([[0.2] * 5], ((3, 3), (1, 1))), atol=1e-12)
    # fspecial('motion', 9, 90 degrees) is a column of ninths; 6 pixels end in half a pixel either side.
    np.testing.assert_allclose(blur.line_kernel(9.0, np.pi / 2)[1:-1, 5], 1 / 9, atol=1e-12)
    np.testing.assert_allclose(blur.line_kernel(6.0, 0.0)[4, 1:-1], [1 / 12, *[1 / 6] * 5, 1 / 12], atol=1e-12)


def test_sharpening_leaves_flat_parts_and_colours_alone():
    image = np.full((40, 40, 3), (200, 120, 60), np.uint8)
    np.testing.assert_allclose(blur.sharpen(image, 12.0, RNG(0)), image, atol=1)
    image[:, 20:] = (100, 60, 30)
    sharp = blur.sharpen(image, 2.0, RNG(0))
    assert sharp[20, 19, 0] > 210 > 90 > sharp[20, 20, 0]


def test_pixels_are_the_means_of_their_squares():
    image = RNG(3).integers(0, 256, size=(10, 7, 3), dtype=np.uint8)
    result = pixelate(image, 4.0, RNG(0))
    for top in range(0, 10, 4):
        for left in range(0, 7, 4):
            square = image[top : top + 4, left : left + 4].reshape(-1, 3).mean(axis=0)
            np.testing.assert_allclose(result[top : top + 4, left : left + 4] - square, 0, atol=0.5001)
    np.testing.assert_array_equal(pixelate(image, 1.0, RNG(0)), image)


def test_resampling_shows_pixels_of_the_image():
    image = np.arange(100 * 80, dtype=np.int64).reshape(100, 80)[..., None] % 251 + np.zeros(3, np.int64)
    image = image.astype(np.uint8)
    result = resample(image, 0.5, RNG(0))  # to the share 0.29
    rows = len(np.unique(result[:, 0, 0]))
    assert rows == np.ceil(100 * (0.95 - 0.5**0.6))
    assert set(np.unique(result)) <= set(np.unique(image))


def test_quantization_leaves_so_many_values():
    ramp = np.repeat(np.arange(256, dtype=np.uint8)[:, None, None], 3, axis=2)
    for count in (2.0, 3.0, 16.0):
        values = np.unique(color_quantization(ramp, count, RNG(0)))
        np.testing.assert_array_equal(values, np.rint(np.linspace(0, 255, int(count))))
    np.testing.assert_array_equal(color_quantization(ramp, 256.0, RNG(0)), ramp)


def test_otsu_thresholds_are_the_optimum():
    histogram = np.zeros(256)
    values = RNG(0).choice(256, size=14, replace=False)
    histogram[values] = RNG(1).integers(1, 50, size=14)
    values = np.sort(values)

    def scatter(cuts: list[int]) -> float:
        parts = np.split(values, np.searchsorted(values, cuts, side="right"))
        mean = [np.average(part, weights=histogram[part]) for part in parts]
        return sum(float((histogram[p] * (p - m) ** 2).sum()) for p, m in zip(parts, mean, strict=True))

    every = [[a, b] for i, a in enumerate(values[:-2]) for b in values[i + 1 : -1]]
    best = min(every, key=scatter)
    np.testing.assert_array_equal(quantization.otsu_thresholds(histogram, 2), best)


def test_quantization_maps_classes_as_in_kadid():
    image = np.repeat(np.array([10, 12, 100, 104, 200, 210], np.uint8), 12).reshape(9, 8, 1).repeat(3, axis=2)
    result = quantization.fewer_values(image, 2.0, RNG(0))
    np.testing.assert_array_equal(np.unique(result), [0, 104, 255])
    np.testing.assert_array_equal(result[image == 100], 104)
    assert set(np.unique(quantization.fewer_values(image, 20.0, RNG(0)))) <= {0, 12, 100, 104, 200, 255}


def test_palettes_have_so_many_colours(images):
    for count in (64.0, 8.0):
        result = colors.palette(images[1], count, RNG(0))
        assert len(np.unique(result.reshape(-1, 3), axis=0)) <= count


def test_saturation_against_hsv():
    image = RNG(0).integers(0, 256, size=(20, 20, 3), dtype=np.uint8)
    hsv = np.asarray(Image.fromarray(image).convert("HSV")).astype(int)
    less = np.asarray(Image.fromarray(colors.hsv_saturation(image, 0.4, RNG(0))).convert("HSV")).astype(int)
    np.testing.assert_array_equal(less[..., 2], hsv[..., 2])
    bright = hsv[..., 2] > 60  # dark values leave too few steps
    np.testing.assert_allclose(less[..., 1][bright], 0.4 * hsv[..., 1][bright], atol=6)
    grey = colors.hsv_saturation(image, 0.0, RNG(0))
    np.testing.assert_array_equal(grey, image.max(axis=2, keepdims=True).repeat(3, axis=2))


def test_chromatic_aberration_moves_red_and_blue_only():
    image = np.zeros((101, 101, 3), np.uint8)
    image[:, 80:83] = 255
    result = colors.chromatic_aberration(image, 0.1, RNG(0))
    np.testing.assert_array_equal(result[..., 1], image[..., 1])
    centers = [np.average(np.arange(101), weights=result[50, :, c]) for c in range(3)]
    np.testing.assert_allclose(centers, [50 + 31 * 1.1, 81, 50 + 31 * 0.9], atol=0.15)


def test_lab_of_known_colours():
    # http://www.brucelindbloom.com, sRGB under D65.
    colours = np.array([[[1.0, 1, 1], [1, 0, 0], [0, 1, 0], [0, 0, 1], [0, 0, 0]]])
    expected = [[100, 0, 0], [53.2408, 80.0925, 67.2032], [87.7347, -86.1827, 83.1793], [32.297, 79.1875, -107.8602]]
    lab = lab_from_rgb(colours)
    np.testing.assert_allclose(lab[0, :4], expected, atol=2e-3)
    np.testing.assert_allclose(lab[0, 4], 0, atol=1e-9)
    random = RNG(0).random((10, 10, 3))
    np.testing.assert_allclose(rgb_from_lab(lab_from_rgb(random)), random, atol=1e-5)


def test_ycbcr_of_known_colours():
    white_black_red = np.array([[[1.0, 1, 1], [0, 0, 0], [1, 0, 0]]])
    expected = np.array([[235, 128, 128], [16, 128, 128], [81.481, 90.203, 240]]) / 255
    np.testing.assert_allclose(ycbcr_from_rgb(white_black_red)[0], expected, atol=1e-12)
    np.testing.assert_allclose(rgb_from_ycbcr(ycbcr_from_rgb(white_black_red)), white_black_red, atol=1e-12)


def test_curves_pass_through_their_points():
    values = np.array([0, 51, 76.5, 127.5, 178.5, 255]).reshape(1, 6, 1).repeat(3, axis=2)
    image = np.rint(values).astype(np.uint8)
    x = image[0, :, 0] / 255
    np.testing.assert_allclose(
        brightness.darken(image, 0.4, RNG(0))[0, :, 0] / 255, np.clip(x - 0.8 * x * (1 - x), 0, 1), atol=0.002
    )
    np.testing.assert_allclose(
        brightness.mean_shift(image, -0.08, RNG(0))[0, :, 0] / 255, np.maximum(x - 0.08, 0), atol=0.002
    )
    curve = brightness.contrast(image, -0.6, RNG(0))[0, :, 0] / 255
    np.testing.assert_allclose(curve[[0, 2, 3, 4, 5]], [0, 0.4, 0.5, 0.6, 1], atol=0.006)
    lifted = brightness.brighten(image, 0.4, RNG(0))[0, :, 0] / 255
    assert (lifted[1:5] > x[1:5] + 0.05).all()


def test_blocks_and_patches_change_only_squares():
    image = RNG(0).integers(0, 256, size=(256, 256, 3), dtype=np.uint8)
    one = np.argwhere((color_blocks(image, 1.0, RNG(2)) != image).any(axis=2))
    assert (np.ptp(one, axis=0) + 1 <= 32).all()
    assert len(one) > 1000
    patch = np.argwhere((misplaced_patches(image, 1.0, RNG(2)) != image).any(axis=2))
    assert (np.ptp(patch, axis=0) + 1 <= 16).all()
    assert len(patch) > 200


def test_block_dct_against_scipy():
    from scipy.fft import dctn

    image = RNG(0).random((16, 24, 2))
    coefficients = block_dct(image)
    np.testing.assert_allclose(coefficients[1, :, 2, :, 1], dctn(image[8:, 16:, 1], norm="ortho"), atol=1e-12)
    np.testing.assert_allclose(inverse_block_dct(coefficients), image, atol=1e-12)
    assert padded(RNG(0).random((9, 16, 3)), (4, 0)).shape == (16, 16, 3)


@pytest.mark.parametrize("size", [(8, 8), (33, 46), (64, 31), (96, 96)])
def test_wavelet_goes_there_and_back(size):
    image = RNG(0).random((*size, 3))
    bands = analysis(image)
    assert sum(band[..., 0].size for band in bands) == size[0] * size[1]
    np.testing.assert_allclose(synthesis(bands, size), image, atol=1e-12)
    # The details of a constant vanish, and its means are the constant.
    flat = analysis(np.full((*size, 1), 0.3))
    np.testing.assert_allclose(flat[0], 0.3, atol=1e-12)
    assert max(np.abs(band).max() for band in flat[1:]) < 1e-12


def test_jpeg_errors_stay_in_their_segments(images):
    image = np.tile(images[1], (2, 3, 1))[:, :256]
    clean = distort(image, "tid_jpeg_transmission_errors", 1, seed=0)
    for seed in range(20):
        broken = distort(image, "tid_jpeg_transmission_errors", 1, seed=seed)
        changed = (broken != clean).any(axis=(1, 2))
        # One of 24 segments in each image: 16 rows of pixels, and a line of smoothed chroma above and below.
        assert np.count_nonzero(changed) <= 2 * 18


def test_jpeg2000_needs_its_codec(images, monkeypatch):
    assert features.check("jpg_2000")
    monkeypatch.setattr("imgqa.distortions.compression.features.check", lambda name: False)
    with pytest.raises(InputError, match="JPEG 2000"):
        jpeg2000(images[0], 16.0, RNG(0))


@pytest.mark.parametrize(
    ("image", "name", "level", "message"),
    [
        (np.zeros((8, 8, 3), np.uint8), "fog", 1, "gaussian_blur"),
        (np.zeros((8, 8, 3), np.uint8), "jpeg", 0, "from 1 to 5, got 0"),
        (np.zeros((8, 8, 3), np.uint8), "jpeg", 6, "from 1 to 5, got 6"),
        (np.zeros((8, 8), np.uint8), "jpeg", 1, r"\(8, 8\)"),
        (np.zeros((8, 8, 3), np.float32), "jpeg", 1, "float32"),
        (np.zeros((7, 90, 3), np.uint8), "jpeg", 1, "at least 8 x 8 pixels, got 7 x 90"),
    ],
)
def test_bad_requests(image, name, level, message):
    with pytest.raises(InputError, match=message):
        distort(image, name, level)
