from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

from imgqa.decode import decode_image
from imgqa.distortions import DISTORTIONS, distort
from imgqa.ladder_set import build_ladder_set, parse_types
from imgqa.photo_folder import find_photos
from rankqa_datasets.errors import InputError
from rankqa_datasets.manifest import check_manifest, read_manifest
from rankqa_datasets.pristine_images import pristine_image
from shared_engine.names import UsageProblem

TYPES = ("jpeg", "kadid_gaussian_blur", "kadid_impulse_noise")


@pytest.fixture
def photos(tmp_path) -> Path:
    folder = tmp_path / "photos"
    (folder / "sub").mkdir(parents=True)
    (folder / ".hidden").mkdir()
    for name, kind in (("b.png", "leaves"), ("sub/a b.png", "scene"), (".hidden/c.png", "text")):
        Image.fromarray(pristine_image(kind, 48, 1)).save(folder / name)
    (folder / "notes.txt").write_text("no photograph")
    return folder


def files(folder: Path) -> dict[str, tuple[int, bytes]]:
    return {
        path.relative_to(folder).as_posix(): (path.stat().st_mtime_ns, path.read_bytes())
        for path in folder.rglob("*.png")
    }


def test_set_is_a_valid_manifest(photos, tmp_path):
    result = build_ladder_set(photos, tmp_path / "set", types=TYPES, seed=3, workers=1)
    assert check_manifest(result.manifest, low=-5, high=0, decode=decode_image) == []
    stimuli = read_manifest(result.manifest).stimuli
    # Level 1 of KADID's Gaussian blur changes nothing, so it is no rung.
    assert (result.contents, result.twins, result.left_out) == (2, 2, ())
    assert len(stimuli) == result.stimuli == 2 * (1 + 3 * 5) - 2
    assert {s.content for s in stimuli} == {"b", "sub/a b"}
    assert {s.recipe for s in stimuli} == {"pristine", *TYPES}
    for stimulus in stimuli:
        level = -int(stimulus.target)
        assert stimulus.reference is not None
        assert stimulus.recipe is not None
        pristine, image = decode_image(stimulus.reference), decode_image(stimulus.path)
        if level == 0:
            assert stimulus.recipe == "pristine"
            np.testing.assert_array_equal(image, decode_image(photos / f"{stimulus.content}.png"))
        elif stimulus.recipe != "kadid_impulse_noise":
            np.testing.assert_array_equal(image, distort(pristine, stimulus.recipe, level))
        else:
            assert (image != pristine).any()
    assert "NOT an opinion" in (tmp_path / "set" / "README.txt").read_text()


def test_seeds_and_processes(photos, tmp_path):
    options = {"types": ("kadid_impulse_noise",), "levels": [2, 5]}
    one = build_ladder_set(photos, tmp_path / "one", seed=1, workers=1, **options)
    two = build_ladder_set(photos, tmp_path / "two", seed=1, workers=2, **options)
    other = build_ladder_set(photos, tmp_path / "other", seed=2, workers=1, **options)
    assert one.manifest.read_bytes() == two.manifest.read_bytes() == other.manifest.read_bytes()
    bytes_of = {name: [b for _, b in files(tmp_path / name).values()] for name in ("one", "two", "other")}
    assert bytes_of["one"] == bytes_of["two"] != bytes_of["other"]


