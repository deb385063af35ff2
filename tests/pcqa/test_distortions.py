from itertools import pairwise

import numpy as np
import pytest
from scipy.spatial import KDTree

from pcqa.cloud import Cloud
from pcqa.distortions import DISTORTIONS, PSNR_MAY_RISE, color_noise, color_tone, distort, shifts
from pcqa.distortions.coding import noise_on_voxels, octree_raht_step, position_quantization
from pcqa.distortions.color_spaces import RGB_FROM_YCBCR, YCBCR_FROM_RGB
from pcqa.distortions.demo_types import color_noise as color_offsets
from pcqa.distortions.demo_types import geometry_noise, octree_quantization
from pcqa.distortions.lengths import voxel_size
from pcqa.distortions.raht import morton_codes, raht_quantized
from pcqa.distortions.sampling import down_sampling, octree_pruning
from pcqa.metrics.cloud_pair import CloudPair
from pcqa.metrics.color_error import color_error
from pcqa.metrics.point_to_point import d1
from rankqa_datasets.errors import InputError
from rankqa_datasets.pristine_clouds import pristine_cloud

RNG = np.random.default_rng

# Types without random numbers: functions of the cloud alone.
FIXED = {
    "octree_quantization",
    "sjtu_octree_compression",
    "wpc_down_sampling",
    "wpc_gpcc_octree_like",
    "ls_color_quantization_dither",
    "ls_contrast_distortion",
    "ls_mean_shift",
    "ls_octree",
    "ls_quantization_noise",
    "ls_reconstruction",
    "ls_saturation_distortion",
    "gpcc_like",
    "gpcc_like_geometry",
    "gpcc_like_color",
}

# Types that need colours and change the geometry from level to level too.
BOTH = {"sjtu_down_sampling_color_noise", "sjtu_geometry_noise_color_noise", "gpcc_like"}


@pytest.fixture(scope="module")
def cloud() -> Cloud:
    points, colors = pristine_cloud("blob", 2000, 1)
    return Cloud(points, (colors / 255).astype(np.float32), normals=np.ones_like(points))


def colors_of(cloud: Cloud) -> np.ndarray:
    assert cloud.colors is not None
    return cloud.colors


def levels_of(name: str) -> range:
    return range(1, len(DISTORTIONS[name].amounts) + 1)


def same(first: Cloud, second: Cloud) -> bool:
    return np.array_equal(first.points, second.points) and np.array_equal(colors_of(first), colors_of(second))


@pytest.mark.parametrize("name", DISTORTIONS)
def test_levels_get_worse_and_seeds_decide(cloud, name):
    points, colors = cloud.points.copy(), colors_of(cloud).copy()
    levels = [distort(cloud, name, level, seed=4) for level in levels_of(name)]
    np.testing.assert_array_equal(cloud.points, points)
    np.testing.assert_array_equal(colors_of(cloud), colors)
    assert all(level.points.dtype == cloud.points.dtype for level in levels)
    pairs = [CloudPair(cloud, level) for level in levels]
    if DISTORTIONS[name].needs_colors:
        errors = [sum(color_error(pair, space="rgb").mse) for pair in pairs]
        assert 0.0 < errors[0] < errors[-1]
        assert name in PSNR_MAY_RISE or all(weak < strong for weak, strong in pairwise(errors))
    if name in BOTH or not DISTORTIONS[name].needs_colors:
        psnr = [d1(pair, peak=1023.0).psnr for pair in pairs]
        assert psnr[0] < np.inf
        assert all(weak > strong for weak, strong in pairwise(psnr))
    assert same(levels[1], distort(cloud, name, 2, seed=4))
    assert same(levels[1], distort(cloud, name, 2, seed=5)) == (name in FIXED)


def test_table_is_whole():
    def levels(start: str) -> list[int]:
        return [len(levels_of(name)) for name in DISTORTIONS if name.startswith(start)]

    assert levels("sjtu_") == [6] * 7
    assert levels("ls_") == [7] * 24
    assert levels("wpc_") == [3, 3, 3, 3, 4]
    assert levels("gpcc_") == [6] * 3
    assert all(distortion.unit and distortion.source for distortion in DISTORTIONS.values())
    assert set(PSNR_MAY_RISE) <= set(DISTORTIONS)
    assert not (FIXED | BOTH) - set(DISTORTIONS)


