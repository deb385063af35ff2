"""Vectors of the MATLAB files in official releases."""

from pathlib import Path

import numpy as np

from rankqa_datasets.errors import InputError


def mat_numbers(path: Path, variable: str) -> np.ndarray:
    """A numeric vector (N,) float64, stored as a row or a column.

    Raises:
        InputError: as in `_variable`, or it holds no numbers.
    """
    array = _variable(path, variable)
    if array.dtype.kind not in "biuf":
        raise InputError(f"{path}: expected numbers in '{variable}', got {array.dtype}")
    return array.ravel().astype(np.float64)


def mat_strings(path: Path, variable: str) -> list[str]:
    """The N strings of a cell array, stored as a row or a column.

    Raises:
        InputError: as in `_variable`, or it holds no strings.
    """
    array = _variable(path, variable)
    cells = [np.ravel(cell) for cell in array.ravel()] if array.dtype.kind == "O" else []
    if not cells or any(cell.size != 1 or cell.dtype.kind != "U" for cell in cells):
        raise InputError(f"{path}: expected a cell array of strings in '{variable}', got {array.dtype}")
    return [str(cell[0]).strip() for cell in cells]


def _variable(path: Path, variable: str) -> np.ndarray:
    """One variable of a file up to MATLAB 7.

    Raises:
        InputError: the file is none, is of MATLAB 7.3 (HDF5), or has no such variable.
    """
    from scipy.io import loadmat, whosmat

    try:
        names = [name for name, _, _ in whosmat(path)]
        found = loadmat(path, variable_names=[variable]).get(variable)
    except NotImplementedError as error:
        raise InputError(f"{path}: expected a MATLAB file up to version 7, got 7.3; save it with -v7") from error
    # Damaged bytes raise nearly anything, an IndexError among it.
    except Exception as error:
        raise InputError(f"cannot read {path} as a MATLAB file: {' '.join(str(error).split())[:200]}") from error
    if found is None:
        raise InputError(f"{path}: expected the variable '{variable}', got '{', '.join(names)}'")
    return found
