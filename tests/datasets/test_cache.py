import os
import pickle  # noqa: TID251 - readers with a cache travel to worker processes this way
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from rankqa_datasets.cache import ABANDONED_AFTER_SECONDS, ArrayCache
from rankqa_datasets.errors import InputError


class Builder:
    def __init__(self) -> None:
        self.calls = 0

    def __call__(self) -> dict[str, np.ndarray]:
        self.calls += 1
        return {
            "pixels": np.arange(24, dtype=np.uint8).reshape(2, 4, 3),
            "nothing": np.zeros((0, 3), np.float32),
            "one": np.array(2.5),
        }


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "image.png"
    path.write_bytes(b"some bytes")
    return path


@pytest.fixture
def cache(tmp_path: Path) -> ArrayCache:
    return ArrayCache(tmp_path / "cache")


def entries(cache: ArrayCache) -> list[Path]:
    return [path.parent for path in cache.folder.rglob("entry.json")]


def test_builds_once_and_gives_read_only_maps(cache, source):
    build = Builder()
    for _ in range(2):
        cache.fetch(source, "decode", build)
    arrays = cache.fetch(source, "decode", build)
    assert build.calls == 1
    expected = Builder()()
    assert arrays.keys() == expected.keys()
    for name, array in arrays.items():
        np.testing.assert_array_equal(array, expected[name])
        assert array.dtype == expected[name].dtype
        assert isinstance(array, np.memmap)
        assert not array.flags.writeable
    # Another process, or another day.
    ArrayCache(cache.folder).fetch(source, "decode", build)
    assert build.calls == 1


def test_key_is_the_bytes_and_the_recipe(cache, source, tmp_path):
    build = Builder()
    cache.fetch(source, "decode", build)
    twin = tmp_path / "twin.png"
    twin.write_bytes(source.read_bytes())
    cache.fetch(twin, "decode", build)
    assert build.calls == 1
    cache.fetch(source, "decode v2", build)
    assert build.calls == 2
    source.write_bytes(b"other, longer bytes")
    cache.fetch(source, "decode", build)
    assert build.calls == 3


def test_touching_a_file_keeps_its_entry(cache, source):
    build = Builder()
    cache.fetch(source, "decode", build)
    os.utime(source, ns=(1, 1))
    cache.fetch(source, "decode", build)
    assert build.calls == 1


@pytest.mark.parametrize("damage", ["cut", "gone", "index", "not json", "no header", "a file"])
def test_damaged_entry_is_built_again(cache, source, damage):
    build = Builder()
    cache.fetch(source, "decode", build)
    (entry,) = entries(cache)
    pixels = entry / "pixels.npy"
    if damage == "cut":
        pixels.write_bytes(pixels.read_bytes()[:-1])
    elif damage == "gone":
        pixels.unlink()
    elif damage == "index":
        (entry / "entry.json").unlink()
    elif damage == "not json":
        (entry / "entry.json").write_text("{")
    elif damage == "no header":
        pixels.write_bytes(bytes(pixels.stat().st_size))
    else:
        for file in entry.iterdir():
            file.unlink()
        entry.rmdir()
        entry.write_text("not a folder")
    later = ArrayCache(cache.folder)  # a process that has not read the headers yet
    arrays = later.fetch(source, "decode", build)
    np.testing.assert_array_equal(arrays["pixels"], Builder()()["pixels"])
    assert build.calls == 2
    later.fetch(source, "decode", build)
    assert build.calls == 2


def test_an_entry_cut_after_its_headers_were_read_is_built_again(cache, source):
    build = Builder()
    cache.fetch(source, "decode", build)
    pixels = entries(cache)[0] / "pixels.npy"
    pixels.write_bytes(pixels.read_bytes()[:-1])
    np.testing.assert_array_equal(cache.fetch(source, "decode", build)["pixels"], Builder()()["pixels"])
    assert build.calls == 2


# Builds only after it was told that all others have found the entry missing too.
FETCH_TOGETHER = """
import sys
from pathlib import Path
import numpy as np
from rankqa_datasets.cache import ArrayCache

def build():
    print("building", flush=True)
    sys.stdin.readline()
    return {"pixels": np.full(1000, 7)}

arrays = ArrayCache(sys.argv[1]).fetch(Path(sys.argv[2]), "decode", build)
print(int(arrays["pixels"].sum()))
"""


