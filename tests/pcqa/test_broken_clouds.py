"""What no reader may do with a broken file: raise anything but InputError, or use memory by what the file promises."""

import os
import struct
import subprocess
import sys
from functools import partial

import numpy as np
import pytest

from pcqa.cloud import Cloud
from pcqa.io import READERS, read_cloud, sample_mesh, write_ply
from rankqa_datasets.errors import InputError

MUTANTS = 25
NUMBERS = [b"\xff" * 4, b"\0" * 4, b"\xff\xff\xff\x7f", b"9999", b"-1 \n", b"nan ", b"1e99", b"\n\n\n\n"]


def mutate(content, generator):
    """One to four seeded changes, half of them among the first bytes, where the headers are."""
    content = bytearray(content)
    for _ in range(generator.integers(1, 5)):
        reach = len(content) if generator.random() < 0.5 else min(len(content), 400)
        if not reach:
            break
        place, kind, length = (int(generator.integers(limit)) for limit in (reach, 6, 40))
        if kind == 0:
            content[place] = int(generator.integers(256))
        elif kind == 1:
            content[place] ^= 1 << int(generator.integers(8))
        elif kind == 2:
            del content[place : place + length]
        elif kind == 3:
            content[place : place + 4] = NUMBERS[generator.integers(len(NUMBERS))]
        elif kind == 4:
            del content[place:]
        else:
            content[place:place] = content[length : 2 * length]
    return bytes(content)


def good_files(folder):
    """Label -> (suffix, content): a valid file of each kind, some twenty points each."""
    generator = np.random.default_rng(0)
    points = generator.normal(size=(20, 3)).astype(np.float32)
    colors = generator.integers(0, 256, (20, 3), dtype=np.uint8)
    rows = list(zip(points.tolist(), colors.tolist(), strict=True))
    text = "".join(" ".join(f"{value:g}" for value in [*point, *color]) + "\n" for point, color in rows).encode()

    cloud = Cloud(points, colors.astype(np.float32) / np.float32(255), points)
    write_ply(cloud, folder / "binary.ply")
    write_ply(cloud, folder / "ascii.ply", ascii=True)
    properties = "".join(f"property float {name}\n" for name in "xyz") + "property list uchar int near\n"
    properties += "".join(f"property uchar {name}\n" for name in "rgb")
    lists = f"ply\nformat binary_big_endian 1.0\nelement vertex 20\n{properties}end_header\n".encode()
    lists += b"".join(struct.pack(">3fBi3B", *point, 1, 7, *color) for point, color in rows)

    pcd = b"FIELDS x y z r g b\nSIZE 4 4 4 1 1 1\nTYPE F F F U U U\nWIDTH 20\nHEIGHT 1\nPOINTS 20\nDATA "
    columns = points.T.astype("<f4").tobytes() + colors.T.tobytes()
    # Ten literal runs of 30 bytes.
    lzf = b"".join(bytes([29]) + columns[start : start + 30] for start in range(0, 300, 30))

    triangles = b"".join(b"\0" * 12 + triangle.tobytes() + b"\0\0" for triangle in points[:18].reshape(6, 9))
    obj = "".join(f"v {x:g} {y:g} {z:g}\n" for x, y, z in points.tolist()) + "vt 0 1\nf 1 2 3\nf 4/1 5/1 6/1\n"
    trimesh = pytest.importorskip("trimesh")
    box = trimesh.creation.box()
    box.visual.vertex_colors = colors[:8]
    return {
        "binary PLY": (".ply", (folder / "binary.ply").read_bytes()),
        "ascii PLY": (".ply", (folder / "ascii.ply").read_bytes()),
        "PLY with lists": (".ply", lists),
        "named XYZ": (".xyz", b"x y z r g b\n" + text),
        "TXT": (".txt", text.replace(b" ", b",")),
        "ascii PCD": (".pcd", pcd + b"ascii\n" + text),
        "binary PCD": (".pcd", pcd + b"binary\n" + b"".join(struct.pack("<3f3B", *p, *c) for p, c in rows)),
        "compressed PCD": (".pcd", pcd + b"binary_compressed\n" + struct.pack("<II", 310, 300) + lzf),
        "STL": (".stl", b"\0" * 80 + struct.pack("<I", 6) + triangles),
        "OBJ": (".obj", obj.encode()),
        "GLB": (".glb", box.export(file_type="glb")),
    }


