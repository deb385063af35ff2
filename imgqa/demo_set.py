"""The image demo set: procedural images, our distortions, simulated raters."""

from pathlib import Path

import numpy as np
from PIL import Image
from scipy.ndimage import uniform_filter

from imgqa.distortions import DISTORTIONS, distort
from rankqa_datasets.demo_folder import REFERENCES, STIMULI, DemoStimulus, build_demo_folder
from rankqa_datasets.errors import InputError
from rankqa_datasets.pristine_images import IMAGE_KINDS, pristine_image

TITLE = "rankqa image demo set"
FORMULA = """exp(-(level/5 / t)^1.5) with t = tolerance * (1 + masking * z), where z in [-1, 1] is the local
activity of the pristine image (imgqa.demo_set.activity). Busy images hide noise and compression and lose more by blur
and coarse pixels."""

# Types in the set: those that a small network on grey crops can tell from one another after a minute or two of
# training. Share of the ladder at which quality has fallen to 1/e in an average image; and how busy images change that.
TOLERANCE: dict[str, tuple[float, float]] = {
    "gaussian_blur": (0.60, -0.25),
    "white_noise": (0.65, 0.25),
    "jpeg": (0.70, 0.25),
    "pixelate": (0.50, -0.20),
}


def build_image_demo(
    folder: str | Path, *, seed: int = 0, contents: int = 24, test_contents: int = 6, size: int = 192
) -> Path:
    """Build the image demo set, or find it whole, and return its manifest.

    Args:
        folder: where it goes; empty, missing, or a demo set of the same options.
        seed: of the pristine images, the noise and the raters.
        contents: pristine images for training.
        test_contents: further pristine images for the test part.
        size: side of an image in pixels, at least 16.

    Returns:
        The path of manifest.csv: 4 types x 5 levels for each content, as PNG.

    Raises:
        InputError: wrong options, a folder with other files, or no space.
    """
    if contents < 1 or test_contents < 1 or size < 16:
        raise InputError(
            f"expected at least 1 content, 1 test content and 16 pixels, got {contents}, {test_contents} and {size}"
        )
    options = {"seed": seed, "contents": contents, "test_contents": test_contents, "size": size}

    def write_stimuli(target: Path) -> list[DemoStimulus]:
        stimuli = []
        for index in range(contents + test_contents):
            split = "train" if index < contents else "test"
            stimuli += _write_content(target, index, split, size, seed)
        return stimuli

    return build_demo_folder(folder, options, title=TITLE, formula=FORMULA, write_stimuli=write_stimuli)


def _write_content(folder: Path, index: int, split: str, size: int, seed: int) -> list[DemoStimulus]:
    kinds = list(IMAGE_KINDS)
    kind = kinds[index % len(kinds)]
    content = f"{kind}{index:02d}"
    pristine = pristine_image(kind, size, _seed(seed, index))
    reference = f"{REFERENCES}/{content}.png"
    _save(pristine, folder / reference)
    busy = activity(pristine)
    stimuli = []
    for place, name in enumerate(TOLERANCE):
        for level in range(1, len(DISTORTIONS[name].amounts) + 1):
            path = f"{STIMULI}/{content}_{name}_{level}.png"
            _save(distort(pristine, name, level, seed=_seed(seed, index, place, level)), folder / path)
            quality = latent_quality(name, level, busy)
            stimuli.append(DemoStimulus(path, reference, content, f"{name}_{level}", split, quality))
    return stimuli


def latent_quality(name: str, level: int, busy: float) -> float:
    """True quality, from 0 to 1, of a level of a distortion in an image of that `activity`: falls with the level."""
    tolerance, masking = TOLERANCE[name]
    share = level / len(DISTORTIONS[name].amounts)
    return float(np.exp(-((share / (tolerance * (1 + masking * busy))) ** 1.5)))


def activity(image: np.ndarray) -> float:
    """How busy an image (H, W, 3) uint8 is, from -1 (smooth) to 1.

    The mean over pixels of log2(1 + s), s being the standard deviation of luma in the 7 x 7 window, moved and scaled so
    that procedural pristine images fill the range.
    """
    luma = image.astype(np.float64) @ (0.299, 0.587, 0.114)
    mean = uniform_filter(luma, 7)
    variance = np.maximum(uniform_filter(luma**2, 7) - mean**2, 0)
    return float(np.clip((np.log2(1 + np.sqrt(variance)).mean() - 3.2) / 2.0, -1, 1))


def _seed(*parts: int) -> int:
    """One seed from several numbers; neighbours give unrelated streams."""
    return int(np.random.SeedSequence(parts).generate_state(1)[0])


def _save(image: np.ndarray, path: Path) -> None:
    # Compressing harder would take most of the building time.
    Image.fromarray(image).save(path, compress_level=1)
