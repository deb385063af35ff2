import pytest
import torch

from shared_losses import ScoreBank

T = torch.tensor


def push(bank, scores, ids=None, **kwargs):
    scores = T([float(s) for s in scores])
    bank.push(scores, scores * 10, None if ids is None else T(ids), **kwargs)


def same_state(one, other):
    ours, theirs = one.state_dict(), other.state_dict()
    return ours.keys() == theirs.keys() and all(
        torch.equal(ours[k].nan_to_num(nan=-7), theirs[k].nan_to_num(nan=-7)) for k in ours
    )


def test_table_holds_each_item_once_with_its_latest_score():
    bank = ScoreBank(5)
    assert bank.fill == 0
    assert bank.view().scores.shape == (0,)
    push(bank, [1, 2, 3], [4, 0, 2])
    push(bank, [5, 6], [0, 1])
    assert bank.view().scores.tolist() == [5, 6, 3, 1]
    assert bank.view().targets.tolist() == [50, 60, 30, 10]
    assert bank.fill == 0.8
    assert bank.view(exclude_ids=T([0, 4, 3])).scores.tolist() == [6, 3]
    assert bank.view(max_age=1).scores.tolist() == [5, 6]
    assert bank.view(max_age=2).scores.tolist() == [5, 6, 3, 1]
    bank.clear()
    assert same_state(bank, ScoreBank(5))


def test_fifo_wraps_around_with_ragged_and_oversized_pushes():
    bank = ScoreBank(5, "fifo")
    pushed = []
    for size in (2, 2, 3, 1, 4, 7, 5, 2, 13):
        new = [len(pushed) + 1 + index for index in range(size)]
        push(bank, new, [100 + value for value in new])
        pushed += new
        assert sorted(bank.view().scores.tolist()) == pushed[-5:]
        assert bank.fill == min(len(pushed), 5) / 5
    kept = bank.view(exclude_ids=T([100 + pushed[-1], 100 + pushed[-3], 3]))
    assert sorted(kept.scores.tolist()) == [pushed[-5], pushed[-4], pushed[-2]]
    assert sorted((bank.view().targets / 10).tolist()) == pushed[-5:]


def test_fifo_needs_no_ids():
    bank = ScoreBank(3, "fifo")
    push(bank, [1, 2])
    push(bank, [3, 4])
    assert sorted(bank.view(exclude_ids=T([1])).scores.tolist()) == [2, 3, 4]


def test_spread_of_opinions_is_kept_where_known():
    bank = ScoreBank(3)
    push(bank, [1, 2], [0, 1], target_std=T([0.5, torch.nan]))
    push(bank, [3], [2])
    assert bank.view().target_std.nan_to_num(nan=-1).tolist() == [0.5, -1, -1]


def test_alignment_undoes_a_drift_that_grows_with_age():
    generator = torch.Generator().manual_seed(0)
    quality = torch.randn(200, generator=generator)
    bank = ScoreBank(200)

    def score(ids, step):  # what the drifting model says at that step
        return (1 + 0.02 * step) * quality[ids] + 0.1 * step

    for step, ids in enumerate(torch.arange(200).split(20)):
        bank.push(score(ids, step), quality[ids], ids)
    again, now = torch.arange(20), 10
    rows = bank.view(exclude_ids=again, align_scores=score(again, now))
    present = score(torch.arange(20, 200), now)
    # To first order: the slope is of the scores at the time, and the model is not linear in it.
    assert (rows.scores - present).abs().max() < 0.15
    assert (bank.view(exclude_ids=again).scores - present).abs().max() > 0.9
    assert torch.equal(rows.targets, quality[20:])
    few = bank.view(exclude_ids=again[:7], align_scores=score(again[:7], now))
    assert torch.equal(few.scores, bank.view(exclude_ids=again[:7]).scores)


def test_alignment_of_equal_or_extreme_scores_stays_finite():
    for value in (0.0, 3e38, 1e-45):
        bank = ScoreBank(20)
        bank.push(torch.full((20,), value), torch.arange(20.0), torch.arange(20))
        assert torch.isfinite(bank.view(torch.arange(9), align_scores=torch.full((9,), -value)).scores).all()
    with pytest.raises(ValueError, match="alignment needs a table and one id a score; got a fifo, 3 ids and 3 scores"):
        ScoreBank(5, "fifo").view(torch.arange(3), align_scores=torch.zeros(3))
    with pytest.raises(ValueError, match="got a table, no ids and 3 scores"):
        ScoreBank(5).view(align_scores=torch.zeros(3))


def test_rows_carry_no_gradient_and_are_copies():
    bank = ScoreBank(3)
    scores = T([1.0, 2.0], requires_grad=True)
    bank.push(scores * 2, T([1.0, 2.0]), T([0, 1]))
    rows = bank.view()
    assert not rows.scores.requires_grad
    bank.push(T([9.0]), T([9.0]), T([0]))
    assert rows.scores.tolist() == [2, 4]