def test_interrupted_set_goes_on(photos, tmp_path, monkeypatch):
    whole = build_ladder_set(photos, tmp_path / "whole", types=TYPES, workers=1)

    calls = iter(range(100))

    def broken(image, name, level, *, seed):
        if next(calls) == 12:
            raise KeyboardInterrupt
        return distort(image, name, level, seed=seed)

    monkeypatch.setattr("imgqa.ladder_set.distort", broken)
    with pytest.raises(KeyboardInterrupt):
        build_ladder_set(photos, tmp_path / "set", types=TYPES, workers=1)
    before = files(tmp_path / "set")
    assert not (tmp_path / "set" / "manifest.csv").exists()
    assert 0 < len(before) < whole.stimuli
    monkeypatch.undo()

    result = build_ladder_set(photos, tmp_path / "set", types=TYPES, workers=1)
    after = files(tmp_path / "set")
    assert all(after[name] == state for name, state in before.items())
    assert {name: data for name, (_, data) in after.items()} == {
        name: data for name, (_, data) in files(tmp_path / "whole").items()
    }
    assert result.manifest.read_bytes() == whole.manifest.read_bytes()
    assert result.twins == whole.twins


def test_finished_set_computes_nothing(photos, tmp_path, monkeypatch):
    build_ladder_set(photos, tmp_path / "set", types=("jpeg",), workers=1)
    before = files(tmp_path / "set")
    monkeypatch.setattr("imgqa.ladder_set.distort", lambda *args, **options: pytest.fail("computed again"))
    build_ladder_set(photos, tmp_path / "set", types=("jpeg",), workers=1)
    assert files(tmp_path / "set") == before


def test_set_may_grow_but_not_change(photos, tmp_path):
    folder = tmp_path / "set"
    build_ladder_set(photos, folder, types=("jpeg",), limit=1, workers=1)
    assert build_ladder_set(photos, folder, types=("jpeg",), workers=1).contents == 2
    with pytest.raises(InputError, match=r"'sub/a b' is not among"):
        build_ladder_set(photos, folder, types=("jpeg",), limit=1, workers=1)
    for changed in ({"types": ("white_noise",)}, {"seed": 1}, {"levels": [1]}, {"crop": 32}):
        with pytest.raises(InputError, match="other options"):
            build_ladder_set(photos, folder, **{"types": ("jpeg",), "workers": 1, **changed})
    Image.new("RGB", (48, 48)).save(photos / "b.png")
    with pytest.raises(InputError, match="not the photograph"):
        build_ladder_set(photos, folder, types=("jpeg",), workers=1)


def test_damaged_and_small_photographs_are_left_out(photos, tmp_path):
    (photos / "broken.png").write_bytes((photos / "b.png").read_bytes()[:400])
    Image.new("RGB", (90, 20)).save(photos / "flat.png")
    result = build_ladder_set(photos, tmp_path / "set", types=("jpeg",), crop=32, workers=1)
    assert result.contents == 2
    damaged, small = result.left_out
    assert "broken.png" in damaged
    assert "flat.png is 90 x 20 pixels: expected at least 32 x 32" in small
    stimuli = read_manifest(result.manifest).stimuli
    assert {decode_image(s.path).shape for s in stimuli} == {(32, 32, 3)}
    np.testing.assert_array_equal(decode_image(stimuli[0].path), decode_image(photos / "b.png")[8:40, 8:40])
    # The file is fetched again: the set goes on.
    (photos / "broken.png").write_bytes((photos / "sub" / "a b.png").read_bytes())
    assert build_ladder_set(photos, tmp_path / "set", types=("jpeg",), crop=32, workers=1).contents == 3

    with pytest.raises(InputError, match="none of the 4 photographs"):
        build_ladder_set(photos, tmp_path / "none", types=("jpeg",), crop=512, workers=1)


def test_grey_photograph_has_no_saturation_ladder(photos, tmp_path):
    grey = decode_image(photos / "b.png")[..., :1].repeat(3, axis=2)
    Image.fromarray(grey).save(photos / "b.png")
    result = build_ladder_set(photos, tmp_path / "set", types=("kadid_color_saturation_1",), limit=1, workers=1)
    assert (result.stimuli, result.twins) == (1, 5)


def test_all_types(photos, tmp_path):
    result = build_ladder_set(photos, tmp_path / "set", types=["all"], levels=[5], limit=1, crop=16, workers=1)
    assert result.stimuli == 1 + len(DISTORTIONS) - 2


