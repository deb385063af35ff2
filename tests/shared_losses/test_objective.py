import inspect

import pytest
import torch

from shared_losses import LOSSES, Objective, ScoreBank, Term, mse_loss, plcc_loss, spearman_loss

NAMED_ROWS = {"score_std", "score_distribution", "anchor_embeddings", "student_predictions", "class_logits"}

SCORES = torch.tensor([0.3, 0.1, 0.9, 0.4], requires_grad=True)
TARGETS = torch.tensor([3.0, 2.0, 4.0, 5.0])


def test_weighted_sum_and_named_values():
    terms = [
        Term("spearman", 0.5),
        Term("mse", 2.0, options={"scale": 3}),
        Term("spearman", 1.0, options={"tau": 0.2, "kernel": "triangle"}),
    ]
    scores = SCORES.detach().clone().requires_grad_()
    total, values = Objective(terms, target_location=3.5, target_scale=1.25)(scores, TARGETS)
    expected = {
        "spearman": spearman_loss(SCORES, TARGETS),
        "mse": mse_loss(SCORES, TARGETS, location=3.5, scale=3),  # a term's own option wins
        "spearman_2": spearman_loss(SCORES, TARGETS, tau=0.2, kernel="triangle"),
    }
    assert values == {name: value.item() for name, value in expected.items()}
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


def test_accumulation_and_crops_push_once_each_id_with_its_mean_score():
    bank = ScoreBank(10)
    objective = Objective([Term("spearman", use_bank=True)], bank)
    objective(SCORES, TARGETS, ids=torch.tensor([0, 1, 2, 3]))
    objective(SCORES + 1, TARGETS, ids=torch.tensor([3, 4, 5, 5]))
    assert bank.fill == 0
    objective.push()
    assert bank.step == 1
    torch.testing.assert_close(bank.view().scores, torch.tensor([0.3, 0.1, 0.9, 0.85, 1.1, 1.65]))
    torch.testing.assert_close(bank.view().targets, torch.tensor([3, 2, 4, 4, 2, 4.5]))
    objective.push()
    assert bank.step == 1


def test_banks_of_databases_never_meet():
    banks = {"a": ScoreBank(3), "b": ScoreBank(50, "fifo")}
    objective = Objective([Term("spearman", 2.0, use_bank=True), Term("mse", 0.5)], banks, target_scale=2.0)
    ids = torch.tensor([0, 2, 2, 0])  # ids count within their database
    databases = torch.tensor([0, 1, 0, 1])
    for shift in (0.0, 1.0):
        scores = (SCORES.detach() + shift * torch.tensor([1.0, 2, 3, -1])).requires_grad_()
        total, values = objective(scores, TARGETS, ids=ids, databases=databases)
        total.backward()
        objective.push()
    a, b = databases == 0, databases == 1
    expected_a = spearman_loss(scores[a], TARGETS[a])
    assert values["spearman/a"] == expected_a.item()
    # The fifo has the earlier rows of the same ids left out, so only this batch is ranked.
    assert values["spearman/b"] == spearman_loss(scores[b], TARGETS[b]).item()
    parts = [mse_loss(scores[rows], TARGETS[rows], scale=2.0) for rows in (a, b)]
    assert values["mse"].item() == pytest.approx((0.5 * sum(parts)).item())
    assert total.item() == pytest.approx(2 * values["spearman"].item() + 0.5 * values["mse"].item())
    assert banks["a"].view().targets.tolist() == [3.0, 4.0]
    assert sorted(banks["b"].view().targets.tolist()) == [2, 2, 5, 5]
    assert objective.state_dict().keys() >= {"banks.0.scores", "banks.1.cursor"}


def test_one_database_of_a_mixture_gives_the_gradient_of_its_own_objective_times_its_share():
    generator = torch.Generator().manual_seed(0)
    scores = torch.randn(30, generator=generator, dtype=torch.float64).requires_grad_()
    targets = torch.randn(30, generator=generator, dtype=torch.float64)
    databases = (torch.arange(30) % 3 == 0).long()
    mixed = Objective([Term("plcc", 1.0)], databases=["many", "few"])
    (gradient,) = torch.autograd.grad(mixed(scores, targets, databases=databases)[0], scores)
    few = databases == 1
    alone = scores.detach()[few].requires_grad_()
    (expected,) = torch.autograd.grad(plcc_loss(alone, targets[few]), alone)
    torch.testing.assert_close(gradient[few], expected / 3, rtol=1e-12, atol=0)


