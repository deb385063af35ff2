"""From an image file to the crops that a model sees."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from imgqa.config import ImageInput, ImageRunConfig
from imgqa.crops import grid_crops, random_crops
from imgqa.decode import DECODER, decode_image
from rankqa_datasets.cache import ArrayCache
from rankqa_datasets.errors import InputError


@dataclass(frozen=True)
class ImageReader:
    """Reads crops of images that are decoded once and then lie in the cache."""

    input: ImageInput
    cache: ArrayCache

    def __call__(self, path: Path, generator: torch.Generator | None) -> dict[str, Tensor]:
        """Crops of one image.

        Args:
            path: the image file.
            generator: draws the training crops; None returns the fixed crops of evaluation.

        Returns:
            `images`: float32 (K, 3, crop, crop) in [0, 1].

        Raises:
            InputError: the file cannot be decoded, or the image is smaller than a crop.
        """
        image = self.cache.fetch(path, DECODER, lambda: {"rgb": decode_image(path)})["rgb"]
        try:
            crops = self._cut(image, generator)
        except InputError as error:
            raise InputError(f"{path}: {error}") from error
        images = torch.from_numpy(crops).permute(0, 3, 1, 2).to(torch.float32, memory_format=torch.contiguous_format)
        return {"images": images.div_(255)}

    def _cut(self, image: np.ndarray, generator: torch.Generator | None) -> np.ndarray:
        if generator is None:
            return grid_crops(image, size=self.input.crop, count=self.input.eval_crops)
        return random_crops(
            image,
            size=self.input.crop,
            count=self.input.train_crops,
            horizontal_flip=self.input.horizontal_flip,
            generator=generator,
        )


def image_reader(config: ImageRunConfig, cache: ArrayCache) -> ImageReader:
    """The reader of an image run."""
    return ImageReader(config.input, cache)
