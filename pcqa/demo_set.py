"""The cloud demo set: procedural coloured clouds, our distortions, simulated raters."""

from pathlib import Path

import numpy as np
from scipy.spatial import KDTree

from pcqa.cloud import Cloud
from pcqa.distortions import DISTORTIONS
from pcqa.io.ply import write_ply
from rankqa_datasets.demo_folder import REFERENCES, STIMULI, DemoStimulus, build_demo_folder
from rankqa_datasets.errors import InputError
from rankqa_datasets.pristine_clouds import CLOUD_KINDS, pristine_cloud, to_voxels

TITLE = "rankqa cloud demo set"
FORMULA = """exp(-(level/4 / t)^1.5) with t = tolerance * (1 + masking * z), where z in [-1, 1] is the local variety
of colour of the pristine cloud (pcqa.demo_set.color_variety). Coloured patterns hide colour noise and shifted points;
merged points blur them."""

# Share of the ladder at which quality has fallen to 1/e in an average cloud; and how patterns of colour change that.
TOLERANCE: dict[str, tuple[float, float]] = {
    "geometry_noise": (0.55, 0.20),
    "color_noise": (0.75, 0.25),
    "octree_quantization": (0.60, -0.20),
}

LADDERS = {name: DISTORTIONS[name].amounts for name in TOLERANCE}


def build_cloud_demo(
    folder: str | Path, *, seed: int = 0, contents: int = 42, test_contents: int = 12, points: int = 8000
) -> Path:
    """Build the cloud demo set, or find it whole, and return its manifest.

    Args:
        folder: where it goes; empty, missing, or a demo set of the same options.
        seed: of the pristine clouds, the noise and the raters.
        contents: pristine clouds for training.
        test_contents: further pristine clouds for the test part.
        points: points of a pristine cloud, at least 100.

    Returns:
        The path of manifest.csv: 3 types x 2 levels (1 and 3, or 2 and 4) for each content, binary PLY in 10-bit
        voxel units.

    Raises:
        InputError: wrong options, a folder with other files, or no space.
    """
    if contents < 1 or test_contents < 1 or points < 100:
        raise InputError(
            f"expected at least 1 content, 1 test content and 100 points, got {contents}, {test_contents} and {points}"
        )
    options = {"seed": seed, "contents": contents, "test_contents": test_contents, "points": points}

    def write_stimuli(target: Path) -> list[DemoStimulus]:
        stimuli = []
        for index in range(contents + test_contents):
            split = "train" if index < contents else "test"
            stimuli += _write_content(target, index, split, points, seed)
        return stimuli

    return build_demo_folder(folder, options, title=TITLE, formula=FORMULA, write_stimuli=write_stimuli)


def _write_content(folder: Path, index: int, split: str, points: int, seed: int) -> list[DemoStimulus]:
    kinds = list(CLOUD_KINDS)
    kind = kinds[index % len(kinds)]
    content = f"{kind}{index:02d}"
    positions, colors = to_voxels(*pristine_cloud(kind, points, _seed(seed, index)))
    pristine = Cloud(positions, (colors / 255).astype(np.float32))
    reference = f"{REFERENCES}/{content}.ply"
    write_ply(pristine, folder / reference)
    variety = color_variety(pristine)
    stimuli = []
    for place, (name, amounts) in enumerate(LADDERS.items()):
        # Half a ladder each: at equal cost twice the contents, and it is variety of content that a network lacks first.
        for level in range(1 + (index // len(kinds) + place) % 2, len(amounts) + 1, 2):
            rng = np.random.default_rng(_seed(seed, index, place, level))
            path = f"{STIMULI}/{content}_{name}_{level}.ply"
            write_ply(DISTORTIONS[name].function(pristine, amounts[level - 1], rng), folder / path)
            quality = latent_quality(name, level, variety)
            stimuli.append(DemoStimulus(path, reference, content, f"{name}_{level}", split, quality))
    return stimuli


def latent_quality(name: str, level: int, variety: float) -> float:
    """True quality, from 0 to 1, of a distortion at a level in a cloud of that `color_variety`."""
    tolerance, masking = TOLERANCE[name]
    share = level / len(LADDERS[name])
    return float(np.exp(-((share / (tolerance * (1 + masking * variety))) ** 1.5)))


def color_variety(cloud: Cloud, *, neighbors: int = 16) -> float:
    """How much colours vary from point to point, from -1 (plain) to 1; 0 for a cloud without colours.

    The mean over points of log2(1 + s), s being the standard deviation of the colours (0 to 255) of the nearest points,
    root mean square over the channels, moved and scaled so that procedural pristine clouds fill the range.
    """
    if cloud.colors is None:
        return 0.0
    nearest = KDTree(cloud.points).query(cloud.points, k=min(neighbors, cloud.num_points))[1]
    groups = 255 * cloud.colors[np.asarray(nearest).reshape(cloud.num_points, -1)].astype(np.float64)
    spread = np.sqrt(groups.var(axis=1).mean(axis=-1))
    return float(np.clip((np.log2(1 + spread).mean() - 2.6) / 1.3, -1, 1))


def _seed(*parts: int) -> int:
    """One seed from several numbers; neighbours give unrelated streams."""
    return int(np.random.SeedSequence(parts).generate_state(1)[0])