@pytest.mark.parametrize("name", DISTORTIONS)
def test_colours_are_asked_for_where_needed(cloud, name):
    bare = Cloud(cloud.points)
    if DISTORTIONS[name].needs_colors:
        with pytest.raises(InputError, match="cloud: expected colours to distort, got none"):
            distort(bare, name, 1)
    else:
        result = distort(bare, name, 2, seed=4)
        assert result.colors is None
        np.testing.assert_array_equal(result.points, distort(cloud, name, 2, seed=4).points)


@pytest.mark.parametrize("count", [1, 2, 7])
@pytest.mark.parametrize("place", [(0.1, -2.5, 1e4), (3.0, 0.0, -7.0)])
def test_equal_points(count, place):
    points = np.tile(np.array(place, np.float32), (count, 1))
    cloud = Cloud(points, RNG(0).random((count, 3), np.float32))
    for name in DISTORTIONS:
        for level in (1, len(levels_of(name))):
            result = distort(cloud, name, level, seed=1)
            assert 1 <= result.num_points <= count
            # WPC's noise is in voxels, which whole coordinates have whatever their extent.
            if not name.startswith("wpc_noise") or voxel_size(cloud) == 0:
                np.testing.assert_array_equal(result.points, points[: result.num_points])


@pytest.mark.parametrize("size", [2, 3, 5])
def test_few_points(size):
    cloud = Cloud(RNG(0).random((size, 3)), RNG(1).random((size, 3), np.float32))
    for name in DISTORTIONS:
        assert 1 <= distort(cloud, name, len(levels_of(name))).num_points <= size


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_coordinates_near_the_end_of_the_numbers(cloud, dtype):
    huge = Cloud(cloud.points[:50].astype(dtype) * dtype(1e31), colors_of(cloud)[:50])
    tiny = Cloud(cloud.points[:50].astype(dtype) * dtype(1e-32), colors_of(cloud)[:50])
    for name in DISTORTIONS:
        for each in (huge, tiny):
            assert distort(each, name, len(levels_of(name))).points.dtype == dtype
    for far, message in ((dtype(1e33), "within 1e"), (dtype(1e-35), "at least 1e-30")):
        with pytest.raises(InputError, match=message):
            distort(Cloud(cloud.points.astype(dtype) * far), "ls_octree", 1)


@pytest.mark.parametrize(
    ("name", "level", "message"),
    [("fog", 1, "sjtu_down_sampling"), ("color_noise", 5, "from 1 to 4"), ("ls_octree", 0, "from 1 to 7")],
)
def test_bad_requests(cloud, name, level, message):
    with pytest.raises(InputError, match=message):
        distort(cloud, name, level)


# SJTU-PCQA's readme, in percent, and 8-bit values.


@pytest.mark.parametrize(("level", "removed"), list(enumerate((13, 27, 43, 58, 70, 85), start=1)))
def test_sjtu_octree_removes_its_share(cloud, level, removed):
    voxels = Cloud(np.unique(np.rint(cloud.points / 8), axis=0), None)
    for each in (cloud, voxels):
        kept = distort(each, "sjtu_octree_compression", level).num_points
        assert 100 - 100 * kept / each.num_points == pytest.approx(removed, abs=3)


@pytest.mark.parametrize(("level", "removed"), list(enumerate((15, 30, 45, 60, 75, 90), start=1)))
def test_sjtu_down_sampling_removes_its_share(cloud, level, removed):
    for name in ("sjtu_down_sampling", "sjtu_down_sampling_color_noise", "sjtu_down_sampling_geometry_noise"):
        assert distort(cloud, name, level).num_points == 2000 - 20 * removed


