"""Procedural pristine images: dead leaves, rendered scenes and printed pages. Seeded, offline, free of noise."""

from collections.abc import Callable

import numpy as np
from PIL import Image, ImageDraw, ImageFont

# Rendered larger by this factor and averaged down, so that edges are as soft as a camera's.
SUPERSAMPLING = 2


def pristine_image(kind: str, size: int = 192, seed: int = 0) -> np.ndarray:
    """An image (size, size, 3) uint8, sRGB, that depends on nothing but the arguments.

    Args:
        kind: `leaves` (occluding textured discs, whose sizes fall with the cube of the radius: power spectrum about
            1/f^2 as in photographs; A. B. Lee, D. Mumford, J. Huang, IJCV 41, 2001), `scene` (shaded spheres with
            procedural textures on a plane, with shadows) or `text` (a page with headings, paragraphs and a chart).
        size: side in pixels, at least 16.
        seed: chooses layout, colours and the amount of texture.

    Raises:
        ValueError: unknown kind, or too small a size.
    """
    if kind not in IMAGE_KINDS or size < 16:
        raise ValueError(f"expected a kind of {', '.join(IMAGE_KINDS)} and a size of at least 16, got {kind}, {size}")
    rng = np.random.default_rng([seed, sorted(IMAGE_KINDS).index(kind)])
    return IMAGE_KINDS[kind](size, rng)


def pink_noise(size: int, rng: np.random.Generator, *, exponent: float = 1.0) -> np.ndarray:
    """Noise (size, size) with amplitude 1/f^exponent, mean 0, standard deviation 1."""
    frequency = np.hypot(np.fft.fftfreq(size)[:, None], np.fft.rfftfreq(size)[None, :])
    frequency[0, 0] = np.inf
    spectrum = np.fft.rfft2(rng.standard_normal((size, size))) / frequency**exponent
    field = np.fft.irfft2(spectrum, s=(size, size))
    return field / field.std()


def _leaves(size: int, rng: np.random.Generator) -> np.ndarray:
    side = size * SUPERSAMPLING
    palette = _palette(rng, 6)
    smallest = side * rng.uniform(0.012, 0.06)
    largest = side * rng.uniform(0.2, 0.4)
    texture = _textures(side, rng) * rng.uniform(3, 16)
    image = np.empty((side, side, 3))
    image[:] = palette[0]
    covered = 0.0
    while covered < 6 * side * side:
        # Density proportional to radius^-3, by inversion.
        share = rng.uniform()
        radius = (share * largest**-2 + (1 - share) * smallest**-2) ** -0.5
        centre = rng.uniform(-radius, side + radius, size=2)
        covered += np.pi * radius**2
        top, left = np.maximum(np.floor(centre - radius), 0).astype(int)
        bottom, right = np.minimum(np.ceil(centre + radius) + 1, side).astype(int)
        y, x = np.ogrid[top:bottom, left:right]
        inside = (y - centre[0]) ** 2 + (x - centre[1]) ** 2 <= radius**2
        shade = rng.normal(0, 20, size=2) / radius
        light = shade[0] * (y - centre[0]) + shade[1] * (x - centre[1])
        grain = texture[rng.integers(len(texture))][top:bottom, left:right]
        leaf = palette[rng.integers(len(palette))] + rng.normal(0, 14, size=3) + (light + grain)[..., None]
        window = image[top:bottom, left:right]
        window[inside] = leaf[inside]
    return _average_down(image)


def _textures(side: int, rng: np.random.Generator) -> np.ndarray:
    """Three grains (3, side, side) of standard deviation 1: clouds, finer clouds, and stripes bent by clouds."""
    clouds = pink_noise(side, rng, exponent=1.2)
    fine = pink_noise(side, rng, exponent=0.9)
    y, x = np.mgrid[:side, :side] / side
    angle, period = rng.uniform(0, np.pi), rng.uniform(12, 40)
    stripes = np.sqrt(2) * np.sin(2 * np.pi * period * (x * np.cos(angle) + y * np.sin(angle)) + 1.5 * clouds)
    return np.stack([clouds, fine, stripes])


