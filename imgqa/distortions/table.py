"""All types by name, with the amounts of their levels and where those come from."""

from imgqa.distortions import (
    blur,
    brightness,
    colors,
    compression,
    demo_types,
    noise,
    quantization,
    sparse_sampling,
    spatial,
    transmission,
)
from imgqa.distortions.distortion import Distortion

# The families are KADID-10k's; the amounts are spaced so that a step is about as visible in a 192-pixel image in one
# family as in another.
OURS = "ours, for the demo set"
# H. Lin, V. Hosu, D. Saupe: KADID-10k, QoMEX 2019; imdist_generator.m of the authors' program.
KADID = "KADID-10k, official program"
# N. Ponomarenko et al.: Image database TID2013, Signal Processing: Image Communication 30, 2015. The database lists
# the PSNR of luma of each image (metrics_values/PSNR.txt): with these levels its photographs give like medians.
TID_PSNR = "TID2013, from the PSNR of its images"
TID_FITTED = "ours, fitted to the median PSNR of TID2013's images"
TID_OURS = "ours"

PSNR_LEVELS = (33.0, 30.0, 27.0, 24.0, 21.0)

DISTORTIONS: dict[str, Distortion] = {
    "gaussian_blur": Distortion(
        demo_types.gaussian_blur, (0.6, 1.0, 1.6, 2.4, 3.6), "standard deviation, pixels", OURS
    ),
    "white_noise": Distortion(
        demo_types.white_noise, (6.0, 12.0, 20.0, 32.0, 50.0), "standard deviation, of 255", OURS
    ),
    "jpeg": Distortion(demo_types.jpeg, (40.0, 22.0, 13.0, 8.0, 5.0), "quality", OURS),
    "pixelate": Distortion(demo_types.pixelate, (2.0, 3.0, 4.0, 6.0, 8.0), "side of a square, pixels", OURS),
    "color_quantization": Distortion(
        demo_types.color_quantization, (16.0, 10.0, 7.0, 5.0, 3.0), "values a channel", OURS
    ),
    # KADID-10k, in the order of its type numbers 1 to 25.
    "kadid_gaussian_blur": Distortion(blur.gaussian, (0.1, 0.5, 1.0, 2.0, 5.0), "standard deviation, pixels", KADID),
    "kadid_lens_blur": Distortion(blur.lens, (1.0, 2.0, 4.0, 6.0, 8.0), "radius, pixels", KADID),
    "kadid_motion_blur": Distortion(blur.motion, (1.0, 2.0, 4.0, 6.0, 10.0), "length, pixels", KADID),
    "kadid_color_diffusion": Distortion(colors.diffusion, (1.0, 3.0, 6.0, 8.0, 12.0), "amount", KADID),
    "kadid_color_shift": Distortion(colors.shift, (1.0, 3.0, 6.0, 8.0, 12.0), "pixels", KADID),
    "kadid_color_quantization": Distortion(colors.palette, (64.0, 48.0, 32.0, 16.0, 8.0), "colours", KADID),
    "kadid_color_saturation_1": Distortion(
        colors.hsv_saturation, (0.4, 0.2, 0.1, 0.0, -0.4), "factor of S in HSV", KADID
    ),
    "kadid_color_saturation_2": Distortion(
        colors.lab_saturation, (1.0, 2.0, 3.0, 6.0, 9.0), "factor of a* and b*", KADID
    ),
    "kadid_jpeg2000": Distortion(compression.jpeg2000, (16.0, 32.0, 45.0, 120.0, 400.0), "compression ratio", KADID),
    "kadid_jpeg": Distortion(demo_types.jpeg, (43.0, 36.0, 24.0, 7.0, 4.0), "quality", KADID),
    "kadid_white_noise": Distortion(noise.white, (0.001, 0.002, 0.003, 0.005, 0.01), "variance, of 1", KADID),
    "kadid_white_noise_ycbcr": Distortion(
        noise.white_in_ycbcr, (0.0001, 0.0005, 0.001, 0.002, 0.003), "variance, of 1", KADID
    ),
    "kadid_impulse_noise": Distortion(noise.impulse, (0.001, 0.005, 0.01, 0.02, 0.03), "share of the values", KADID),
    "kadid_multiplicative_noise": Distortion(
        noise.multiplicative, (0.001, 0.005, 0.01, 0.02, 0.05), "variance of the factor", KADID
    ),
    "kadid_denoise": Distortion(noise.denoised, (0.01, 0.03, 0.05, 0.1, 0.15), "variance, of 1", KADID),
    "kadid_brighten": Distortion(brightness.brighten, (0.1, 0.2, 0.4, 0.7, 1.1), "twice the lift of 0.5", KADID),
    "kadid_darken": Distortion(brightness.darken, (0.05, 0.1, 0.2, 0.4, 0.8), "twice the fall of 0.5", KADID),
    "kadid_mean_shift": Distortion(brightness.mean_shift, (0.15, 0.08, 0.0, -0.08, -0.15), "shift, of 1", KADID),
    "kadid_jitter": Distortion(spatial.jitter, (0.05, 0.1, 0.2, 0.5, 1.0), "standard deviation, pixels", KADID),
    "kadid_non_eccentricity_patch": Distortion(
        spatial.misplaced_patches, (20.0, 40.0, 60.0, 80.0, 100.0), "patches", KADID
    ),
    "kadid_pixelate": Distortion(spatial.resample, (0.01, 0.05, 0.1, 0.2, 0.5), "strength", KADID),
    "kadid_quantization": Distortion(quantization.fewer_values, (20.0, 16.0, 13.0, 10.0, 7.0), "thresholds", KADID),
    "kadid_color_block": Distortion(spatial.color_blocks, (2.0, 4.0, 6.0, 8.0, 10.0), "squares", KADID),
    "kadid_high_sharpen": Distortion(blur.sharpen, (1.0, 2.0, 3.0, 6.0, 12.0), "amount", KADID),
    "kadid_contrast_change": Distortion(brightness.contrast, (0.3, 0.15, 0.0, -0.4, -0.6), "amount", KADID),
    # TID2013, types 3, 4, 5, 12, 13, 15, 20 to 24; KADID-10k has the kinds of the others. Two have other levels: the
    # database keeps local blocks near 27 dB at all levels, so that they are no ladder; and its strongest aberrations
    # have 25 dB, which a shift of red and blue alone reaches at no plausible size.
    "tid_spatially_correlated_noise": Distortion(noise.spatially_correlated, PSNR_LEVELS, "PSNR, dB", TID_PSNR),
    "tid_masked_noise": Distortion(noise.masked, PSNR_LEVELS, "PSNR, dB", TID_PSNR),
    "tid_high_frequency_noise": Distortion(noise.high_frequency, (33.0, 30.0, 25.0, 20.0, 15.0), "PSNR, dB", TID_PSNR),
    "tid_jpeg_transmission_errors": Distortion(
        transmission.jpeg_errors, (0.035, 0.09, 0.2, 0.4, 0.65), "share of the segments", TID_FITTED
    ),
    "tid_jpeg2000_transmission_errors": Distortion(
        transmission.jpeg2000_errors, (0.05, 0.09, 0.25, 0.4, 0.55), "share of the code blocks", TID_FITTED
    ),
    "tid_local_blocks": Distortion(spatial.block_shifts, (30.0, 45.0, 65.0, 95.0, 140.0), "grey levels", TID_OURS),
    "tid_comfort_noise": Distortion(
        compression.comfort_noise, (0.6, 1.4, 3.5, 9.0, 22.0), "of JPEG's table", TID_FITTED
    ),
    "tid_lossy_compression_of_noise": Distortion(
        compression.noisy_jpeg, (3.0, 8.5, 13.5, 18.0, 28.0), "standard deviation, of 255", TID_FITTED
    ),
    "tid_color_quantization_dither": Distortion(colors.palette, (64.0, 32.0, 14.0, 8.0, 4.0), "colours", TID_FITTED),
    "tid_chromatic_aberrations": Distortion(
        colors.chromatic_aberration, (0.0027, 0.005, 0.01, 0.018, 0.03), "change of size", TID_OURS
    ),
    "tid_sparse_sampling": Distortion(
        sparse_sampling.sparse_sampling, (0.7, 0.54, 0.34, 0.15, 0.03), "share of the pixels", TID_FITTED
    ),
}

# Types whose level numbers do not say how strong a distortion is: no ladder can be made of them.
UNORDERED: dict[str, str] = {
    "kadid_mean_shift": "levels go from brighter by 0.15 through unchanged (level 3) to darker by 0.15",
    "kadid_contrast_change": "contrast rises ever less at levels 1 to 3 and falls at levels 4 and 5",
}

# Types whose levels are in the order of their strength although PSNR may rise from one to the next.
PSNR_MAY_RISE: dict[str, str] = {
    "kadid_color_shift": "once an edge has moved by its width, what lies further away decides about the error",
    "kadid_pixelate": "fine regular patterns (bricks, shutters) may fit a coarser sampling grid better",
    "kadid_color_block": "a new square may cover one whose colour was further off",
    "tid_jpeg_transmission_errors": "a wrong byte may do next to nothing, and few segments give few different levels",
}
