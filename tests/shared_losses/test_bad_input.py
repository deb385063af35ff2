"""Every loss refuses what it cannot compute, and names both sides."""

import inspect

import pytest
import torch

import shared_losses
from shared_losses import LOSSES, SpearmanLoss, soft_rank, spearman_loss
from shared_losses.losses import LossModule
from shared_losses.row_inputs import ROW_INPUTS

GOOD = torch.linspace(0.1, 0.9, 16).roll(5)  # ASNA ranks 16 rows, no more and no less
MODULES = {
    module.function.__name__.removesuffix("_loss"): module
    for module in vars(shared_losses).values()
    if inspect.isclass(module) and issubclass(module, LossModule)
}


def extra_rows(name):
    """What the loss needs besides scores, targets and bank."""
    wanted = inspect.signature(LOSSES[name]).parameters
    shared = ("scores", "targets", "target_std", "bank_scores", "bank_targets")
    return {key: value for key, value in ROW_INPUTS.items() if key in wanted and key not in shared}


def call(name, scores, targets, **rows):
    return LOSSES[name](scores, targets, **{**extra_rows(name), **rows})


@pytest.mark.parametrize("name", LOSSES)
@pytest.mark.parametrize(
    ("scores", "targets", "bank", "error", "words"),
    [
        (GOOD[:, None], GOOD, {}, ValueError, r"scores .* one-dimensional, got shape \(16, 1\)"),
        (GOOD, GOOD[:, None], {}, ValueError, r"targets .* shape \(16, 1\)"),
        (GOOD, GOOD[:2], {}, ValueError, "targets and scores .* got 2 and 16 rows"),
        (GOOD[:0], GOOD[:0], {}, ValueError, "at least one row"),
        (torch.arange(16), GOOD, {}, TypeError, "scores must be floating, got torch.int64"),
        (GOOD, torch.arange(16), {}, TypeError, "targets must be floating, got torch.int64"),
        (GOOD, GOOD.to("meta"), {}, ValueError, "targets are on meta, scores on cpu"),
        (GOOD.where(GOOD < 0.8, torch.nan), GOOD, {}, ValueError, "scores must be finite .* 2 of 16"),
        (GOOD.where(GOOD < 0.8, torch.inf), GOOD, {}, ValueError, "scores must be finite .* 2 of 16"),
        (GOOD, GOOD.where(GOOD < 0.8, torch.nan), {}, ValueError, "targets must be finite .* 2 of 16"),
        (GOOD, GOOD, {"bank_scores": GOOD}, ValueError, "bank_scores came without bank_targets"),
        (GOOD, GOOD, {"bank_targets": GOOD}, ValueError, "bank_targets came without bank_scores"),
        (GOOD, GOOD, {"bank_scores": GOOD, "bank_targets": GOOD[:2]}, ValueError, "got 2 and 16 rows"),
        (
            GOOD,
            GOOD,
            {"bank_scores": GOOD / 0, "bank_targets": GOOD},
            ValueError,
            "bank_scores must be finite .* 16 of",
        ),
        (
            GOOD,
            GOOD,
            {"bank_scores": GOOD.to("meta"), "bank_targets": GOOD.to("meta")},
            ValueError,
            "bank_scores are on meta, scores on cpu",
        ),
        (GOOD, GOOD, {"target_std": GOOD[:1]}, ValueError, "target_std and scores .* got 1 and 16"),
    ],
)
def test_refused(name, scores, targets, bank, error, words):
    with pytest.raises(error, match=words):
        call(name, scores, targets, **bank)


@pytest.mark.parametrize("name", LOSSES)
def test_not_a_tensor(name):
    with pytest.raises(TypeError):
        call(name, [0.1, 0.5, 0.2], GOOD)


@pytest.mark.parametrize("name", [name for name in LOSSES if extra_rows(name)])
def test_extra_rows_of_another_length_type_or_value_are_refused(name):
    for key, value in extra_rows(name).items():
        bank = {"bank_scores": GOOD, "bank_targets": GOOD, "bank_score_std": torch.ones(16)}
        bank = bank if key.startswith("bank") else {}
        good = torch.ones(16) if value is None else value
        other, outside = (good.float(), good + 2) if key == "classes" else (good.long(), good / 0)
        for bad, error in ((good[:3], ValueError), (other, TypeError), (outside, ValueError), ([1], TypeError)):
            if key == "bank_target_std" and name == "spearman":
                continue  # read with target_ranks="expected" only, tested there
            with pytest.raises(error, match=key):
                call(name, GOOD, GOOD, **{**bank, key: bad})


