import json
import logging
import struct

import numpy as np
import pytest
from PIL import Image

from pcqa.io import read_cloud, read_ply, sample_mesh
from rankqa_datasets.errors import InputError

trimesh = pytest.importorskip("trimesh")

TRIANGLE = "v 0 0 0 1 0 0\nv 4 0 0 0 1 0\nv 0 2 0 0 0 1\nf 1 2 3\n"


def box(extents=(1, 2, 4)):
    return trimesh.creation.box(extents=extents)


def on_box(points, extents=(1, 2, 4)):
    """How far each point is from the surface of a centred box."""
    outside = np.abs(points) - np.array(extents) / 2
    return np.abs(outside.max(axis=1))


@pytest.mark.parametrize("suffix", [".obj", ".stl", ".glb", ".ply", ".STL"])
def test_points_lie_evenly_on_the_surface(tmp_path, suffix):
    path = tmp_path / f"box{suffix}"
    box().export(path, file_type=suffix[1:].lower())
    cloud = sample_mesh(path, num_points=20_000, seed=1)
    assert cloud.num_points == 20_000
    assert cloud.points.dtype == np.float64
    assert cloud.colors is None
    assert on_box(cloud.points).max() < 1e-6
    # Shares of the faces' areas: 2 x (2 x 4, 1 x 4, 1 x 2) of 28, each within 5 standard deviations.
    on_face = np.abs(cloud.normals) > 0.999
    np.testing.assert_allclose(on_face.mean(axis=0), np.array([16, 8, 4]) / 28, atol=5 * 0.5 / np.sqrt(20_000))
    # Even within a face: the mean square of a coordinate over [-a, a] is a^2 / 3.
    y = cloud.points[on_face[:, 0], 1]
    np.testing.assert_allclose(np.mean(y**2), 1 / 3, atol=0.02)
    # Outwards, as the corners turn.
    assert (np.einsum("nd,nd->n", cloud.points, cloud.normals) > 0).all()


def test_seed_and_number_of_points(tmp_path):
    path = tmp_path / "box.stl"
    box().export(path)
    first = sample_mesh(path, num_points=100, seed=3)
    np.testing.assert_array_equal(sample_mesh(path, num_points=100, seed=3).points, first.points)
    assert (sample_mesh(path, num_points=100, seed=4).points != first.points).any()
    default = read_cloud(path)
    assert default.num_points == 100_000
    np.testing.assert_array_equal(default.points, sample_mesh(path, num_points=100_000, seed=0).points)
    with pytest.raises(InputError, match=r"box\.stl: expected at least one point to draw, got num_points=0"):
        sample_mesh(path, num_points=0)


def test_vertex_colors_are_interpolated(tmp_path):
    path = tmp_path / "triangle.obj"
    path.write_text(TRIANGLE)
    cloud = sample_mesh(path, num_points=1000)
    x, y = cloud.points[:, 0] / 4, cloud.points[:, 1] / 2
    np.testing.assert_allclose(cloud.colors, np.stack([1 - x - y, x, y], axis=1), atol=1e-6)
    np.testing.assert_array_equal(cloud.normals, [[0, 0, 1]] * 1000)


def test_texture_colors_are_looked_up(tmp_path):
    texels = np.uint8([[[255, 0, 0], [0, 255, 0]], [[0, 0, 255], [102, 51, 0]]])
    mesh = trimesh.Trimesh([[0, 0, 0], [1, 0, 0], [1, 1, 0], [0, 1, 0]], [[0, 1, 2], [0, 2, 3]])
    material = trimesh.visual.material.PBRMaterial(baseColorTexture=Image.fromarray(texels))
    mesh.visual = trimesh.visual.TextureVisuals(uv=mesh.vertices[:, :2], material=material)
    mesh.export(tmp_path / "square.glb")
    cloud = read_cloud(tmp_path / "square.glb")
    # The image's first row is the upper one.
    expected = texels[1 - (cloud.points[:, 1] > 0.5), (cloud.points[:, 0] > 0.5).astype(int)]
    np.testing.assert_array_equal(cloud.colors, expected.astype(np.float32) / np.float32(255))


def scene():
    """A red box and, moved by 10 along x, one without colours."""
    red, plain = box(), box()
    red.visual.face_colors = [255, 0, 0, 255]
    parts = trimesh.Scene()
    parts.add_geometry(red, node_name="red")
    parts.add_geometry(plain, node_name="plain", transform=trimesh.transformations.translation_matrix([10, 0, 0]))
    return parts


