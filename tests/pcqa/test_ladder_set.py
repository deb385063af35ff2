from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from pcqa.cloud import Cloud
from pcqa.distortions import DISTORTIONS, distort
from pcqa.io import read_cloud, read_ply, write_ply
from pcqa.ladder_set import LEVELS, build_ladder_set, parse_types
from rankqa_datasets.errors import InputError
from rankqa_datasets.manifest import check_manifest, read_manifest
from rankqa_datasets.pristine_clouds import pristine_cloud
from shared_engine.names import UsageProblem

TYPES = ("sjtu_octree_compression", "ls_mean_shift", "wpc_noise_2", "ls_gaussian_shifting")
RUNGS = 6 + 7 + 3 + 7


def colored(kind: str, seed: int) -> Cloud:
    points, colors = pristine_cloud(kind, 300, seed)
    return Cloud(points, (colors / 255).astype(np.float32), np.ones_like(points))


@pytest.fixture
def clouds(tmp_path) -> Path:
    folder = tmp_path / "clouds"
    (folder / "sub").mkdir(parents=True)
    (folder / ".hidden").mkdir()
    write_ply(colored("vase", 1), folder / "b.ply")
    write_ply(colored("knot", 2), folder / "sub" / "a b.ply", ascii=True)
    write_ply(colored("knot", 3), folder / ".hidden" / "c.ply")
    (folder / "notes.txt").write_text("no cloud")
    return folder


def files(folder: Path) -> dict[str, tuple[int, bytes]]:
    return {
        path.relative_to(folder).as_posix(): (path.stat().st_mtime_ns, path.read_bytes())
        for path in folder.rglob("*.ply")
    }


def equal(first: Cloud, second: Cloud) -> bool:
    assert first.colors is not None
    assert second.colors is not None
    return np.array_equal(first.points, second.points) and np.array_equal(
        np.rint(255 * first.colors), np.rint(255 * second.colors)
    )


def test_set_is_a_valid_manifest(clouds, tmp_path):
    result = build_ladder_set(clouds, tmp_path / "set", types=TYPES, seed=3, workers=1)
    assert check_manifest(result.manifest, low=-7, high=0, decode=read_ply) == []
    stimuli = read_manifest(result.manifest).stimuli
    assert (result.contents, result.twins, result.without_colors, result.left_out) == (2, 0, 0, ())
    assert len(stimuli) == result.stimuli == 2 * (1 + RUNGS)
    assert {s.content for s in stimuli} == {"b", "sub/a b"}
    assert {s.recipe for s in stimuli} == {"pristine", *TYPES}
    for stimulus in stimuli:
        level = -int(stimulus.target)
        assert stimulus.reference is not None
        pristine, cloud = read_ply(stimulus.reference), read_ply(stimulus.path)
        if level == 0:
            assert equal(cloud, read_cloud(clouds / f"{stimulus.content}.ply"))
            assert cloud.normals is not None
        elif stimulus.recipe in {"sjtu_octree_compression", "ls_mean_shift"}:
            assert equal(cloud, distort(pristine, str(stimulus.recipe), level))
        else:
            assert not np.array_equal(cloud.points, pristine.points)
    rows = result.manifest.read_text().splitlines()
    assert rows[0] == "path,target,reference,content,recipe,level"
    assert rows[1] == "clouds/b/pristine.ply,0,clouds/b/pristine.ply,b,pristine,0"
    assert rows[3].endswith("_2.ply,-2,clouds/b/pristine.ply,b,sjtu_octree_compression,2")
    assert "NOT an opinion" in (tmp_path / "set" / "README.txt").read_text()


def test_seeds_and_processes(clouds, tmp_path):
    options = {"types": ("ls_gaussian_noise",), "levels": [2, 5]}
    one = build_ladder_set(clouds, tmp_path / "one", seed=1, workers=1, **options)
    two = build_ladder_set(clouds, tmp_path / "two", seed=1, workers=2, **options)
    other = build_ladder_set(clouds, tmp_path / "other", seed=2, workers=1, **options)
    assert one.manifest.read_bytes() == two.manifest.read_bytes() == other.manifest.read_bytes()
    bytes_of = {name: [b for _, b in files(tmp_path / name).values()] for name in ("one", "two", "other")}
    assert bytes_of["one"] == bytes_of["two"] != bytes_of["other"]


