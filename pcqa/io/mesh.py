"""Meshes (OBJ, GLB, STL, PLY) as clouds: points drawn evenly on the surface."""

import logging
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from pcqa.cloud import Cloud
from pcqa.io.cloud_file import FormatError, cloud_file
from pcqa.io.glb_claims import check_glb
from rankqa_datasets.errors import InputError

if TYPE_CHECKING:
    import trimesh

DEFAULT_POINTS = 100_000
"""Points that `read_cloud` draws on a mesh."""

UNSEEN = logging.NullHandler()


def sample_mesh(path: str | Path, *, num_points: int = DEFAULT_POINTS, seed: int = 0) -> Cloud:
    """Draws points evenly on the surface of a mesh file, each independently of the others.

    Colours are those of the vertices (interpolated), of the faces, or of the texture (nearest texel; the image repeats;
    in GLB multiplied by the base colour as it is written). Where some parts have colours, those without are white.
    Normals are those of the faces. A scene's parts lie where the scene puts them.

    Args:
        path: an OBJ, GLB, STL or PLY file, or what else trimesh reads.
        num_points: how many points.
        seed: equal seeds give equal clouds on every machine.

    Returns:
        The cloud; its points are float64.

    Raises:
        InputError: a file that cannot be read, without faces or with an area that is zero or not finite; or fewer than
            one point asked for.
    """
    path = Path(path)
    if num_points < 1:
        raise InputError(f"{path}: expected at least one point to draw, got num_points={num_points}")
    with cloud_file(path, "mesh") as file:
        if path.suffix.lower() == ".glb":
            check_glb(file)
        parts = _load(path)
        areas = np.concatenate([_areas(corners) for corners, _ in parts] or [np.empty(0)])
        if not len(areas):
            raise FormatError("expected a mesh, got no faces; a file of points alone is read from PLY, PCD or XYZ")
        cumulative = np.cumsum(areas)
        if not 0 < cumulative[-1] < np.inf:
            raise FormatError(f"the surface has the area {cumulative[-1]:g}; no points can be drawn on it")
        generator = np.random.default_rng(seed)
        faces = np.searchsorted(cumulative, generator.random(num_points) * cumulative[-1], side="right")
        # Rounding may give the whole area itself.
        faces = np.minimum(faces, np.flatnonzero(areas)[-1])
        weights = _even_weights(generator, num_points)
        points, normals = np.empty((num_points, 3)), np.empty((num_points, 3), np.float32)
        colors = np.ones((num_points, 3), np.float32)
        colored = False
        first = 0
        for corners, mesh in parts:
            rows = np.flatnonzero((faces >= first) & (faces < first + len(corners)))
            local = faces[rows] - first
            first += len(corners)
            points[rows] = np.einsum("nc,ncd->nd", weights[rows], corners[local])
            cross = _cross(corners[local])
            normals[rows] = cross / np.linalg.norm(cross, axis=1, keepdims=True)
            found = _colors(mesh, local, weights[rows])
            if found is not None:
                colors[rows] = found
                colored = True
    return Cloud(points, colors if colored else None, normals, source=path)


def _load(path: Path) -> list[tuple[np.ndarray, "trimesh.Trimesh"]]:
    """The triangles of each part, (faces, 3 corners, 3) float64 in the scene's frame, and the part itself."""
    import trimesh

    # It logs the tracebacks of what it then raises; they are for whoever sets up logging, not for the terminal.
    logging.getLogger("trimesh").addHandler(UNSEEN)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            scene = trimesh.load_scene(path, process=False)
            parts = []
            # Sorted: the order of the scene's nodes must not decide which points are drawn.
            for node in sorted(scene.graph.nodes_geometry):
                matrix, name = scene.graph[node]
                mesh = scene.geometry[name]
                if isinstance(mesh, trimesh.Trimesh) and len(mesh.faces):
                    with np.errstate(all="ignore"):
                        vertices = mesh.vertices @ matrix[:3, :3].T + matrix[:3, 3]
                    parts.append((vertices[mesh.faces], mesh))
    except Exception as error:  # What trimesh raises on broken files is of any type.
        reason = " ".join(str(error).split())[:150]
        raise FormatError(f"expected a mesh that trimesh can read, got {type(error).__name__}: {reason}") from None
    return parts


def _cross(corners: np.ndarray) -> np.ndarray:
    return np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])


def _areas(corners: np.ndarray) -> np.ndarray:
    # Areas beyond double become inf here and are refused above.
    with np.errstate(over="ignore", invalid="ignore"):
        return np.linalg.norm(_cross(corners), axis=1) / 2


def _even_weights(generator: np.random.Generator, count: int) -> np.ndarray:
    """Barycentric weights (count, 3), evenly distributed over the triangle."""
    second, third = generator.random((2, count))
    # The other half of the parallelogram is folded back.
    outside = second + third > 1
    second[outside], third[outside] = 1 - second[outside], 1 - third[outside]
    return np.stack([1 - second - third, second, third], axis=1)


def _colors(mesh: "trimesh.Trimesh", faces: np.ndarray, weights: np.ndarray) -> np.ndarray | None:
    """(n, 3) float32 in [0, 1] at the drawn places, or None for a part without colours."""
    visual: Any = mesh.visual
    if visual.kind == "vertex":
        table = visual.vertex_colors[:, :3] / 255.0
        return np.einsum("nc,ncd->nd", weights, table[mesh.faces[faces]]).clip(0, 1).astype(np.float32)
    if visual.kind == "face":
        return visual.face_colors[faces, :3].astype(np.float32) / np.float32(255)
    if visual.kind != "texture":
        return None
    material = visual.material
    image = getattr(material, "baseColorTexture", None) or getattr(material, "image", None)
    if image is None or visual.uv is None:
        return np.broadcast_to(np.asarray(material.main_color[:3], np.float32) / np.float32(255), (len(faces), 3))
    with np.errstate(over="ignore", invalid="ignore"):
        places = np.einsum("nc,ncd->nd", weights, visual.uv[mesh.faces[faces]])
    if not np.isfinite(places).all():
        raise FormatError("expected finite texture coordinates, got nan or inf")
    texels = np.asarray(image.convert("RGB"))
    height, width = texels.shape[:2]
    u, v = (places - np.floor(places)).T
    column = np.minimum((u * width).astype(np.int64), width - 1)
    row = np.minimum(((1 - v) * height).astype(np.int64), height - 1)
    colors = texels[row, column].astype(np.float32) / np.float32(255)
    factor = getattr(material, "baseColorFactor", None)
    return colors if factor is None else colors * (np.asarray(factor[:3], np.float32) / np.float32(255))
