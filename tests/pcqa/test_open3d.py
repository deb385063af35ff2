"""Open3D as an independent reader and neighbour search. It needs Debian's libusb-1.0-0, libgl1 and libgomp1."""

import subprocess
import sys

import numpy as np
import pytest
import torch

from pcqa.cloud import Cloud
from pcqa.io.ply import write_ply
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


@pytest.mark.parametrize("ascii_text", [False, True])
def test_open3d_reads_what_we_write_and_finds_the_same_neighbours(tmp_path, ascii_text):
    rng = np.random.default_rng(0)
    points = rng.normal(size=(60, 3)).astype(np.float32)
    normals = points / np.linalg.norm(points, axis=1, keepdims=True)
    colors = (rng.integers(0, 256, (60, 3)) / 255).astype(np.float32)
    write_ply(Cloud(points=points, colors=colors, normals=normals), tmp_path / "cloud.ply", ascii=ascii_text)
    command = [sys.executable, "-c", PROGRAM, str(tmp_path / "cloud.ply"), str(tmp_path / "read.npz")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    if done.returncode and "open3d" in done.stderr and ".so" in done.stderr:
        pytest.skip(f"Open3D cannot be imported: {done.stderr.strip().splitlines()[-1]}")
    assert done.returncode == 0, done.stderr
    read = np.load(tmp_path / "read.npz")
    np.testing.assert_allclose(read["points"], points, rtol=1e-6)
    np.testing.assert_allclose(read["colors"], colors, atol=1e-6)
    np.testing.assert_allclose(read["normals"], normals, atol=1e-6)
    found, _ = knn(torch.from_numpy(points)[None], torch.from_numpy(points)[None], 4)
    np.testing.assert_array_equal(found[0].numpy(), read["neighbors"])
