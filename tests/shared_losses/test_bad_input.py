"""Every loss refuses what it cannot compute, and names both sides."""

import pytest
import torch

from shared_losses import LOSSES, MAELoss, MSELoss, NormInNormLoss, PLCCLoss, SpearmanLoss, soft_rank, spearman_loss

GOOD = torch.tensor([0.1, 0.5, 0.2])
MODULES = {
    "spearman": SpearmanLoss,
    "plcc": PLCCLoss,
    "norm_in_norm": NormInNormLoss,
    "mse": MSELoss,
    "mae": MAELoss,
}


@pytest.mark.parametrize("name", LOSSES)
@pytest.mark.parametrize(
    ("scores", "targets", "bank", "error", "words"),
    [
        (GOOD[:, None], GOOD, {}, ValueError, r"scores .* one-dimensional, got shape \(3, 1\)"),
        (GOOD, GOOD[:, None], {}, ValueError, r"targets .* shape \(3, 1\)"),
        (GOOD, GOOD[:2], {}, ValueError, "targets and scores .* got 2 and 3 rows"),
        (GOOD[:0], GOOD[:0], {}, ValueError, "at least one row"),
        (torch.arange(3), GOOD, {}, TypeError, "scores must be floating, got torch.int64"),
        (GOOD, torch.arange(3), {}, TypeError, "targets must be floating, got torch.int64"),
        (GOOD, GOOD.to("meta"), {}, ValueError, "targets are on meta, scores on cpu"),
        (torch.tensor([0.1, torch.nan, 0.2]), GOOD, {}, ValueError, "scores must be finite .* 1 of 3"),
        (torch.tensor([0.1, torch.inf, 0.2]), GOOD, {}, ValueError, "scores must be finite .* 1 of 3"),
        (GOOD, torch.tensor([torch.nan, torch.nan, 0.2]), {}, ValueError, "targets must be finite .* 2 of 3"),
        (GOOD, GOOD, {"bank_scores": GOOD}, ValueError, "bank_scores came without bank_targets"),
        (GOOD, GOOD, {"bank_targets": GOOD}, ValueError, "bank_targets came without bank_scores"),
        (GOOD, GOOD, {"bank_scores": GOOD, "bank_targets": GOOD[:2]}, ValueError, "got 2 and 3 rows"),
        (GOOD, GOOD, {"bank_scores": GOOD / 0, "bank_targets": GOOD}, ValueError, "bank_scores must be finite .* 3 of"),
        (
            GOOD,
            GOOD,
            {"bank_scores": GOOD.to("meta"), "bank_targets": GOOD.to("meta")},
            ValueError,
            "bank_scores are on meta, scores on cpu",
        ),
        (GOOD, GOOD, {"target_std": GOOD[:1]}, ValueError, "target_std and scores .* got 1 and 3"),
    ],
)
def test_refused(name, scores, targets, bank, error, words):
    with pytest.raises(error, match=words):
        LOSSES[name](scores, targets, **bank)


@pytest.mark.parametrize("name", LOSSES)
def test_not_a_tensor(name):
    with pytest.raises(TypeError):
        LOSSES[name]([0.1, 0.5, 0.2], GOOD)


@pytest.mark.parametrize("name", LOSSES)
def test_an_empty_bank_is_no_bank_and_a_module_is_its_function(name):
    empty = {"bank_scores": GOOD[:0], "bank_targets": GOOD[:0], "target_std": torch.full((3,), torch.nan)}
    targets = torch.tensor([3.0, 1.0, 2.0])
    assert torch.equal(LOSSES[name](GOOD, targets, **empty), LOSSES[name](GOOD, targets))
    assert torch.equal(MODULES[name]()(GOOD, targets, **empty), LOSSES[name](GOOD, targets))


@pytest.mark.parametrize("name", LOSSES)
def test_the_loss_keeps_the_graph_and_leaves_its_input_alone(name):
    scores = torch.tensor([0.1, 0.5, 0.2, 0.9], requires_grad=True)
    targets, bank = torch.tensor([3.0, 1.0, 2.0, 2.5]), torch.tensor([0.3, 0.7])
    copies = scores.detach().clone(), targets.clone(), bank.clone()
    value = LOSSES[name](scores, targets, bank_scores=bank.requires_grad_(), bank_targets=copies[2])
    assert value.requires_grad
    assert value.ndim == 0
    value.backward()
    assert scores.grad.any()
    assert bank.grad is None
    for now, before in zip((scores, targets, bank), copies, strict=True):
        assert torch.equal(now, before)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"kernel": "bix"}, "kernel must be one of 'box', 'triangle', 'laplace', 'logistic', 'normal'; got 'bix'"),
        ({"normalizer": "hard"}, "normalizer must be one of"),
        ({"rows": "bank"}, "rows must be one of"),
        ({"window": 0.0}, "window must lie in"),
        ({"window": 1.5}, "window must lie in"),
        ({"tau": 0.0}, "tau must be positive"),
        ({"tau": float("nan")}, "tau must be positive"),
    ],
)
def test_spearman_options(options, words):
    with pytest.raises(ValueError, match=words):
        spearman_loss(GOOD, GOOD, **options)


def test_soft_rank_refuses_too():
    with pytest.raises(ValueError, match="finite"):
        soft_rank(GOOD / 0)
    with pytest.raises(ValueError, match="kernel"):
        soft_rank(GOOD, kernel="cosine")
