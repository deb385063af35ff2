import pytest
import torch

from rankqa_datasets.errors import InputError
from rankqa_datasets.manifest import Stimulus
from shared_engine.stimuli import EpochBatches, StimulusDataset, evaluation_loader, read_ahead


def rows(batches):
    return [draw.row for batch in batches for draw in batch]


def test_each_epoch_is_a_new_order_of_all_rows_and_a_function_of_the_seed():
    batches = EpochBatches(23, 4, seed=1)
    batches.epoch = 1
    first, again = list(batches), list(batches)
    batches.epoch = 2
    second = list(batches)
    assert first == again
    assert sorted(rows(first)) == sorted(rows(second)) == list(range(23))
    assert rows(first) != rows(second)
    assert {d.seed for b in first for d in b}.isdisjoint({d.seed for b in second for d in b})
    assert len(batches) == len(first) == 6


@pytest.mark.parametrize(("count", "sizes"), [(9, [4, 4]), (10, [4, 4, 2]), (3, [3]), (1, [])])
def test_no_batch_of_one(count, sizes):
    assert [len(b) for b in EpochBatches(count, 4, seed=0)] == sizes


def test_processes_share_each_global_batch_evenly():
    whole = EpochBatches(22, 8, seed=3)
    shares = [list(EpochBatches(22, 8, seed=3, rank=r, world_size=2)) for r in range(2)]
    for batch, a, b in zip(whole, *shares, strict=True):
        assert len(a) == len(b) == len(batch) // 2
        assert sorted(a + b) == sorted(batch)


@pytest.mark.parametrize("count", [1, 2, 3, 7])
def test_processes_judge_each_stimulus_once_and_none_is_without(tmp_path, count):
    stimuli = [Stimulus(f"{i}", tmp_path / f"{i}", float(i), None, f"{i}") for i in range(count)]
    dataset = StimulusDataset(stimuli, lambda path, generator: {})
    shares = [
        [row for batch in evaluation_loader(dataset, 2, 0, rank=rank, world_size=3) for row in batch["rows"].tolist()]
        for rank in range(3)
    ]
    judged = sorted(row for share in shares for row in share)
    # Fewer stimuli than processes: those that are left over judge the first one as well.
    assert judged == [0] * max(0, 3 - count) + list(range(count))
    assert all(shares)


@pytest.mark.parametrize("device", ["cpu", "cuda"])
def test_reading_ahead_changes_no_batch_and_hides_no_error(device):
    def batches(fails: bool):
        for row in range(3):
            yield {"rows": torch.tensor([row])}
        if fails:
            raise InputError("unreadable")

    read = [int(batch["rows"]) for batch in read_ahead(batches(fails=False), torch.device(device))]
    assert read == [0, 1, 2]
    with pytest.raises(InputError, match="unreadable"):
        list(read_ahead(batches(fails=True), torch.device(device)))
