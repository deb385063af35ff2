"""The one place that imports timm, and the repair of the pairing that breaks it.

timm imports torchvision at module level. Package indexes pair a CPU build of torch with a CUDA build of torchvision,
whose compiled library then cannot be loaded. torchvision swallows that failure, registers a fake kernel for two
operators which the library would have defined, and dies of `RuntimeError: operator torchvision::nms does not exist`
(pytorch/vision issues 8985, 9077, 9085). Nothing in timm needs the compiled library, so declaring those two operators
is enough. Afterwards only torchvision's own `nms` and its image decoding are missing, which nothing here uses.
"""

import importlib
import sys
import warnings
from types import ModuleType

import torch

_BROKEN_PAIR = "operator torchvision::nms does not exist"
_SCHEMA = "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor"
_declared: list[torch.library.Library] = []  # the operators vanish with the Library object


def import_timm() -> ModuleType:
    """Import timm, with CPU torch beside a CUDA torchvision too.

    With a matching pair the first import of torchvision succeeds and nothing is touched.

    Returns:
        The module `timm`.

    Raises:
        ImportError: timm or torchvision is not installed.
        RuntimeError: torchvision fails to import for any other reason.
    """
    with warnings.catch_warnings():
        # Said by a torchvision whose compiled image readers do not load; Pillow decodes here.
        warnings.filterwarnings("ignore", message="Failed to load image Python extension", category=UserWarning)
        try:
            importlib.import_module("torchvision")
        except RuntimeError as error:
            if str(error) != _BROKEN_PAIR:
                raise
            _declare_missing_operators()
            importlib.import_module("torchvision")
        import timm
    return timm


def _declare_missing_operators() -> None:
    # Half-imported modules would be taken from sys.modules as they are.
    for name in [name for name in sys.modules if name.partition(".")[0] == "torchvision"]:
        del sys.modules[name]
    library = torch.library.Library("torchvision", "FRAGMENT")
    for operator in ("nms", "qnms"):
        library.define(operator + _SCHEMA)
    _declared.append(library)
