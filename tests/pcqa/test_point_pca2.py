from pathlib import Path

import numpy as np
import pytest

import pcqa.metrics.point_pca2
from pcqa.cloud import Cloud
from pcqa.metrics.cloud_pair import CloudPair
from pcqa.metrics.point_pca2 import point_pca2
from pcqa.metrics.principal_axes import principal_axes
from rankqa_datasets.errors import InputError

EPS = 2.0**-52
SIMILARITIES = [*range(6), 9, 10, 11, *range(24, 27), *range(30, 38)]

# The predictors of the two spirals below by akaTsunemori/pointpca2-python.
SPIRALS = """
0.991024200447 0.993536826961 0.992324338272 0.929662867693 0.954781514295 0.944304341786 0.712421171938 0.750830406881
0.705028167582 0.953889966567 0.951411574969 0.947997490782 2.31297064253 1.18032161804 1.14765852984 1.18986527961
3.78109457523 20.9600943816 21.7931135836 3.89659671988 20.9388014074 1.1553258217 0.706043784173 0.115974231582
0.991270511765 0.99152079339 0.985188289203 0.840203246769 0.841709215653 0.114473966834 0.995382784318 0.997975244874
0.997883009831 0.983274856833 0.847503037532 0.984561921136 0.978483781471 0.891246318267 0.053901030543
0.000213145915171
"""


def cloud(points, rgb, source=None):
    return Cloud(points, (np.asarray(rgb) / 255).astype(np.float32), source=source)


def spirals():
    i = np.arange(400.0)
    z = 1 - (2 * i + 1) / 400
    angle, radius = i * np.pi * (3 - np.sqrt(5)), np.sqrt(1 - z * z)
    points = 100 * np.stack((1.3 * radius * np.cos(angle), radius * np.sin(angle), 0.8 * z), axis=1)
    rgb = np.floor(128 + 100 * np.sin(points / [17, 29, 41]) + [0, 0.3, 7])
    moved = points + 2 * np.sin(points[:, ::-1] / 5)
    return cloud(points, rgb), cloud(moved, np.clip(np.floor(rgb + 25 * np.cos(points / 9)), 0, 255))


@pytest.fixture
def voxels():
    generator = np.random.default_rng(0)
    on_sphere = generator.normal(size=(260, 3))
    on_sphere *= 7 / np.linalg.norm(on_sphere, axis=1)[:, None]
    reference = np.rint(on_sphere)
    distorted = np.rint(on_sphere + generator.normal(size=(260, 3)) / 2)
    return tuple(cloud(points, generator.integers(0, 256, (260, 3))) for points in (reference, distorted))


def naive_merge(shape):
    sums = {}
    for point, color in zip(shape.points.tolist(), shape.colors.astype(np.float64) * 255, strict=True):
        sums.setdefault(tuple(point), []).append(np.rint(color))
    points = sorted(sums)
    red, green, blue = np.floor(np.array([np.mean(sums[point], axis=0) for point in points]) + 0.5).T
    y = 0.2126 * red + 0.7152 * green + 0.0722 * blue
    u = -0.1146 * red - 0.3854 * green + 0.5 * blue + 128
    v = 0.5 * red - 0.4542 * green - 0.0468 * blue + 128
    return np.array(points), np.clip(np.floor(np.stack((y, u, v), axis=1) + 0.5), 0, 255)


def naive_axes(patch):
    axes, _, _ = np.linalg.svd(np.cov(patch.T))
    for axis in axes.T:
        if axis[np.argmax(abs(axis))] < 0:
            axis *= -1
    return axes


def alike(a, b):
    return 1 - abs(a - b) / (abs(a) + abs(b) + EPS)


def naive_point(point, points_a, yuv_a, points_b, yuv_b):
    near_a, near_b = (
        sorted(range(len(points)), key=lambda row: (np.sqrt(((points[row] - point) ** 2).sum()), row))[:81]
        for points in (points_a, points_b)
    )
    center, axes = points_a[near_a].mean(axis=0), naive_axes(points_a[near_a])
    a, b = (points_a[near_a] - center) @ axes, (points_b[near_b] - center) @ axes
    colors_a, colors_b = yuv_a[near_a], yuv_b[near_b]
    shapes = {
        "omnivariance": lambda v: np.prod(v) ** (1 / 3),
        "entropy": lambda v: -sum(v * np.log(v + EPS)),
        "anisotropy": lambda v: (v[0] - v[2]) / v[0],
        "planarity": lambda v: (v[1] - v[2]) / v[0],
        "linearity": lambda v: (v[0] - v[1]) / v[0],
        "surface variation": lambda v: v[2] / sum(v),
        "sphericity": lambda v: v[2] / v[0],
    }

    def decorrelations(x, y):
        for i in range(3):
            product = x[:, i].std() * y[:, i].std()
            yield abs(product - ((x[:, i] - x[:, i].mean()) * (y[:, i] - y[:, i].mean())).mean()) / (product + EPS)

    tv_a, tv_b, gv_a, gv_b = colors_a.var(axis=0), colors_b.var(axis=0), a.var(axis=0), b.var(axis=0)
    c, axes_b = b.mean(axis=0), naive_axes(b)
    return [
        *alike(colors_a.mean(axis=0), colors_b.mean(axis=0)),
        *alike(tv_a, tv_b),
        *decorrelations(colors_a, colors_b),
        alike(sum(tv_a), sum(tv_b)),
        alike(shapes["omnivariance"](tv_a), shapes["omnivariance"](tv_b)),
        alike(shapes["entropy"](tv_a), shapes["entropy"](tv_b)),
        np.linalg.norm(b[0] - a[0]),
        *abs(b[0] - a[0]),
        *abs(a[0, 1:]),
        np.linalg.norm(b[0]),
        *abs(b[0, 1:]),
        np.linalg.norm(c),
        *abs(c[1:]),
        *alike(gv_a, gv_b),
        *decorrelations(a, b),
        *(alike(shape(gv_a), shape(gv_b)) for shape in shapes.values()),
        1 - 2 * np.arccos(min(abs(axes_b[1, 1]), 1)) / np.pi,
        1 - axes_b[0, 0],
        1 - axes_b[2, 2],
    ]


