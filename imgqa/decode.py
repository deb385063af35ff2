"""Image files to 8-bit sRGB arrays, the same way everywhere."""

import warnings
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError, __version__

from rankqa_datasets.errors import InputError

# Decoders differ by grey levels between versions, so the version is part of what a cached array depends on.
DECODER = f"rgb8 1, Pillow {__version__}"


def decode_image(path: str | Path) -> np.ndarray:
    """The pixels of an image file as 8-bit RGB.

    The first frame of an animation; turned upright if its EXIF data say so. Sample values are taken as sRGB; an
    embedded colour profile is not applied, as in the programs that published results come from. Grey and palette
    images are expanded; transparency is composed on white, in the file's own (gamma) values; CMYK becomes RGB by
    R = (255 - C)(255 - K) / 255 and so on. 16-bit grey v becomes round(v / 257); of 16-bit colour Pillow keeps the
    high byte.

    Args:
        path: a file of any format that Pillow reads.

    Returns:
        uint8 (H, W, 3), contiguous.

    Raises:
        InputError: no such file, empty, not an image, truncated, corrupt, larger than Pillow's limit against
            decompression bombs, or samples without a defined white (32-bit integers, floats).
    """
    path = Path(path)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # remarks on metadata; pixels that cannot be read raise
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        try:
            if path.stat().st_size == 0:
                raise InputError(f"{path} is empty (0 bytes): expected an image")
            with Image.open(path) as image:
                image.load()
                ImageOps.exif_transpose(image, in_place=True)
                return np.ascontiguousarray(_to_rgb(image, path))
        except InputError:
            raise
        except UnidentifiedImageError as error:
            raise InputError(f"{path} is not an image in a format that Pillow reads") from error
        except (Image.DecompressionBombWarning, Image.DecompressionBombError) as error:
            limit = Image.MAX_IMAGE_PIXELS
            raise InputError(f"{path} decodes to more than the {limit} pixels that Pillow allows by default") from error
        except (FileNotFoundError, IsADirectoryError, PermissionError) as error:
            raise InputError(f"cannot read {path}: {error.strerror}") from error
        except Exception as error:  # decoders raise any type (struct.error, SyntaxError, EOFError ...) on damaged files
            reason = " ".join(str(error).split()) or type(error).__name__
            raise InputError(f"{path} is damaged and cannot be decoded ({reason}): fetch the file again") from error


def _to_rgb(image: Image.Image, path: Path) -> np.ndarray:
    # Depending on format and version Pillow hands 16-bit grey out as one of the modes "I;16..." or as "I".
    if image.mode.startswith("I;16") or (image.mode == "I" and image.format in ("PNG", "PPM")):
        grey = np.round(np.asarray(image).astype(np.float64) / 257).astype(np.uint8)
        return np.repeat(grey[..., None], 3, axis=2)
    if image.mode in ("I", "F"):
        kind = "32-bit integers" if image.mode == "I" else "floats"
        raise InputError(f"{path} holds {kind}, which have no defined white: convert it to 8 or 16 bits a sample")
    if image.has_transparency_data:
        opaque = Image.new("RGBA", image.size, "white")
        opaque.alpha_composite(image.convert("RGBA"))
        image = opaque
    return np.asarray(image.convert("RGB"))
