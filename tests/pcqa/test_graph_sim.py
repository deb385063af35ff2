import math
from pathlib import Path

import numpy as np
import pytest

from pcqa.cloud import Cloud
from pcqa.metrics.cloud_pair import CloudPair
from pcqa.metrics.graph_sim import graph_sim
from pcqa.metrics.ms_graph_sim import ms_graph_sim
from rankqa_datasets.errors import InputError


def lmn(color: np.ndarray) -> np.ndarray:
    red, green, blue = (float(value) for value in color)
    return np.array(
        [
            0.06 * red + 0.63 * green + 0.27 * blue,
            0.30 * red + 0.04 * green - 0.35 * blue,
            0.34 * red - 0.60 * green + 0.17 * blue,
        ]
    )


class NaiveGraph:
    """Rows x, y, z, r, g, b with shrinking coordinates, as the papers' programs carry them."""

    def __init__(self, cloud: Cloud, center: np.ndarray, reach: float):
        table = np.concatenate([cloud.points, np.floor(cloud.colors * 255.0 + 0.5)], axis=1)
        distances = np.linalg.norm(table[:, :3] - center[:3], axis=1)
        table = np.unique(np.vstack([center, table[(distances > 0) & (distances <= reach)]]), axis=0)
        members = [math.floor(1 + k * (len(table) - 1) / 99 + 0.5) - 1 for k in range(100)]
        farthest = []
        for member in members:
            distances = sorted(np.linalg.norm(table[:, :3] - table[member, :3], axis=1))
            farthest.append(distances[min(50, len(table)) - 1])
        self.radius = max(farthest)
        self.table = table[np.linalg.norm(table[:, :3] - center[:3], axis=1) <= self.radius]
        self.place = center[:3]

    def row(self) -> int:
        return next(i for i, row in enumerate(self.table) if (row[:3] == self.place).all())

    def weights(self) -> list[float]:
        squares = np.square(self.table[:, :3] - self.place).sum(axis=1)
        return [math.exp(-s / (self.radius**2 / 2)) if i != self.row() else 0.0 for i, s in enumerate(squares)]

    def coarser(self) -> "NaiveGraph":
        smoothed = self.table.copy()
        for i, row in enumerate(self.table):
            total, colors = 0.0, np.zeros(3)
            for j, other in enumerate(self.table):
                distance = np.linalg.norm(row[:3] - other[:3])
                if i != j and distance <= self.radius / 2:
                    weight = math.exp(-(distance**2) / (self.radius**2 / 2))
                    total, colors = total + weight, colors + weight * other[3:]
            if total:
                smoothed[i, 3:] = colors / total
        kept = smoothed[sorted({*range(0, len(smoothed), 2), self.row()})]
        kept[:, :3] = 0.5 ** (1 / 3) * (kept[:, :3] - self.place) + self.place
        coarse = object.__new__(NaiveGraph)
        coarse.radius, coarse.table, coarse.place = self.radius, kept, self.place
        return coarse


def naive_similarity(a: NaiveGraph, b: NaiveGraph, color: np.ndarray) -> float:
    masses, means, parts = [], [], []
    for graph in (a, b):
        own = lmn(graph.table[graph.row(), 3:] / 255)
        gradients = [
            math.sqrt(w) * (own - lmn(row[3:] / 255)) for w, row in zip(graph.weights(), graph.table, strict=True)
        ]
        masses.append(sum(gradients))
        means.append(masses[-1] / max(1, len(gradients) - 1))
        parts.append(
            [(row, w) for i, (row, w) in enumerate(zip(graph.table, graph.weights(), strict=True)) if i != graph.row()]
        )
    large, small = (parts[0], parts[1]) if len(parts[0]) > len(parts[1]) else (parts[1], parts[0])
    if len(small) < 2:
        return 0.0
    first, second = [], []
    for row, weight in small:
        distances = [np.linalg.norm(row[:3] - other[:3]) for other, _ in large]
        other, other_weight = large[min(range(len(large)), key=lambda j: (round(distances[j], 9), j))]
        first.append(math.sqrt(other_weight) * (lmn(color) - lmn(other[3:])))
        second.append(math.sqrt(weight) * (lmn(color) - lmn(row[3:])))
    score = 0.0
    for channel, weight in enumerate((6, 1, 1)):
        product = 1.0
        for u, v in ((masses[0][channel], masses[1][channel]), (means[0][channel], means[1][channel])):
            product *= (2 * u * v + 0.001) / (u * u + v * v + 0.001)
        moments = np.cov(np.array(first)[:, channel], np.array(second)[:, channel])
        product *= (moments[0, 1] + 0.001) / (math.sqrt(moments[0, 0]) * math.sqrt(moments[1, 1]) + 0.001)
        score += weight * abs(product) / 8
    return score