def test_equals_loops_over_points(voxels):
    (points_a, yuv_a), (points_b, yuv_b) = (naive_merge(shape) for shape in voxels)
    assert len(points_a) < 260  # some are merged
    expected = np.mean([naive_point(point, points_a, yuv_a, points_b, yuv_b) for point in points_a], axis=0)
    np.testing.assert_allclose(point_pca2(CloudPair(*voxels)).predictors, expected, rtol=1e-9, atol=1e-11)


def test_equals_the_python_port():
    result = point_pca2(CloudPair(*spirals()))
    np.testing.assert_allclose(result.predictors, np.array(SPIRALS.split(), float), rtol=2e-11)
    assert result.mean_y == result.predictors[0]
    assert result.shift == result.predictors[12]
    assert result.parallelity_3 == result.predictors[39]


def test_a_cloud_with_itself(voxels):
    result = point_pca2(CloudPair(voxels[0], voxels[0]))
    np.testing.assert_allclose(result.predictors[SIMILARITIES], 1, atol=1e-7)
    of_two_clouds = [*range(6, 9), *range(12, 16), *range(21, 24), *range(27, 30), 39]
    np.testing.assert_allclose(result.predictors[of_two_clouds], 0, atol=1e-12)
    assert result.distorted_2 == result.reference_2 > 0


def test_the_order_of_points_does_not_matter(voxels):
    generator = np.random.default_rng(1)
    shuffled = []
    for shape in voxels:
        order = generator.permutation(shape.num_points)
        assert shape.colors is not None
        shuffled.append(Cloud(shape.points[order], shape.colors[order]))
    assert point_pca2(CloudPair(*shuffled)) == point_pca2(CloudPair(*voxels))


def test_points_repeated_with_their_colour_do_not_matter(voxels):
    reference, distorted = voxels
    twice = Cloud(np.vstack((distorted.points,) * 2), np.vstack((distorted.colors,) * 2))
    assert point_pca2(CloudPair(reference, twice)) == point_pca2(CloudPair(reference, distorted))


def test_one_sided(voxels):
    there, back = point_pca2(CloudPair(*voxels)), point_pca2(CloudPair(*voxels[::-1]))
    assert abs(there.shift - back.shift) > 1e-3


def test_a_shift_of_both_clouds_does_not_matter(voxels):
    moved = (Cloud(shape.points + np.array([4096.0, -512, 64]), shape.colors) for shape in voxels)
    expected = point_pca2(CloudPair(*voxels)).predictors
    np.testing.assert_allclose(point_pca2(CloudPair(*moved)).predictors, expected, rtol=1e-9, atol=1e-11)


def test_the_chunks_do_not_matter(voxels, monkeypatch):
    whole = point_pca2(CloudPair(*voxels)).predictors
    monkeypatch.setattr(pcqa.metrics.point_pca2, "CHUNK", 37)
    np.testing.assert_allclose(point_pca2(CloudPair(*voxels)).predictors, whole, rtol=1e-13)


def test_flat_and_one_coloured_clouds_have_values(voxels):
    level = np.argwhere(np.ones((12, 9, 1))).astype(np.float64)
    upright = level[:, [2, 1, 0]]  # no extent along the level's long axis
    level, upright = (cloud(points, np.full(points.shape, 128)) for points in (level, upright))
    for pair in ((level, level), (level, upright), (upright, level), (level, voxels[1])):
        assert np.isfinite(point_pca2(CloudPair(*pair)).predictors).all()
    same = point_pca2(CloudPair(level, level)).predictors[SIMILARITIES]
    # Of a round neighbourhood of voxels, any two axes are principal ones: the plane similarity is not 1 there.
    np.testing.assert_allclose(same[:-1], 1, atol=1e-7)
    assert 0.9 < same[-1] < 1


def test_axes_are_ordered_and_signed():
    generator = np.random.default_rng(0)
    spreads = np.array([np.cov(generator.normal(size=(3, 9))) for _ in range(20)])
    axes = principal_axes(spreads)
    values = np.einsum("qia,qij,qja->qa", axes, spreads, axes)
    np.testing.assert_allclose(values, np.linalg.eigvalsh(spreads)[:, ::-1])
    assert (np.take_along_axis(axes, abs(axes).argmax(axis=1)[:, None, :], axis=1) > 0).all()


def test_refuses_what_has_no_neighbourhoods(voxels):
    reference, distorted = voxels
    with pytest.raises(InputError, match="cloud: PointPCA2 compares colours"):
        point_pca2(CloudPair(reference, Cloud(distorted.points)))
    few = cloud(np.repeat(np.eye(3), 40, axis=0), np.zeros((120, 3)), Path("few.ply"))
    for pair in ((reference, few), (few, reference)):
        with pytest.raises(InputError, match=r"few\.ply: PointPCA2 compares 81 neighbours, and the cloud has 3 diff"):
            point_pca2(CloudPair(*pair))
    far = Cloud(distorted.points * 1e200, distorted.colors, source=Path("far.ply"))
    with pytest.raises(InputError, match=r"far\.ply: .*1e\+100"):
        point_pca2(CloudPair(reference, far))
    large = CloudPair(*(Cloud(shape.points * 1e60, shape.colors) for shape in voxels))
    assert np.isfinite(point_pca2(large).predictors).all()