def test_interrupted_set_goes_on(clouds, tmp_path, monkeypatch):
    whole = build_ladder_set(clouds, tmp_path / "whole", types=TYPES, workers=1)
    calls = iter(range(100))

    def broken(cloud, name, level, *, seed):
        if next(calls) == 12:
            raise KeyboardInterrupt
        return distort(cloud, name, level, seed=seed)

    monkeypatch.setattr("pcqa.ladder_set.distort", broken)
    with pytest.raises(KeyboardInterrupt):
        build_ladder_set(clouds, tmp_path / "set", types=TYPES, workers=1)
    before = files(tmp_path / "set")
    assert not (tmp_path / "set" / "manifest.csv").exists()
    assert len(before) == 2 + 12
    monkeypatch.undo()

    result = build_ladder_set(clouds, tmp_path / "set", types=TYPES, workers=1)
    after = files(tmp_path / "set")
    assert all(after[name] == state for name, state in before.items())
    assert {name: data for name, (_, data) in after.items()} == {
        name: data for name, (_, data) in files(tmp_path / "whole").items()
    }
    assert result.manifest.read_bytes() == whole.manifest.read_bytes()

    monkeypatch.setattr("pcqa.ladder_set.distort", lambda *args, **options: pytest.fail("computed again"))
    build_ladder_set(clouds, tmp_path / "set", types=TYPES, workers=1)
    assert files(tmp_path / "set") == after


def test_set_may_grow_but_not_change(clouds, tmp_path):
    folder, types = tmp_path / "set", ("sjtu_color_noise",)
    build_ladder_set(clouds, folder, types=types, limit=1, workers=1)
    assert build_ladder_set(clouds, folder, types=types, workers=1).contents == 2
    with pytest.raises(InputError, match=r"ladders of 2 clouds, 'sub/a b' is not among"):
        build_ladder_set(clouds, folder, types=types, limit=1, workers=1)
    for changed in ({"types": ("ls_octree",)}, {"seed": 1}, {"levels": [1]}):
        with pytest.raises(InputError, match="other options"):
            build_ladder_set(clouds, folder, **{"types": types, "workers": 1, **changed})
    write_ply(colored("blob", 1), clouds / "b.ply")
    with pytest.raises(InputError, match="not the cloud"):
        build_ladder_set(clouds, folder, types=types, workers=1)


def test_damaged_and_extreme_clouds_are_left_out(clouds, tmp_path):
    (clouds / "broken.ply").write_bytes((clouds / "b.ply").read_bytes()[:500])
    write_ply(Cloud(colored("blob", 1).points.astype(np.float64) * 1e40), clouds / "far.ply")
    result = build_ladder_set(clouds, tmp_path / "set", types=("ls_octree",), levels=[7], workers=1)
    assert result.contents == 2
    damaged, far = result.left_out
    assert "broken.ply" in damaged
    assert "far.ply: expected coordinates within" in far
    for name in ("b.ply", "sub/a b.ply"):
        (clouds / name).unlink()
    with pytest.raises(InputError, match=r"none of the 2 clouds .* can be used"):
        build_ladder_set(clouds, tmp_path / "none", types=("ls_octree",), workers=1)


def test_clouds_without_colours_have_ladders_of_geometry_alone(clouds, tmp_path):
    np.savetxt(clouds / "b.xyz", colored("vase", 1).points)
    (clouds / "b.ply").unlink()
    result = build_ladder_set(clouds, tmp_path / "set", types=TYPES, workers=1)
    assert (result.without_colors, result.twins) == (2, 0)
    assert result.stimuli == 2 * (1 + RUNGS) - 7 - 3
    recipes = {s.recipe for s in read_manifest(result.manifest).stimuli if s.content == "b"}
    assert recipes == {"pristine", "sjtu_octree_compression", "ls_gaussian_shifting"}