def naive(a: Cloud, b: Cloud, rows: np.ndarray) -> tuple[float, float, float, float]:
    reach = math.floor(min(np.ptp(a.points, axis=0)) / 10)
    levels = []
    for row in rows:
        color = np.floor(a.colors[row] * 255.0 + 0.5)
        graphs = [NaiveGraph(cloud, np.concatenate([a.points[row], color]), reach) for cloud in (a, b)]
        values = []
        for _ in range(3):
            values.append(naive_similarity(*graphs, color))
            graphs = [graph.coarser() for graph in graphs]
        levels.append(values)
    means = np.mean(levels, axis=0)
    return (float(means.mean()), *(float(mean) for mean in means))


def clouds(count: int = 5000, seed: int = 0) -> tuple[Cloud, Cloud]:
    """Voxels of a sphere of radius 50 with a texture, and a noisy copy with fewer points."""
    rng = np.random.default_rng(seed)
    directions = rng.normal(size=(count, 3))
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    points = np.unique(np.round(50 * directions), axis=0)
    points = points[rng.permutation(len(points))]
    colors = np.clip(0.5 + 0.4 * np.sin(points / 4) + rng.normal(0, 0.03, points.shape), 0, 1).astype(np.float32)
    moved, origin = np.unique(np.round(points + rng.normal(0, 0.5, points.shape))[:-300], axis=0, return_index=True)
    recolored = np.clip(colors[origin] + rng.normal(0, 0.05, moved.shape), 0, 1).astype(np.float32)
    return Cloud(points, colors), Cloud(moved, recolored)


def test_both_equal_naive_loops():
    a, b = clouds()
    rows = np.array([17, 1234, 17])
    expected = naive(a, b, rows)
    found = ms_graph_sim(CloudPair(a, b), key_points=rows)
    levels = (found.similarity, found.similarity_1, found.similarity_2, found.similarity_3)
    assert levels == pytest.approx(expected, rel=1e-9)
    assert graph_sim(CloudPair(a, b), key_points=rows).similarity == found.similarity_1
    assert all(0.1 < level < 1 for level in levels)


def test_sparse_and_swapped_clouds_equal_naive_loops():
    a, b = clouds(900)
    rows = np.arange(0, 400, 50)
    for reference, distorted in ((a, b), (b, a)):
        found = ms_graph_sim(CloudPair(reference, distorted), key_points=rows)
        levels = (found.similarity, found.similarity_1, found.similarity_2, found.similarity_3)
        assert levels == pytest.approx(naive(reference, distorted, rows), rel=1e-9)


def test_identity():
    for cloud in clouds():
        found = ms_graph_sim(CloudPair(cloud, cloud), points_per_key_point=500)
        assert (found.similarity, found.similarity_1, found.similarity_3) == pytest.approx((1, 1, 1), rel=1e-12)
        assert graph_sim(CloudPair(cloud, cloud)).similarity == pytest.approx(1, rel=1e-12)


