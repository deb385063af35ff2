import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from shared_engine import timm_import
from shared_engine.timm_import import import_timm

BROKEN_PAIR = """
import torch
# A fake kernel for an operator that the compiled library did not define, as in the real torchvision.
@torch.library.register_fake('torchvision::nms')
def meta_nms(dets, scores, iou_threshold):
    return dets
"""


def write_stub(folder: Path, torchvision: str) -> None:
    """Tiny modules that shadow torchvision and timm."""
    for name, source in (("torchvision", torchvision), ("timm", "import torchvision\n")):
        (folder / name).mkdir()
        (folder / name / "__init__.py").write_text(source)


def run(body: str) -> str:
    """What a process of its own prints: what is imported and declared here cannot be undone."""
    preamble = (
        "import sys, warnings\nwarnings.simplefilter('error')\nfrom shared_engine.timm_import import import_timm\n"
    )
    result = subprocess.run([sys.executable, "-c", preamble + body], capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    assert result.stderr == ""
    return result.stdout


@pytest.fixture
def stub(tmp_path, monkeypatch) -> Iterator[Callable[[str], None]]:
    """Shadows torchvision and timm in this process, and takes the shadows away again."""
    ours = [name for name in sys.modules if name.partition(".")[0] in ("timm", "torchvision")]
    real = {name: sys.modules.pop(name) for name in ours}
    monkeypatch.syspath_prepend(tmp_path)
    yield lambda torchvision: write_stub(tmp_path, torchvision)
    sys.modules.pop("timm", None)
    sys.modules.pop("torchvision", None)
    sys.modules.update(real)


def test_timm_runs_whatever_the_pair_and_is_imported_late():
    output = run(
        "assert not {'timm', 'torchvision'} & set(sys.modules)\n"
        "import torch\n"
        "timm = import_timm()\n"
        "assert import_timm() is timm\n"
        "model = timm.create_model('resnet18', pretrained=False, num_classes=0).eval()\n"
        "print(tuple(model(torch.zeros(1, 3, 32, 32)).shape))\n"
    )
    assert output == "(1, 512)\n"


def test_the_broken_pair_is_repaired(tmp_path):
    write_stub(tmp_path, BROKEN_PAIR)
    output = run(
        f"sys.path.insert(0, {str(tmp_path)!r})\n"
        "import torch\n"
        "print(import_timm().__file__)\n"
        "print(torch.ops.torchvision.nms.default, torch.ops.torchvision.qnms.default)\n"
    )
    assert output.split() == [str(tmp_path / "timm/__init__.py"), "torchvision.nms.default", "torchvision.qnms.default"]


def test_a_good_pair_is_left_alone(stub, monkeypatch):
    stub("loaded_once = object()\n")
    monkeypatch.setattr(timm_import, "_declare_missing_operators", lambda: pytest.fail("a good pair was repaired"))
    assert import_timm().torchvision is sys.modules["torchvision"]


def test_any_other_failure_is_passed_on(stub):
    stub("raise RuntimeError('operator torchvision::roi_align does not exist')\n")
    with pytest.raises(RuntimeError, match=r"^operator torchvision::roi_align does not exist$"):
        import_timm()


def test_a_missing_torchvision_is_an_import_error(stub):
    stub("raise ModuleNotFoundError('no torchvision')\n")
    with pytest.raises(ModuleNotFoundError, match="no torchvision"):
        import_timm()


def test_the_remark_on_image_readers_is_not_passed_on(stub):
    stub("import warnings\nwarnings.warn('Failed to load image Python extension: x', UserWarning)\n")
    import_timm()
