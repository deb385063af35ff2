import inspect

import pytest
import torch

from shared_losses import LOSSES, PRESETS, Objective, ScoreBank, describe_losses, describe_presets, spearman_loss
from shared_losses.row_inputs import ROW_INPUTS

OUTPUTS = {
    name: value
    for name, value in ROW_INPUTS.items()
    if value is not None and name not in ("scores", "targets", "target_std")
}


@pytest.mark.parametrize("name", PRESETS)
def test_every_preset_trains(name):
    preset = PRESETS[name]()
    bank = None if preset.bank is None else ScoreBank(preset.capacity or 40, preset.bank)
    assert (preset.bank == "fifo") == (preset.capacity is not None)
    objective = Objective(preset.terms, bank, target_location=3.0, target_scale=0.7)
    generator = torch.Generator().manual_seed(0)
    for step in range(2):
        scores = torch.randn(16, generator=generator).requires_grad_()
        targets = torch.randn(16, generator=generator) + 3
        total, values = objective(
            scores, targets, ids=torch.arange(16) + 16 * step, target_std=targets.abs(), outputs=OUTPUTS
        )
        total.backward()
        objective.push()
        assert torch.isfinite(scores.grad).all()
        assert values.keys() == {term.name for term in preset.terms}


def test_reconstructions_say_so():
    described = describe_presets()
    assert all(20 < len(line) < 120 and line.endswith(".") for line in described.values())
    for name, line in described.items():
        assert line.startswith("RECONSTRUCTION") == name.startswith(("seed000", "lml"))


def test_the_reconstructions_differ_by_kernel_and_rows_alone():
    x, y = torch.randn(60, generator=torch.Generator().manual_seed(1)), torch.arange(60.0)
    for kernel in ("logistic", "normal"):
        for rows in ("all", "batch"):
            suffix = "" if rows == "all" else "_batch"
            preset = PRESETS[f"seed000_{kernel}{suffix}"]()
            objective = Objective(preset.terms, ScoreBank(1024, "fifo"), target_location=0, target_scale=1)
            objective(x[20:].clone().requires_grad_(), y[20:])
            objective.push()
            _, values = objective(x[:20].clone().requires_grad_(), y[:20])
            expected = spearman_loss(x[:20], y[:20], bank_scores=x[20:], bank_targets=y[20:], kernel=kernel, rows=rows)
            assert values["spearman"] == expected


def test_every_loss_is_described_and_takes_the_shared_rows():
    described = describe_losses()
    assert described.keys() == LOSSES.keys()
    assert all(20 < len(line) < 120 and line.endswith(".") for line in described.values())
    for function in LOSSES.values():
        wanted = inspect.signature(function).parameters
        assert list(wanted)[:5] == ["scores", "targets", "bank_scores", "bank_targets", "target_std"]
        for parameter in list(wanted.values())[2:]:
            assert parameter.kind is inspect.Parameter.KEYWORD_ONLY
            assert parameter.default is not inspect.Parameter.empty
