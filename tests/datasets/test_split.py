from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rankqa_datasets.errors import InputError
from rankqa_datasets.split import (
    Split,
    carve_validation,
    folds_by_content,
    read_split,
    split_by_content,
    split_from_column,
    splits_leaving_out,
    write_split,
)
from rankqa_datasets.stimulus import Stimulus


def stimuli(sizes: list[int], split: str | None = None) -> list[Stimulus]:
    return [
        Stimulus(f"{c}/{k}.png", Path(f"/{c}/{k}.png"), 1.0, None, f"content {c}", split=split)
        for c, size in enumerate(sizes)
        for k in range(size)
    ]


def contents_of(rows: list[Stimulus], split: Split, part) -> set[str]:
    return {row.content for row in rows if split.parts[row.id] == part}


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.integers(1, 9), min_size=3, max_size=12),
    st.floats(0.05, 0.6),
    st.floats(0.05, 0.35),
    st.integers(0, 99),
)
def test_parts_share_no_content_and_none_is_empty(sizes, test, validation, seed):
    rows = stimuli(sizes)
    split = split_by_content(rows, test=test, validation=validation, seed=seed)
    groups = [contents_of(rows, split, part) for part in ("train", "validation", "test")]
    assert all(groups)
    assert sum(map(len, groups)) == len(sizes)
    assert set(split.parts) == {row.id for row in rows}


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(1, 9), min_size=8, max_size=20), st.floats(0.1, 0.5), st.integers(0, 99))
def test_share_is_met_to_within_half_a_content(sizes, test, seed):
    split = split_by_content(stimuli(sizes), test=test, seed=seed)
    # Every content was offered and refused only if it led further away.
    assert abs(len(split.ids("test")) - test * sum(sizes)) <= max(sizes) / 2 + 1e-9
    assert split.ids("validation") == ()


def test_split_depends_on_the_seed_and_not_on_the_order_of_rows():
    rows = stimuli([3] * 10)
    split = split_by_content(rows, test=0.3, seed=4)
    again = split_by_content(rows[::-1], test=0.3, seed=4)
    assert split.parts == again.parts
    assert split.digest == again.digest
    assert len({split_by_content(rows, test=0.3, seed=seed).digest for seed in range(5)}) > 1


DIGEST = "89add0bd849b794fee31555f3f79e2440e17f1813d2beff76daccc7e659d12d4"  # of [["a", "train"]]


def test_digest_is_stable():
    assert Split({"b": "test", "a": "train"}).digest == Split({"a": "train", "b": "test"}).digest
    assert Split({"a": "train"}).digest == DIGEST


@pytest.mark.parametrize(("test", "validation"), [(1.0, 0.0), (0.6, 0.4), (-0.1, 0.0), (float("nan"), 0.0)])
def test_shares_that_are_none(test, validation):
    with pytest.raises(InputError, match="shares"):
        split_by_content(stimuli([1] * 9), test=test, validation=validation)


def test_too_few_contents_for_the_parts():
    with pytest.raises(InputError, match="got 2 contents"):
        split_by_content(stimuli([5, 5]), test=0.2, validation=0.2)
    with pytest.raises(InputError, match="got 1 contents"):
        split_by_content(stimuli([5]), test=0.2)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(1, 9), min_size=2, max_size=15), st.data())
def test_folds_test_each_content_once_and_are_balanced(sizes, data):
    folds = data.draw(st.integers(2, len(sizes)))
    rows = stimuli(sizes)
    splits = folds_by_content(rows, folds=folds, seed=1)
    tested = Counter(content for split in splits for content in contents_of(rows, split, "test"))
    assert set(tested.values()) == {1}
    assert len(tested) == len(sizes)
    for split in splits:
        assert not contents_of(rows, split, "test") & contents_of(rows, split, "train")
    loads = [len(split.ids("test")) for split in splits]
    assert max(loads) - min(loads) <= max(sizes)


def test_as_many_folds_as_contents_leave_one_out():
    rows = stimuli([4, 1, 7])
    splits = folds_by_content(rows, folds=3)
    assert sorted(len(split.ids("test")) for split in splits) == [1, 4, 7]
    for wrong in (1, 4):
        with pytest.raises(InputError, match="3 contents"):
            folds_by_content(rows, folds=wrong)


def distorted(contents: int = 6, types: str = "abc", levels: int = 3) -> tuple[list[Stimulus], list[str]]:
    rows, labels = [], []
    for content in range(contents):
        for name in ["", *types]:
            for level in range(levels if name else 1):
                path = f"{content}/{name}{level}.png"
                rows.append(Stimulus(path, Path("/") / path, 1.0, None, f"content {content}"))
                labels.append(name)
    return rows, labels


def test_a_left_out_distortion_and_its_contents_are_nowhere_in_training():
    rows, labels = distorted()
    label_of = dict(zip((row.id for row in rows), labels, strict=True))
    splits = splits_leaving_out(rows, labels, folds=3, seed=1)
    assert list(splits) == [(name, fold) for name in "abc" for fold in (1, 2, 3)]
    tested = Counter(id_ for split in splits.values() for id_ in split.ids("test"))
    assert tested == Counter(row.id for row, label in zip(rows, labels, strict=True) if label)
    folds = folds_by_content(rows, folds=3, seed=1)
    for (name, number), split in splits.items():
        contents = contents_of(rows, folds[number - 1], "test")
        naive = {
            row.id: ("test" if label_of[row.id] == name else "unused")
            if row.content in contents
            else ("unused" if label_of[row.id] == name else "train")
            for row in rows
        }
        assert split.parts == naive
        assert not contents_of(rows, split, "test") & contents_of(rows, split, "train")
        assert {label_of[id_] for id_ in split.ids("train")} == {"", *"abc"} - {name}


