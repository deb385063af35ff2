import math
from pathlib import Path

import numpy as np
import pytest
import torch

from pcqa.cloud import Cloud
from pcqa.frame import fit_frame
from pcqa.metrics.cloud_pair import CloudPair
from pcqa.metrics.projected import projected
from pcqa.metrics.projected_psnr import projected_psnr
from pcqa.metrics.view_pairs import LEAST_SIDE, ViewOptions, drawn_views, view_pairs
from pcqa.projection import project
from pcqa.splat import splat_from_reference
from pcqa.views import axis_views, orbit_views
from rankqa_datasets.errors import InputError


def lattice(seed=0, side=12, *, colored=True):
    """A full lattice: in every axis view many points are equally near, and squares of neighbours overlap."""
    rng = np.random.default_rng(seed)
    points = np.stack(np.meshgrid(*[np.arange(side)] * 3, indexing="ij"), axis=-1).reshape(-1, 3).astype(np.float64)
    colors = (rng.integers(0, 256, points.shape) / 255).astype(np.float32)
    return Cloud(points, colors if colored else None)


def distorted(cloud, seed=1, share=0.7):
    rng = np.random.default_rng(seed)
    rows = rng.permutation(len(cloud.points))[: int(share * len(cloud.points))]
    colors = None
    if cloud.colors is not None:
        noise = rng.normal(0, 0.05, (len(rows), 3)).astype(np.float32)
        colors = np.clip(cloud.colors[rows] + noise, 0, 1)
    return Cloud(cloud.points[rows] + rng.normal(0, 0.2, (len(rows), 3)), colors)


def negative_error(image, reference):
    return -(image - reference).square().mean((1, 2, 3))


def errors_and_masks(pair, size, views):
    """From `project` on in NumPy: squared errors, and where either cloud is."""
    points = torch.from_numpy(pair.reference.points)
    frame = fit_frame(points, views)
    splat = splat_from_reference(pair.reference.points, pixels_per_unit=frame.pixels_per_unit(size))
    drawn = [
        project(
            torch.from_numpy(c.points), torch.from_numpy(c.colors), views=views, size=size, splat=splat, frame=frame
        )
        for c in (pair.reference, pair.distorted)
    ]
    mask = (drawn[0].mask | drawn[1].mask).numpy()
    errors = np.square(drawn[0].color.numpy().astype(float) - drawn[1].color.numpy())
    return errors, mask


@pytest.mark.parametrize("views", [axis_views(), orbit_views(3, elevation=20.0)])
def test_psnr_and_means_equal_plain_numpy(views):
    rng = np.random.default_rng(5)
    # Random points: no two are equally near, so that the order of the file does not matter to `project` either.
    reference = Cloud(rng.random((900, 3)), rng.random((900, 3), dtype=np.float32))
    pair = CloudPair(reference, distorted(reference))
    errors, mask = errors_and_masks(pair, 64, views)
    result = projected_psnr(pair, views=views, size=64)
    per_view = [10 * math.log10(255**2 / e[m].mean()) for e, m in zip(errors, mask, strict=True)]
    assert result.per_view == pytest.approx(per_view, rel=1e-12)
    assert result.score == pytest.approx(10 * math.log10(255**2 / errors[mask].mean()), rel=1e-12)
    whole = projected(pair, negative_error, views=views, crop=False, size=64)
    assert whole.per_view == pytest.approx((-errors.mean((1, 2, 3)) / 255**2).tolist(), rel=1e-5)
    assert whole.score == pytest.approx(np.mean(whole.per_view), rel=1e-12)


@pytest.mark.parametrize("colored", [True, False])
def test_a_cloud_with_itself(colored):
    cloud = lattice(colored=colored)
    pair = CloudPair(cloud, cloud)
    assert projected_psnr(pair, size=64).score == math.inf
    assert projected(pair, negative_error, size=64).score == 0


@pytest.mark.parametrize("colored", [True, False])
def test_order_and_repeated_points_change_nothing(colored):
    reference = lattice(colored=colored)
    other = Cloud(reference.points[::2].copy(), None if reference.colors is None else reference.colors[::2] ** 2)
    expected = projected_psnr(CloudPair(reference, other), size=64)
    assert expected.score < 60
    shuffled = []
    for seed, cloud in enumerate((reference, other)):
        rows = np.random.default_rng(seed).permutation(np.repeat(np.arange(cloud.num_points), 2))
        shuffled.append(Cloud(cloud.points[rows], None if cloud.colors is None else cloud.colors[rows]))
    assert projected_psnr(CloudPair(*shuffled), size=64) == expected


def test_symmetric_where_the_frame_is_and_translated_together():
    reference = lattice()
    # The corners stay, so that both clouds give the same frame; the splat is given.
    other = Cloud(reference.points, np.subtract(1, reference.colors))
    there = projected_psnr(CloudPair(reference, other), splat=3, size=64)
    assert there == projected_psnr(CloudPair(other, reference), splat=3, size=64)
    moved = [Cloud(cloud.points + np.array([1024.0, -512.0, 2048.0]), cloud.colors) for cloud in (reference, other)]
    assert projected_psnr(CloudPair(*moved), splat=3, size=64) == there
    assert projected_psnr(CloudPair(reference, Cloud(reference.points + 3, other.colors)), size=64) != there


