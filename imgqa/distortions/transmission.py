"""TID2013's transmission errors of JPEG and JPEG 2000; reconstructions, as its error models are not public."""

import io

import numpy as np
from jaxtyping import UInt8
from PIL import Image

from imgqa.distortions.color_spaces import rgb_from_ycbcr, ycbcr_from_rgb
from imgqa.distortions.pixels import from_unit, to_unit
from imgqa.distortions.wavelet import analysis, synthesis

RESTART_BLOCKS = 8
QUALITY = 90
CODE_BLOCK = 16


def jpeg_errors(
    image: UInt8[np.ndarray, "H W 3"], share: float, rng: np.random.Generator
) -> UInt8[np.ndarray, "H W 3"]:
    """A JPEG of quality 90 in which one byte is wrong in the share `share` of its segments of 8 units, decoded.

    A unit is 16 x 16 pixels; after each eighth stands a restart marker, up to which a wrong byte spoils the rest.
    Weak levels are part of strong ones. At least one segment is hit.
    """
    file = io.BytesIO()
    Image.fromarray(image).save(
        file, format="JPEG", quality=QUALITY, subsampling="4:2:0", restart_marker_blocks=RESTART_BLOCKS
    )
    stream = np.frombuffer(file.getvalue(), np.uint8).copy()
    segments = _scan_segments(stream)
    hits = max(1, round(share * len(segments)))
    order = rng.permutation(len(segments))
    places = rng.random(len(segments)) ** 2  # early in a segment rather than late
    for index in order[:hits]:
        start, end = segments[index]
        _flip_a_bit(stream, start + int(places[index] * (end - start)), end)
    with Image.open(io.BytesIO(stream.tobytes())) as decoded:
        return np.array(decoded)


def jpeg2000_errors(
    image: UInt8[np.ndarray, "H W 3"], share: float, rng: np.random.Generator
) -> UInt8[np.ndarray, "H W 3"]:
    """The share `share` of the code blocks (16 x 16 coefficients of the 5/3 wavelet, five levels) lost.

    A lost block of details is zero in Y, Cb and Cr; one of the coarsest means is the mean of its band. Weak levels are
    part of strong ones.
    """
    bands = analysis(ycbcr_from_rgb(to_unit(image)))
    for index, band in enumerate(bands):
        fill = band.mean(axis=(0, 1)) if index == 0 else 0.0
        grid = tuple(-(-length // CODE_BLOCK) for length in band.shape[:2])
        lost = rng.random(grid) < share
        lost = lost.repeat(CODE_BLOCK, axis=0).repeat(CODE_BLOCK, axis=1)[: band.shape[0], : band.shape[1]]
        band[lost] = fill
    return from_unit(rgb_from_ycbcr(synthesis(bands, image.shape[:2])))


def _scan_segments(stream: UInt8[np.ndarray, "N"]) -> list[tuple[int, int]]:
    """First byte and end of each run of entropy-coded bytes between the start of scan, restarts and the end."""
    marks = np.flatnonzero(stream[:-1] == 0xFF)
    start = next(int(m) for m in marks if stream[m + 1] == 0xDA)
    header = int(stream[start + 2]) * 256 + int(stream[start + 3])
    first = start + 2 + header
    # Within a scan 0xFF 0x00 is a data byte; anything else after 0xFF is a marker.
    ends = [int(m) for m in marks if m >= first and stream[m + 1] != 0x00]
    starts = [first, *(end + 2 for end in ends[:-1])]
    return [(a, b) for a, b in zip(starts, ends, strict=True) if b > a]


def _flip_a_bit(stream: UInt8[np.ndarray, "N"], place: int, end: int) -> None:
    """Flip the top bit of the first byte from `place` on where that neither makes nor breaks a marker."""
    for i in range(place, end):
        if 0xFF not in (stream[i - 1], stream[i], stream[i] ^ 0x80):
            stream[i] ^= 0x80
            return