def _scene(size: int, rng: np.random.Generator) -> np.ndarray:
    """One ray a pixel from a camera at the origin that looks along z, y down; the ground is the plane y = 1."""
    side = size * SUPERSAMPLING
    v, u = (np.mgrid[:side, :side] + 0.5) / side * 2 - 1
    rays = np.stack([u, v + 0.25, np.full_like(u, 1.4)], axis=-1)
    rays /= np.linalg.norm(rays, axis=-1, keepdims=True)
    light = np.array([rng.uniform(-1, 1), -1.5, rng.uniform(-1.2, 0.0)])
    light /= np.linalg.norm(light)
    palette = _palette(rng, 8)
    detail = rng.uniform(2.0, 14.0)

    sky = palette[0] * 0.5 + 120
    image = sky + np.clip(-rays[..., 1:2], 0, 1) * (palette[1] - sky)
    image = image + 7 * pink_noise(side, rng, exponent=1.5)[..., None]
    depth = np.full((side, side), np.inf)

    spheres = []
    for _ in range(rng.integers(4, 8)):
        radius = rng.uniform(0.25, 0.75)
        spheres.append((np.array([rng.uniform(-2, 2), 1 - radius, rng.uniform(2.6, 6.0)]), radius))

    with np.errstate(divide="ignore"):
        distance = np.where(rays[..., 1] > 1e-3, 1 / rays[..., 1], np.inf)
    ground = distance < 40
    points = rays[ground] * distance[ground][:, None]
    pattern = _solid_texture(points, detail / 2, rng)
    # Far texture is finer than a pixel: fade it as a camera's optics would.
    fade = np.exp(-distance[ground] * detail / 120)[:, None]
    colour = palette[2] + fade * pattern[:, None] * (palette[3] - palette[2])
    image[ground] = colour * (0.35 + 0.65 * _lit(points, light, spheres))[:, None]
    depth[ground] = distance[ground]

    for index, (centre, radius) in enumerate(spheres):
        along = rays @ centre
        under_root = along**2 - centre @ centre + radius**2
        distance = np.where(under_root > 0, along - np.sqrt(np.maximum(under_root, 0)), np.inf)
        seen = (distance > 0) & (distance < depth)
        points = rays[seen] * distance[seen][:, None]
        normal = (points - centre) / radius
        others = [sphere for place, sphere in enumerate(spheres) if place != index]
        diffuse = np.clip(normal @ light, 0, 1) * _lit(points, light, others)
        mirrored = light - 2 * (normal @ light)[:, None] * normal
        gloss = np.clip((mirrored * rays[seen]).sum(-1), 0, 1) ** 40
        pattern = _solid_texture(points - centre, detail, rng)[:, None]
        base, other = palette[4 + index % 4], palette[(index + 1) % 4]
        image[seen] = (base + pattern * (other - base)) * (0.25 + 0.75 * diffuse)[:, None] + 130 * gloss[:, None]
        depth[seen] = distance[seen]
    return _average_down(image)


def _lit(points: np.ndarray, light: np.ndarray, spheres: list[tuple[np.ndarray, float]]) -> np.ndarray:
    """1 where the light reaches a point (P, 3), 0 where a sphere stands in its way."""
    lit = np.ones(len(points))
    for centre, radius in spheres:
        towards = centre - points
        along = towards @ light
        lit[(along > 0) & ((towards**2).sum(-1) - along**2 < radius**2)] = 0.0
    return lit


