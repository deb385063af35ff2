"""Reads the projections of a cloud."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from pcqa.config import ViewInput
from pcqa.io import read_cloud
from pcqa.render import render
from pcqa.view_crops import crop_views
from pcqa.views import view_list
from rankqa_datasets.cache import ArrayCache


@dataclass(frozen=True)
class ViewReader:
    """Projects a cloud once from each view of a list and caches the views.

    Clouds without colours are coloured by the direction of their surface, see `normal_colors`.
    """

    options: ViewInput
    cache: ArrayCache

    def __call__(self, path: Path, generator: torch.Generator | None) -> dict[str, Tensor]:
        """Views of one cloud.

        Returns:
            `views` uint8 (V, 3, H, W), whole or cropped, the channels of a pixel side by side in memory, of which
            `shared_engine.stimuli.model_input` makes [0, 1]; `masks` float32 (V, H, W), 1 where the cloud is. With a
            generator, windows are drawn at random and, with `flip`, each view is mirrored at random.

        Raises:
            InputError: unreadable file, or a cloud whose points are all equal.
        """
        options = self.options
        recipe = f"views {options.views} size={options.size} splat={options.splat} background={options.background}"
        stored = self.cache.fetch(path, recipe, lambda: self._render(path))
        pixels, mask = stored["views"], stored["masks"]
        if options.crop is not None:
            pixels, mask = crop_views(pixels, mask, size=options.crop, generator=generator)
        views = torch.from_numpy(np.array(pixels)).permute(0, 3, 1, 2)
        masks = torch.from_numpy(np.array(mask)).float()
        if generator is not None and options.flip:
            flips = torch.rand(len(views), 2, generator=generator) < 0.5
            for view, (across, down) in enumerate(flips.tolist()):
                axes = [axis for axis, wanted in ((-1, across), (-2, down)) if wanted]
                views[view] = views[view].flip(axes)
                masks[view] = masks[view].flip(axes)
        return {"views": views, "masks": masks}

    def _render(self, path: Path) -> dict[str, np.ndarray]:
        options = self.options
        views = render(
            read_cloud(path),
            views=view_list(options.views),
            size=options.size,
            splat=options.splat,
            background=options.background,
        )
        return {"views": views.color.numpy(), "masks": views.mask.to(torch.uint8).numpy()}
