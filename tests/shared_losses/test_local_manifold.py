import math

import numpy as np
import pytest
import torch

from shared_losses.functional.local_manifold import local_manifold_loss


def data(images=4, crops=3, dimensions=5, seed=0):
    generator = torch.Generator().manual_seed(seed)

    def normal(*shape):
        return torch.randn(*shape, generator=generator, dtype=torch.float64)

    a = normal(images, dimensions)
    names = ("anchor_embeddings", "positive_embeddings", "negative_embeddings")
    values = (a, a + 0.5 * normal(images, dimensions), normal(images, crops, dimensions))
    return normal(images), normal(images), dict(zip(names, values, strict=True))


def naive(a, p, n, temperature, weight):
    a, p, n = (values.numpy() for values in (a, p, n))

    def e(u, v):
        return math.exp(u @ v / np.linalg.norm(u) / np.linalg.norm(v) / temperature)

    total = 0
    for k in range(len(a)):
        whole = e(a[k], p[k]) + weight * sum(e(a[k], crop) for crop in n[k])
        for other in set(range(len(a))) - {k}:
            whole += e(a[k], p[other]) + sum(e(a[k], crop) for crop in n[other])
        total -= math.log(e(a[k], p[k]) / whole)
    return total / len(a)


@pytest.mark.parametrize("temperature", [0.07, 0.1, 2])
@pytest.mark.parametrize("weight", [1, 0, 0.3])
@pytest.mark.parametrize(("images", "crops"), [(4, 3), (1, 2), (3, 0), (1, 0)])
def test_value_is_the_formula(temperature, weight, images, crops):
    x, y, embeddings = data(images, crops)
    value = local_manifold_loss(x, y, temperature=temperature, inner_weight=weight, **embeddings)
    assert value.item() == pytest.approx(naive(*embeddings.values(), temperature, weight), rel=1e-12, abs=1e-14)


def test_no_crops_are_no_negatives():
    x, y, embeddings = data(crops=0)
    expected = local_manifold_loss(x, y, **embeddings).item()
    assert local_manifold_loss(x, y, **embeddings | {"negative_embeddings": None}).item() == expected


@pytest.mark.parametrize("weight", [1, 0])
def test_gradient(weight):
    x, y, embeddings = data(3, 2)

    def loss(a, p, n):
        pack = {"anchor_embeddings": a, "positive_embeddings": p, "negative_embeddings": n}
        return local_manifold_loss(x, y, temperature=0.5, inner_weight=weight, **pack)

    assert torch.autograd.gradcheck(loss, tuple(value.requires_grad_() for value in embeddings.values()))


def test_the_graph_of_scores_is_kept_and_embeddings_pull_together():
    x, y, embeddings = data()
    scores = x.requires_grad_()
    a = embeddings["anchor_embeddings"].requires_grad_()
    value = local_manifold_loss(scores, y, **embeddings)
    value.backward()
    assert scores.grad.tolist() == [0.0] * 4
    moved = embeddings | {"anchor_embeddings": (a - 0.01 * a.grad).detach()}
    assert local_manifold_loss(x, y, **moved) < value


def test_without_negatives_there_is_nothing_to_learn():
    x, y, embeddings = data(1)
    a = embeddings["anchor_embeddings"].requires_grad_()
    value = local_manifold_loss(x, y, inner_weight=0, **embeddings)
    value.backward()
    assert value.item() == 0
    assert not a.grad.any()


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.float16, torch.bfloat16])
@pytest.mark.parametrize("size", [0, 1e-100, 1e-30, 1e30, 1e99])
@pytest.mark.parametrize("images", [1, 3])
def test_extreme_embeddings_are_finite(dtype, size, images):
    x, y, embeddings = data(images)
    largest = torch.finfo(dtype).max / 10
    pack = {name: (value * min(size, largest)).to(dtype).requires_grad_() for name, value in embeddings.items()}
    value = local_manifold_loss(x.to(dtype), y.to(dtype), temperature=0.01, **pack)
    value.backward()
    assert torch.isfinite(value)
    for embedding in pack.values():
        assert torch.isfinite(embedding.grad).all()
    if size == 0:
        assert value.item() == pytest.approx(math.log(images * 4))


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_under_autocast(dtype):
    x, y, embeddings = data()
    pack = {name: value.to(dtype) for name, value in embeddings.items()}
    with torch.autocast("cpu", dtype=torch.bfloat16):
        value = local_manifold_loss(x.to(dtype), y.to(dtype), **pack)
    assert value.dtype == torch.float32
    exact = local_manifold_loss(x, y, **{name: value.double() for name, value in pack.items()})
    assert value.item() == pytest.approx(exact.item(), rel=1e-6)


@pytest.mark.parametrize(
    ("changes", "error", "words"),
    [
        ({"anchor_embeddings": None}, ValueError, "anchor_embeddings are missing"),
        ({"positive_embeddings": None}, ValueError, "positive_embeddings are missing"),
        ({"anchor_embeddings": torch.ones(3, 5)}, ValueError, r"anchor_embeddings must have shape \(4, K\)"),
        ({"positive_embeddings": torch.ones(4, 6)}, ValueError, r"positive_embeddings must have shape \(4, 5\)"),
        ({"negative_embeddings": torch.ones(4, 5)}, ValueError, r"must have shape \(4, C, 5\), got \(4, 5\)"),
        ({"negative_embeddings": torch.ones(4, 2, 6)}, ValueError, r"\(4, C, 5\), got \(4, 2, 6\)"),
        ({"negative_embeddings": torch.ones(4, 2, 5).int()}, TypeError, "negative_embeddings .* torch.int32"),
        ({"negative_embeddings": torch.ones(4, 2, 5) / 0}, ValueError, "negative_embeddings must be finite"),
        ({"negative_embeddings": torch.ones(4, 2, 5).to("meta")}, ValueError, "negative_embeddings are on meta"),
        ({"temperature": 0}, ValueError, "temperature must be positive"),
        ({"inner_weight": -1}, ValueError, "inner_weight must be finite and not negative"),
    ],
)
def test_bad_input_is_refused(changes, error, words):
    x, y, embeddings = data()
    with pytest.raises(error, match=words):
        local_manifold_loss(x, y, **embeddings | changes)