@pytest.mark.parametrize("name", LOSSES)
def test_an_empty_bank_is_no_bank_and_a_module_is_its_function(name):
    empty = {"bank_scores": GOOD[:0], "bank_targets": GOOD[:0], "target_std": torch.full((16,), torch.nan)}
    expected = call(name, GOOD, GOOD.flip(0))
    assert torch.equal(call(name, GOOD, GOOD.flip(0), **empty), expected)
    assert torch.equal(MODULES[name]()(GOOD, GOOD.flip(0), **extra_rows(name), **empty), expected)


@pytest.mark.parametrize("name", LOSSES)
def test_the_loss_keeps_the_graph_and_leaves_its_input_alone(name):
    scores = GOOD.clone().requires_grad_()
    targets, bank = GOOD.roll(3), torch.tensor([0.3, 0.7])
    copies = scores.detach().clone(), targets.clone(), bank.clone()
    extra = extra_rows(name)
    for key in extra:
        if key.startswith("bank"):
            extra[key] = torch.ones(2)
    if name == "asna":
        scores, targets = scores[:14], targets[:14]
        scores.retain_grad()
    value = LOSSES[name](scores, targets, bank_scores=bank.requires_grad_(), bank_targets=copies[2], **extra)
    assert value.requires_grad
    assert value.ndim == 0
    assert value.dtype == torch.float32
    value.backward()
    # Some losses act on other outputs of the model, and keep the graph of the scores all the same.
    assert scores.grad is not None
    assert scores.grad.any() or name in ("emd", "cdf_quantile", "local_manifold", "consistency", "cross_entropy")
    assert bank.grad is None
    for now, before in zip((scores, targets, bank), copies, strict=True):
        assert torch.equal(now, before[: len(now)])


@pytest.mark.filterwarnings("ignore:The .grad attribute:UserWarning")  # the tracer's own, while it looks at scores
@pytest.mark.parametrize("name", LOSSES)
def test_inside_a_compiled_function_the_result_is_equal(name):
    layer = torch.nn.Linear(3, 1)
    features = torch.randn(16, 3, generator=torch.Generator().manual_seed(0))
    loss = MODULES[name]()

    def step(features):
        return loss(layer(features).squeeze(-1).tanh(), GOOD, **extra_rows(name))

    results = []
    for run in (step, torch.compile(step, backend="aot_eager")):
        layer.zero_grad()
        value = run(features)
        value.backward()
        results.append((value.detach().clone(), layer.weight.grad.clone()))
    torch._dynamo.reset()
    for plain, compiled in zip(*results, strict=True):
        assert torch.equal(plain, compiled)


@pytest.mark.parametrize("name", ["spearman", "permutahedron", "blackbox"])
def test_a_second_derivative_is_refused_where_there_is_none(name):
    scores = GOOD.double().requires_grad_()
    value = LOSSES[name](scores.square(), GOOD.double())
    (gradient,) = torch.autograd.grad(value, scores, create_graph=True)
    with pytest.raises(RuntimeError, match="can be taken once"):
        torch.autograd.grad(gradient.sum(), scores)
    ranks = soft_rank(scores.square())
    (gradient,) = torch.autograd.grad(ranks @ GOOD.double(), scores, create_graph=True)
    with pytest.raises(RuntimeError, match="can be taken once"):
        gradient.sum().backward()


def test_unknown_options_of_modules_are_refused():
    with pytest.raises(TypeError, match="unknown option 'windw' of SpearmanLoss, closest is 'window'; its"):
        SpearmanLoss(windw=0.2)
    assert repr(SpearmanLoss(window=0.2)) == "SpearmanLoss(window=0.2)"


def test_every_loss_has_a_module_of_its_options():
    assert MODULES.keys() == LOSSES.keys()
    for name, module in MODULES.items():
        options = inspect.signature(module).parameters
        assert options.keys() == inspect.signature(LOSSES[name]).parameters.keys() - ROW_INPUTS.keys()


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
