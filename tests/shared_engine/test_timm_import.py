import subprocess
import sys
from pathlib import Path

# A process of its own: torchvision must not have been imported before, and a stub must not leak into other tests.
PREAMBLE = """
import sys, warnings
warnings.simplefilter("error")
import torch
from shared_engine.timm_import import import_timm
"""


def run(body: str, *, path: Path | None = None) -> subprocess.CompletedProcess[str]:
    search = f"sys.path.insert(0, {str(path)!r})\n" if path else ""
    return subprocess.run(
        [sys.executable, "-c", "import sys\n" + search + PREAMBLE + body], capture_output=True, text=True, check=False
    )


def stub(folder: Path, torchvision: str) -> Path:
    """A folder that shadows torchvision and timm by tiny modules."""
    for name, source in (("torchvision", torchvision), ("timm", "import torchvision\n")):
        (folder / name).mkdir()
        (folder / name / "__init__.py").write_text(source)
    return folder


def test_timm_imports_and_runs_whatever_the_pair():
    result = run(
        "timm = import_timm()\n"
        "assert import_timm() is timm\n"
        "model = timm.create_model('resnet18', pretrained=False, num_classes=0).eval()\n"
        "print(tuple(model(torch.zeros(1, 3, 32, 32)).shape))\n"
    )
    assert result.returncode == 0, result.stderr
    assert result.stdout.strip() == "(1, 512)"
    assert result.stderr == ""


def test_importing_the_module_imports_neither_timm_nor_torchvision():
    result = run("print([m for m in ('timm', 'torchvision') if m in sys.modules])")
    assert result.stdout.strip() == "[]", result.stderr


def test_a_good_pair_is_left_alone(tmp_path):
    folder = stub(tmp_path, "")
    result = run("import_timm()\nimport shared_engine.timm_import as module\nprint(len(module._declared))", path=folder)
    assert result.stdout.strip() == "0", result.stderr


def test_the_broken_pair_is_repaired(tmp_path):
    # The stub fails as the real one does: a fake kernel for an operator that the compiled library did not define.
    folder = stub(
        tmp_path,
        "import torch\n"
        "@torch.library.register_fake('torchvision::nms')\n"
        "def meta_nms(dets, scores, iou_threshold):\n"
        "    return dets\n",
    )
    result = run(
        "import_timm()\nimport shared_engine.timm_import as module\n"
        "print(len(module._declared), torch.ops.torchvision.qnms.default)",
        path=folder,
    )
    assert result.stdout.strip() == "1 torchvision.qnms.default", result.stderr


def test_any_other_failure_is_passed_on(tmp_path):
    folder = stub(tmp_path, "raise RuntimeError('operator torchvision::roi_align does not exist')\n")
    result = run("import_timm()", path=folder)
    assert result.returncode == 1
    assert result.stderr.strip().endswith("RuntimeError: operator torchvision::roi_align does not exist")


def test_a_missing_torchvision_is_an_import_error(tmp_path):
    folder = stub(tmp_path, "raise ModuleNotFoundError(\"No module named 'torchvision'\")\n")
    result = run("import_timm()", path=folder)
    assert result.returncode == 1
    assert "ModuleNotFoundError" in result.stderr.strip().splitlines()[-1]
