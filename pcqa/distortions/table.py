"""All types by name, with the amounts of their levels and where those come from."""

from collections.abc import Callable

from pcqa.distortions import coding, color_noise, color_tone, demo_types, pairs, sampling, shifts
from pcqa.distortions.distortion import Amount, Distortion

OURS = "ours, for the demo set"
# Q. Yang et al.: Predicting the perceptual quality of point cloud: a 3D-to-2D projection-based exploration, IEEE
# Transactions on Multimedia 23, 2021; the readme of the database. It says neither what law the noises have nor what
# "within x % of the bounding box" means: uniform for colours, a standard deviation of x % of the longest side for
# positions. The third level of that noise is printed as 0.02 %, between 0.1 % and 0.5 %: taken as 0.2 %.
SJTU = "SJTU-PCQA, readme"
# Q. Liu et al.: Perceptual quality assessment of colored 3D point clouds, IEEE TVCG 29, 2023. To which depth each of
# its clouds was normalised is not stated, nor how points of a cell are merged: the voxel of pcqa.distortions.lengths,
# and the cell's centre with the mean colour. Not here: trisoup and V-PCC, which need their codecs.
WPC = "WPC, file names and readme"
# Y. Liu et al.: Point cloud quality assessment: dataset construction and learning-based no-reference metric, ACM TOMM
# 19, 2023. Names and the number of levels are the database's. Its parameters are not public: functions and amounts
# here are reconstructions. Of its 31 types these are the 24 that need no codec.
LS = "reconstruction of LS-PCQA"
# The six rates of MPEG's common test conditions for 10-bit clouds, lossy positions and colours, R06 first. Named from
# memory, hence a reconstruction; the stand-in has no codec.
GPCC = "reconstruction of MPEG's rates for G-PCC"

SJTU_REMOVED = (0.15, 0.30, 0.45, 0.60, 0.75, 0.90)
SJTU_COLOR = (0.1, 0.3, 0.4, 0.5, 0.6, 0.7)
SJTU_SHIFT = (0.0005, 0.001, 0.002, 0.005, 0.007, 0.012)

LS_STD = (5.0, 10.0, 15.0, 22.0, 30.0, 40.0, 55.0)
LS_FACTOR = (0.85, 0.70, 0.55, 0.40, 0.25, 0.10, 0.0)
LS_SHIFT = (0.0005, 0.001, 0.002, 0.0035, 0.005, 0.008, 0.012)
LS_PATCH_SHIFT = (0.005, 0.01, 0.02, 0.03, 0.045, 0.06, 0.08)

GPCC_SCALES = (0.9375, 0.875, 0.75, 0.5, 0.25, 0.125)
GPCC_QPS = (22.0, 28.0, 34.0, 40.0, 46.0, 51.0)

SIDE = "of the longest side"
STD = "standard deviation, of 255"
REMOVED = "share of the points removed"
HIT = "share of the points, and of an amplitude of 100 of 255"
NOISE = "standard deviation on positions (voxels) and colours (of 255)"


def _geometry(function: Callable, amounts: tuple[Amount, ...], unit: str, source: str) -> Distortion:
    return Distortion(function, amounts, unit, source, needs_colors=False)


def _color(function: Callable, amounts: tuple[Amount, ...], unit: str, source: str) -> Distortion:
    return Distortion(function, amounts, unit, source, needs_colors=True)