def test_parts_of_a_scene_lie_where_it_puts_them(tmp_path):
    scene().export(tmp_path / "scene.glb")
    cloud = sample_mesh(tmp_path / "scene.glb", num_points=2000)
    moved = cloud.points[:, 0] > 5
    assert abs(moved.mean() - 0.5) < 0.06
    assert on_box(cloud.points - np.outer(moved, [10, 0, 0])).max() < 1e-6
    np.testing.assert_array_equal(cloud.colors[~moved], [[1, 0, 0]] * (~moved).sum())
    np.testing.assert_array_equal(cloud.colors[moved], [[1, 1, 1]] * moved.sum())


def test_wrong_normals_of_a_file_are_left_out_and_not_spoken_of(tmp_path):
    corners = "outer loop\nvertex 0 0 0\nvertex 1 0 0\nvertex 0 1 0\nendloop\nendfacet\n"
    path = tmp_path / "wrong_normal.stl"
    path.write_text(f"solid a\nfacet normal 0 0 east\n{corners}endsolid a\n")
    np.testing.assert_array_equal(sample_mesh(path, num_points=1).normals, [[0, 0, 1]])
    # pytest handles what is logged; without it, a logger that has no handler writes to the terminal.
    assert logging.getLogger("trimesh").handlers


def test_a_ply_mesh_is_read_or_sampled(tmp_path):
    path = tmp_path / "box.ply"
    box().export(path)
    assert read_ply(path).num_points == 8
    assert sample_mesh(path, num_points=9).num_points == 9


def glb(description, body=b""):
    text = (description if isinstance(description, bytes) else json.dumps(description).encode()).ljust(40)
    chunks = struct.pack("<II", len(text), 0x4E4F534A) + text + struct.pack("<II", len(body), 0x004E4942) + body
    return b"glTF" + struct.pack("<II", 2, 12 + len(chunks)) + chunks


BAD_FILES = {
    "empty file": (".obj", b"", "expected a mesh file, got an empty file"),
    "no faces": (".obj", b"v 0 0 0\nv 1 0 0\nv 0 1 0\n", "expected a mesh, got no faces; a file of points alone"),
    "words": (".obj", b"once upon a time\n", "expected a mesh"),
    "garbage": (".obj", bytes(range(256)) * 9, "expected a mesh"),
    "missing vertices": (".obj", b"v 0 0 0\nf 1 2 3\n", "expected a mesh that trimesh can read, got"),
    "no area": (".obj", b"v 0 0 0\nv 0 0 0\nv 0 0 0\nf 1 2 3\n", "the surface has the area 0"),
    "nan": (".obj", TRIANGLE.replace("4", "nan").encode(), "the surface has the area nan"),
    "huge": (".obj", b"v 0 0 0\nv 1e300 0 0\nv 0 1e300 0\nf 1 2 3\n", "the surface has the area inf"),
    "stl garbage": (".stl", bytes(range(256)) * 9, "expected a mesh"),
    "stl that lies": (".stl", b"\0" * 80 + struct.pack("<I", 80_000_000) + b"\0" * 900, "expected a mesh"),
    "glb garbage": (".glb", bytes(range(256)) * 9, "expected a GLB file, which begins with 'glTF'"),
    "glb cut": (".glb", glb({})[:15], "the file ends inside its header"),
    "glb cut later": (".glb", glb({})[:30], "promises a chunk of 40 bytes, but only 10 follow"),
    "glb without arrays": (".glb", glb({}), "expected a GLB file with arrays of vertices"),
    "glb without JSON": (".glb", glb(b"[" * 100_000), "expected a GLB file with arrays of vertices"),
    "glb that lies": (
        ".glb",
        glb({"accessors": [{"count": 4 * 10**9, "componentType": 5126, "type": "VEC3"}]}),
        "promises 4000000000 elements in arrays, but has only",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", BAD_FILES)
def test_bad_files_end_in_one_line_that_names_them(tmp_path, case, capfd):
    suffix, content, message = BAD_FILES[case]
    path = tmp_path / f"bad{suffix}"
    path.write_bytes(content)
    with pytest.raises(InputError, match=message) as error:
        read_cloud(path)
    assert str(error.value).startswith(f"{path}: ")
    assert "\n" not in str(error.value)
    assert capfd.readouterr() == ("", "")
