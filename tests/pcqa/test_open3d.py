"""Open3D as an independent reader and neighbour search. It needs Debian's libusb-1.0-0, libgl1 and libgomp1."""

import subprocess
import sys

import numpy as np
import pytest
import torch

from pcqa.cloud import Cloud
from pcqa.io import read_cloud, write_ply
from pcqa.ops.knn import knn

# In a process of its own: importing Open3D warns, and it brings its own threads.
PROGRAM = """
import sys
import numpy as np
import open3d
cloud = open3d.io.read_point_cloud(sys.argv[1])
tree = open3d.geometry.KDTreeFlann(cloud)
points = np.asarray(cloud.points)
neighbors = np.array([tree.search_knn_vector_3d(point, 4)[1] for point in points])
columns = {"colors": np.asarray(cloud.colors), "normals": np.asarray(cloud.normals)}
np.savez(sys.argv[2], points=points, neighbors=neighbors, **columns)
"""


# Neighbours share colours and coordinates, so that the compressed file has back references.
WRITER = """
import sys
import numpy as np
import open3d
read = np.load(sys.argv[1])
cloud = open3d.geometry.PointCloud(open3d.utility.Vector3dVector(read["points"]))
for name in ("colors", "normals"):
    setattr(cloud, name, open3d.utility.Vector3dVector(read[name]))
for name, options in {"ascii": {"write_ascii": True}, "binary": {}, "compressed": {"compressed": True}}.items():
    assert open3d.io.write_point_cloud(f"{sys.argv[2]}/{name}.pcd", cloud, **options)
for suffix in ("ply", "xyzn", "xyzrgb"):
    assert open3d.io.write_point_cloud(f"{sys.argv[2]}/cloud.{suffix}", cloud)
"""


def run(program, *arguments):
    command = [sys.executable, "-c", program, *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    if done.returncode and "open3d" in done.stderr and ".so" in done.stderr:
        pytest.skip(f"Open3D cannot be imported: {done.stderr.strip().splitlines()[-1]}")
    assert done.returncode == 0, done.stderr


def test_what_open3d_writes_is_read(tmp_path):
    rng = np.random.default_rng(0)
    points = rng.integers(0, 9, (500, 3)).repeat(4, axis=0) / 8
    normals = np.tile([0.0, 0.6, -0.8], (2000, 1))
    colors = rng.integers(0, 256, (500, 3)).repeat(4, axis=0) / 255
    np.savez(tmp_path / "cloud.npz", points=points, normals=normals, colors=colors)
    run(WRITER, tmp_path / "cloud.npz", tmp_path)
    assert (tmp_path / "compressed.pcd").stat().st_size < (tmp_path / "binary.pcd").stat().st_size
    for name in ("ascii.pcd", "binary.pcd", "compressed.pcd", "cloud.ply", "cloud.xyzn", "cloud.xyzrgb"):
        cloud = read_cloud(tmp_path / name)
        np.testing.assert_array_equal(cloud.points, points)
        assert (cloud.colors is None) == (name == "cloud.xyzn")
        assert (cloud.normals is None) == (name == "cloud.xyzrgb")
        if cloud.colors is not None:
            np.testing.assert_allclose(cloud.colors, colors, atol=1e-6)
        if cloud.normals is not None:
            np.testing.assert_allclose(cloud.normals, normals, atol=1e-6)


@pytest.mark.parametrize("ascii_text", [False, True])
def test_open3d_reads_what_we_write_and_finds_the_same_neighbours(tmp_path, ascii_text):
    rng = np.random.default_rng(0)
    points = rng.normal(size=(60, 3)).astype(np.float32)
    normals = points / np.linalg.norm(points, axis=1, keepdims=True)
    colors = (rng.integers(0, 256, (60, 3)) / 255).astype(np.float32)
    write_ply(Cloud(points=points, colors=colors, normals=normals), tmp_path / "cloud.ply", ascii=ascii_text)
    run(PROGRAM, tmp_path / "cloud.ply", tmp_path / "read.npz")
    read = np.load(tmp_path / "read.npz")
    np.testing.assert_allclose(read["points"], points, rtol=1e-6)
    np.testing.assert_allclose(read["colors"], colors, atol=1e-6)
    np.testing.assert_allclose(read["normals"], normals, atol=1e-6)
    found, _ = knn(torch.from_numpy(points)[None], torch.from_numpy(points)[None], 4)
    np.testing.assert_array_equal(found[0].numpy(), read["neighbors"])