def test_float32_and_float64_files_of_the_same_numbers_are_equal():
    reference = lattice()
    single = Cloud(reference.points.astype(np.float32), reference.colors)
    assert projected_psnr(CloudPair(reference, single), size=64).score == math.inf


def test_more_distortion_scores_less():
    reference = lattice(side=20)
    scores = [
        projected_psnr(CloudPair(reference, distorted(reference, share=share)), size=64).score
        for share in (0.95, 0.5, 0.1)
    ]
    assert scores == sorted(scores, reverse=True)


def test_crops_hold_both_clouds_and_no_less_than_the_least_side():
    # A flat, long plate, seen from its edge too; the distorted cloud has a piece above it.
    rng = np.random.default_rng(0)
    points = rng.random((4000, 3)) * [400, 2, 60]
    reference = Cloud(points, rng.random((4000, 3), dtype=np.float32))
    lifted = np.where(points[:, :1] > 399, points + np.array([0, 90, 0]), points)
    pair = CloudPair(reference, Cloud(lifted, reference.colors))
    cropped, whole = (view_pairs(pair, size=401, splat=1, crop=crop) for crop in (True, False))
    for small, large in zip(cropped, whole, strict=True):
        assert large.image.shape == (401, 401, 3)
        assert min(small.mask.shape) >= LEAST_SIDE
        assert small.mask.sum() == large.mask.sum()
        rows, columns = (large.mask.any(axis).nonzero() for axis in (1, 0))
        spans = tuple(max(LEAST_SIDE, int(span[-1] - span[0]) + 1) for span in (rows, columns))
        assert small.mask.shape == small.image.shape[:2] == small.reference.shape[:2] == spans
    assert all(view.mask.shape == (64, 64) for view in view_pairs(pair, size=64))
    assert projected_psnr(pair, size=401, splat=1) == projected_psnr(pair, size=401, splat=1, crop=False)


def test_a_distorted_cloud_out_of_sight_is_compared_with_the_background():
    reference = lattice()
    away = Cloud(reference.points + 1e30, reference.colors)
    alone = [view.mask for view in view_pairs(CloudPair(reference, reference), size=64)]
    for view, mask in zip(view_pairs(CloudPair(reference, away), size=64), alone, strict=True):
        assert (view.image == 255).all()
        assert torch.equal(view.mask, mask)
    assert math.isfinite(projected_psnr(CloudPair(reference, away), size=64).score)
    assert math.isfinite(projected_psnr(CloudPair(reference, Cloud(np.zeros((1, 3)), reference.colors[:1]))).score)


def test_the_splat_is_the_reference_s():
    whole = lattice(side=16)
    plane = Cloud(whole.points[whole.points[:, 2] == 0], whole.colors[whole.points[:, 2] == 0])
    thinned = Cloud(plane.points[::3].copy(), plane.colors[::3].copy())
    front = axis_views()[4:5]
    (there,), (back,) = (
        view_pairs(CloudPair(*order), views=front, size=99) for order in ((plane, thinned), (thinned, plane))
    )
    in_own_splat, in_the_reference_s = ((view == 255).all(2).float().mean() for view in (back.reference, there.image))
    assert in_own_splat < 0.05 < 0.2 < in_the_reference_s


def test_views_are_drawn_once_for_all_metrics():
    pair = CloudPair(lattice(), lattice(1))
    first = drawn_views(pair, views=orbit_views(2), size=64)
    assert drawn_views(pair, views=orbit_views(2), size=64) is first
    assert drawn_views(pair, views=orbit_views(3), size=64) is not first
    assert len(pair.drawn_views) == 2


@pytest.mark.parametrize(
    "options",
    [{"field_of_view": 50.0}, {"supersample": 2}, {"background": (0.0, 0.5, 1.0)}, {"splat": 9}],
)
def test_options_reach_the_renderer(options: ViewOptions):
    points = np.random.default_rng(0).normal(size=(500, 3))
    reference = Cloud(points / np.linalg.norm(points, axis=1, keepdims=True), np.zeros(points.shape, np.float32))
    pair = CloudPair(reference, distorted(reference))
    assert projected_psnr(pair) != projected_psnr(pair, **options)


def test_bad_input_is_refused():
    cloud, named = lattice(), Cloud(np.ones((3, 3)), np.zeros((3, 3), np.float32), source=Path("dot.ply"))
    with pytest.raises(InputError, match=r"dot\.ply: expected at least two different points, but all 1 are equal"):
        projected_psnr(CloudPair(named, cloud))
    with pytest.raises(InputError, match="cloud has no colours and cloud has"):
        projected_psnr(CloudPair(cloud, lattice(colored=False)))
    with pytest.raises(InputError, match=r"within 1e\+100"):
        projected_psnr(CloudPair(cloud, Cloud(cloud.points * 1e150, cloud.colors)))
    with pytest.raises(InputError, match="unknown view list 'cube'"):
        projected_psnr(CloudPair(cloud, cloud), views="cube")
    with pytest.raises(ValueError, match=r"got shape \(1,\), \[nan\] for view 0"):
        projected(CloudPair(cloud, cloud), lambda image, _: image.mean((1, 2, 3)) * math.nan, size=64)
    with pytest.raises(ValueError, match=r"got shape \(\)"):
        projected(CloudPair(cloud, cloud), lambda image, _: image.mean(), size=64)