@pytest.mark.parametrize(("level", "percent"), list(enumerate((10, 30, 40, 50, 60, 70), start=1)))
def test_sjtu_color_noise_hits_a_share_by_one_offset(cloud, level, percent):
    grey = Cloud(cloud.points, np.full_like(cloud.points, 0.5))
    for name in ("sjtu_color_noise", "sjtu_down_sampling_color_noise", "sjtu_geometry_noise_color_noise"):
        offset = 255 * (colors_of(distort(grey, name, level)) - 0.5)
        hit = np.abs(offset).max(axis=1) > 0
        assert 100 * hit.mean() == pytest.approx(percent, abs=0.3)
        np.testing.assert_array_equal(offset[:, 0], offset[:, 2])
        assert 0.8 * percent < np.abs(offset).max() <= percent + 1e-3
        # Uniform over +-n has the standard deviation 2 n / sqrt(12).
        assert offset[hit].std() == pytest.approx(2 * percent / np.sqrt(12), rel=0.15)


@pytest.mark.parametrize(("level", "percent"), list(enumerate((0.05, 0.1, 0.2, 0.5, 0.7, 1.2), start=1)))
def test_sjtu_geometry_noise_is_a_share_of_the_longest_side(cloud, level, percent):
    stretched = Cloud(cloud.points.astype(np.float64) * (1, 1, 3) + 7, colors_of(cloud))
    side = np.ptp(stretched.points, axis=0).max()
    for name in ("sjtu_geometry_noise", "sjtu_geometry_noise_color_noise"):
        moved = distort(stretched, name, level).points - stretched.points
        np.testing.assert_allclose(moved.std(axis=0), percent / 100 * side, rtol=0.06)


def test_down_sampling_keeps_whole_points(cloud):
    half, fewer = down_sampling(cloud, 0.6, RNG(0)), down_sampling(cloud, 0.9, RNG(0))
    where = {tuple(point): index for index, point in enumerate(cloud.points)}
    kept = [where[tuple(point)] for point in half.points]
    assert len(kept) == 800
    assert kept == sorted(set(kept))
    assert {where[tuple(point)] for point in fewer.points} <= set(kept)
    np.testing.assert_array_equal(colors_of(half), colors_of(cloud)[kept])
    assert half.normals is not None
    assert half.normals.shape == half.points.shape
    assert down_sampling(cloud, 1.0, RNG(0)).num_points == 1


def test_octree_merges_a_cell_into_its_centre_with_the_mean_colour():
    points = np.array([[0, 0, 0], [1, 0, 0], [7.5, 0, 0], [8, 8, 8]], np.float64)
    colors = np.array([[0, 0, 0], [1, 0.5, 0], [0.25, 0, 0], [0, 0, 1]], np.float32)
    merged = octree_quantization(Cloud(points, colors), 2.0, RNG(0))
    np.testing.assert_allclose(merged.points, [[1, 1, 1], [7, 1, 1], [7, 7, 7]])
    np.testing.assert_allclose(colors_of(merged), [[0.5, 0.25, 0], [0.25, 0, 0], [0, 0, 1]])
    assert octree_quantization(Cloud(points), 2.0, RNG(0)).colors is None


def test_octree_error_is_that_of_rounding(cloud):
    bits = 7.0
    cell = np.ptp(cloud.points, axis=0).max() / 2**bits
    merged = octree_quantization(cloud, bits, RNG(0))
    assert KDTree(merged.points).query(cloud.points)[0].max() <= cell * np.sqrt(3) / 2 * 1.001


def test_pruning_of_a_cloud_of_twins_keeps_all_places():
    points = np.repeat(RNG(0).random((50, 3)), 4, axis=0)
    assert octree_pruning(Cloud(points), 0.13, RNG(0)).num_points == 50


# G-PCC's stand-ins and WPC's noise.


