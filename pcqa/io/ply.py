"""PLY files: ASCII and binary, any order and type of properties, with colours and normals by name."""

import os
import secrets
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import BinaryIO

import numpy as np

from pcqa.cloud import Cloud
from pcqa.io.ply_header import Element, Header, PlyError, read_header
from rankqa_datasets.errors import InputError

COORDINATES = ("x", "y", "z")
NORMALS = ("nx", "ny", "nz")
COLORS = (("red", "green", "blue"), ("diffuse_red", "diffuse_green", "diffuse_blue"))

# Largest value of a colour type; float colours are in [0, 1] already.
COLOR_PEAKS = {"u1": 255.0, "u2": 65535.0, "f4": 1.0, "f8": 1.0}


def read_ply(path: str | Path) -> Cloud:
    """Reads the vertices of a PLY file.

    Coordinates stay float64 when stored as double, int or uint, and are float32 otherwise. Colours (`red green blue` or
    `diffuse_red ...`; uchar, ushort, or float in [0, 1]) become float32 in [0, 1]; normals (`nx ny nz`) float32. All
    other properties and elements are left out.

    Raises:
        InputError: a missing, truncated or malformed file, no vertices, or coordinates that are not finite.
    """
    path = Path(path)
    try:
        with path.open("rb") as file:
            header = read_header(file)
            columns = _read_vertices(file, header, file_size=os.fstat(file.fileno()).st_size)
            points, colors, normals = _by_name(columns, header)
    except OSError as error:
        raise InputError(f"{path}: expected a readable PLY file, got: {error.strerror or error}") from None
    except PlyError as error:
        raise InputError(f"{path}: {error}") from None
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
        tables.append((NORMALS, cloud.normals, "<f4"))
    if cloud.colors is not None:
        tables.append((COLORS[0], np.rint(cloud.colors * 255), "u1"))
    rows = np.empty(cloud.num_points, np.dtype([(name, kind) for names, _, kind in tables for name in names]))
    for names, table, _ in tables:
        for name, column in zip(names, table.T, strict=True):
            rows[name] = column
    return rows


def _check_vertex(header: Header) -> int:
    """The position of the vertex element among the elements, refused unless it can hold a cloud."""
    names = [element.name for element in header.elements]
    if "vertex" not in names:
        raise PlyError(f"expected an element 'vertex', got {', '.join(names) or 'no element'}")
    vertex = header.elements[names.index("vertex")]
    if vertex.has_list:
        raise PlyError("the vertex element has a list property, which is not supported; save it without")
    properties = [prop.name for prop in vertex.properties]
    if missing := [name for name in COORDINATES if name not in properties]:
        found = ", ".join(properties) or "no property"
        raise PlyError(f"expected vertex properties x, y, z; {', '.join(missing)} missing in: {found}")
    if len(set(properties)) < len(properties):
        raise PlyError(f"a vertex property occurs twice: {', '.join(properties)}")
    if vertex.count == 0:
        raise PlyError("expected at least one vertex, got an empty cloud (element vertex 0)")
    return names.index("vertex")


def _read_vertices(file: BinaryIO, header: Header, *, file_size: int) -> dict[str, np.ndarray]:
    """The columns of the vertex element by name, each in its stored type (ASCII: float64)."""
    index = _check_vertex(header)
    before, vertex = header.elements[:index], header.elements[index]
    names = [prop.name for prop in vertex.properties]
    if header.is_ascii:
        return dict(zip(names, _read_text(file, before, vertex, file_size), strict=True))
    for element in before:
        _skip_rows(file, element, file_size)
    _require_bytes(file, vertex, vertex.row_type.itemsize, file_size)
    rows = np.fromfile(file, vertex.row_type, vertex.count)
    return {name: rows[field] for name, field in zip(names, rows.dtype.names or (), strict=True)}


