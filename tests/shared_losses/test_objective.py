import pytest
import torch

from shared_losses import LOSSES, Objective, ScoreBank, Term, describe_losses, mse_loss, plcc_loss, spearman_loss

SCORES = torch.tensor([0.3, 0.1, 0.9, 0.4])
TARGETS = torch.tensor([3.0, 2.0, 4.0, 5.0])


def test_weighted_sum_and_named_values():
    terms = [
        Term("spearman", 0.5),
        Term("mse", 2.0, options={"scale": 3}),
        Term("spearman", 1.0, options={"tau": 0.2, "kernel": "triangle"}),
    ]
    scores = SCORES.clone().requires_grad_()
    total, values = Objective(terms, target_location=3.5, target_scale=1.25)(scores, TARGETS)
    expected = {
        "spearman": spearman_loss(SCORES, TARGETS),
        "mse": mse_loss(SCORES, TARGETS, location=3.5, scale=3),  # a term's own option wins
        "spearman_2": spearman_loss(SCORES, TARGETS, tau=0.2, kernel="triangle"),
    }
    assert values == expected
    assert not any(value.requires_grad for value in values.values())
    parts = 0.5 * expected["spearman"] + 2 * expected["mse"] + expected["spearman_2"]
    assert total.item() == pytest.approx(parts.item(), rel=1e-6)
    total.backward()
    assert scores.grad.any()


def test_bank_rows_go_to_the_terms_that_ask_and_own_stale_rows_do_not():
    bank = ScoreBank(10)
    bank.push(torch.tensor([9.0, 8.0, 0.7, 0.2]), torch.tensor([1.0, 1.0, 6.0, 1.5]), torch.tensor([0, 1, 7, 8]))
    objective = Objective([Term("spearman", use_bank=True), Term("plcc")], bank)
    _, values = objective(SCORES, TARGETS, ids=torch.tensor([0, 1, 2, 3]))
    stored = {"bank_scores": torch.tensor([0.7, 0.2]), "bank_targets": torch.tensor([6.0, 1.5])}
    assert values["spearman"] == spearman_loss(SCORES, TARGETS, **stored)
    assert values["spearman"] != spearman_loss(SCORES, TARGETS)
    assert values["plcc"] == plcc_loss(SCORES, TARGETS)


def test_accumulation_pushes_all_batches_once_each_id_with_its_latest_score():
    bank = ScoreBank(10)
    objective = Objective([Term("spearman", use_bank=True)], bank)
    objective(SCORES, TARGETS, ids=torch.tensor([0, 1, 2, 3]))
    objective(SCORES + 1, TARGETS + 1, ids=torch.tensor([3, 4, 5, 5]))
    assert bank.fill == 0
    objective.push()
    assert bank.step == 1
    torch.testing.assert_close(bank.view().scores, torch.tensor([0.3, 0.1, 0.9, 1.3, 1.1, 1.4]))
    objective.push()
    assert bank.step == 1


def test_evaluation_mode_remembers_nothing():
    bank = ScoreBank(10)
    objective = Objective([Term("plcc", use_bank=True)], bank).eval()
    objective(SCORES, TARGETS, ids=torch.arange(4))
    objective.push()
    assert bank.fill == 0
    assert bank.step == 0


def test_fifo_bank_without_ids_and_maximum_age():
    bank = ScoreBank(6, "fifo")
    objective = Objective([Term("plcc", use_bank=True)], bank, max_age=1)
    for shift in (0, 1):
        _, values = objective(SCORES + shift, TARGETS)
        objective.push()
    assert values["plcc"] == plcc_loss(SCORES + 1, TARGETS, bank_scores=SCORES, bank_targets=TARGETS)
    assert bank.fill == 1
    _, values = objective(SCORES, TARGETS)
    assert values["plcc"] == plcc_loss(SCORES, TARGETS, bank_scores=SCORES + 1, bank_targets=TARGETS)


def test_bank_is_part_of_the_objectives_state():
    first, second = (Objective([Term("plcc", use_bank=True)], ScoreBank(10)) for _ in range(2))
    first(SCORES, TARGETS, ids=torch.arange(4))
    first.push()
    second.load_state_dict(first.state_dict())
    assert second.bank.view().scores.tolist() == first.bank.view().scores.tolist()


@pytest.mark.parametrize(
    ("terms", "bank", "words"),
    [
        ([], None, "at least one term; the losses are spearman, plcc"),
        ([Term("spearmen")], None, "unknown loss 'spearmen', closest is 'spearman'; the losses are spearman, plcc"),
        ([Term("xyz")], None, "unknown loss 'xyz'; the losses are"),
        (
            [Term("spearman", options={"windw": 0.2})],
            None,
            "unknown option 'windw' of spearman, closest is 'window'; its options are kernel, window",
        ),
        ([Term("plcc", options={"bank_scores": SCORES})], None, "unknown option 'bank_scores' of plcc"),
        ([Term("spearman", options={"kernel": "bix"})], None, "options of spearman: kernel must be one of 'box'"),
        ([Term("mse", options={"scale": -1})], None, "options of mse: scale must be positive"),
        ([Term("plcc", weight=-1.0)], None, "weight of plcc must be finite and not negative, got -1.0"),
        ([Term("plcc", weight=float("nan"))], None, "weight of plcc"),
        ([Term("plcc", use_bank=True)], None, "terms plcc use the bank, but the objective has none"),
    ],
)
def test_bad_terms_are_refused_at_once(terms, bank, words):
    with pytest.raises(ValueError, match=words):
        Objective(terms, bank)


def test_bad_batches_are_refused():
    objective = Objective([Term("spearman", use_bank=True)], ScoreBank(10))
    ids = torch.arange(4)
    with pytest.raises(ValueError, match="table bank of 10 slots needs the ids"):
        objective(SCORES, TARGETS)
    with pytest.raises(ValueError, match=r"scores must be finite .* 1 of 4"):
        objective(torch.tensor([0.1, torch.nan, 1, 2]), TARGETS, ids=ids)
    with pytest.raises(ValueError, match=r"shape \(4, 1\)"):
        objective(SCORES[:, None], TARGETS, ids=ids)
    with pytest.raises(ValueError, match=r"ids and scores must have one length, got shapes \(3,\) and \(4,\)"):
        objective(SCORES, TARGETS, ids=ids[:3])
    objective.push()
    assert objective.bank.fill == 0


def test_half_precision_under_autocast():
    objective = Objective([Term(name, use_bank=True) for name in LOSSES], ScoreBank(10))
    scores = SCORES.to(torch.float16).requires_grad_()
    for _ in range(2):
        with torch.autocast("cpu", dtype=torch.bfloat16):
            total, _ = objective(scores, TARGETS, ids=torch.arange(4) + objective.bank.step)
        total.backward()
        objective.push()
    assert torch.isfinite(scores.grad).all()


def test_every_loss_has_a_one_line_description():
    described = describe_losses()
    assert described.keys() == LOSSES.keys()
    assert all(20 < len(line) < 120 and line.endswith(".") for line in described.values())