def raht_by_the_book(cells, colors, step):
    """The transform as a dictionary of blocks, one bit of one axis at a time, z before y before x."""
    blocks = {tuple(cell): (1.0, color) for cell, color in zip(cells.tolist(), colors, strict=True)}
    history = []
    while len(blocks) > 1:
        for axis in (2, 1, 0):
            wider, merges = {}, []
            for place, (weight, color) in blocks.items():
                parent = tuple(c >> 1 if k == axis else c for k, c in enumerate(place))
                wider.setdefault(parent, []).append((place[axis] & 1, place, weight, color))
            blocks = {}
            for parent, children in wider.items():
                children.sort(key=lambda child: child[0])
                if len(children) == 1:
                    blocks[parent] = children[0][2:]
                    merges.append((parent, [children[0][1]], None))
                    continue
                (_, place_a, a, first), (_, place_b, b, second) = children
                root = np.sqrt(a + b)
                low = (np.sqrt(a) * first + np.sqrt(b) * second) / root
                high = (np.sqrt(a) * second - np.sqrt(b) * first) / root
                blocks[parent] = (a + b, low)
                rounded = step * np.rint(high / step)
                merges.append((parent, [place_a, place_b], (np.sqrt(a) / root, np.sqrt(b) / root, rounded)))
            history.append(merges)
    values = {place: step * np.rint(color / step) for place, (_, color) in blocks.items()}
    for merges in reversed(history):
        finer = {}
        for parent, places, rotation in merges:
            if rotation is None:
                finer[places[0]] = values[parent]
            else:
                near, far, high = rotation
                finer[places[0]] = near * values[parent] - far * high
                finer[places[1]] = far * values[parent] + near * high
        values = finer
    return np.array([values[tuple(cell)] for cell in cells.tolist()])


@pytest.mark.parametrize("step", [0.001, 16.0, 64.0, 1000.0])
def test_raht_is_that_of_the_book(step):
    cells = np.unique(RNG(0).integers(0, 12, size=(300, 3)), axis=0)
    RNG(1).shuffle(cells)
    colors = RNG(2).uniform(0, 255, size=cells.shape)
    result = raht_quantized(cells, colors, step)
    np.testing.assert_allclose(result, raht_by_the_book(cells, colors, step), atol=1e-9)
    if step == 0.001:
        # Rounded errors are spread evenly over half a step either way, and stay that large: orthonormal.
        assert np.sqrt(np.mean((result - colors) ** 2)) == pytest.approx(step / np.sqrt(12), rel=0.05)


def test_raht_of_one_cell_and_flat_colours():
    np.testing.assert_array_equal(raht_quantized(np.array([[5, 0, 9]]), np.array([[7.0, 9.0]]), 4.0), [[8.0, 8.0]])
    cells = np.stack(np.meshgrid(*[np.arange(4)] * 3), axis=-1).reshape(-1, 3)
    flat = raht_quantized(cells, np.full((64, 1), 100.0), 16.0)
    np.testing.assert_allclose(flat, 100.0, atol=1.0 + 1e-9)


def test_morton_codes_take_bits_in_turn():
    cells = RNG(0).integers(0, 2**21, size=(50, 3))
    for cell, code in zip(cells.tolist(), morton_codes(cells).tolist(), strict=True):
        bits = "".join("".join(triple) for triple in zip(*(f"{axis:021b}" for axis in cell), strict=True))
        assert code == int(bits, 2)


def test_ycbcr_is_that_of_bt709():
    # ITU-R BT.709: black, white and the primaries' luma; Cb of blue and Cr of red are 1/2.
    np.testing.assert_allclose(YCBCR_FROM_RGB @ np.ones(3), [1, 0, 0], atol=1e-12)
    np.testing.assert_allclose(YCBCR_FROM_RGB[0], [0.2126, 0.7152, 0.0722])
    assert YCBCR_FROM_RGB[1, 2] == pytest.approx(0.5)
    assert YCBCR_FROM_RGB[2, 0] == pytest.approx(0.5)
    np.testing.assert_allclose(RGB_FROM_YCBCR[0], [1, 0, 1.5748], atol=1e-12)