def test_processes_that_build_one_entry_at_once(cache, source):
    command = [sys.executable, "-c", FETCH_TOGETHER, str(cache.folder), str(source)]
    processes = [subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) for _ in range(4)]
    for process in processes:
        assert process.stdout is not None
        assert process.stdout.readline() == "building\n"
    # All at once: each gets its line before any is waited for.
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("\n")
        process.stdin.flush()
    for process in processes:
        assert process.communicate(timeout=120)[0] == "7000\n"
        assert process.returncode == 0
    assert len(entries(cache)) == 1
    assert list((cache.folder / "unfinished").iterdir()) == []


def test_killed_while_writing(cache, source):
    script = """
import os, sys
from pathlib import Path
import numpy as np
from rankqa_datasets.cache import ArrayCache
save = np.save
def save_and_die(file, array, **options):
    save(file, array, **options)
    os.kill(os.getpid(), 9)
np.save = save_and_die
ArrayCache(sys.argv[1]).fetch(Path(sys.argv[2]), "decode", lambda: {"pixels": np.zeros(3), "one": np.ones(1)})
"""
    done = subprocess.run([sys.executable, "-c", script, str(cache.folder), str(source)], check=False)
    assert done.returncode == -9
    assert entries(cache) == []
    build = Builder()
    assert cache.fetch(source, "decode", build)["one"] == 2.5
    assert build.calls == 1


def test_full_disk_is_one_line_and_leaves_nothing(cache, source, monkeypatch):
    build = Builder()
    save = np.save

    def full(file, array, **options):
        save(file, array, **options)
        if array.ndim == 2:
            raise OSError(28, "No space left on device")

    monkeypatch.setattr("numpy.save", full)
    with pytest.raises(InputError, match=r"No space left on device; \d+ MiB free") as caught:
        cache.fetch(source, "decode", build)
    assert str(cache.folder) in str(caught.value)
    assert "\n" not in str(caught.value)
    assert [path for path in cache.folder.rglob("*") if path.is_file()] == []
    monkeypatch.undo()
    assert cache.fetch(source, "decode", build)["one"] == 2.5


def test_unusable_folder(source, tmp_path):
    (tmp_path / "cache").write_text("a file")
    with pytest.raises(InputError, match="cannot write to the cache"):
        ArrayCache(tmp_path / "cache").fetch(source, "decode", Builder())


def test_interruption_leaves_nothing(cache, source, monkeypatch):
    def interrupted(file, array, **options):
        raise KeyboardInterrupt

    monkeypatch.setattr("numpy.save", interrupted)
    with pytest.raises(KeyboardInterrupt):
        cache.fetch(source, "decode", Builder())
    assert [path for path in cache.folder.rglob("*") if path.is_file()] == []
    assert list((cache.folder / "unfinished").iterdir()) == []


def test_leftovers_of_killed_processes_are_swept_after_a_day(cache, source):
    old, new = cache.folder / "unfinished" / "old", cache.folder / "unfinished" / "new"
    for folder in (old, new):
        folder.mkdir(parents=True)
        (folder / "pixels.npy").write_bytes(b"half")
    past = time.time() - 2 * ABANDONED_AFTER_SECONDS
    os.utime(old, (past, past))
    cache.fetch(source, "decode", Builder())
    assert not old.exists()
    assert new.exists()


def test_missing_source_and_failing_build(cache, source, tmp_path):
    with pytest.raises(InputError, match="cannot read"):
        cache.fetch(tmp_path / "no.png", "decode", Builder())

    def broken():
        raise InputError("truncated")

    with pytest.raises(InputError, match=r"^truncated$"):
        cache.fetch(source, "decode", broken)
    with pytest.raises(ValueError, match="identifiers"):
        cache.fetch(source, "decode", lambda: {"../x": np.zeros(1)})


def test_travels_to_worker_processes(cache, source):
    build = Builder()
    cache.fetch(source, "decode", build)
    pickle.loads(pickle.dumps(cache)).fetch(source, "decode", build)
    assert build.calls == 1


@pytest.mark.parametrize(
    "array",
    [
        np.arange(24.0).reshape(2, 3, 4).transpose(2, 0, 1),
        np.asfortranarray(np.arange(6, dtype=np.int16).reshape(2, 3)),
        np.arange(20, dtype=">u4")[::3],
        np.array([True, False]),
        np.array(2.5),
    ],
    ids=["view", "fortran", "strided big endian", "bool", "scalar"],
)
def test_any_layout_comes_back(cache, source, array):
    for _ in range(2):
        found = cache.fetch(source, "decode", lambda: {"values": array})["values"]
        assert found.dtype == array.dtype
        np.testing.assert_array_equal(found.reshape(array.shape), array)
