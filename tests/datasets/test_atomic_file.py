import os

import pytest

from rankqa_datasets.atomic_file import write_bytes_atomically, write_text_atomically
from rankqa_datasets.errors import InputError


def test_replaces_a_file_and_leaves_no_other(tmp_path):
    path = tmp_path / "result.json"
    write_text_atomically(path, "größe\r\n")
    assert path.read_bytes() == "größe\r\n".encode()
    write_bytes_atomically(path, b"\0new")
    assert path.read_bytes() == b"\0new"
    assert list(tmp_path.iterdir()) == [path]
    ordinary = tmp_path / "ordinary"
    ordinary.write_bytes(b"")
    assert path.stat().st_mode == ordinary.stat().st_mode


@pytest.mark.parametrize("call", ["os.fsync", "pathlib.Path.replace"])
def test_failure_keeps_the_old_file(tmp_path, monkeypatch, call):
    path = tmp_path / "result.json"
    path.write_text("old")

    def full(*arguments):
        raise OSError(28, os.strerror(28))

    monkeypatch.setattr(call, full)
    with pytest.raises(InputError, match="No space left on device; what was there is untouched") as caught:
        write_text_atomically(path, "new")
    assert "\n" not in str(caught.value)
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_ctrl_c_leaves_no_half(tmp_path, monkeypatch):
    def interrupted(descriptor):
        raise KeyboardInterrupt

    monkeypatch.setattr("os.fsync", interrupted)
    with pytest.raises(KeyboardInterrupt):
        write_text_atomically(tmp_path / "result.json", "new")
    assert list(tmp_path.iterdir()) == []


def test_missing_folder(tmp_path):
    with pytest.raises(InputError, match="No such file or directory"):
        write_text_atomically(tmp_path / "no" / "result.json", "new")