def test_positions_are_rounded_on_the_scaled_grid():
    points = np.unique(RNG(0).integers(10, 40, size=(500, 3)), axis=0).astype(np.float64)
    colors = RNG(1).random(points.shape, np.float32)
    result = position_quantization(Cloud(points, colors), 0.25, RNG(0))
    groups: dict[tuple[float, ...], list[np.ndarray]] = {}
    for point, color in zip(points, colors, strict=True):
        groups.setdefault(tuple(np.rint((point - points.min(axis=0)) * 0.25) * 4 + points.min(axis=0)), []).append(
            color
        )
    assert {tuple(point) for point in result.points} == set(groups)
    for point, color in zip(result.points, colors_of(result), strict=True):
        np.testing.assert_allclose(color, np.mean(groups[tuple(point)], axis=0), atol=1e-6)
    # Voxels and their colours are left alone where nothing is coarser.
    same_places = octree_raht_step(Cloud(points, colors), (1.0, 0.01), RNG(0))
    np.testing.assert_array_equal(same_places.points, points)
    np.testing.assert_allclose(colors_of(same_places), np.rint(colors * 255) / 255, atol=1.01 / 255)


def test_large_coordinates_keep_their_colours():
    # Multiples of 16/15 near 1e8 are no float32 numbers: neighbours may fall together, and must not mix up colours.
    points = np.unique(RNG(0).integers(0, 20, size=(500, 3)), axis=0).astype(np.float32) * 8 + np.float32(1e8)
    cloud = Cloud(points, np.full_like(points, 0.4))
    np.testing.assert_allclose(colors_of(distort(cloud, "gpcc_like", 1)), 0.4, atol=3 / 255)


@pytest.mark.parametrize("in_place", [0.0, 2.0, 4.0])
def test_wpc_noise_is_rounded_and_without_duplicates(in_place):
    points = np.stack(np.meshgrid(*[np.arange(16)] * 3), axis=-1).reshape(-1, 3).astype(np.float32)
    grey = Cloud(points, np.full_like(points, 0.5), np.ones_like(points))
    noisy = noise_on_voxels(grey, (in_place, 8.0), RNG(0))
    np.testing.assert_array_equal(noisy.points, np.rint(noisy.points))
    np.testing.assert_allclose(255 * colors_of(noisy), np.rint(255 * colors_of(noisy)), atol=1e-4)
    assert (255 * colors_of(noisy)).std() == pytest.approx(np.sqrt(64 + 1 / 12), rel=0.03)
    assert noisy.normals is not None
    if in_place == 0:
        np.testing.assert_array_equal(noisy.points, points)
    else:
        color = RNG(0)
        color.normal(size=points.shape)
        moved = [tuple(np.rint(point)) for point in points + np.rint(in_place * color.normal(size=points.shape))]
        assert [tuple(point) for point in noisy.points] == list(dict.fromkeys(moved))


def test_voxels():
    points = np.array([[0, 0, 0], [5, 1, 2]], np.float32)
    assert voxel_size(Cloud(points)) == 1.0
    assert voxel_size(Cloud(points + np.float32(0.5))) == pytest.approx(5 / 1023)
    assert voxel_size(Cloud(points * 2**20)) == pytest.approx(5 * 2**20 / 1023)


# LS-PCQA's kinds.


@pytest.mark.parametrize("noise", ["gaussian", "uniform", "rayleigh", "gamma", "correlated_gaussian", "high_frequency"])
def test_noise_has_its_deviation_and_no_mean(cloud, noise):
    grey = Cloud(cloud.points, np.full_like(cloud.points, 0.5))
    values = 255 * (colors_of(getattr(color_noise, noise)(grey, 10.0, RNG(0))).astype(float) - 0.5)
    assert np.sqrt(np.mean(values**2)) == pytest.approx(10, rel=0.04)
    assert abs(values.mean()) < (2.0 if noise == "correlated_gaussian" else 0.5)
    skewness = np.mean(values**3) / 10**3
    assert skewness == pytest.approx({"rayleigh": 0.631, "gamma": 1.414}.get(noise, 0), abs=0.25)
    nearest = np.asarray(KDTree(cloud.points).query(cloud.points, k=2)[1])[:, 1]
    alike = np.corrcoef(values[:, 0], values[nearest, 0])[0, 1]
    assert {"correlated_gaussian": alike > 0.5, "high_frequency": alike < 0}.get(noise, abs(alike) < 0.1)
    if noise == "uniform":
        assert np.abs(values).max() < 10 * np.sqrt(3) + 1e-3


