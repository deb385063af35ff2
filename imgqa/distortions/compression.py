"""Lossy compression: JPEG 2000, and what TID2013 has beyond plain codecs."""

import io
import math

import numpy as np
from jaxtyping import UInt8
from PIL import Image, features

from imgqa.distortions.block_dct import JPEG_LUMINANCE, block_dct, inverse_block_dct, padded
from imgqa.distortions.demo_types import jpeg, white_noise
from imgqa.distortions.pixels import to_uint8
from rankqa_datasets.errors import InputError

NOISY_QUALITY = 75.0


def jpeg2000(image: UInt8[np.ndarray, "H W 3"], ratio: float, rng: np.random.Generator) -> UInt8[np.ndarray, "H W 3"]:
    """Compressed by Pillow's OpenJPEG to 1/ratio of the 24 bits a pixel, with the 9/7 wavelet, and decoded.

    Raises:
        InputError: this Pillow was built without OpenJPEG.
    """
    if not features.check("jpg_2000"):
        raise InputError(
            "expected a Pillow with JPEG 2000, this one was built without: 'pip install --force-reinstall pillow', "
            "or name types without kadid_jpeg2000"
        )
    # A wavelet level halves the sides; the coarsest must keep a pixel. Six resolutions are the codec's default.
    resolutions = min(6, int(math.log2(min(image.shape[:2]))) + 1)
    file = io.BytesIO()
    Image.fromarray(image).save(
        file,
        format="JPEG2000",
        quality_mode="rates",
        quality_layers=[ratio],
        irreversible=True,
        num_resolutions=resolutions,
    )
    with Image.open(file) as decoded:
        return np.array(decoded.convert("RGB"))


def noisy_jpeg(image: UInt8[np.ndarray, "H W 3"], std: float, rng: np.random.Generator) -> UInt8[np.ndarray, "H W 3"]:
    """White noise of `std` (of 255), then JPEG of quality 75: TID2013's lossy compression of noisy images.

    A reconstruction: TID2013 used a coder of the cosine transform of its authors.
    """
    return jpeg(white_noise(image, std, rng), NOISY_QUALITY, rng)


def comfort_noise(
    image: UInt8[np.ndarray, "H W 3"], scale: float, rng: np.random.Generator
) -> UInt8[np.ndarray, "H W 3"]:
    """Coefficients that coarse quantisation would drop keep their size and get a random sign; the others stay.

    The quantiser is JPEG's luminance table times `scale`, on red, green and blue alike. So texture is replaced by a
    noise of the same spectrum, as coders with comfort noise do. A reconstruction: TID2013 names it, no more.
    """
    coefficients = block_dct(padded(image.astype(np.float64)))
    dropped = np.abs(coefficients) < scale * JPEG_LUMINANCE[:, None, :, None] / 2
    dropped[:, 0, :, 0] = False
    signs = rng.choice([-1.0, 1.0], size=coefficients.shape)
    result = inverse_block_dct(np.where(dropped, signs * coefficients, coefficients))
    return to_uint8(result[: image.shape[0], : image.shape[1]])
