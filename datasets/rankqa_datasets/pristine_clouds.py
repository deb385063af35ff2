"""Procedural coloured clouds, sampled about uniformly from closed-form surfaces. Seeded, offline, free of noise."""

from collections.abc import Callable

import numpy as np

# Cells along each parameter, of which the area is measured before points are drawn.
CELLS = 192

Surface = Callable[[np.ndarray, np.ndarray], np.ndarray]


def pristine_cloud(kind: str, num_points: int = 10_000, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Points (P, 3) float32 and colours (P, 3) uint8, sRGB, of a surface with a texture.

    The unit is that of 10-bit voxel clouds: the longest side of the bounding box goes from 0 to 1023, z is up; but
    coordinates are not rounded (`to_voxels` does that).

    Args:
        kind: `torus`, `blob` (sphere with harmonics), `column` (twisted rounded box), `terrain`, `vase` (figure of
            revolution) or `knot` (trefoil tube).
        num_points: P, at least 16.
        seed: chooses proportions, texture and colours.

    Raises:
        ValueError: unknown kind, or too few points.
    """
    if kind not in CLOUD_KINDS or num_points < 16:
        raise ValueError(
            f"expected a kind of {', '.join(CLOUD_KINDS)} and at least 16 points, got {kind}, {num_points}"
        )
    rng = np.random.default_rng([seed, sorted(CLOUD_KINDS).index(kind)])
    points = _sample(CLOUD_KINDS[kind](rng), num_points, rng)
    low, high = points.min(axis=0), points.max(axis=0)
    colors = _texture((points - (low + high) / 2) / (high - low).max(), rng)
    return ((points - low) * (1023 / (high - low).max())).astype(np.float32), colors


def to_voxels(points: np.ndarray, colors: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Points (P, 3) rounded to whole numbers, of those that fall together the first kept; and their colours (P, 3)."""
    rounded = np.rint(points).astype(points.dtype)
    first = np.sort(np.unique(rounded, axis=0, return_index=True)[1])
    return rounded[first], colors[first]


def _sample(surface: Surface, count: int, rng: np.random.Generator) -> np.ndarray:
    """Points (count, 3) with a density proportional to area: cells drawn in strata, then a place within the cell."""
    edges = np.linspace(0, 1, CELLS + 1)
    corners = surface(*np.meshgrid(edges, edges, indexing="ij"))
    along_u, along_v = np.diff(corners, axis=0)[:, :-1], np.diff(corners, axis=1)[:-1]
    area = np.linalg.norm(np.cross(along_u, along_v), axis=-1).ravel()
    total = np.cumsum(area)
    # One draw in each of `count` equal shares of the area clumps less than independent draws.
    draws = (np.arange(count) + rng.uniform(size=count)) / count * total[-1]
    cell = np.minimum(np.searchsorted(total, draws, side="right"), len(area) - 1)
    u = (cell // CELLS + rng.uniform(size=count)) / CELLS
    v = (cell % CELLS + rng.uniform(size=count)) / CELLS
    return surface(u, v)


def _torus(rng: np.random.Generator) -> Surface:
    thickness, waves, height = rng.uniform(0.25, 0.5), rng.integers(0, 6), rng.uniform(0, 0.2)

    def surface(u: np.ndarray, v: np.ndarray) -> np.ndarray:
        a, b = 2 * np.pi * u, 2 * np.pi * v
        tube = thickness * (1 + height * np.cos(waves * a))
        ring = 1 + tube * np.cos(b)
        return np.stack([ring * np.cos(a), ring * np.sin(a), tube * np.sin(b)], axis=-1)

    return surface


def _blob(rng: np.random.Generator) -> Surface:
    directions = rng.normal(size=(6, 3)) * rng.uniform(1.5, 4.5)
    phases, heights = rng.uniform(0, 6, size=6), rng.uniform(0.02, 0.12, size=6)

    def surface(u: np.ndarray, v: np.ndarray) -> np.ndarray:
        a, b = 2 * np.pi * u, np.pi * v
        unit = np.stack([np.sin(b) * np.cos(a), np.sin(b) * np.sin(a), np.cos(b)], axis=-1)
        radius = 1 + (np.sin(unit @ directions.T + phases) * heights).sum(axis=-1)
        return unit * radius[..., None]

    return surface


def _column(rng: np.random.Generator) -> Surface:
    twist, squareness, height = rng.uniform(-2, 2), rng.uniform(4, 10), rng.uniform(1.5, 3)

    def surface(u: np.ndarray, v: np.ndarray) -> np.ndarray:
        # v runs over the foot (a disc), the wall, and the lid, by thirds of the wall's double height.
        foot = 1 / (height + 2)
        radius = np.clip(np.minimum(v, 1 - v) / foot, 0, 1)
        z = np.clip((v - foot) / (1 - 2 * foot), 0, 1) * height
        a = 2 * np.pi * u
        box = (np.abs(np.cos(a)) ** squareness + np.abs(np.sin(a)) ** squareness) ** (-1 / squareness)
        turned = a + twist * z / height
        return np.stack([radius * box * np.cos(turned), radius * box * np.sin(turned), z], axis=-1)

    return surface


def _terrain(rng: np.random.Generator) -> Surface:
    waves = rng.normal(size=(10, 2)) * np.geomspace(2, 22, 10)[:, None]
    heights = 0.35 / np.linalg.norm(waves, axis=1).clip(2.0) * rng.uniform(0.5, 1.2)
    phases = rng.uniform(0, 6, size=10)

    def surface(u: np.ndarray, v: np.ndarray) -> np.ndarray:
        plane = np.stack([u, v], axis=-1)
        return np.stack([u, v, (np.sin(plane @ waves.T + phases) * heights).sum(axis=-1)], axis=-1)

    return surface


def _vase(rng: np.random.Generator) -> Surface:
    bumps, flutes, depth = rng.uniform(-0.25, 0.25, size=3), rng.integers(5, 14), rng.uniform(0, 0.08)
    height = rng.uniform(2, 3)

    def surface(u: np.ndarray, v: np.ndarray) -> np.ndarray:
        a = 2 * np.pi * u
        profile = 0.75 + sum(bump * np.sin((k + 1.5) * np.pi * v) for k, bump in enumerate(bumps))
        radius = profile * (1 + depth * np.cos(flutes * a)) * np.clip(v / 0.04, 0, 1)
        return np.stack([radius * np.cos(a), radius * np.sin(a), height * np.clip(v - 0.04, 0, 1)], axis=-1)

    return surface


def _knot(rng: np.random.Generator) -> Surface:
    thickness, stretch = rng.uniform(0.3, 0.55), rng.uniform(0.7, 1.3)

    def line(a: np.ndarray) -> np.ndarray:
        x, y = np.sin(a) + 2 * np.sin(2 * a), np.cos(a) - 2 * np.cos(2 * a)
        return np.stack([x, y, -stretch * np.sin(3 * a)], axis=-1)

    def surface(u: np.ndarray, v: np.ndarray) -> np.ndarray:
        a, b = 2 * np.pi * u, 2 * np.pi * v[..., None]
        tangent = line(a + 1e-4) - line(a - 1e-4)
        side = np.cross(tangent, [0.0, 0.0, 1.0])
        side /= np.linalg.norm(side, axis=-1, keepdims=True)
        up = np.cross(side, tangent)
        up /= np.linalg.norm(up, axis=-1, keepdims=True)
        return line(a) + thickness * (np.cos(b) * side + np.sin(b) * up)

    return surface


def _texture(points: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Colours (P, 3) uint8 at points in a box of side 1: three colours mixed by a pattern, with finer shades on top."""
    first, second, third = np.clip(rng.uniform(70, 180, size=3) + rng.normal(0, 55, size=(3, 3)), 15, 240)
    detail = rng.uniform(4, 10)
    waves = sum(np.sin(points @ rng.normal(0, detail, size=3) + rng.uniform(0, 6)) for _ in range(4)) / 2
    kind = rng.integers(3)
    if kind == 0:
        pattern = 0.5 + 0.5 * np.sin(points @ rng.normal(0, detail, size=3) + 2 * waves)
    elif kind == 1:
        pattern = np.clip(0.5 + 4 * np.sin(points * detail * 2 + rng.uniform(0, 6, size=3)).prod(axis=-1), 0, 1)
    else:
        pattern = np.clip(0.5 + waves, 0, 1)
    large = 0.5 + 0.5 * np.sin(points @ rng.normal(0, 3, size=3) + rng.uniform(0, 6))
    fine = sum(np.sin(points @ rng.normal(0, 3 * detail, size=3) + rng.uniform(0, 6)) for _ in range(6))
    base = first + pattern[:, None] * (second - first)
    colors = base + 0.5 * large[:, None] * (third - base) + rng.uniform(0, 6) * np.asarray(fine)[:, None]
    return np.clip(np.rint(colors), 0, 255).astype(np.uint8)


CLOUD_KINDS: dict[str, Callable[[np.random.Generator], Surface]] = {
    "torus": _torus,
    "blob": _blob,
    "column": _column,
    "terrain": _terrain,
    "vase": _vase,
    "knot": _knot,
}
