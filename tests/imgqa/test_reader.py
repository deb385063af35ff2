import multiprocessing
from concurrent.futures import ProcessPoolExecutor

import numpy as np
import pytest
import torch
from PIL import Image
from pydantic import ValidationError

from imgqa import reader as reader_module
from imgqa.config import ImageInput
from imgqa.crops import grid_crops
from imgqa.decode import decode_image
from imgqa.reader import ImageReader
from rankqa_datasets.cache import ArrayCache
from rankqa_datasets.errors import InputError
from shared_engine.stimuli import model_input


@pytest.fixture
def photo(tmp_path):
    pixels = np.random.default_rng(0).integers(0, 256, (48, 64, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(tmp_path / "photo.jpg", quality=60)
    return tmp_path / "photo.jpg"


@pytest.fixture
def reader(tmp_path):
    return ImageReader(ImageInput(crop=32, train_crops=3, eval_crops=4), ArrayCache(tmp_path / "cache"))


def seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_shapes_and_range(reader, photo):
    training, evaluation = reader(photo, seeded(0))["images"], reader(photo, None)["images"]
    assert training.shape == (3, 3, 32, 32)
    assert evaluation.shape == (4, 3, 32, 32)
    for images in (training, evaluation):
        assert images.dtype == torch.uint8
        assert images.is_contiguous(memory_format=torch.channels_last)
        given = model_input({"images": images, "rows": torch.tensor(7)})
        assert given["images"].is_contiguous(memory_format=torch.channels_last)
        torch.testing.assert_close(given["images"] * 255, images.float())
        assert given["rows"] == 7


def test_evaluation_is_the_grid_of_the_decoded_image(reader, photo):
    expected = grid_crops(decode_image(photo), size=32, count=4).permute(0, 3, 1, 2)
    for _ in range(2):  # the second time from the cache
        assert torch.equal(reader(photo, None)["images"], expected)


def test_same_seed_same_crops(reader, photo):
    assert torch.equal(reader(photo, seeded(5))["images"], reader(photo, seeded(5))["images"])
    assert not torch.equal(reader(photo, seeded(5))["images"], reader(photo, seeded(6))["images"])


def test_each_file_is_decoded_once(reader, photo, monkeypatch):
    calls = []
    monkeypatch.setattr(reader_module, "decode_image", lambda path: calls.append(path) or decode_image(path))
    for seed in range(3):
        reader(photo, seeded(seed))
    assert calls == [photo]


def test_loader_processes_read_the_same(reader, photo):
    context = multiprocessing.get_context("spawn")  # the reader travels pickled
    with ProcessPoolExecutor(1, mp_context=context) as pool:
        images = pool.submit(reader, photo, None).result()["images"]
    assert torch.equal(images, reader(photo, None)["images"])


def test_small_image_names_file_and_sizes(tmp_path):
    Image.new("RGB", (20, 30)).save(tmp_path / "small.png")
    small = ImageReader(ImageInput(crop=32), ArrayCache(tmp_path / "cache"))
    with pytest.raises(InputError, match=r"small\.png: the image has 20 x 30 pixels, a crop 32 x 32: set input\.crop"):
        small(tmp_path / "small.png", None)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"eval_crops": 5}, "square number"),
        ({"crop": 0}, "greater"),
        ({"crops": 2}, "Extra"),
        ({"train_crops": 0}, "gr"),
    ],
)
def test_bad_input_options(options, message):
    with pytest.raises(ValidationError, match=message):
        ImageInput(**options)


def test_a_pair_is_cut_at_the_same_places(tmp_path):
    rng = np.random.default_rng(0)
    image = rng.integers(0, 256, (60, 80, 3), dtype=np.uint8)
    for name, pixels in (("a.png", image), ("b.png", 255 - image), ("c.png", image[:50])):
        Image.fromarray(pixels).save(tmp_path / name)
    reader = ImageReader(ImageInput(crop=16, train_crops=5, eval_crops=4), ArrayCache(tmp_path / "cache"))
    for generator in (None, torch.Generator().manual_seed(3)):
        pair = reader.read_pair(tmp_path / "a.png", tmp_path / "b.png", generator)
        torch.testing.assert_close(pair["images"] + pair["references"], torch.full_like(pair["images"], 255))
    single = reader(tmp_path / "a.png", torch.Generator().manual_seed(3))
    assert torch.equal(single["images"], pair["images"])
    with pytest.raises(InputError, match=r"a\.png has 80 x 60 pixels, its reference .*c\.png 80 x 50"):
        reader.read_pair(tmp_path / "a.png", tmp_path / "c.png", None)


def test_views_of_evaluation(tmp_path):
    image = np.random.default_rng(0).integers(0, 256, (40, 50, 3), dtype=np.uint8)
    Image.fromarray(image).save(tmp_path / "a.png")
    shapes = {"grid": (4, 3, 16, 16), "five": (5, 3, 16, 16), "full": (1, 3, 40, 50)}
    for view, shape in shapes.items():
        reader = ImageReader(ImageInput(crop=16, eval_view=view), ArrayCache(tmp_path / "cache"))
        assert reader(tmp_path / "a.png", None)["images"].shape == shape
        assert reader(tmp_path / "a.png", torch.Generator())["images"].shape == (1, 3, 16, 16)
        assert reader.varying_shapes == (view == "full")
    whole = ImageReader(ImageInput(crop=16, eval_view="full"), ArrayCache(tmp_path / "cache"))
    pixels = whole(tmp_path / "a.png", None)["images"][0].permute(1, 2, 0).numpy()
    assert np.array_equal(pixels, image)


def test_small_images_may_grow(tmp_path):
    Image.fromarray(np.arange(20 * 30 * 3, dtype=np.uint8).reshape(20, 30, 3)).save(tmp_path / "small.png")
    reader = ImageReader(ImageInput(crop=32, eval_crops=1, small_images="mirror"), ArrayCache(tmp_path / "cache"))
    for generator in (None, seeded(0)):
        assert reader(tmp_path / "small.png", generator)["images"].shape == (1, 3, 32, 32)