def test_warmup_ramps_the_terms_that_use_the_bank():
    objective = Objective([Term("plcc", use_bank=True), Term("mse")], ScoreBank(16), warmup=0.5)
    for step, ramp in enumerate((0.5, 1.0, 1.0)):
        total, values = objective(SCORES, TARGETS, ids=torch.arange(4) + 4 * step)
        assert total.item() == pytest.approx((ramp * values["plcc"] + values["mse"]).item())
        objective.push()


def test_a_new_phase_empties_the_banks():
    objective = Objective([Term("plcc", use_bank=True)], ScoreBank(10))
    for _ in range(2):
        objective(SCORES, TARGETS, ids=torch.arange(4))
        objective.push()
    objective(SCORES, TARGETS, ids=torch.arange(4))
    objective.start_phase()
    objective.push()
    assert objective.banks[0].fill == 0
    assert objective.banks[0].step == 0


def test_alignment_uses_the_items_that_come_again():
    generator = torch.Generator().manual_seed(0)
    first, targets = torch.randn(40, generator=generator), torch.randn(40, generator=generator)
    objective = Objective([Term("plcc", use_bank=True)], ScoreBank(40), align=True)
    plain = Objective([Term("plcc", use_bank=True)], ScoreBank(40))
    for one in (objective, plain):
        one(first.requires_grad_(), targets, ids=torch.arange(40))
        one.push()
    moved = (3 * first[:10] + 5).detach().requires_grad_()
    every = plcc_loss((3 * first + 5).detach(), targets).item()
    aligned = objective(moved, targets[:10], ids=torch.arange(10))[1]["plcc"].item()
    assert aligned == pytest.approx(every, abs=1e-5)
    assert abs(plain(moved, targets[:10], ids=torch.arange(10))[1]["plcc"].item() - every) > 0.02


def test_a_loss_without_gradient_is_refused_in_training():
    objective = Objective([Term("spearman"), Term("mse")])
    with pytest.raises(ValueError, match="the loss spearman has no gradient: the scores carry no graph"):
        objective(SCORES.detach(), TARGETS)
    with torch.no_grad():
        objective(SCORES, TARGETS)
    objective.eval()(SCORES.detach(), TARGETS)


def test_groups_of_a_batch_are_never_compared():
    objective = Objective([Term("spearman"), Term("mse", 0.5)], grouped=True, target_scale=1.0)
    groups = torch.tensor([70, 3, 70, 3])
    total, values = objective(SCORES, TARGETS, databases=groups)
    parts = [spearman_loss(SCORES[groups == g], TARGETS[groups == g]).item() for g in (3, 70)]
    assert values["spearman"].item() == pytest.approx(sum(parts) / 2)
    assert values.keys() == {"spearman", "mse"}
    shifted = torch.where(groups == 3, 1000.0, 0.0)
    moved = objective((SCORES + shifted).detach().requires_grad_(), TARGETS - shifted, databases=groups)[1]
    assert moved["spearman"].item() == pytest.approx(values["spearman"].item(), abs=1e-4)
    total.backward()
    with pytest.raises(ValueError, match="grouped rows have neither banks nor named databases"):
        Objective([Term("spearman")], ScoreBank(4), grouped=True)


def test_a_term_may_take_another_output_as_its_scores():
    bank = ScoreBank(10, "fifo")
    terms = [Term("plcc", use_bank=True), Term("plcc", 0.1, output="early"), Term("plcc", 0.1, output="late")]
    objective = Objective(terms, bank)
    early, late = (SCORES.detach().roll(k).requires_grad_() for k in (1, 2))
    for _ in range(2):
        total, values = objective(SCORES, TARGETS, outputs={"early": early, "late": late})
        objective.push()
    stored = {"bank_scores": SCORES.detach(), "bank_targets": TARGETS}
    expected = {
        "plcc": plcc_loss(SCORES, TARGETS, **stored),
        "plcc@early": plcc_loss(early, TARGETS),
        "plcc@late": plcc_loss(late, TARGETS),
    }
    assert values == {name: value.item() for name, value in expected.items()}
    total.backward()
    assert early.grad.any()
    with pytest.raises(ValueError, match="a term takes the output 'early', but the model gives scores, late"):
        objective(SCORES, TARGETS, outputs={"late": late})
    with pytest.raises(ValueError, match="early must be finite"):
        objective(SCORES, TARGETS, outputs={"late": late, "early": early / 0})
    with pytest.raises(ValueError, match="takes 'early', but the bank holds scores alone"):
        Objective([Term("plcc", use_bank=True, output="early")], bank)