@pytest.mark.parametrize("kind", ["table", "fifo"])
def test_state_round_trip_in_mid_epoch_is_bit_equal_and_continues_equal(kind, tmp_path):
    generator = torch.Generator().manual_seed(0)

    def step(*banks):
        ids = torch.randperm(20, generator=generator)[: int(torch.randint(1, 9, (), generator=generator))]
        scores = torch.randn(len(ids), generator=generator)
        for bank in banks:
            bank.push(scores, scores + 1, ids, target_std=scores.abs())

    bank = ScoreBank(20 if kind == "table" else 13, kind)
    for _ in range(7):
        step(bank)
    torch.save(bank.state_dict(), tmp_path / "bank.pt")
    restored = ScoreBank(bank.capacity, kind)
    restored.load_state_dict(torch.load(tmp_path / "bank.pt", weights_only=True))
    assert same_state(bank, restored)
    for _ in range(9):
        step(bank, restored)
        assert same_state(bank, restored)
    for ours, theirs in zip(bank.view(max_age=3), restored.view(max_age=3), strict=True):
        torch.testing.assert_close(ours, theirs, rtol=0, atol=0, equal_nan=True)


@pytest.mark.parametrize(
    ("saved", "own", "words"),
    [
        (ScoreBank(5), ScoreBank(6), "saved bank is a table of 5 slots, this one a table of 6 slots"),
        (ScoreBank(5), ScoreBank(5, "fifo"), "saved bank is a table of 5 slots, this one a fifo of 5 slots"),
    ],
)
def test_state_of_another_bank_is_refused(saved, own, words):
    with pytest.raises(ValueError, match=words):
        own.load_state_dict(saved.state_dict())
    with pytest.raises(ValueError, match=words):
        torch.nn.ModuleDict({"bank": own}).load_state_dict(torch.nn.ModuleDict({"bank": saved}).state_dict())


@pytest.mark.parametrize(
    ("scores", "targets", "ids", "error", "words"),
    [
        (T([1.0, 2.0]), T([1.0, 2.0]), T([3, 3]), ValueError, "must not repeat in one push: id 3"),
        (T([1.0, 2.0]), T([1.0, 2.0]), T([0, 5]), ValueError, r"0\.\.4 for a table of 5 slots, got 0\.\.5"),
        (T([1.0, 2.0]), T([1.0, 2.0]), T([-1, 2]), ValueError, r"0\.\.4 for a table of 5 slots, got -1\.\.2"),
        (T([1.0, 2.0]), T([1.0, 2.0]), T([0]), ValueError, r"got shapes \(1,\) and \(2,\)"),
        (T([1.0, 2.0]), T([1.0, 2.0]), None, ValueError, "a table of 5 slots needs ids"),
        (T([1.0, 2.0]), T([1.0, 2.0]), T([0.0, 1.0]), TypeError, "ids must be an integer tensor, got torch.float32"),
        (T([1.0, 2.0]), T([1.0]), T([0, 1]), ValueError, "got 1 and 2 rows"),
        (T([[1.0], [2.0]]), T([1.0, 2.0]), T([0, 1]), ValueError, "one-dimensional"),
        (T([1.0, torch.nan]), T([1.0, 2.0]), T([0, 1]), ValueError, "scores must be finite"),
        (T([1.0, 2.0]), T([1.0, torch.inf]), T([0, 1]), ValueError, "targets must be finite"),
        (T([1.0, 1e60], dtype=torch.float64), T([1.0, 2.0]), T([0, 1]), ValueError, "scores as torch.float32"),
        (T([1, 2]), T([1.0, 2.0]), T([0, 1]), TypeError, "scores must be floating"),
    ],
)
def test_bad_pushes_are_refused_and_leave_the_bank_alone(scores, targets, ids, error, words):
    bank, twin = ScoreBank(5), ScoreBank(5)
    for one in (bank, twin):
        push(one, [1, 2], [0, 3])
    with pytest.raises(error, match=words):
        bank.push(scores, targets, ids)
    assert same_state(bank, twin)


def test_bad_options_are_refused():
    with pytest.raises(ValueError, match="capacity must be at least 1, got 0"):
        ScoreBank(0)
    with pytest.raises(ValueError, match="max_age must be at least 1, got 0"):
        ScoreBank(3).view(max_age=0)


def test_mean_age_counts_pushes():
    bank = ScoreBank(4)
    assert bank.mean_age is None
    for ids in ([0, 1], [2], [1]):
        rows = torch.zeros(len(ids))
        bank.push(rows, rows, ids=torch.tensor(ids))
    assert bank.mean_age == pytest.approx((3 + 2 + 1) / 3)  # 0 of the first push, 2 of the second, 1 of the third
