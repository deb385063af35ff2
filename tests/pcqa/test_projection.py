import math

import numpy as np
import pytest
import torch

from pcqa import projection
from pcqa.frame import Frame, fit_frame, robust_box
from pcqa.projection import project, project_batch
from pcqa.splat import splat_from_reference
from pcqa.views import VIEW_LISTS, axis_views, icosphere_views, look_from, orbit_views, view_list, view_names
from rankqa_datasets.errors import InputError

# 33 pixels over 32 units: pixel and coordinate are the same integer, so that every rounding is exact.
SIZE, FRAME = 33, Frame((0.0, 0.0, 0.0), 16.0)


def lattice_cloud(count=400, seed=0):
    """Integer points, many of them equally near in a view, some outside the frame."""
    generator = torch.Generator().manual_seed(seed)
    points = torch.randint(-18, 19, (count, 3), generator=generator).float()
    return points, torch.rand(count, 3, generator=generator)


def naive_index(points, views, size, splat, frame):
    """Per point, per pixel of its square: keep the lowest (depth, row)."""
    index = np.full((len(views), size, size), -1)
    for v, (right, up, towards) in enumerate(views.double().tolist()):
        nearest = {}
        for row, point in enumerate(points.double().tolist()):
            x, y, z = (value - middle for value, middle in zip(point, frame.center, strict=True))
            along = [a * x + b * y + c * z for a, b, c in (right, up, towards)]
            if along[2] >= frame.distance:
                continue
            lens = 1 / (1 - along[2] / frame.distance)
            scale = lens * (size - 1) / (2 * frame.radius)
            column = math.floor(along[0] * scale + size / 2)
            line = math.floor(size / 2 - along[1] * scale)
            if not (0 <= column < size and 0 <= line < size):
                continue
            offsets = range(-((splat - 1) // 2), splat // 2 + 1)
            for pixel in [(line + i, column + j) for i in offsets for j in offsets]:
                if max(pixel) < size and min(pixel) >= 0:
                    nearest[pixel] = min(nearest.get(pixel, (math.inf, 0)), (-along[2], row))
        for pixel, (_, row) in nearest.items():
            index[v][pixel] = row
    return torch.from_numpy(index)


@pytest.mark.parametrize("splat", [1, 2, 3, 4, 7])
@pytest.mark.parametrize("block", [1 << 20, 64])
def test_equals_a_naive_loop_on_a_lattice_full_of_ties(splat, block, monkeypatch):
    monkeypatch.setattr(projection, "BLOCK", block)
    points, colors = lattice_cloud()
    result = project(points, colors, size=SIZE, splat=splat, frame=FRAME)
    assert torch.equal(result.index, naive_index(points, axis_views(), SIZE, splat, FRAME))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_equals_a_naive_loop_in_oblique_views(dtype):
    views = orbit_views(5, elevation=30.0)
    points = torch.randn(500, 3, dtype=dtype, generator=torch.Generator().manual_seed(0))
    frame = Frame((0.1, -0.2, 0.3), 2.0)
    result = project(points, None, views=views, size=48, splat=3, frame=frame)
    assert torch.equal(result.index, naive_index(points, views, 48, 3, frame))


def test_maps_are_consistent():
    points, colors = lattice_cloud()
    result = project(points, colors, size=SIZE, splat=2, background=0.2, frame=FRAME)
    assert result.color.shape == (6, SIZE, SIZE, 3)
    assert torch.equal(result.mask, result.index >= 0)
    assert 0 < result.mask.float().mean() < 1
    assert (result.color[~result.mask] == 51).all()
    assert torch.equal(result.color[result.mask], (colors * 255).round().byte()[result.index[result.mask]])
    assert result.depth[~result.mask].isposinf().all()
    for view, mask, depth, index in zip(axis_views(), result.mask, result.depth, result.index, strict=True):
        assert torch.equal(depth[mask], -(points @ view[2])[index[mask]] / FRAME.radius)


def test_is_the_same_in_each_run_and_in_any_order_of_the_points():
    generator = torch.Generator().manual_seed(1)
    points, colors = torch.randn(20_001, 3, generator=generator), torch.rand(20_001, 3, generator=generator)
    views = torch.cat([axis_views(), orbit_views(3, elevation=-20.0)])
    first, again = (project(points, colors, views=views, size=100, splat=2) for _ in range(2))
    order = torch.randperm(len(points), generator=generator)
    moved = project(points[order], colors[order], views=views, size=100, splat=2)
    for name in ("color", "depth", "mask", "index"):
        assert torch.equal(getattr(first, name), getattr(again, name))
    for name in ("color", "depth", "mask"):
        assert torch.equal(getattr(first, name), getattr(moved, name))
    assert torch.equal(torch.where(moved.mask, order[moved.index], -1), first.index)


def test_axis_views_show_an_asymmetric_cloud_the_right_way_round():
    # One point far out on each half axis; two more say what is right and up.
    far = {"+x": 0, "-x": 1, "+y": 2, "-y": 3, "+z": 4, "-z": 5}
    points = 10.0 * torch.tensor([[1.0, 0, 0], [-1, 0, 0], [0, 1, 0], [0, -1, 0], [0, 0, 1], [0, 0, -1]])
    result = project(points, None, size=21, frame=Frame((0.0, 0.0, 0.0), 10.0))
    expected = {  # view: nearest, right, top
        "+x": ("+x", "-z", "+y"),
        "-x": ("-x", "+z", "+y"),
        "+y": ("+y", "+x", "-z"),
        "-y": ("-y", "+x", "+z"),
        "+z": ("+z", "+x", "+y"),
        "-z": ("-z", "-x", "+y"),
    }
    for index, (nearest, right, top) in zip(result.index, expected.values(), strict=True):
        assert index[10, 10] == far[nearest]
        assert index[10, 20] == far[right]
        assert index[0, 10] == far[top]


def test_an_orbit_passes_through_the_axis_views():
    front_right_back_left = orbit_views(4)
    expected = axis_views()[[4, 0, 5, 1]]
    torch.testing.assert_close(front_right_back_left, expected, atol=1e-6, rtol=0)
    torch.testing.assert_close(orbit_views(1, elevation=90.0)[0], axis_views()[2], atol=1e-6, rtol=0)
    for make in VIEW_LISTS.values():
        turns = make()
        torch.testing.assert_close(turns @ turns.mT, torch.eye(3).expand(len(turns), 3, 3), atol=1e-6, rtol=0)
        torch.testing.assert_close(torch.linalg.cross(turns[:, 0], turns[:, 1]), turns[:, 2], atol=1e-6, rtol=0)


def test_turning_the_cloud_is_turning_the_view():
    points = torch.randn(300, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(2))
    turn = orbit_views(7, elevation=25.0)[2].double()
    frame = Frame((0.0, 0.0, 0.0), 3.0)
    front = axis_views()[4:5]
    turned = project(points @ turn.T, None, views=front, size=64, frame=frame)
    seen = project(points, None, views=(front[0].double() @ turn).float()[None], size=64, frame=frame)
    assert torch.equal(turned.index, seen.index)


def test_default_frame_shows_every_point_of_a_clean_cloud():
    points = torch.rand(500, 3, generator=torch.Generator().manual_seed(0)) * torch.tensor([1.0, 5.0, 2.0]) + 1000
    frame = fit_frame(points, axis_views())
    low, high = points.min(0).values, points.max(0).values
    assert frame.radius == pytest.approx(float((high - low).max() / 2), rel=1e-6)
    assert frame.center == pytest.approx(((low + high) / 2).tolist(), rel=1e-6)
    for views in (axis_views(), orbit_views(6, elevation=40.0)):
        frame = fit_frame(points, views)
        reach = ((points.double() - torch.tensor(frame.center)) @ views[:, :2].double().mT).abs().max()
        assert 0.7 * frame.radius < reach <= frame.radius
    corners = points[torch.stack([points[:, 1].argmin(), points[:, 1].argmax()])]
    seen = project(corners, None, size=9, frame=fit_frame(points, axis_views()))
    assert seen.mask[0].any(1).nonzero().flatten().tolist() == [0, 8]


def test_default_frame_ignores_a_far_outlier():
    points = torch.rand(5000, 3, generator=torch.Generator().manual_seed(0))
    clean = robust_box(points)
    torch.testing.assert_close(clean, torch.stack([points.min(0).values, points.max(0).values]))
    points[17] = 1e6
    box = robust_box(points)
    assert box[1].max() < 1.3
    assert box[0].min() >= 0


@pytest.mark.parametrize("field_of_view", [20.0, 60.0, 150.0])
def test_a_pinhole_frame_shows_the_whole_box_as_near_as_it_can(field_of_view):
    points = torch.rand(500, 3, generator=torch.Generator().manual_seed(0)) * torch.tensor([1.0, 5.0, 2.0])
    corners = torch.cartesian_prod(*robust_box(points).T)
    views = torch.cat([axis_views(), orbit_views(6, elevation=40.0)])
    frame = fit_frame(points, views, field_of_view=field_of_view)
    assert math.atan(frame.radius / frame.distance) == pytest.approx(math.radians(field_of_view / 2))
    seen = (corners.double() - torch.tensor(frame.center)) @ views.double().mT
    angles = torch.atan2(seen[..., :2].abs().amax(-1), frame.distance - seen[..., 2])
    assert math.degrees(2 * float(angles.max())) == pytest.approx(field_of_view)
    result = project(corners, None, views=views, size=200, frame=frame)
    # A corner is hidden only behind another one on the same pixel.
    assert all(7 <= len(view.unique()) <= 9 for view in result.index[6:])


def test_a_pinhole_camera_equals_a_naive_loop_and_leaves_out_what_is_behind_it():
    points = torch.randn(800, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(3))
    views, frame = orbit_views(4, elevation=-35.0), Frame((0.1, -0.2, 0.3), 1.0, 1.2)
    index = project(points, None, views=views, size=48, splat=2, frame=frame).index
    assert torch.equal(index, naive_index(points, views, 48, 2, frame))
    on_the_viewer = torch.tensor([[0.0, 0.0, 2.0], [0.0, 0.0, 3.0], [0.0, 0.0, -1.0]])
    front = project(on_the_viewer, None, views=axis_views()[4:5], size=9, frame=Frame((0.0, 0.0, 0.0), 1.0, 2.0))
    assert front.index.unique().tolist() == [-1, 2]


def test_a_far_pinhole_camera_sees_what_an_orthographic_one_does():
    points, _ = lattice_cloud()
    far = Frame(FRAME.center, FRAME.radius, 1e9)
    # The size puts lattice points on the middles of pixels.
    near, orthographic = (project(points, None, size=SIZE, frame=frame) for frame in (far, FRAME))
    assert torch.equal(near.index, orthographic.index)


def test_supersampling_is_the_mean_of_part_pixels_and_keeps_the_nearest():
    points, colors = lattice_cloud()
    ground = (0.2, 0.4, 1.0)
    small = project(
        points, colors, size=16, splat=2, supersample=3, background=ground, frame=Frame((0.0, 0.0, 0.0), 15.0)
    )
    # The same window with pixels of a third: radius + half a pixel are the edges of the window.
    frame = Frame((0.0, 0.0, 0.0), 16.0 - 1 / 3)
    large = project(points, colors, size=48, splat=6, background=ground, frame=frame)
    mean = large.color.double().reshape(6, 16, 3, 16, 3, 3).mean((2, 4))
    assert torch.equal(small.color, (mean + 0.5 + 1e-9).floor().byte())
    parts = large.depth.reshape(6, 16, 3, 16, 3).movedim(2, 3).flatten(3)
    torch.testing.assert_close(small.depth * 15, parts.amin(3) * frame.radius)
    assert torch.equal(small.mask, large.mask.reshape(6, 16, 3, 16, 3).any(4).any(2))
    assert torch.equal(small.index >= 0, small.mask)
    assert 0 < small.mask.float().mean() < 1
    assert torch.equal(small.color[~small.mask].unique(dim=0), torch.tensor([[51, 102, 255]], dtype=torch.uint8))


def test_groups_of_views_change_nothing(monkeypatch):
    points, colors = lattice_cloud()
    whole = project(points, colors, size=SIZE, splat=2, supersample=2)
    monkeypatch.setattr(projection, "PIXELS", 2 * (2 * SIZE) ** 2)
    grouped = project(points, colors, size=SIZE, splat=2, supersample=2)
    for name in ("color", "depth", "mask", "index"):
        assert torch.equal(getattr(whole, name), getattr(grouped, name))


def test_is_the_same_for_any_number_of_threads():
    points, colors = torch.randn(200_000, 3, generator=torch.Generator().manual_seed(4)), torch.rand(200_000, 3)
    threads = torch.get_num_threads()
    try:
        results = []
        for count in (1, 2, 3):
            torch.set_num_threads(count)
            results.append(project(points, colors, views=orbit_views(2, elevation=20.0), size=128, splat=2))
    finally:
        torch.set_num_threads(threads)
    for name in ("color", "depth", "mask", "index"):
        first, *others = (getattr(result, name) for result in results)
        assert all(torch.equal(first, other) for other in others)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_is_the_same_on_a_gpu():
    points, colors = torch.randn(200_000, 3, generator=torch.Generator().manual_seed(4)), torch.rand(200_000, 3)
    for field_of_view in (None, 50.0):
        views = icosphere_views()
        frame = fit_frame(points, views, field_of_view=field_of_view)
        here, there = (
            project(points.to(device), colors.to(device), views=views, size=128, splat=2, supersample=2, frame=frame)
            for device in ("cpu", "cuda")
        )
        for name in ("color", "depth", "mask", "index"):
            assert torch.equal(getattr(here, name), getattr(there, name).cpu())


def test_a_batch_is_each_cloud_alone():
    clouds = [lattice_cloud(count, seed) for seed, count in enumerate((5, 400, 37))]
    points, colors = zip(*clouds, strict=True)
    frames = [FRAME, None, FRAME]
    batch = project_batch(points, colors, frames=frames, size=SIZE, splat=2, background=0.0)
    assert batch.color.shape == (3, 6, SIZE, SIZE, 3)
    for number, frame in enumerate(frames):
        alone = project(points[number], colors[number], frame=frame, size=SIZE, splat=2, background=0.0)
        for name in ("color", "depth", "mask", "index"):
            assert torch.equal(getattr(batch, name)[number], getattr(alone, name))
    with pytest.raises(ValueError, match="got 3 clouds, 2 colours and 3 frames"):
        project_batch(points, colors[:2])
    with pytest.raises(ValueError, match="got 0 clouds"):
        project_batch([], [])


def test_icosphere_views_lie_evenly_with_the_axes_among_them():
    views = icosphere_views()
    assert views.shape == (42, 3, 3)
    towards = views[:, 2].double()
    angles = torch.rad2deg(torch.acos((towards @ towards.T).clamp(-1, 1))).fill_diagonal_(180)
    assert 31 < angles.min() <= angles.amin(1).max() < 37
    torch.testing.assert_close(towards.sum(0), torch.zeros(3, dtype=torch.float64), atol=1e-5, rtol=0)
    for axis in axis_views():
        assert (views - axis).abs().amax((1, 2)).min() < 1e-6
    assert torch.equal(torch.sort(towards[:, 1], descending=True).values.float(), views[:, 2, 1])


def test_views_from_directions_are_those_of_an_orbit():
    orbit = orbit_views(7, elevation=25.0)
    torch.testing.assert_close(look_from(3.0 * orbit[:, 2]), orbit, atol=1e-6, rtol=0)
    torch.testing.assert_close(look_from(axis_views()[:, 2]), axis_views())
    with pytest.raises(ValueError, match=r"got \(0, 0, 0\)"):
        look_from(torch.zeros(1, 3))


def test_view_lists_by_name():
    assert torch.equal(view_list("icosphere"), icosphere_views())
    own = torch.eye(3)[None]
    assert view_list(own) is own
    with pytest.raises(InputError, match="unknown view list 'cube': known are axis, orbit, icosphere"):
        view_list("cube")
    assert view_names(axis_views()) == ["+x", "-x", "+y", "-y", "+z", "-z"]
    assert view_names(orbit_views(8, elevation=30.0))[1] == "45\N{DEGREE SIGN} +30\N{DEGREE SIGN}"


def test_splat_closes_a_lattice():
    plane = np.array([(x, y, 0) for x in range(12) for y in range(12)], np.float32)
    points = torch.from_numpy(plane)
    frame = fit_frame(points, axis_views())
    splat = splat_from_reference(np.repeat(plane, 2, axis=0), pixels_per_unit=frame.pixels_per_unit(100), c=1.0)
    assert splat == 9  # 99 pixels over 11 units
    assert project(points, None, size=100, splat=splat, frame=frame).mask[4, 5:-5, 5:-5].all()
    assert splat_from_reference(plane, pixels_per_unit=0.01) == 1


def test_backgrounds():
    corner = {"size": 8, "splat": 1, "frame": Frame((0.0, 0.0, 0.0), 4.0)}
    for background, expected in ((0.0, [0, 0, 0]), (1.0, [255, 255, 255]), ((1.0, 0.5, 0.0), [255, 128, 0])):
        assert project(torch.eye(3), None, background=background, **corner).color[0, 0, 0].tolist() == expected


def test_without_colors_points_are_grey():
    assert project(torch.eye(3), None, size=8).color.unique().tolist() == [128, 255]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"size": 1}, "got size=1, splat=1, background"),
        ({"splat": 0}, "got size=8, splat=0"),
        ({"splat": 9}, "got size=8, splat=9"),
        ({"background": 255.0}, r"splat=1, background=\(255\.0"),
        ({"background": (0.0, 0.0, 1.1)}, r"background=\(0\.0, 0\.0, 1\.1\)"),
        ({"supersample": 0}, "supersample=0"),
        ({"views": torch.empty(0, 3, 3)}, "at least one view"),
        ({"views": 2 * torch.eye(3)[None]}, "view 0 is not a rotation"),
        ({"views": torch.stack([torch.eye(3), torch.eye(3)[[1, 0, 2]]])}, "view 1 is not a rotation"),
        ({"views": torch.full((1, 3, 3), torch.nan)}, "view 0 is not a rotation"),
    ],
)
def test_refuses_bad_options(options, message):
    with pytest.raises(ValueError, match=message):
        project(torch.eye(3), None, **{"size": 8, **options})


def test_refuses_clouds_without_extent():
    with pytest.raises(InputError, match="cloud: expected at least two different points, but all 5 are equal"):
        project(torch.ones(5, 3), None)
    with pytest.raises(InputError, match=r"a\.ply: expected at least two different points"):
        fit_frame(torch.ones(5, 3), axis_views(), name="a.ply")
    for points in (torch.tensor([[-1e308] * 3, [1e308] * 3]).double(), 1e200 * torch.eye(3).double()):
        with pytest.raises(InputError, match="expected a cloud between 1e-100 and 1e100 across"):
            project(points, None)
    with pytest.raises(ValueError, match="1 to 170 degrees, got 180"):
        fit_frame(torch.eye(3), axis_views(), field_of_view=180.0)
    with pytest.raises(ValueError, match="a finite radius above 0"):
        Frame((0.0, 0.0, 0.0), 0.0)
    with pytest.raises(ValueError, match="1 to 2147483647 points, got 0"):
        project(torch.ones(0, 3), None)
    with pytest.raises(InputError, match="two different points, got 1 among 5"):
        splat_from_reference(np.ones((5, 3), np.float32), pixels_per_unit=1.0)
    with pytest.raises(ValueError, match=r"got 0 and 0\.0"):
        orbit_views(0)
