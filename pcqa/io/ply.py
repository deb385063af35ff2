"""PLY files: ASCII and binary, any order and type of properties, with colours and normals by name."""

import os
import secrets
from pathlib import Path

import numpy as np

from pcqa.cloud import Cloud
from pcqa.io.cloud_file import cloud_file
from pcqa.io.columns import COLORS, COORDINATES, NORMALS, assemble
from pcqa.io.ply_body import vertex_blocks, vertex_element
from pcqa.io.ply_header import read_header


def read_ply(path: str | Path) -> Cloud:
    """Reads the vertices of a PLY file.

    Coordinates stay float64 when stored as double, int or uint, and are float32 otherwise. Colours (`red green blue`,
    `diffuse_red ...` or `r g b`; uchar, ushort, or float in [0, 1]) become float32 in [0, 1]; normals (`nx ny nz`)
    float32. All other properties and elements are left out, lists included; so of a mesh the vertices are read, and
    `sample_mesh` is there for its surface.

    Raises:
        InputError: a missing, truncated or malformed file, no vertices, or coordinates that are not finite.
    """
    path = Path(path)
    with cloud_file(path, "PLY") as file:
        header = read_header(file)
        vertex = vertex_element(header)
        types = {prop.name: prop.type for prop in vertex.scalars}
        points, colors, normals = assemble(vertex_blocks(file, header, vertex), types, vertex.count)
    return Cloud(points, colors, normals, source=path)


def write_ply(cloud: Cloud, path: str | Path, *, ascii: bool = False) -> None:
    """Writes a cloud as PLY: x y z in its own float type, then nx ny nz (float), then red green blue (uchar, rounded).

    The file appears under its name only when it is complete.

    Args:
        cloud: what to write.
        path: target file; its folder must exist.
        ascii: text, with as many digits as reading back the same numbers needs, instead of binary little-endian.

    Raises:
        OSError: the folder is missing or not writable, or the disk is full; nothing is left behind.
    """
    path = Path(path)
    rows = _records(cloud)
    names = {"f4": "float", "f8": "double", "u1": "uchar"}
    header = ["ply", f"format {'ascii' if ascii else 'binary_little_endian'} 1.0", f"element vertex {len(rows)}"]
    header += [f"property {names[rows.dtype[name].str[1:]]} {name}" for name in rows.dtype.names or ()]
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}.tmp")
    try:
        with temporary.open("xb") as file:
            file.write("\n".join([*header, "end_header\n"]).encode())
            if ascii:
                digits = {"f4": "%.9g", "f8": "%.17g", "u1": "%d"}
                formats = [digits[rows.dtype[name].str[1:]] for name in rows.dtype.names or ()]
                np.savetxt(file, rows, fmt=" ".join(formats))
            else:
                file.write(rows.tobytes())
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(path)) from None
    finally:
        temporary.unlink(missing_ok=True)


def _records(cloud: Cloud) -> np.ndarray:
    point_type = "<f8" if cloud.points.dtype == np.float64 else "<f4"
    tables: list[tuple[tuple[str, ...], np.ndarray, str]] = [(COORDINATES, cloud.points, point_type)]
    if cloud.normals is not None:
        tables.append((NORMALS[0], cloud.normals, "<f4"))
    if cloud.colors is not None:
        tables.append((COLORS[0], np.rint(cloud.colors * 255), "u1"))
    rows = np.empty(cloud.num_points, np.dtype([(name, kind) for names, _, kind in tables for name in names]))
    for names, table, _ in tables:
        for name, column in zip(names, table.T, strict=True):
            rows[name] = column
    return rows
