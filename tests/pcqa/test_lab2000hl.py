from pathlib import Path

import numpy as np
import pytest

from pcqa.metrics.lab2000hl import TABLES, chroma_2000hl, lightness_2000hl
from rankqa_datasets.errors import InputError


def test_lightness_is_the_integral_of_ciede2000s_weight():
    grays = lightness_2000hl(np.tile(np.arange(256, dtype=np.uint8)[:, None], 3))
    # L* of grays, and the integral from 0 in 20,000 trapezes each.
    linear = np.arange(256) / 255
    linear = np.where(linear > 0.04045, ((linear + 0.055) / 1.055) ** 2.4, linear / 12.92) * 0.9999565
    cielab = np.where(linear > 0.008856, 116 * np.cbrt(linear) - 16, 116 * 841 / 108 * linear)
    steps = np.linspace(0, 1, 20_001) * cielab[:, None]
    squares = (steps - 50) ** 2
    expected = np.trapezoid(1 / (1 + 0.015 * squares / np.sqrt(20 + squares)), steps, axis=1)
    np.testing.assert_allclose(grays, expected, atol=2e-4)
    assert 75.1 < grays[-1] < 75.1532


@pytest.fixture
def tables(tmp_path) -> Path:
    """CIELAB's own plane, which interpolation must give back, with a* and b* exchanged."""
    a, b = np.mgrid[-128:129, -128:129].astype(np.float64)
    for name, plane in zip(TABLES, (b, a), strict=True):
        np.savetxt(tmp_path / name, plane.T.reshape(-1, 1), fmt="%.4f")
    return tmp_path


def test_chroma_is_interpolated_in_the_tables(tables):
    colors = np.random.default_rng(0).integers(0, 256, (500, 3)).astype(np.uint8)
    linear = np.where(colors / 255 > 0.04045, ((colors / 255 + 0.055) / 1.055) ** 2.4, colors / 255 / 12.92)
    x, y, z = (linear @ np.array([[0.4124, 0.2126, 0.0193], [0.3576, 0.7152, 0.1192], [0.1805, 0.0722, 0.9505]])).T
    fx, fy, fz = (np.where(v > 0.008856, np.cbrt(v), 7.787 * v + 4 / 29) for v in (x / 0.9505, y, z / 1.089))
    expected = np.column_stack([200 * (fy - fz), 500 * (fx - fy)])
    np.testing.assert_allclose(chroma_2000hl(colors, tables), expected, atol=0.1)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "cannot read .*RegularGrid_0_0_2"),
        ("1 2 3", "257 x 257 numbers, got 3"),
        ("a b", "not a table of numbers"),
    ],
)
def test_what_is_not_a_table_is_named(tables, content, message):
    file = tables / TABLES[1]
    file.unlink()
    if content is not None:
        file.write_text(content)
    with pytest.raises(InputError, match=message):
        chroma_2000hl(np.zeros((1, 3), np.uint8), tables)