def test_outputs_go_to_the_losses_that_name_them(monkeypatch):
    seen = {}

    def spread_loss(scores, targets, *, score_std=None, bank_score_std=None, target_std=None, power=1):
        seen.update(score_std=score_std, bank=bank_score_std, target_std=target_std)
        return scores.sum()

    monkeypatch.setitem(LOSSES, "spread", spread_loss)
    bank = ScoreBank(10, "fifo")
    objective = Objective([Term("spread", use_bank=True, options={"power": 2}), Term("plcc")], bank)
    spread = torch.tensor([0.1, 0.2, 0.3, 0.4])
    outputs = {"score_std": spread, "unused": torch.zeros(3, 7)}
    for _ in range(2):
        objective(SCORES, TARGETS, target_std=spread * 2, outputs=outputs)
        objective.push()
    assert torch.equal(seen["score_std"], spread)
    assert torch.equal(seen["bank"], spread)
    assert torch.equal(seen["target_std"], spread * 2)


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
    assert second.banks[0].view().scores.tolist() == first.banks[0].view().scores.tolist()


@pytest.mark.parametrize(
    ("terms", "bank", "words"),
    [
        ([], None, "at least one term; the losses are spearman, permutahedron"),
        ([Term("spearmen")], None, "unknown loss 'spearmen', closest is 'spearman'; the losses are spearman, p"),
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
    with pytest.raises(ValueError, match=r"ids must lie in 0\.\.9 .* got 7\.\.10"):
        objective(SCORES, TARGETS, ids=ids + 7)
    with pytest.raises(ValueError, match="the objective's databases are none, but the batch came with"):
        objective(SCORES, TARGETS, ids=ids, databases=ids)
    with pytest.raises(ValueError, match=r"databases must lie in 0\.\.1, got 0\.\.3"):
        Objective([Term("plcc")], databases=["a", "b"])(SCORES, TARGETS, databases=ids)
    with pytest.raises(ValueError, match="databases and scores must have one length"):
        Objective([Term("plcc")], databases=["a", "b"])(SCORES, TARGETS, databases=ids[:2])
    with pytest.raises(ValueError, match=r"scores must be finite .* 1 of 4"):
        objective(torch.tensor([0.1, torch.nan, 1, 2]), TARGETS, ids=ids)
    with pytest.raises(ValueError, match=r"shape \(4, 1\)"):
        objective(SCORES[:, None], TARGETS, ids=ids)
    with pytest.raises(ValueError, match=r"ids and scores must have one length, got shapes \(3,\) and \(4,\)"):
        objective(SCORES, TARGETS, ids=ids[:3])
    objective.push()
    assert objective.banks[0].fill == 0


def test_half_precision_under_autocast():
    plain = [name for name in LOSSES if not inspect.signature(LOSSES[name]).parameters.keys() & NAMED_ROWS]
    assert len(plain) > 15
    objective = Objective([Term(name, use_bank=True) for name in plain], ScoreBank(40))
    scores = torch.linspace(0, 1, 16).roll(3).to(torch.float16).requires_grad_()
    for step in range(2):
        with torch.autocast("cpu", dtype=torch.bfloat16):
            total, _ = objective(scores, torch.linspace(1, 5, 16), ids=torch.arange(16) + 16 * step)
        total.backward()
        objective.push()
    assert torch.isfinite(scores.grad).all()


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"warmup": 0.0}, r"warmup must lie in \(0, 1\]"),
        ({"max_age": 0}, "max_age must be at least 1, got 0"),
        ({"align": True, "bank": ScoreBank(4, "fifo")}, "align needs a table bank"),
        ({"databases": ["a", "b"], "bank": ScoreBank(4)}, "pass banks by name for a, b, got ''"),
        ({"databases": ["a", "b"], "bank": {"a": ScoreBank(4)}}, "pass banks by name for a, b, got 'a'"),
    ],
)
def test_bad_options_are_refused(options, words):
    with pytest.raises(ValueError, match=words):
        Objective([Term("plcc")], **options)