def test_luma_and_chroma_noise_keep_apart(cloud):
    grey = Cloud(cloud.points, np.full_like(cloud.points, 0.5))
    luma, chroma = (
        255 * (colors_of(noise(grey, 12.0, RNG(0))).astype(float) - 0.5) @ YCBCR_FROM_RGB.T
        for noise in (color_noise.luma, color_noise.chroma)
    )
    np.testing.assert_allclose(luma.std(axis=0), [12, 0, 0], atol=0.6)
    np.testing.assert_allclose(chroma.std(axis=0), [0, 12, 12], atol=0.6)


def test_noises_that_depend_on_the_colour(cloud):
    bright, dark = (Cloud(cloud.points, np.full_like(cloud.points, value)) for value in (0.6, 0.15))
    for each, value in ((bright, 0.6), (dark, 0.15)):
        counted = colors_of(color_noise.poisson(each, 200.0, RNG(0)))
        assert counted.std() == pytest.approx(np.sqrt(value / 200), rel=0.05)
        np.testing.assert_allclose(counted * 200, np.rint(counted * 200), atol=1e-3)
        speckle = colors_of(color_noise.multiplicative_gaussian(each, 0.1, RNG(0)))
        assert speckle.std() == pytest.approx(0.1 * value, rel=0.05)
    weak, strong = (colors_of(color_noise.salt_and_pepper(bright, share, RNG(0))) for share in (0.1, 0.3))
    assert set(np.unique(strong)) == {0, np.float32(0.6), 1}
    assert np.mean(strong[:, 0] != np.float32(0.6)) == pytest.approx(0.3, abs=0.04)
    np.testing.assert_array_equal(strong[weak != np.float32(0.6)], weak[weak != np.float32(0.6)])


def test_tone(cloud):
    colors = colors_of(cloud).astype(float)
    grey = colors_of(color_tone.saturation(cloud, 0.0, RNG(0)))
    np.testing.assert_allclose(grey[:, 0], colors @ [0.2126, 0.7152, 0.0722], atol=1e-6)
    np.testing.assert_array_equal(grey[:, 0], grey[:, 2])
    flat = colors_of(color_tone.contrast(cloud, 0.25, RNG(0)))
    np.testing.assert_allclose(flat, colors.mean(axis=0) + 0.25 * (colors - colors.mean(axis=0)), atol=1e-6)
    brighter = colors_of(color_tone.mean_shift(cloud, 51.0, RNG(0)))
    np.testing.assert_allclose(brighter, np.minimum(colors + 0.2, 1), atol=1e-6)
    fewer = colors_of(color_tone.quantization(cloud, 4.0, RNG(0)))
    np.testing.assert_allclose(fewer, np.round(3 * colors) / 3, atol=1e-6)


def test_palette_keeps_the_local_mean_colour(cloud):
    few = colors_of(color_tone.palette_dither(cloud, 8.0, RNG(0)))
    assert 2 <= len(np.unique(few, axis=0)) <= 8
    nearest = np.asarray(KDTree(cloud.points).query(cloud.points, k=40)[1])
    apart = few[nearest].mean(axis=1) - colors_of(cloud)[nearest].mean(axis=1)
    assert np.abs(apart).mean() < 0.4 * np.abs(few - colors_of(cloud)).mean()
    order = RNG(0).permutation(cloud.num_points)
    shuffled = Cloud(cloud.points[order], colors_of(cloud)[order])
    np.testing.assert_array_equal(colors_of(color_tone.palette_dither(shuffled, 8.0, RNG(0))), few[order])


def test_errors_go_to_the_next_point_of_the_curve():
    # Points in a row are their own Morton curve; grey 0.2 between black and white becomes one white point in five.
    points = np.arange(102.0)[:, None] * (1.0, 0.0, 0.0)
    colors = np.full(points.shape, 0.2, np.float32)
    colors[0], colors[1] = 0.0, 1.0
    white = colors_of(color_tone.palette_dither(Cloud(points, colors), 3.0, RNG(0)))
    np.testing.assert_allclose(white[2:].mean(), 0.2, atol=0.01)
    black_and_white = color_tone._diffused(255 * colors[2:].astype(np.float64), np.array([[0.0] * 3, [255.0] * 3]))
    assert np.count_nonzero(black_and_white[:, 0]) == 20
    assert set(np.diff(np.flatnonzero(black_and_white[:, 0]))) == {5}