DISTORTIONS: dict[str, Distortion] = {
    # Clouds of some thousand points are coarse, so that steps must be larger than those of a database to be seen.
    "geometry_noise": _geometry(
        demo_types.geometry_noise, (0.005, 0.010, 0.018, 0.030), f"standard deviation, {SIDE}", OURS
    ),
    "color_noise": _color(demo_types.color_noise, (0.25, 0.45, 0.70, 1.00), HIT, OURS),
    "octree_quantization": _geometry(demo_types.octree_quantization, (6.3, 5.8, 5.3, 4.8), "bits of the octree", OURS),
    # SJTU-PCQA, in the order of its stimuli 0 to 41.
    "sjtu_octree_compression": _geometry(
        sampling.octree_pruning, (0.13, 0.27, 0.43, 0.58, 0.70, 0.85), f"{REMOVED}, within 0.03", SJTU
    ),
    "sjtu_color_noise": _color(demo_types.color_noise, SJTU_COLOR, HIT, SJTU),
    "sjtu_down_sampling": _geometry(sampling.down_sampling, SJTU_REMOVED, REMOVED, SJTU),
    "sjtu_down_sampling_color_noise": _color(
        pairs.down_sampling_color_noise,
        tuple(zip(SJTU_REMOVED, SJTU_COLOR, strict=True)),
        f"{REMOVED}; of the others, {HIT}",
        SJTU,
    ),
    "sjtu_down_sampling_geometry_noise": _geometry(
        pairs.down_sampling_geometry_noise,
        tuple(zip(SJTU_REMOVED, SJTU_SHIFT, strict=True)),
        f"{REMOVED}; standard deviation, {SIDE}",
        SJTU,
    ),
    "sjtu_geometry_noise": _geometry(demo_types.geometry_noise, SJTU_SHIFT, f"standard deviation, {SIDE}", SJTU),
    "sjtu_geometry_noise_color_noise": _color(
        pairs.geometry_noise_color_noise,
        tuple(zip(SJTU_SHIFT, SJTU_COLOR, strict=True)),
        f"standard deviation, {SIDE}; {HIT}",
        SJTU,
    ),
    # WPC: level_9 to level_7, the nine gsigma_a_tsigma_b, and the colours of pqs_1_qs_x.
    "wpc_down_sampling": _geometry(demo_types.octree_quantization, (9.0, 8.0, 7.0), "bits of the octree", WPC),
    "wpc_noise_0": _color(coding.noise_on_voxels, ((0.0, 8.0), (0.0, 16.0), (0.0, 32.0)), NOISE, WPC),
    "wpc_noise_2": _color(coding.noise_on_voxels, ((2.0, 8.0), (2.0, 16.0), (2.0, 32.0)), NOISE, WPC),
    "wpc_noise_4": _color(coding.noise_on_voxels, ((4.0, 8.0), (4.0, 16.0), (4.0, 32.0)), NOISE, WPC),
    "wpc_gpcc_octree_like": _color(
        coding.octree_raht_step,
        ((1.0, 16.0), (1.0, 32.0), (1.0, 48.0), (1.0, 64.0)),
        "scale of positions; step of RAHT, of 255",
        f"{WPC}; without the codec",
    ),
    # LS-PCQA, by the alphabet.
    "ls_color_noise": _color(color_noise.chroma, LS_STD, STD, LS),
    "ls_color_quantization_dither": _color(
        color_tone.palette_dither, (64.0, 40.0, 24.0, 14.0, 8.0, 5.0, 3.0), "colours", LS
    ),
    "ls_contrast_distortion": _color(color_tone.contrast, LS_FACTOR, "factor of the distance to the mean", LS),
    "ls_correlated_gaussian_noise": _color(color_noise.correlated_gaussian, LS_STD, STD, LS),
    "ls_down_sample": _geometry(sampling.down_sampling, (0.10, 0.25, 0.40, 0.55, 0.70, 0.80, 0.90), REMOVED, LS),
    "ls_gamma_noise": _color(color_noise.gamma, LS_STD, STD, LS),
    "ls_gaussian_noise": _color(color_noise.gaussian, LS_STD, STD, LS),
    "ls_gaussian_shifting": _geometry(demo_types.geometry_noise, LS_SHIFT, f"standard deviation, {SIDE}", LS),
    "ls_high_frequency_noise": _color(color_noise.high_frequency, LS_STD, STD, LS),
    "ls_local_loss": _geometry(shifts.local_loss, (0.02, 0.05, 0.08, 0.12, 0.17, 0.23, 0.30), REMOVED, LS),
    "ls_local_offset": _geometry(shifts.local_offset, LS_PATCH_SHIFT, SIDE, LS),
    "ls_local_rotation": _geometry(shifts.local_rotation, (5.0, 10.0, 15.0, 22.0, 30.0, 42.0, 60.0), "degrees", LS),
    "ls_luma_noise": _color(color_noise.luma, LS_STD, STD, LS),
    "ls_mean_shift": _color(color_tone.mean_shift, (8.0, 16.0, 24.0, 34.0, 44.0, 56.0, 70.0), "shift, of 255", LS),
    "ls_multiplicative_gaussian_noise": _color(
        color_noise.multiplicative_gaussian,
        (0.05, 0.10, 0.15, 0.20, 0.30, 0.40, 0.55),
        "standard deviation of the factor",
        LS,
    ),
    "ls_octree": _geometry(
        demo_types.octree_quantization, (9.5, 9.0, 8.5, 8.0, 7.5, 7.0, 6.5), "bits of the octree", LS
    ),
    "ls_poisson_noise": _color(
        color_noise.poisson, (400.0, 200.0, 100.0, 50.0, 25.0, 12.0, 6.0), "photons for white", LS
    ),
    "ls_quantization_noise": _color(
        color_tone.quantization, (32.0, 20.0, 14.0, 10.0, 7.0, 5.0, 3.0), "values a channel", LS
    ),
    "ls_rayleigh_noise": _color(color_noise.rayleigh, LS_STD, STD, LS),
    "ls_reconstruction": _geometry(
        shifts.reconstruction, (6.0, 9.0, 14.0, 22.0, 34.0, 54.0, 84.0), "points of a neighbourhood", LS
    ),
    "ls_saltpepper_noise": _color(
        color_noise.salt_and_pepper, (0.01, 0.02, 0.05, 0.10, 0.15, 0.20, 0.30), "share of the points", LS
    ),
    "ls_saturation_distortion": _color(color_tone.saturation, LS_FACTOR, "factor of the distance to grey", LS),
    "ls_uniform_noise": _color(color_noise.uniform, LS_STD, STD, LS),
    "ls_uniform_shifting": _geometry(
        shifts.uniform_shifting, (0.001, 0.002, 0.0035, 0.006, 0.009, 0.014, 0.02), f"largest shift, {SIDE}", LS
    ),
    # Stand-ins for G-PCC: both losses, and each alone.
    "gpcc_like": _color(
        coding.octree_raht,
        tuple(zip(GPCC_SCALES, GPCC_QPS, strict=True)),
        "scale of positions; QP of colours",
        GPCC,
    ),
    "gpcc_like_geometry": _geometry(coding.position_quantization, GPCC_SCALES, "scale of positions", GPCC),
    "gpcc_like_color": _color(
        coding.octree_raht, tuple((1.0, qp) for qp in GPCC_QPS), "scale of positions; QP of colours", GPCC
    ),
}

# Types whose levels are in the order of their strength although an error of D1 or of colour may fall from one to the
# next.
COARSE_STEPS = "at coarse steps few coefficients are left, and the rounding of one may fit the colours by chance"
PSNR_MAY_RISE: dict[str, str] = {
    "gpcc_like": COARSE_STEPS,
    "gpcc_like_color": COARSE_STEPS,
    "wpc_gpcc_octree_like": COARSE_STEPS,
    "ls_color_quantization_dither": "dither keeps the mean colour of a place, at the cost of that of each point",
    "ls_quantization_noise": "the colours of a cloud may happen to lie on the values of a coarser scale",
}