def test_equal_points_have_no_rungs(tmp_path):
    (tmp_path / "clouds").mkdir()
    write_ply(Cloud(np.full((1, 3), 0.5)), tmp_path / "clouds" / "one.ply")
    result = build_ladder_set(tmp_path / "clouds", tmp_path / "set", types=TYPES, workers=1)
    assert (result.stimuli, result.twins, result.without_colors) == (1, 6 + 7, 2)


def test_all_types_and_the_levels_that_they_have(clouds, tmp_path):
    result = build_ladder_set(clouds, tmp_path / "set", types=["all"], levels=[4, 7], limit=1, workers=1)
    counts = [len(distortion.amounts) for distortion in DISTORTIONS.values()]
    assert result.stimuli == 1 + sum((count >= 4) + (count >= 7) for count in counts) - result.twins
    assert result.twins <= 2
    with pytest.raises(InputError, match=r"got 7 for wpc_noise_2 \(1 to 3\), gpcc_like \(1 to 6\)"):
        build_ladder_set(clouds, tmp_path / "none", types=["gpcc_like", "wpc_noise_2"], levels=[7], workers=1)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"types": ()}, "at least one"),
        ({"types": ("fog",)}, "unknown distortion type 'fog'"),
        ({"levels": [0, 1]}, "from 1 to 7, got 0, 1"),
        ({"levels": []}, "got none"),
        ({"limit": 0}, "at least 1 cloud"),
        ({"seed": -1}, "seed"),
    ],
)
def test_bad_options(clouds, tmp_path, options, message):
    with pytest.raises(InputError, match=message):
        build_ladder_set(clouds, tmp_path / "set", **{"types": ("ls_octree",), "workers": 1, **options})
    assert not (tmp_path / "set").exists()


def test_other_folders_are_refused(clouds, tmp_path):
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "mine.txt").write_text("mine")
    (tmp_path / "file").write_text("")
    for folder, message in (
        (tmp_path / "other", "holds 'mine.txt'"),
        (tmp_path / "file", "is a file"),
        (clouds / "set", "outside of the clouds'"),
    ):
        with pytest.raises(InputError, match=message):
            build_ladder_set(clouds, folder, types=("ls_octree",), workers=1)
    with pytest.raises(InputError, match=r"expected a folder of clouds, got .*nowhere"):
        build_ladder_set(tmp_path / "nowhere", tmp_path / "set", types=("ls_octree",), workers=1)


def test_types():
    assert LEVELS == (1, 2, 3, 4, 5, 6, 7)
    assert parse_types("ls_octree, sjtu_color_noise") == ("sjtu_color_noise", "ls_octree")
    assert parse_types("all") == tuple(DISTORTIONS)
    with pytest.raises(UsageProblem, match="did you mean 'ls_octree'"):
        parse_types("ls_octre")


def test_command(clouds, tmp_path, monkeypatch):
    monkeypatch.setattr("pcqa.ladder_set.processors", lambda: 1)
    from rankqa_cli.ladders import synth

    def call(*arguments: str):
        return CliRunner().invoke(synth, ["cloud", "--out", str(tmp_path / "set"), *arguments])

    write_ply(Cloud(colored("blob", 1).points), clouds / "bare.ply")
    options = ["--from", str(clouds), "--types", "ls_mean_shift,ls_octree", "--levels", "7,1"]
    result = call(*options)
    assert result.exit_code == 0, result.output
    assert str(tmp_path / "set" / "manifest.csv") in result.stdout
    assert "left out: 1 ladders of colour" in result.stderr
    assert "13 clouds of 3 originals; 0 left out" in result.stderr

    (clouds / "z.ply").write_bytes(b"ply no more")
    result = call(*options)
    assert result.exit_code == 1
    assert "1 of 4 originals left out" in str(result.exception)

    for arguments, message in (
        (["--types", "ls_octree"], "--types goes with --from"),
        (["--from", str(clouds), "--levels", "8"], "from 1 to 7"),
        (["--from", str(clouds), "--crop", "64"], "--crop cuts photographs"),
    ):
        result = call(*arguments)
        assert isinstance(result.exception, UsageProblem)
        assert message in str(result.exception)
