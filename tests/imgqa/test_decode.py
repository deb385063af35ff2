import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from imgqa.decode import decode_image
from rankqa_datasets.errors import InputError


@pytest.fixture
def rgb() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (24, 40, 3), dtype=np.uint8)


def saved(image: Image.Image, path: Path, **options) -> Path:
    image.save(path, **options)
    return path


@pytest.mark.parametrize("suffix", ["png", "bmp", "ppm", "tiff"])
def test_lossless_rgb_comes_back_as_it_is(tmp_path, rgb, suffix):
    result = decode_image(saved(Image.fromarray(rgb), tmp_path / f"a.{suffix}"))
    assert result.dtype == np.uint8
    assert result.flags.c_contiguous
    np.testing.assert_array_equal(result, rgb)


def test_jpeg_is_what_pillow_decodes(tmp_path, rgb):
    path = saved(Image.fromarray(rgb), tmp_path / "a.jpg", quality=70)
    np.testing.assert_array_equal(decode_image(path), np.asarray(Image.open(path)))


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation_is_applied(tmp_path, rgb, orientation):
    upright = {
        1: rgb,
        2: rgb[:, ::-1],
        3: rgb[::-1, ::-1],
        4: rgb[::-1],
        5: rgb.transpose(1, 0, 2),
        6: np.rot90(rgb, -1),
        7: np.rot90(rgb, 2).transpose(1, 0, 2),
        8: np.rot90(rgb, 1),
    }
    exif = Image.Exif()
    exif[0x0112] = orientation
    path = saved(Image.fromarray(rgb), tmp_path / "a.png", exif=exif)
    np.testing.assert_array_equal(decode_image(path), upright[orientation])


def test_grey_and_bilevel_are_repeated(tmp_path, rgb):
    grey = rgb[..., 0]
    np.testing.assert_array_equal(
        decode_image(saved(Image.fromarray(grey), tmp_path / "a.png")), np.dstack([grey, grey, grey])
    )
    bits = grey > 127
    np.testing.assert_array_equal(
        decode_image(saved(Image.fromarray(bits), tmp_path / "b.png")), np.dstack([bits] * 3).astype(np.uint8) * 255
    )


@pytest.mark.parametrize("suffix", ["png", "tiff", "pgm"])
def test_16_bit_grey_is_scaled_by_257(tmp_path, suffix):
    values = np.array([[0, 128, 129, 257, 32896], [65535, 65407, 65406, 1000, 12345]], dtype=np.uint16)
    expected = np.round(values / 257).astype(np.uint8)
    result = decode_image(saved(Image.fromarray(values), tmp_path / f"a.{suffix}"))
    np.testing.assert_array_equal(result, np.dstack([expected] * 3))
    assert result[1, 0, 0] == 255


def test_palette_is_expanded(tmp_path, rgb):
    few = Image.fromarray(rgb).quantize(16)
    np.testing.assert_array_equal(decode_image(saved(few, tmp_path / "a.png")), np.asarray(few.convert("RGB")))


def test_alpha_is_composed_on_white(tmp_path, rgb):
    alpha = np.random.default_rng(1).integers(0, 256, rgb.shape[:2], dtype=np.uint8)
    path = saved(Image.fromarray(np.dstack([rgb, alpha])), tmp_path / "a.png")
    weight = alpha[..., None] / 255
    expected = rgb * weight + 255 * (1 - weight)
    assert np.abs(decode_image(path) - expected).max() <= 1
    grey = saved(Image.fromarray(np.dstack([rgb[..., 0], alpha]), "LA"), tmp_path / "b.png")
    assert np.abs(decode_image(grey) - expected[..., :1]).max() <= 1


def test_transparent_palette_entries_become_white_without_a_warning(tmp_path, rgb):
    few = Image.fromarray(rgb).quantize(4)
    path = saved(few, tmp_path / "a.png", transparency=bytes([0, 255, 255, 255]))
    result = decode_image(path)
    clear = np.asarray(few) == 0
    assert clear.any()
    assert (result[clear] == 255).all()
    np.testing.assert_array_equal(result[~clear], np.asarray(few.convert("RGB"))[~clear])


def test_cmyk_by_the_documented_formula(tmp_path):
    cmyk = np.random.default_rng(2).integers(0, 256, (8, 8, 4), dtype=np.uint8)
    path = saved(Image.fromarray(cmyk, "CMYK"), tmp_path / "a.tiff")
    expected = (255.0 - cmyk[..., :3]) * (255.0 - cmyk[..., 3:]) / 255
    assert np.abs(decode_image(path) - expected).max() <= 1


def test_animation_gives_its_first_frame(tmp_path):
    frames = [Image.new("RGB", (6, 5), color) for color in ("red", "blue")]
    path = tmp_path / "a.gif"
    frames[0].save(path, save_all=True, append_images=frames[1:])
    assert (decode_image(path) == [255, 0, 0]).all()


def damaged(tmp_path: Path, kind: str, rgb: np.ndarray) -> Path:
    def encoded(format: str) -> bytes:
        buffer = io.BytesIO()
        Image.fromarray(rgb).save(buffer, format)
        return buffer.getvalue()

    png, jpeg = encoded("png"), encoded("jpeg")
    content = {
        "empty.png": b"",
        "text.png": b"path,target\n",
        "truncated.jpg": jpeg[: len(jpeg) // 2],
        "truncated.png": png[: len(png) // 2],
        "header.png": png[:20],
        "corrupt.png": png[:60] + bytes(40) + png[100:],
        "truncated.bmp": encoded("bmp")[:-100],
        "truncated.tiff": encoded("tiff")[:100],
    }[kind]
    path = tmp_path / kind
    path.write_bytes(content)
    return path


@pytest.mark.parametrize(
    "kind",
    [
        "empty.png",
        "text.png",
        "truncated.jpg",
        "truncated.png",
        "header.png",
        "corrupt.png",
        "truncated.bmp",
        "truncated.tiff",
    ],
)
def test_damaged_files_are_one_line_with_the_name(tmp_path, rgb, kind):
    with pytest.raises(InputError) as caught:
        decode_image(damaged(tmp_path, kind, rgb))
    assert kind in str(caught.value)
    assert "\n" not in str(caught.value)


def test_missing_file_and_folder(tmp_path):
    with pytest.raises(InputError, match=r"cannot read .*none\.png"):
        decode_image(tmp_path / "none.png")
    with pytest.raises(InputError, match="cannot read"):
        decode_image(tmp_path)


def test_float_samples_have_no_white(tmp_path):
    path = saved(Image.fromarray(np.ones((4, 4), dtype=np.float32)), tmp_path / "a.tiff")
    with pytest.raises(InputError, match=r"a\.tiff holds floats"):
        decode_image(path)


@pytest.mark.parametrize("limit", [700, 300])  # 960 pixels: Pillow warns above the limit and raises above twice it
def test_decompression_bomb(tmp_path, rgb, limit, monkeypatch):
    path = saved(Image.fromarray(rgb), tmp_path / "a.png")
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", limit)
    with pytest.raises(InputError, match=rf"a\.png decodes to more than the {limit} pixels"):
        decode_image(path)