@pytest.mark.parametrize("metric", [graph_sim, ms_graph_sim])
def test_order_of_points_whole_translations_and_points_given_twice_change_no_bit(metric):
    a, b = clouds()
    options = {"points_per_key_point": 500, "seed": 4}
    expected = metric(CloudPair(a, b), **options)
    rng = np.random.default_rng(0)
    orders = [rng.permutation(cloud.num_points) for cloud in (a, b)]
    shuffled = [Cloud(cloud.points[order], cloud.colors[order]) for cloud, order in zip((a, b), orders, strict=True)]
    found = metric(CloudPair(*shuffled), **options)
    assert found.similarity == expected.similarity
    # The same places, in other rows.
    np.testing.assert_array_equal(shuffled[0].points[found.key_points], a.points[expected.key_points])
    moved = [Cloud(cloud.points + np.float64([512, -64, 8]), cloud.colors) for cloud in (a, b)]
    assert metric(CloudPair(*moved), **options).similarity == expected.similarity
    doubled = Cloud(np.concatenate([b.points] * 2), np.concatenate([b.colors] * 2))
    assert metric(CloudPair(a, doubled), **options).similarity == expected.similarity
    stored = metric(CloudPair(a, b), key_points=expected.key_points)
    assert stored.similarity == expected.similarity
    assert metric(CloudPair(a, b), **(options | {"seed": 5})).similarity != expected.similarity


def test_clouds_are_not_interchangeable():
    a, b = clouds()
    assert graph_sim(CloudPair(a, b)).similarity != graph_sim(CloudPair(b, a)).similarity


def test_worse_is_lower():
    a, _ = clouds()
    rng = np.random.default_rng(1)
    noise = rng.normal(size=a.points.shape)
    scores = []
    for level in (0.02, 0.08, 0.3):
        distorted = Cloud(a.points, np.clip(a.colors + level * noise, 0, 1).astype(np.float32))
        scores.append(graph_sim(CloudPair(a, distorted), points_per_key_point=300).similarity)
    assert 1 > scores[0] > scores[1] > scores[2] > 0


def test_an_empty_neighbourhood_is_worth_nothing():
    a, b = clouds()
    far = Cloud(b.points + 1000, b.colors)
    assert graph_sim(CloudPair(a, far)).similarity == 0
    assert ms_graph_sim(CloudPair(a, far)).similarity == 0
    single = Cloud(a.points[:1], a.colors[:1])
    assert ms_graph_sim(CloudPair(single, single), reach=3.0).similarity == 0  # two points are needed to correlate


@pytest.mark.parametrize(("metric", "name"), [(graph_sim, "GraphSIM"), (ms_graph_sim, "MS-GraphSIM")])
def test_refuses(metric, name):
    a, b = clouds(900)
    source = Path("x.ply")
    small = Cloud(a.points / 100, a.colors, source=source)
    for reference, options, message in (
        (Cloud(a.points, source=source), {}, rf"x\.ply: {name} compares colours"),
        (small, {}, rf"x\.ply: {name} looks at a tenth .* side of 1; give reach="),
        (Cloud(a.points * 1e150, a.colors, source=source), {}, r"x\.ply: .* within 1e\+100"),
        (a, {"reach": -1.0}, f"{name} expected a positive, finite reach, got -1"),
        (a, {"key_points": np.array([0, 10**6])}, f"rows of the reference, 0 to {a.num_points - 1}, got 0 to 1000000"),
        (a, {"key_points": np.array([], np.int64)}, "got none"),
        (a, {"points_per_key_point": 0}, "points_per_key_point of at least 1, got 0"),
    ):
        with pytest.raises(InputError, match=message):
            metric(CloudPair(reference, b), **options)
    scaled = [Cloud(cloud.points / 64, cloud.colors) for cloud in (a, b)]
    assert metric(CloudPair(*scaled), reach=10 / 64).similarity == metric(CloudPair(a, b), reach=10.0).similarity
