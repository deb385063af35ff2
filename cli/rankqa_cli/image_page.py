"""An image beside its reference as one HTML file."""

import base64
import io
from collections.abc import Sequence
from html import escape
from pathlib import Path

import numpy as np
from jaxtyping import Float64, UInt8
from PIL import Image

from imgqa.decode import decode_image
from imgqa.metrics.file_pair import score_files
from imgqa.metrics.table import METRICS
from rankqa_cli.comparison_scores import ComparisonScore
from rankqa_cli.error_colors import COLORS, ErrorScale
from rankqa_cli.page import page, page_part, printable, title_of

DEFAULT = ("psnr", "ssim")


def image_scores(reference: Path, distorted: Path, metrics: Sequence[str] | None) -> list[ComparisonScore]:
    """Metrics of imgqa; by default those of DEFAULT.

    Raises:
        InputError: a file that cannot be decoded, different sizes, or an image too small for a metric.
    """
    scores = score_files(distorted, reference, metrics or DEFAULT)
    return [ComparisonScore(_label(name), value) for name, value in scores.items()]


def image_page(reference: Path, distorted: Path, scores: Sequence[ComparisonScore]) -> str:
    """The page; pictures are PNG of the pixels that the metrics take.

    Raises:
        InputError: a file that cannot be decoded.
    """
    pixels = [decode_image(path) for path in (reference, distorted)]
    errors = pixel_errors(*pixels)
    scale = ErrorScale.of("Error of a pixel, root mean square of red, green and blue", "levels of 0 to 255", errors)
    parts = {
        "reference": _png(pixels[0]),
        "distorted": _png(pixels[1]),
        "error": _png(COLORS[scale.steps(errors)]),
        "legend": scale.legend(),
        "reference_name": escape(printable(str(reference))),
        "distorted_name": escape(printable(str(distorted))),
    }
    height, width = errors.shape
    footer = (
        "Both pictures scroll together. The slider has the reference on its left; flickering changes twice a second. "
        f"{width} x {height} pixels; the mean square of the errors of all pixels is the MSE of PSNR."
    )
    return page(title_of(reference, distorted), page_part("images.html", parts), "images.js", {}, scores, footer)


def _label(name: str) -> str:
    return f"-{name}" if METRICS[name].is_distance else name


def pixel_errors(first: UInt8[np.ndarray, "h w 3"], second: UInt8[np.ndarray, "h w 3"]) -> Float64[np.ndarray, "h w"]:
    """Root mean square over red, green and blue of the difference, in levels of 0 to 255."""
    return np.sqrt(np.square(first.astype(np.int32) - second).mean(axis=2))


def _png(pixels: np.ndarray) -> str:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG", optimize=True)
    return "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode()
