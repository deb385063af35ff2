import json
from pathlib import Path

import pytest

from rankqa_datasets.demo_folder import DemoStimulus, build_demo_folder, demo_noise_ceiling
from rankqa_datasets.errors import InputError


class Writer:
    def __init__(self) -> None:
        self.calls = 0

    def __call__(self, folder: Path) -> list[DemoStimulus]:
        self.calls += 1
        (folder / "references/r.txt").write_text("reference")
        stimuli = []
        for number in range(20):
            name = f"stimuli/{number}.txt"
            (folder / name).write_text(str(number))
            split = "train" if number < 10 else "test"
            stimuli.append(DemoStimulus(name, "", f"c{number}", f"fog_{number}", split, number / 20))
        return stimuli


def build(folder: Path, writer: Writer, seed: int = 0) -> Path:
    return build_demo_folder(folder, {"seed": seed}, title="test set", formula="none", write_stimuli=writer)


def test_whole_set_is_reused_and_broken_ones_are_built_again(tmp_path):
    writer = Writer()
    folder = tmp_path / "deep" / "demo"
    manifest = build(folder, writer)
    assert manifest == folder / "manifest.csv"
    written = manifest.read_bytes()
    build(folder, writer)
    assert writer.calls == 1
    (folder / "stimuli/3.txt").unlink()
    build(folder, writer)
    assert writer.calls == 2
    assert manifest.read_bytes() == written
    manifest.write_text("path,target\n")
    build(folder, writer)
    assert writer.calls == 3
    assert manifest.read_bytes() == written


def test_interrupted_set_is_built_again_with_any_options(tmp_path):
    def interrupted(folder: Path) -> list[DemoStimulus]:
        (folder / "stimuli/old.txt").write_text("old")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        build_demo_folder(tmp_path, {"seed": 0}, title="test set", formula="none", write_stimuli=interrupted)
    build(tmp_path, Writer(), seed=1)
    assert not (tmp_path / "stimuli/old.txt").exists()


def test_refuses_what_is_not_its_own(tmp_path):
    (tmp_path / "thesis.tex").write_text("years of work")
    with pytest.raises(InputError, match=r"other files \('thesis.tex'\)"):
        build(tmp_path, Writer())
    # Names like ours are no licence to delete either.
    other = tmp_path / "other"
    (other / "stimuli").mkdir(parents=True)
    (other / "stimuli/mine.png").write_text("mine")
    with pytest.raises(InputError, match="other files"):
        build(other, Writer())
    assert (other / "stimuli/mine.png").exists()
    with pytest.raises(InputError, match="is a file"):
        build(tmp_path / "thesis.tex", Writer())


def test_refuses_a_set_with_other_options(tmp_path):
    build(tmp_path, Writer())
    with pytest.raises(InputError, match="'test set' with seed=0"):
        build(tmp_path, Writer(), seed=1)


def test_refuses_an_unreadable_marker(tmp_path):
    (tmp_path / "demo.json").write_text("{")
    with pytest.raises(InputError, match=r"cannot read .*demo.json"):
        build(tmp_path, Writer())


def test_full_disk_is_one_line_and_the_set_is_not_whole(tmp_path):
    def full(folder: Path) -> list[DemoStimulus]:
        raise OSError(28, "No space left on device")

    with pytest.raises(InputError, match="No space left on device"):
        build_demo_folder(tmp_path, {"seed": 0}, title="test set", formula="none", write_stimuli=full)
    assert json.loads((tmp_path / "demo.json").read_text())["complete"] is False
    build(tmp_path, Writer())


def test_ceiling(tmp_path):
    manifest = build(tmp_path, Writer())
    assert 0.8 < demo_noise_ceiling(manifest) <= 1
    assert f"{demo_noise_ceiling(manifest):.3f}" in (tmp_path / "README.txt").read_text()
    (tmp_path / "latent.csv").unlink()
    with pytest.raises(InputError, match=r"latent\.csv"):
        demo_noise_ceiling(manifest)
