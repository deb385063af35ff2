"""Imports point one way, and the light parts stay light."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
FOLDERS = {
    "shared_losses": ROOT / "shared_losses",
    "rankqa_datasets": ROOT / "datasets" / "rankqa_datasets",
    "shared_engine": ROOT / "shared_engine",
    "imgqa": ROOT / "imgqa",
    "pcqa": ROOT / "pcqa",
    "rankqa_cli": ROOT / "cli" / "rankqa_cli",
}
ALLOWED = {
    "shared_losses": set(),
    "rankqa_datasets": set(),
    "shared_engine": {"shared_losses", "rankqa_datasets"},
    "imgqa": {"shared_losses", "shared_engine", "rankqa_datasets"},
    "pcqa": {"shared_losses", "shared_engine", "rankqa_datasets"},
    "rankqa_cli": {"shared_losses", "shared_engine", "rankqa_datasets", "imgqa", "pcqa"},
}


def imported_packages(folder: Path) -> set[str]:
    """Top-level names of all import statements below a folder, also those inside functions."""
    names = set()
    for file in folder.rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text("utf-8"))):
            if isinstance(node, ast.Import):
                names |= {alias.name.split(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
                names.add(node.module.split(".")[0])
    return names


@pytest.mark.parametrize("package", FOLDERS)
def test_imports_point_one_way(package):
    own = imported_packages(FOLDERS[package]) & FOLDERS.keys()
    assert own - {package} <= ALLOWED[package]


def test_the_loss_core_needs_torch_alone():
    # jaxtyping is for type checkers only; a test of its own blocks it at run time.
    outside = imported_packages(FOLDERS["shared_losses"]) - sys.stdlib_module_names
    assert outside <= {"torch", "jaxtyping", "shared_losses"}


def test_the_data_package_never_imports_torch():
    assert "torch" not in imported_packages(FOLDERS["rankqa_datasets"])


@pytest.mark.parametrize("package", FOLDERS)
def test_importing_a_package_imports_nothing_heavy(package):
    heavy = {"open3d", "timm", "torchvision", "torch_geometric", "lightning_fabric", "trimesh", "ray"}
    program = f"import sys, {package}; print(sorted({heavy!r} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_every_package_is_typed_and_files_keep_their_size():
    for package, folder in FOLDERS.items():
        assert (folder / "py.typed").is_file(), package
        for file in folder.rglob("*.py"):
            assert len(file.read_text("utf-8").splitlines()) <= 500, file
            assert file.stem not in {"utils", "common", "helpers", "misc"}, file