def test_a_split_with_unused_stimuli_comes_back_and_gives_validation(tmp_path):
    rows, labels = distorted()
    split = splits_leaving_out(rows, labels, folds=3)["b", 2]
    write_split(split, tmp_path / "split.csv")
    assert read_split(tmp_path / "split.csv", rows) == split
    carved = carve_validation(rows, split, share=0.25, seed=0)
    assert (carved.ids("test"), carved.ids("unused")) == (split.ids("test"), split.ids("unused"))
    assert set(carved.ids("validation")) < set(split.ids("train"))
    assert not contents_of(rows, carved, "validation") & contents_of(rows, carved, "train")
    trained = contents_of(rows, split, "train")
    leak = next(row.id for row in rows if row.content in trained and split.parts[row.id] == "unused")
    leaking = Split({**split.parts, leak: "test"})
    write_split(leaking, tmp_path / "leaking.csv")
    with pytest.raises(InputError, match="is in two parts"):
        read_split(tmp_path / "leaking.csv", rows)


def test_values_that_few_contents_have():
    rows, labels = distorted()
    only_first = [
        "d" if row.content == "content 0" and label == "a" else label for row, label in zip(rows, labels, strict=True)
    ]
    splits = splits_leaving_out(rows, only_first, folds=6)
    assert len([name for name, _ in splits if name == "d"]) == 1
    with pytest.raises(InputError, match="at least 2 values to leave out one after the other, got 1"):
        splits_leaving_out(rows, ["x"] * len(rows), folds=3)
    with pytest.raises(InputError, match=r"'lonely' left out .* got 1 and .*: take fewer folds or a column of fewer"):
        splits_leaving_out(rows, ["lonely", *labels[1:]], folds=3)
    with pytest.raises(InputError, match="one for each of the 6 contents, got 7"):
        splits_leaving_out(rows, labels, folds=7)


def test_split_from_column():
    assert split_from_column(stimuli([2, 2])) is None
    split = split_from_column(stimuli([2], "train") + stimuli([0, 3], "test"))
    assert split is not None
    assert (len(split.ids("train")), len(split.ids("test"))) == (2, 3)


def test_carved_validation_comes_from_the_training_contents():
    rows = stimuli([4] * 10)
    split = split_by_content(rows, test=0.3, seed=2)
    carved = carve_validation(rows, split, share=0.2, seed=5)
    assert carved.ids("test") == split.ids("test")
    assert set(carved.ids("validation")) < set(split.ids("train"))
    assert len(carved.ids("validation")) in (4, 8)
    assert not contents_of(rows, carved, "validation") & contents_of(rows, carved, "train")
    with pytest.raises(InputError, match="without a validation part"):
        carve_validation(rows, carved, share=0.2, seed=5)
    with pytest.raises(InputError, match="between 0 and 1"):
        carve_validation(rows, split, share=0.0, seed=5)


def test_files_come_back(tmp_path):
    rows = stimuli([2, 3, 4])
    split = split_by_content(rows, test=0.3, validation=0.3)
    write_split(split, tmp_path / "split.csv")
    assert read_split(tmp_path / "split.csv", rows) == split
    assert (tmp_path / "split.csv").read_text().startswith("path,split\n0/0.png,")
    assert list(tmp_path.iterdir()) == [tmp_path / "split.csv"]
    # Rows in another order are the same split.
    shuffled = [rows[i] for i in np.random.default_rng(0).permutation(len(rows))]
    assert read_split(tmp_path / "split.csv", shuffled).digest == split.digest


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "header 'path,split'"),
        ("a,b\n", "header 'path,split'"),
        ("path,split\n0/0.png,train,x\n", "header 'path,split'"),
        ("path,split\n0/0.png,train\n0/0.png,train\n", "comes twice"),
        ("path,split\n0/0.png,dev\n", "got 'dev'"),
        ("path,split\n0/0.png,train\n0/1.png,train\n", "'1/0.png' is missing"),
        ("path,split\n0/0.png,train\n0/1.png,train\n1/0.png,test\nx.png,test\n", "'x.png' is not in the manifest"),
        ("path,split\n0/0.png,train\n0/1.png,test\n1/0.png,test\n", "content 'content 0' is in two parts"),
        (b"\xff\xfe\0", "cannot read the split file"),
    ],
)
def test_bad_files(tmp_path, text, message):
    path = tmp_path / "split.csv"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(InputError, match=message) as caught:
        read_split(path, stimuli([2, 1]))
    assert "\n" not in str(caught.value)


def test_missing_file_and_full_disk(tmp_path, monkeypatch):
    with pytest.raises(InputError, match="cannot read the split file"):
        read_split(tmp_path / "no.csv", stimuli([1, 1]))
    split = Split({"a": "train"})
    write_split(split, tmp_path / "split.csv")

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(InputError, match="No space left"):
        write_split(Split({"a": "test"}), tmp_path / "split.csv")
    assert (tmp_path / "split.csv").read_text() == "path,split\na,train\n"
    assert list(tmp_path.iterdir()) == [tmp_path / "split.csv"]
