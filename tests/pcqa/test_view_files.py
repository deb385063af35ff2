import numpy as np
import pytest
import torch
from PIL import Image

from pcqa.projection import project
from pcqa.view_files import write_views
from rankqa_datasets.errors import InputError


@pytest.fixture
def views():
    generator = torch.Generator().manual_seed(0)
    return project(torch.rand(300, 3, generator=generator), torch.rand(300, 3, generator=generator), size=24, splat=2)


def test_files_hold_the_maps(views, tmp_path):
    files = write_views(views, tmp_path / "new" / "folder", maps=("color", "mask", "depth"))
    assert [file.name for file in files[::6]] == ["color_00.png", "mask_00.png", "depth_00.png"]
    assert sorted((tmp_path / "new" / "folder").iterdir()) == sorted(files)
    color, mask, depth = (np.stack([np.asarray(Image.open(file)) for file in files[i : i + 6]]) for i in (0, 6, 12))
    np.testing.assert_array_equal(color, views.color.numpy())
    np.testing.assert_array_equal(mask == 255, views.mask.numpy())
    assert depth.dtype == np.uint16
    np.testing.assert_array_equal(depth > 0, views.mask.numpy())
    read = (depth[depth > 0].astype(float) - 1) / 65534 * 4 - 2
    np.testing.assert_allclose(read, views.depth[views.mask].numpy(), atol=4e-5)


def test_bad_names_and_folders_are_named(views, tmp_path):
    with pytest.raises(InputError, match="unknown map 'colour': known are color, mask, depth"):
        write_views(views, tmp_path, maps=("colour",))
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="cannot make the folder"):
        write_views(views, tmp_path / "file" / "folder")
    assert [file.name for file in tmp_path.iterdir()] == ["file"]
