import json
import math

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file
from safetensors.torch import save_file
from scipy import stats

from shared_losses import ranker as ranker_module
from shared_losses.functional.asna import asna_loss
from shared_losses.functional.regression import mse_loss
from shared_losses.ranker import LAYERS, WEIGHTS, Ranker, frozen_ranker
from shared_losses.safetensors_file import read_safetensors

CPU = torch.device("cpu")


def data(count=16, seed=0):
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(count, generator=generator, dtype=torch.float64)
    return x, 50 + 10 * (x + torch.randn(count, generator=generator, dtype=torch.float64))


def naive_ranks(values):
    """The network in numpy, one output at a time, on the weights as the safetensors library reads them."""
    weights = {name: value.astype(float) for name, value in load_file(WEIGHTS).items()}
    maps, layer = np.asarray(values, float)[None], 0
    for width, kernel, normalised in LAYERS:
        layer += 1  # the padding
        filters, bias = weights[f"layers.{layer}.weight"], weights[f"layers.{layer}.bias"]
        padded = np.pad(maps, ((0, 0), ((kernel - 1) // 2, kernel - 1 - (kernel - 1) // 2)))
        maps = np.array(
            [[(filters[c] * padded[:, t : t + kernel]).sum() + bias[c] for t in range(16)] for c in range(width)]
        )
        layer += 1
        if normalised:
            parts = ("running_mean", "running_var", "weight", "bias")
            mean, variance, slope, shift = (weights[f"layers.{layer}.{part}"][:, None] for part in parts)
            maps = (maps - mean) / np.sqrt(variance + 1e-3) * slope + shift
            layer += 1
        maps = np.where(maps > 0, maps, weights[f"layers.{layer}.slope"] * maps)
        layer += 1
    layer += 1  # the flattening
    return weights[f"layers.{layer}.weight"] @ maps.ravel() + weights[f"layers.{layer}.bias"]


def test_the_ranker_has_the_published_layers():
    ranker = Ranker()
    assert sum(parameter.numel() for parameter in ranker.parameters()) == 470_872
    convolutions = [layer for layer in ranker.modules() if isinstance(layer, torch.nn.Conv1d)]
    assert [(c.out_channels, c.kernel_size[0]) for c in convolutions] == [
        (8, 2), (16, 3), (32, 5), (64, 7), (96, 10), (128, 7), (256, 7)
    ]  # fmt: skip
    assert sum(isinstance(layer, torch.nn.BatchNorm1d) for layer in ranker.modules()) == 5


def test_the_shipped_ranker_is_the_network_and_ranks():
    x, _ = data()
    ranker = frozen_ranker(CPU)
    np.testing.assert_allclose(ranker(x[None])[0].numpy(), naive_ranks(x), rtol=1e-9, atol=1e-9)
    assert not ranker.training
    assert not any(parameter.requires_grad for parameter in ranker.parameters())
    assert frozen_ranker(CPU) is ranker
    generator = torch.Generator().manual_seed(3)
    for spread, limit in ((1, 0.6), (2, 0.35), (5, 0.3)):
        values = torch.randn(500, 16, generator=generator, dtype=torch.float64) * spread
        exact = torch.from_numpy(stats.rankdata(values.numpy(), axis=1))
        assert (ranker(values) - exact).abs().mean().item() < limit


@pytest.mark.parametrize("mse_weight", [1.0, 0.5, 0])
@pytest.mark.parametrize("rank_weight", [0.01, 0.1, 0])
@pytest.mark.parametrize("exact", [False, True])
def test_value_is_the_formula(mse_weight, rank_weight, exact):
    x, y = data()
    z = (y - y.mean()) / y.std(correction=0)
    ranks = stats.rankdata(z) if exact else naive_ranks(z)
    expected = mse_weight * np.mean((x - z).numpy() ** 2)
    expected += (1 - mse_weight) * (1 - stats.pearsonr(x, z).statistic ** 2)
    expected += rank_weight * np.mean((naive_ranks(x) - ranks) ** 2)
    value = asna_loss(x, y, mse_weight=mse_weight, rank_weight=rank_weight, exact_target_ranks=exact)
    assert value.item() == pytest.approx(expected, rel=1e-9)


def test_without_ranks_it_is_mse():
    x, y = data()
    options = {"location": 40, "scale": 7}
    assert asna_loss(x, y, rank_weight=0, **options).item() == pytest.approx(
        mse_loss(x, y, **options).item(), rel=1e-12
    )


def test_gradient():
    x, y = data()
    options = {"mse_weight": 0.3, "rank_weight": 0.1, "rescale": False}
    bank = {"bank_scores": x[10:], "bank_targets": y[10:]}
    assert torch.autograd.gradcheck(lambda s: asna_loss(s, y, **options), x.clone().requires_grad_())
    assert torch.autograd.gradcheck(lambda s: asna_loss(s, y[:10], **bank, **options), x[:10].clone().requires_grad_())


def test_bank_gives_the_slice_of_the_large_batch_gradient():
    x, y = data()
    whole = x.clone().requires_grad_()
    asna_loss(whole, y, mse_weight=0.5).backward()
    for rescale, factor in ((True, 16 / 6), (False, 1)):
        part, bank = x[:6].clone().requires_grad_(), x[6:].clone().requires_grad_()
        value = asna_loss(part, y[:6], bank_scores=bank, bank_targets=y[6:], mse_weight=0.5, rescale=rescale)
        value.backward()
        assert value.item() == pytest.approx(asna_loss(x, y, mse_weight=0.5).item(), rel=1e-12)
        torch.testing.assert_close(part.grad, whole.grad[:6] * factor, rtol=1e-9, atol=1e-13)
        assert bank.grad is None


def test_a_large_bank_is_spread_evenly_and_standardises():
    x, y = data(46)
    value = asna_loss(x[:6], y[:6], bank_scores=x[6:], bank_targets=y[6:])
    index = torch.cat([torch.arange(6), 6 + torch.tensor([2, 6, 10, 14, 18, 22, 26, 30, 34, 38])])
    options = {"location": y.mean().item(), "scale": y.std(correction=0).item()}
    assert value.item() == pytest.approx(asna_loss(x[index], y[index], **options).item(), rel=1e-12)


@pytest.mark.parametrize(("batch", "bank"), [(17, 0), (15, 0), (4, 11), (1, 0), (20, 5)])
def test_sixteen_rows_are_ranked(batch, bank):
    x, y = data(batch + bank)
    stored = {"bank_scores": x[batch:], "bank_targets": y[batch:], "scale": 1}
    with pytest.raises(ValueError, match=f"exactly 16 rows.* a batch of {batch} and a bank of {bank}"):
        asna_loss(x[:batch], y[:batch], **stored)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
@pytest.mark.parametrize("scale", [0, 1e-30, 1e30, 1e99])
def test_degenerate_scores_are_finite(scale, dtype):
    scale = min(scale, 1e37) if dtype == torch.float32 else scale
    x, y = data()
    scores = (x * scale).to(dtype).requires_grad_()
    value = asna_loss(scores, y.to(dtype), mse_weight=0.5)
    value.backward()
    assert torch.isfinite(value)
    assert torch.isfinite(scores.grad).all()


def test_equal_targets_need_a_scale():
    x, y = data()
    scores = x.clone().requires_grad_()
    with pytest.raises(ValueError, match="no spread"):
        asna_loss(scores, y * 0 + 3)
    value = asna_loss(scores, y * 0 + 3, mse_weight=0, rank_weight=0, scale=1)
    value.backward()
    assert value.item() == 1
    assert not scores.grad.any()


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_under_autocast(dtype):
    x, y = (values.to(dtype) for values in data())
    scores = x.clone().requires_grad_()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        value = asna_loss(scores, y, rank_weight=0.1)
    value.backward()
    assert value.dtype == torch.float32
    assert value.item() == pytest.approx(asna_loss(x.double(), y.double(), rank_weight=0.1).item(), rel=1e-6)
    assert torch.isfinite(scores.grad).all()


@pytest.mark.parametrize("bad", [{"mse_weight": -0.1}, {"mse_weight": 1.1}, {"rank_weight": -1}, {"scale": 0}])
def test_options_are_checked(bad):
    with pytest.raises(ValueError, match=next(iter(bad))):
        asna_loss(*data(), **bad)


def test_the_reader_reads_what_the_library_writes(tmp_path):
    tensors = {
        "a": torch.randn(3, 4),
        "b": torch.randn(2, 1, 5).half(),
        "empty": torch.empty(0, 3),
        "c": torch.ones(()),
    }
    save_file(tensors, tmp_path / "file", metadata={"made by": "a test"})
    found = read_safetensors(tmp_path / "file")
    assert found.keys() == tensors.keys()
    for name, tensor in tensors.items():
        assert torch.equal(found[name], tensor)
        assert found[name].dtype == tensor.dtype


def entry(**changes):
    return {"x": {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]} | changes}


@pytest.mark.parametrize(
    ("header", "words"),
    [
        (entry(dtype="I64"), "dtype must be one of F32, F16, got 'I64'"),
        (entry(shape=[3]), r"shape \[3\] at bytes 0 to 8 of 8"),
        (entry(shape=[-2]), r"shape \[-2\]"),
        (entry(data_offsets=[4, 12]), "bytes 4 to 12 of 8"),
        (entry(data_offsets=[8, 0]), "bytes 8 to 0 of 8"),
        (entry(data_offsets=[0]), "damaged"),
        (entry(shape="two"), "damaged"),
        (entry(surplus=1), "damaged"),
        ({"x": 3}, "damaged"),
        ([1], "damaged"),
    ],
)
def test_a_damaged_file_is_refused(tmp_path, header, words):
    text = json.dumps(header).encode()
    (tmp_path / "file").write_bytes(len(text).to_bytes(8, "little") + text + bytes(8))
    with pytest.raises(ValueError, match=words):
        read_safetensors(tmp_path / "file")


@pytest.mark.parametrize(
    "content", [b"", b"\x01", bytes([255] * 8), (9).to_bytes(8, "little") + b"{}", b"\2" + bytes(9)]
)
def test_no_safetensors_file_is_refused(tmp_path, content):
    (tmp_path / "file").write_bytes(content)
    with pytest.raises(ValueError, match="safetensors"):
        read_safetensors(tmp_path / "file")


def test_weights_of_another_network_are_refused(tmp_path, monkeypatch):
    save_file({"layers.1.weight": torch.ones(3)}, tmp_path / "file")
    monkeypatch.setattr(ranker_module, "WEIGHTS", tmp_path / "file")
    with pytest.raises(ValueError, match=r"these differ: layers.1.bias, layers.1.weight"):
        frozen_ranker.__wrapped__(CPU)


def test_nan_is_refused():
    x, y = data()
    with pytest.raises(ValueError, match="scores must be finite"):
        asna_loss(x * math.nan, y)