def _solid_texture(points: np.ndarray, detail: float, rng: np.random.Generator) -> np.ndarray:
    """A smooth pattern in [0, 1] at points (P, 3): marble, checks or dots, about `detail` periods a unit."""
    kind = rng.integers(3)
    waves = sum(np.sin(points @ rng.normal(0, detail, size=3) + rng.uniform(0, 6)) for _ in range(4)) / 2
    grid = np.sin(points * detail * 1.5 + rng.uniform(0, 6, size=3))
    if kind == 0:
        return 0.5 + 0.5 * np.sin(points @ rng.normal(0, detail / 2, size=3) + 2 * waves)
    if kind == 1:
        return np.clip(0.5 + 4 * grid.prod(-1), 0, 1)
    return np.clip(0.5 + 1.2 * (grid.sum(-1) - 1), 0, 1)


def _text(size: int, rng: np.random.Generator) -> np.ndarray:
    dark_page = rng.uniform() < 0.3
    paper = rng.uniform(225, 255, size=3) if not dark_page else rng.uniform(10, 60, size=3)
    ink = rng.uniform(0, 70, size=3) if not dark_page else rng.uniform(190, 255, size=3)
    image = Image.new("RGB", (size, size), _rgb(paper))
    draw = ImageDraw.Draw(image)
    palette = _palette(rng, 5)
    letter = max(7, round(size / rng.uniform(11, 24)))
    y = letter // 2
    while y < size:
        block = rng.uniform()
        if block < 0.2:
            height = letter * 2
            draw.rectangle((0, y, size, y + height), fill=_rgb(palette[rng.integers(5)]))
            font = ImageFont.load_default(size=letter * 1.5)
            draw.text((letter // 2, y), _words(rng, 3), fill=(255, 255, 255), font=font)
        elif block < 0.35:
            height = letter * int(rng.integers(3, 6))
            bars = int(rng.integers(5, 12))
            width = (size - letter) / bars
            for bar in range(bars):
                left = letter / 2 + bar * width
                top = y + float(height * rng.uniform(0, 0.9))
                draw.rectangle((left, top, left + 0.7 * width, y + height), fill=_rgb(palette[bar % 5]))
            height += letter // 2
        else:
            lines = int(rng.integers(2, 6))
            font = ImageFont.load_default(size=letter)
            for line in range(lines):
                draw.text((letter // 2, y + line * 1.25 * letter), _words(rng, 12), fill=_rgb(ink), font=font)
            height = round(lines * 1.25 * letter) + letter // 2
        y += int(height)
    # Uneven light, as on a photographed page; perfectly flat paper would hide coarse colours at any level.
    light = 1 + rng.uniform(0.03, 0.08) * pink_noise(size, rng, exponent=1.5)
    return np.clip(np.rint(np.asarray(image) * light[..., None]), 0, 255).astype(np.uint8)


def _words(rng: np.random.Generator, count: int) -> str:
    letters = "etaoinshrdlucmfwypvbgk"
    chances = 1 / np.arange(2, 2 + len(letters))
    chances /= chances.sum()
    words = ["".join(rng.choice(list(letters), size=rng.integers(2, 9), p=chances)) for _ in range(count)]
    return " ".join(word.capitalize() if rng.uniform() < 0.15 else word for word in words)


def _palette(rng: np.random.Generator, count: int) -> np.ndarray:
    """Colours (count, 3) in [0, 255] about a common tone, as things in one light have."""
    tone = rng.uniform(80, 170, size=3)
    return np.clip(tone + rng.normal(0, 55, size=(count, 3)), 10, 245)


def _rgb(colour: np.ndarray) -> tuple[int, int, int]:
    red, green, blue = (int(value) for value in np.clip(np.rint(colour), 0, 255))
    return red, green, blue


def _average_down(image: np.ndarray) -> np.ndarray:
    side = image.shape[0] // SUPERSAMPLING
    small = image.reshape(side, SUPERSAMPLING, side, SUPERSAMPLING, 3).mean(axis=(1, 3))
    return np.clip(np.rint(small), 0, 255).astype(np.uint8)


IMAGE_KINDS: dict[str, Callable[[int, np.random.Generator], np.ndarray]] = {
    "leaves": _leaves,
    "scene": _scene,
    "text": _text,
}