def test_other_folders_are_refused(photos, tmp_path):
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "mine.txt").write_text("mine")
    for folder, message in (
        (tmp_path / "other", "holds 'mine.txt'"),
        (photos / "set", "outside of"),
        (photos / "notes.txt" / "set", "outside of"),
    ):
        with pytest.raises(InputError, match=message):
            build_ladder_set(photos, folder, types=("jpeg",), workers=1)
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="is a file"):
        build_ladder_set(photos, tmp_path / "file", types=("jpeg",), workers=1)
    (tmp_path / "other" / "ladders.json").write_text("{")
    with pytest.raises(InputError, match="cannot read"):
        build_ladder_set(photos, tmp_path / "other", types=("jpeg",), workers=1)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"types": ()}, "at least one"),
        ({"types": ("fog",)}, "unknown distortion type 'fog'"),
        ({"levels": [0, 1]}, "from 1 to 5, got 0, 1"),
        ({"levels": []}, "got none"),
        ({"limit": 0}, "at least 1 photograph"),
        ({"seed": -1}, "seed"),
        ({"crop": 4}, "at least 8"),
    ],
)
def test_bad_options(photos, tmp_path, options, message):
    with pytest.raises(InputError, match=message):
        build_ladder_set(photos, tmp_path / "set", **{"types": ("jpeg",), "workers": 1, **options})
    assert not (tmp_path / "set").exists()


def test_types():
    assert parse_types("white_noise, jpeg") == ("white_noise", "jpeg")
    everything = parse_types("all")
    assert len(everything) == len(DISTORTIONS) - 2
    with pytest.raises(UsageProblem, match="did you mean 'kadid_jitter'"):
        parse_types("kadid_jiter")
    with pytest.raises(UsageProblem, match=r"no ladder can be made of kadid_mean_shift: .*unchanged \(level 3\)"):
        parse_types("jpeg,kadid_mean_shift")


def test_contents_are_names_without_endings(photos):
    assert list(find_photos(photos)) == ["b", "sub/a b"]
    Image.new("RGB", (9, 9)).save(photos / "b.bmp")
    assert list(find_photos(photos)) == ["b.bmp", "b.png", "sub/a b"]
    with pytest.raises(InputError, match="which is none"):
        find_photos(photos / "nowhere")
    (photos / "empty").mkdir()
    with pytest.raises(InputError, match="no file with ending"):
        find_photos(photos / "empty")
    (photos / "line\nbreak.png").write_bytes(b"")
    with pytest.raises(InputError, match="printable"):
        find_photos(photos)


def test_command(photos, tmp_path, monkeypatch):
    monkeypatch.setattr("imgqa.ladder_set.processors", lambda: 1)
    from rankqa_cli.ladders import synth

    def call(*arguments: str):
        return CliRunner().invoke(synth, ["image", "--out", str(tmp_path / "set"), *arguments])

    options = ["--from", str(photos), "--types", "jpeg", "--levels", "5,1"]
    result = call(*options)
    assert result.exit_code == 0, result.output
    assert str(tmp_path / "set" / "manifest.csv") in result.stdout
    assert "6 images of 2 photographs" in result.stderr
    assert sorted(s.target for s in read_manifest(tmp_path / "set" / "manifest.csv").stimuli) == [-5, -5, -1, -1, 0, 0]

    (photos / "z.jpg").write_bytes(b"\xff\xd8 not a photograph")
    result = call(*options)
    assert result.exit_code == 1
    assert "1 of 3 photographs left out" in str(result.exception)
    assert "left out: " in result.stderr
    assert len(read_manifest(tmp_path / "set" / "manifest.csv").stimuli) == 6

    for arguments, message in (
        (["--types", "jpeg"], "--types goes with --from"),
        (["--from", str(photos), "--levels", "1,x"], "expected levels like"),
    ):
        result = call(*arguments)
        assert isinstance(result.exception, UsageProblem)
        assert message in str(result.exception)
