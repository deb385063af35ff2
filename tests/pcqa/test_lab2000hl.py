import numpy as np

from pcqa.metrics.lab2000hl import lab2000hl


def convert(*colors: tuple[int, int, int]) -> np.ndarray:
    return lab2000hl(np.array(colors, np.uint8))


def test_lightness_is_the_integral_of_ciede2000s_weight():
    grays = convert(*[(level, level, level) for level in range(256)])
    # L* of grays, and the integral from 0 in 20,000 trapezes each.
    linear = np.arange(256) / 255
    linear = np.where(linear > 0.04045, ((linear + 0.055) / 1.055) ** 2.4, linear / 12.92) * 0.9999565
    cielab = np.where(linear > 0.008856, 116 * np.cbrt(linear) - 16, 116 * 841 / 108 * linear)
    steps = np.linspace(0, 1, 20_001) * cielab[:, None]
    squares = (steps - 50) ** 2
    expected = np.trapezoid(1 / (1 + 0.015 * squares / np.sqrt(20 + squares)), steps, axis=1)
    np.testing.assert_allclose(grays[:, 0], expected, atol=2e-4)
    assert np.abs(grays[:, 1:]).max() < 0.03
    assert 75.1 < grays[-1, 0] < 75.1532


def ciede2000(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """The CIE's formula (Sharma, Wu, Dalal 2005) for (P, 3) CIELAB colours."""
    chroma = (np.hypot(*first[:, 1:].T) + np.hypot(*second[:, 1:].T)) / 2
    stretch = 1.5 - 0.5 * np.sqrt(chroma**7 / (chroma**7 + 25.0**7))
    (l1, a1, b1), (l2, a2, b2) = first.T, second.T
    c1, c2 = np.hypot(stretch * a1, b1), np.hypot(stretch * a2, b2)
    h1, h2 = np.arctan2(b1, stretch * a1), np.arctan2(b2, stretch * a2)
    turn = (h2 - h1 + np.pi) % (2 * np.pi) - np.pi
    dl, dc, dh = l2 - l1, c2 - c1, 2 * np.sqrt(c1 * c2) * np.sin(turn / 2)
    light, c, h = (l1 + l2) / 2, (c1 + c2) / 2, np.degrees(h1 + turn / 2) % 360
    angles = np.radians([h - 30, 2 * h, 3 * h + 6, 4 * h - 63])
    t = 1 + np.array([-0.17, 0.24, 0.32, -0.2]) @ np.cos(angles)
    sl = 1 + 0.015 * (light - 50) ** 2 / np.sqrt(20 + (light - 50) ** 2)
    sc, sh = 1 + 0.045 * c, 1 + 0.015 * c * t
    rotation = -2 * np.sqrt(c**7 / (c**7 + 25.0**7)) * np.sin(np.radians(60 * np.exp(-(((h - 275) / 25) ** 2))))
    x, y, z = dl / sl, dc / sc, dh / sh
    return np.sqrt(x * x + y * y + z * z + rotation * y * z)


def cielab(colors: np.ndarray) -> np.ndarray:
    linear = np.where(colors > 0.04045, ((colors + 0.055) / 1.055) ** 2.4, colors / 12.92)
    x, y, z = (linear @ np.array([[0.4124, 0.2126, 0.0193], [0.3576, 0.7152, 0.1192], [0.1805, 0.0722, 0.9505]])).T
    fx, fy, fz = (np.where(v > 0.008856, np.cbrt(v), 7.787 * v + 4 / 29) for v in (x / 0.9505, y, z / 1.089))
    return np.column_stack([116 * fy - 16, 500 * (fx - fy), 200 * (fy - fz)])


def test_small_distances_are_near_those_of_ciede2000():
    generator = np.random.default_rng(0)
    first = generator.integers(4, 252, (4000, 3))
    second = first + generator.integers(-4, 5, (4000, 3))
    wanted = ciede2000(cielab(first / 255), cielab(second / 255))
    found = np.linalg.norm(np.subtract(*(lab2000hl(colors.astype(np.uint8)) for colors in (first, second))), axis=1)
    some = wanted > 0.3
    ratios = found[some] / wanted[some]
    # The space keeps hues straight at a price: single distances are up to twice or half, most within a seventh.
    low, middle, high = np.quantile(ratios, [0.1, 0.5, 0.9])
    assert 0.85 < low < 0.98 < middle < 1.01 < high < 1.2
    assert np.corrcoef(found, wanted)[0, 1] > 0.95


def test_opposite_hues_lie_on_opposite_sides():
    red, green, blue, yellow = convert((255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 0))
    assert red[1] > 20 > -20 > green[1]
    assert yellow[2] > 20 > -20 > blue[2]