def _require_bytes(file: BinaryIO, element: Element, least_row: int, file_size: int) -> None:
    # Before anything is allocated: a header may claim any number of rows.
    left = max(file_size - file.tell(), 0)
    if element.count * least_row > left:
        raise PlyError(
            f"the header promises {element.count} rows of element {element.name!r} "
            f"(at least {element.count * least_row} bytes), but only {left} bytes follow; the file is truncated"
        )


def _skip_rows(file: BinaryIO, element: Element, file_size: int) -> None:
    _require_bytes(file, element, element.row_type.itemsize, file_size)
    if not element.has_list:
        file.seek(element.count * element.row_type.itemsize, os.SEEK_CUR)
        return
    for _ in range(element.count):
        for prop in element.properties:
            if prop.count_type is None:
                file.seek(prop.type.itemsize, os.SEEK_CUR)
                continue
            stored = file.read(prop.count_type.itemsize)
            if len(stored) < prop.count_type.itemsize:
                raise PlyError(f"the file ends inside element {element.name!r}; it is truncated")
            length = int(np.frombuffer(stored, prop.count_type)[0])
            if length < 0:
                raise PlyError(f"a list in element {element.name!r} has the negative length {length}")
            file.seek(length * prop.type.itemsize, os.SEEK_CUR)


def _read_text(file: BinaryIO, before: Sequence[Element], vertex: Element, file_size: int) -> list[np.ndarray]:
    # A number and its separator take two characters; the last separator may be missing.
    _require_bytes(file, vertex, 2 * len(vertex.properties) - 1, file_size)
    lines = (line.decode("latin-1") for line in file if not line.isspace())
    for _ in range(sum(element.count for element in before)):
        if next(lines, None) is None:
            raise PlyError("the file ends before its vertices; it is truncated")
    try:
        with warnings.catch_warnings():
            # An empty body is reported below with the counts.
            warnings.simplefilter("ignore", UserWarning)
            table = np.loadtxt(lines, np.float64, comments=None, max_rows=vertex.count, ndmin=2)
    except ValueError as error:
        raise PlyError(f"expected {len(vertex.properties)} numbers in each vertex line: {error}") from None
    if len(table) < vertex.count:
        raise PlyError(f"the header promises {vertex.count} vertices, only {len(table)} follow; the file is truncated")
    if table.shape[1] != len(vertex.properties):
        raise PlyError(f"expected {len(vertex.properties)} numbers in each vertex line, got {table.shape[1]}")
    return list(table.T)


def _by_name(table: dict[str, np.ndarray], header: Header) -> tuple[np.ndarray, np.ndarray | None, np.ndarray | None]:
    """Points, colours and normals, gathered from the columns that carry their names."""
    vertex = next(element for element in header.elements if element.name == "vertex")
    types = {prop.name: prop.type.str[1:] for prop in vertex.properties}

    def stack(names: Sequence[str], dtype: type) -> np.ndarray:
        # Doubles beyond float32 become inf here and are refused as not finite.
        with np.errstate(over="ignore"):
            return np.stack([table[name].astype(dtype) for name in names], axis=1)

    wide = any(types[name] in ("f8", "i4", "u4") for name in COORDINATES)
    points = stack(COORDINATES, np.float64 if wide else np.float32)
    normals = stack(NORMALS, np.float32) if _complete(NORMALS, table) else None
    names = next((names for names in COLORS if _complete(names, table)), None)
    if names is None:
        return points, None, normals
    kinds = {types[name] for name in names}
    if len(kinds) > 1 or not kinds <= COLOR_PEAKS.keys():
        raise PlyError(f"expected colours of type uchar, ushort, float or double, got {', '.join(sorted(kinds))}")
    peak = COLOR_PEAKS[kinds.pop()]
    return points, stack(names, np.float32) / np.float32(peak), normals


def _complete(names: Sequence[str], table: dict[str, np.ndarray]) -> bool:
    present = [name for name in names if name in table]
    if present and len(present) < len(names):
        raise PlyError(f"expected all of the vertex properties {', '.join(names)}, got only {', '.join(present)}")
    return bool(present)
