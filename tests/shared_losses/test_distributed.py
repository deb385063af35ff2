"""Two and four processes over gloo against one process on the joined batch."""

import os

import pytest
import torch
import torch.distributed as dist
import torch.multiprocessing as mp

from shared_losses import Objective, ScoreBank, Term, gather_rows

STEPS = 4
TERMS = [
    Term("spearman", 1.0, use_bank=True),
    Term("spearman", 0.5, options={"kernel": "logistic"}),
    Term("plcc", 0.5, use_bank=True),
    Term("norm_in_norm", 0.3, use_bank=True),
    Term("mse", 0.2, options={"location": 0, "scale": 2}),
    Term("mae", 0.1),
    Term("plcc", 0.2, output="head"),
    Term("cross_entropy", 0.3, output="type"),
]
SPLITS = {  # rows on each rank in each step, ragged on purpose
    2: [(6, 6), (5, 7), (1, 8), (6, 6)],
    4: [(3, 3, 3, 3), (5, 1, 2, 4), (1, 1, 1, 6), (2, 4, 3, 3)],
}
BANKS = {
    "table": lambda: ScoreBank(30),
    "fifo": lambda: ScoreBank(17, "fifo"),
    "mixture": lambda: {"even": ScoreBank(30), "odd": ScoreBank(30)},
}


def global_batch(step):
    generator = torch.Generator().manual_seed(step)
    count = sum(SPLITS[2][step])
    features = torch.randn(count, 3, generator=generator)
    targets = features.sum(1) + torch.randn(count, generator=generator)
    return features, targets, torch.randperm(30, generator=generator)[:count]


def train(kind, rank=None, world_size=1):
    """Trains a linear scorer; returns weights, bank state and correlation values of every step."""
    weights = torch.tensor([0.5, -0.2, 0.1], requires_grad=True)
    objective = Objective(TERMS, BANKS[kind](), align=kind == "table", warmup=0.7)
    optimizer = torch.optim.SGD([weights], lr=0.1)
    values = []
    for step in range(STEPS):
        features, targets, ids = global_batch(step)
        if rank is not None:
            begin = sum(SPLITS[world_size][step][:rank])
            mine = slice(begin, begin + SPLITS[world_size][step][rank])
            features, targets, ids = features[mine], targets[mine], ids[mine]
        optimizer.zero_grad()
        databases = ids % 2 if kind == "mixture" else None
        outputs = {
            "head": (features * torch.tensor([1.0, 0.5, -1.0])) @ weights,
            "type": features * weights,
            "classes": ids % 5 % 4 - 1,  # two of five are unknown, not as many on each rank
        }
        total, terms = objective(features @ weights, targets, ids=ids, databases=databases, outputs=outputs)
        total.backward()
        if rank is not None:  # as DistributedDataParallel: the mean over processes
            dist.all_reduce(weights.grad)
            weights.grad /= dist.get_world_size()
        optimizer.step()
        objective.push()
        values.append(torch.stack([terms[name] for name in ("spearman", "spearman_2", "plcc", "norm_in_norm")]))
    return weights.detach(), objective.state_dict(), torch.stack(values)


def work(rank, folder, world_size):
    torch.set_num_threads(1)
    dist.init_process_group("gloo", init_method=f"file://{folder}/store", rank=rank, world_size=world_size)
    for kind in BANKS:
        torch.save(train(kind, rank, world_size), f"{folder}/{kind}{rank}.pt")
    if world_size == 2:
        check_gathered_rows(rank)
    dist.barrier()
    dist.destroy_process_group()
    # Without the interpreter's own end: a gloo thread that still waits for its lock then would abort the process.
    os._exit(0)


def check_gathered_rows(rank):
    features, targets, ids = global_batch(0)
    mine = slice(0, 4) if rank == 0 else slice(4, 5)
    rows = gather_rows(features[mine, 0], targets[mine], ids=ids[mine], target_std=targets[mine].abs())
    assert torch.equal(rows.scores, features[:5, 0])
    assert torch.equal(rows.targets, targets[:5])
    assert torch.equal(rows.target_std, targets[:5].abs())
    assert torch.equal(rows.ids, ids[:5])
    assert rows.own == mine
    with pytest.raises(ValueError, match=r"passed by rank: \[True, False\]"):
        gather_rows(features[mine, 0], targets[mine], ids=ids[mine] if rank == 0 else None)


@pytest.mark.parametrize("world_size", [2, 4])
def test_processes_equal_one(tmp_path, world_size):
    mp.spawn(work, args=(str(tmp_path), world_size), nprocs=world_size)
    for kind in BANKS:
        expected_weights, expected_bank, expected_values = train(kind)
        first, *others = (torch.load(tmp_path / f"{kind}{rank}.pt", weights_only=True) for rank in range(world_size))
        for weights, bank, values in (first, *others):
            torch.testing.assert_close(weights, expected_weights, rtol=0, atol=1e-6)
            # Of a mixture each process sees the values of the databases it holds rows of.
            if kind != "mixture":
                torch.testing.assert_close(values, expected_values, rtol=0, atol=1e-6)
            for name, column in bank.items():
                torch.testing.assert_close(column, first[1][name], rtol=0, atol=0, equal_nan=True)
                torch.testing.assert_close(column, expected_bank[name], rtol=0, atol=1e-6, equal_nan=True)


def test_without_a_process_group_rows_come_back_detached():
    scores = torch.tensor([1.0, 2.0], requires_grad=True)
    rows = gather_rows(scores, torch.tensor([3.0, 4.0]))
    assert not rows.scores.requires_grad
    assert rows.scores.tolist() == [1, 2]
    assert rows.own == slice(0, 2)
    assert rows.ids is None
    assert rows.world_size == 1