def test_a_mutated_file_gives_a_cloud_or_one_line(tmp_path, monkeypatch, capfd):
    for suffix in (".stl", ".obj", ".glb"):
        monkeypatch.setitem(READERS, suffix, partial(sample_mesh, num_points=20))
    generator = np.random.default_rng(0)
    messages = []
    for suffix, content in good_files(tmp_path).values():
        path = tmp_path / f"mutant{suffix}"
        path.write_bytes(content)
        assert isinstance(read_cloud(path), Cloud)
        for _ in range(MUTANTS):
            path.write_bytes(mutate(content, generator))
            try:
                read_cloud(path)
            except InputError as error:
                messages.append((path, str(error)))
    assert len(messages) > 5 * MUTANTS
    assert [text for path, text in messages if not text.startswith(f"{path}: ") or not text.isprintable()] == []
    assert capfd.readouterr() == ("", "")


# Reads good files first: what the imports and compilers take is not meant.
CAPPED = """
import resource, sys
from pathlib import Path
from pcqa.io import read_cloud
from rankqa_datasets.errors import InputError
folder = Path(sys.argv[1])
for path in sorted(folder.glob("good*")):
    read_cloud(path)
used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (used + 200_000_000,) * 2)
for path in sorted(folder.glob("lie*")):
    try:
        read_cloud(path)
    except InputError as error:
        assert "memory" not in str(error).lower(), error
        print(path.name)
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="counts the address space by Linux's /proc")
def test_four_gigabytes_claimed_in_a_kilobyte_need_no_memory(tmp_path):
    for place, (suffix, content) in enumerate(good_files(tmp_path).values()):
        (tmp_path / f"good{place}{suffix}").write_bytes(content)
    count = 4_000_000_000
    xyz = "".join(f"property float {name}\n" for name in "xyz")
    little, near = "ply\nformat binary_little_endian 1.0\n", "property list uint double near\n"
    faces = f"element face {count}\n{near}"
    pcd = f"FIELDS x y z\nSIZE 4 4 4\nTYPE F F F\nWIDTH {count}\nHEIGHT 1\nDATA "
    glb = f'{{"accessors": [{{"count": {count}, "componentType": 5126, "type": "VEC3"}}]}}'.encode()
    fitting = pcd.replace(str(count), "330000000").encode()
    glb = b"glTF" + struct.pack("<IIII", 2, 20 + len(glb), len(glb), 0x4E4F534A) + glb
    lies = [
        (".ply", f"{little}element vertex {count}\n{xyz}end_header\n"),
        (".ply", f"ply\nformat binary_big_endian 1.0\n{faces}element vertex 1\n{xyz}end_header\n"),
        (".ply", f"{little}element vertex 1\n{xyz}{near}end_header\n"),
        (".ply", f"ply\nformat ascii 1.0\nelement vertex {count}\n{xyz}end_header\n0 0 0\n"),
        (".pcd", pcd + "ascii\n0 0 0\n"),
        (".pcd", pcd + "binary\n"),
        (".pcd", pcd.encode() + b"binary_compressed\n" + struct.pack("<II", 500, 4_000_000_000)),
        (".pcd", fitting + b"binary_compressed\n" + struct.pack("<II", 500, 3_960_000_000)),
        (".stl", b"\0" * 80 + struct.pack("<I", 80_000_000)),
        (".glb", glb),
        (".xyz", f"{count}\n1 2 3\n"),
    ]  # fmt: skip
    for place, (suffix, start) in enumerate(lies):
        content = start.encode() if isinstance(start, str) else start
        text = suffix == ".xyz" or "ascii" in str(content)
        (tmp_path / f"lie{place:02}{suffix}").write_bytes(content + (b"" if text else b"\xff" * 1000))
    environment = os.environ | {
        "OMP_NUM_THREADS": "1",
        "OPENBLAS_NUM_THREADS": "1",
        "PYTHONPATH": os.pathsep.join(sys.path),
    }
    command = [sys.executable, "-c", CAPPED, str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=120)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == [f"lie{place:02}{suffix}" for place, (suffix, _) in enumerate(lies)]
