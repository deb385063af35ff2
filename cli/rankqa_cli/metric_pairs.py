"""Which files `rankqa metric` compares."""

from dataclasses import dataclass
from pathlib import Path

from rankqa_datasets.errors import InputError
from shared_engine.names import UsageProblem


@dataclass(frozen=True)
class Pair:
    """A distorted file and its reference.

    Attributes:
        name: how the results call it.
        path: the distorted file.
        reference: None where there is none, or not one only.
        problem: why there is none.
    """

    name: str
    path: Path
    reference: Path | None
    problem: str = ""

    def require_reference(self) -> Path:
        """The reference.

        Raises:
            InputError: there is none.
        """
        if self.reference is None:
            raise InputError(f"{self.name} has {self.problem}")
        return self.reference


def find_pairs(
    reference: Path | None,
    distorted: Path | None,
    manifest: Path | None,
    root: Path | None,
    *,
    modality: str,
    suffixes: tuple[str, ...],
) -> list[Pair]:
    """The pairs of a manifest, of two folders, or the one of two files.

    In folders, the reference of `a/b.jpg` is `a/b.jpg` or, if there is none, the only file `a/b.*`.

    Raises:
        UsageProblem: arguments that do not go together.
        InputError: nothing there, or not one reference.
    """
    if manifest is not None:
        from rankqa_datasets.manifest import read_manifest

        if reference is not None:
            raise UsageProblem("expected REF DIST or --manifest, got both")
        pairs = [
            Pair(s.id, s.path, s.reference, f"no reference in {manifest}")
            for s in read_manifest(manifest, root=root).stimuli
        ]
        return _require_any(pairs, f"{manifest}: no row has a reference; fill the column 'reference'")
    if root is not None:
        raise UsageProblem("--root goes with --manifest")
    if reference is None or distorted is None:
        raise UsageProblem(f"expected two files or two folders: rankqa metric {modality} REF DIST, or --manifest CSV")
    for path in (reference, distorted):
        if not path.exists():
            raise InputError(f"no such file or folder: {path}")
    if reference.is_dir() != distorted.is_dir():
        kinds = ["a folder" if path.is_dir() else "a file" for path in (reference, distorted)]
        raise UsageProblem(f"expected two files or two folders, got {kinds[0]} {reference} and {kinds[1]} {distorted}")
    if not reference.is_dir():
        return [Pair(str(distorted), distorted, reference)]
    return _pairs_of_folders(reference, distorted, suffixes)


def _pairs_of_folders(reference: Path, distorted: Path, suffixes: tuple[str, ...]) -> list[Pair]:
    references, by_stem = set(_files(reference, suffixes)), {}
    for file in references:
        by_stem.setdefault(file.with_suffix(""), []).append(file)
    pairs = []
    for file in _files(distorted, suffixes):
        candidates = [file] if file in references else by_stem.get(file.with_suffix(""), [])
        found = reference / candidates[0] if len(candidates) == 1 else None
        names = " and ".join(str(reference / candidate) for candidate in candidates)
        problem = f"more than one reference: {names}" if names else f"no reference: {reference} has no file of its name"
        pairs.append(Pair(str(distorted / file), distorted / file, found, problem))
    return _require_any(pairs, f"no file in {distorted} has exactly one reference of its name in {reference}")


def _require_any(pairs: list[Pair], message: str) -> list[Pair]:
    """One line where else there would be one for each file."""
    if pairs and all(pair.reference is None for pair in pairs):
        raise InputError(message if len(pairs) > 1 else f"{pairs[0].name} has {pairs[0].problem}")
    return pairs


def _files(folder: Path, suffixes: tuple[str, ...]) -> list[Path]:
    """Sorted, relative to the folder."""
    found = sorted(f for f in folder.rglob("*") if f.is_file() and f.suffix.lower() in suffixes)
    if not found:
        raise InputError(f"no file with ending {', '.join(suffixes)} below {folder}")
    return [file.relative_to(folder) for file in found]