def test_patches_are_lost_moved_and_turned_as_wholes(cloud):
    where = {tuple(point) for point in cloud.points}
    little, much = ({tuple(p) for p in shifts.local_loss(cloud, share, RNG(3)).points} for share in (0.05, 0.2))
    assert much < little < where
    assert len(where) - len(little) == pytest.approx(100, abs=20)

    side = np.ptp(cloud.points, axis=0).max()
    double = Cloud(cloud.points.astype(float))
    move = shifts.local_offset(double, 0.01, RNG(3)).points - double.points
    lengths = np.linalg.norm(move, axis=1)
    assert np.count_nonzero(lengths) == pytest.approx(360, abs=60)
    # Where two patches meet, moves add up.
    assert np.median(lengths[lengths > 0]) == pytest.approx(0.01 * side)
    assert len(np.unique(np.round(move, 6), axis=0)) <= 2**5

    turned = shifts.local_rotation(double, 30.0, RNG(3)).points
    patches = shifts._patches(double, shifts.PATCH_SHARE, RNG(3))
    alone = [p for p in patches if sum(len(np.intersect1d(p, other)) for other in patches) == len(p)]
    assert alone
    for patch in alone:
        before, after = double.points[patch], turned[patch]
        np.testing.assert_allclose(after.mean(axis=0), before.mean(axis=0))
        np.testing.assert_allclose(
            np.linalg.norm(after - after[0], axis=1), np.linalg.norm(before - before[0], axis=1), atol=1e-9
        )
        # Of a turn by 30 degrees, the largest move is 2 sin(15 degrees) x the distance to the axis.
        reach = np.linalg.norm(before - before.mean(axis=0), axis=1).max()
        assert 0 < np.linalg.norm(after - before, axis=1).max() <= 2 * np.sin(np.radians(15)) * reach + 1e-9


def test_reconstruction_flattens_what_is_fine():
    x, y = (axis.ravel() for axis in np.meshgrid(np.arange(20.0), np.arange(20.0)))
    flat = np.stack([x, y, 0.5 * x + 3], axis=1)
    colors = np.full(flat.shape, 0.3, np.float32)
    kept = shifts.reconstruction(Cloud(flat, colors), 9.0, RNG(0))
    np.testing.assert_allclose(kept.points, flat, atol=1e-9)
    np.testing.assert_allclose(colors_of(kept), 0.3, atol=1e-6)
    rough = flat + RNG(0).normal(0, 0.1, size=flat.shape)
    smooth = shifts.reconstruction(Cloud(rough), 30.0, RNG(0)).points
    height = (rough - flat, smooth - flat)
    before, after = (np.std(h @ np.array([0.5, 0, -1])) for h in height)
    assert after < 0.4 * before


def test_reconstruction_does_not_depend_on_blocks(cloud, monkeypatch):
    whole = shifts.reconstruction(cloud, 14.0, RNG(0))
    monkeypatch.setattr(shifts, "ROWS", 333)
    np.testing.assert_array_equal(shifts.reconstruction(cloud, 14.0, RNG(0)).points, whole.points)


def test_shifts_have_their_laws(cloud):
    double = Cloud(cloud.points.astype(float))
    side = np.ptp(double.points, axis=0).max()
    uniform = (shifts.uniform_shifting(double, 0.02, RNG(0)).points - double.points) / side
    assert 0.0199 < np.abs(uniform).max() <= 0.02
    assert uniform.std() == pytest.approx(0.02 / np.sqrt(3), rel=0.03)
    assert geometry_noise(cloud, 0.01, RNG(0)).points.dtype == np.float32


def test_color_offsets_are_the_demo_sets(cloud):
    grey = Cloud(cloud.points, np.full_like(cloud.points, 0.5))
    assert same(distort(grey, "color_noise", 3, seed=2), color_offsets(grey, 0.7, RNG(2)))
