"""From an image file to the crops that a model sees."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from imgqa.config import ImageInput, ImageRunConfig
from imgqa.crops import five_crops, grid_crops, grow_to_crop, random_crops
from imgqa.decode import DECODER, decode_image
from rankqa_datasets.cache import ArrayCache
from rankqa_datasets.errors import InputError


@dataclass(frozen=True)
class ImageReader:
    """Reads crops of images that are decoded once and then lie in the cache."""

    input: ImageInput
    cache: ArrayCache

    @property
    def varying_shapes(self) -> bool:
        """Whether stimuli may come in different shapes in evaluation, and so cannot share a batch."""
        return self.input.eval_view == "full"

    def __call__(self, path: Path, generator: torch.Generator | None) -> dict[str, Tensor]:
        """Crops of one image.

        Args:
            path: the image file.
            generator: draws the training crops; None returns the fixed crops of evaluation.

        Returns:
            `images`: uint8 (K, 3, crop, crop), the channels of a pixel side by side in memory; (1, 3, H, W) where
                evaluation sees the whole image. `shared_engine.stimuli.model_input` makes [0, 1] of it.

        Raises:
            InputError: the file cannot be decoded, or the image is smaller than a crop.
        """
        return {"images": self._crops(path, self._decode(path), generator)}

    def read_pair(self, path: Path, reference: Path, generator: torch.Generator | None) -> dict[str, Tensor]:
        """Crops of one image and of its reference, at the same places.

        Args:
            path: the image file.
            reference: the pristine file, of the same size in pixels.
            generator: draws the training crops; None returns the fixed crops of evaluation.

        Returns:
            `images` and `references`: uint8 (K, 3, crop, crop), as above.

        Raises:
            InputError: a file cannot be decoded, the sizes differ, or the image is smaller than a crop.
        """
        image, pristine = self._decode(path), self._decode(reference)
        if image.shape != pristine.shape:
            raise InputError(
                f"{path} has {image.shape[1]} x {image.shape[0]} pixels, its reference {reference}"
                f" {pristine.shape[1]} x {pristine.shape[0]}: a full-reference model needs equal sizes"
            )
        # Cut as one image of six channels: one draw places and mirrors both.
        images, references = self._crops(path, np.concatenate([image, pristine], axis=2), generator).split(3, dim=1)
        side_by_side = torch.channels_last
        return {
            "images": images.contiguous(memory_format=side_by_side),
            "references": references.contiguous(memory_format=side_by_side),
        }

    def _decode(self, path: Path) -> np.ndarray:
        return self.cache.fetch(path, DECODER, lambda: {"rgb": decode_image(path)})["rgb"]

    def _crops(self, path: Path, image: np.ndarray, generator: torch.Generator | None) -> Tensor:
        try:
            return self._cut(image, generator).permute(0, 3, 1, 2)
        except InputError as error:
            raise InputError(f"{path}: {error}") from error

    def _cut(self, image: np.ndarray, generator: torch.Generator | None) -> Tensor:
        if generator is None and self.input.eval_view == "full":
            return torch.from_numpy(np.array(image[None]))
        if self.input.small_images == "mirror":
            image = grow_to_crop(image, size=self.input.crop)
        if generator is None and self.input.eval_view == "five":
            return five_crops(image, size=self.input.crop)
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
