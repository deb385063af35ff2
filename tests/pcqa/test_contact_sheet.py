from pathlib import Path

import numpy as np
import pytest
import torch

from pcqa.cloud import Cloud
from pcqa.contact_sheet import FONT_SIZE, GAP, LINE, contact_sheet
from pcqa.frame import fit_frame
from pcqa.projection import project
from pcqa.splat import splat_from_reference
from pcqa.views import axis_views, orbit_views
from rankqa_datasets.errors import InputError


def cloud(count=500, seed=0, source=None):
    rng = np.random.default_rng(seed)
    return Cloud(rng.random((count, 3)), rng.random((count, 3), dtype=np.float32), source=source)


def cell(sheet, row, column, size):
    left, top = GAP + column * (size + GAP), LINE + row * (LINE + size + GAP) + LINE
    return np.asarray(sheet)[top : top + size, left : left + size]


@pytest.mark.parametrize("splat", [None, 2])
def test_each_cell_is_a_projection(splat):
    clouds, size = [cloud(500, 1), cloud(60, 2)], 48
    sheet = contact_sheet(clouds, size=size, splat=splat, background=0.5)
    assert sheet.size == (6 * (size + GAP) + GAP, LINE + 2 * (LINE + size + GAP))
    for row, one in enumerate(clouds):
        points = torch.from_numpy(one.points)
        frame = fit_frame(points, axis_views())
        own = splat_from_reference(one.points, pixels_per_unit=frame.pixels_per_unit(size))
        views = project(points, torch.from_numpy(one.colors), size=size, splat=splat or own, background=0.5)
        for column, view in enumerate(views.color.numpy()):
            np.testing.assert_array_equal(cell(sheet, row, column, size), view)


def test_labels_differ_with_name_and_number_of_points():
    lines = []
    for one in (cloud(source=Path("a.ply")), cloud(source=Path("b.ply")), cloud(499, source=Path("a.ply"))):
        sheet = contact_sheet([one], views=orbit_views(3), size=64, splat=1)
        lines.append(np.asarray(sheet)[LINE : 2 * LINE - 1].tobytes())
        assert np.asarray(sheet)[:LINE].min() < 100
    assert len(set(lines)) == 3


@pytest.mark.parametrize("name", ["folder/" * 40 + "cloud.ply", "two\nlines\udcff.ply"])
def test_odd_names_fit(name):
    sheet = contact_sheet([cloud(source=Path(name))], views=orbit_views(4), size=64)
    assert (np.asarray(sheet)[LINE : LINE + FONT_SIZE, -GAP + 1 :] == 255).all()


def test_clouds_without_colours_and_pinhole_cameras():
    plain = Cloud(cloud().points)
    flat, deep = (contact_sheet([plain], size=64, field_of_view=angle).tobytes() for angle in (None, 60.0))
    assert flat != deep
    assert len(np.unique(cell(contact_sheet([plain], size=64), 0, 0, 64).reshape(-1, 3), axis=0)) > 50


def test_two_points_are_drawn_and_one_is_refused():
    two = Cloud(np.array([[0.0, 0, 0], [1, 1, 1]]), np.zeros((2, 3), np.float32))
    assert (cell(contact_sheet([two], size=32), 0, 0, 32) == 0).any()
    with pytest.raises(InputError, match=r"a\.ply: expected at least two different points"):
        contact_sheet([cloud(1, source=Path("a.ply"))])
    with pytest.raises(InputError, match="at least one cloud, got none"):
        contact_sheet([])
    with pytest.raises(InputError, match=r"1 clouds and 42 views would have .* take a smaller size"):
        contact_sheet([cloud()], views="icosphere", size=4096)
    with pytest.raises(InputError, match="unknown view list 'front'"):
        contact_sheet([cloud()], views="front")
