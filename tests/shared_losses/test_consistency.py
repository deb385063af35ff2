import math

import pytest
import torch

from shared_losses.functional.consistency import consistency_loss


def data(*shape, seed=0):
    generator = torch.Generator().manual_seed(seed)
    x, y = (torch.randn(shape[0], generator=generator, dtype=torch.float64) for _ in range(2))
    names = ("student_predictions", "teacher_predictions")
    return x, y, {name: torch.randn(shape, generator=generator, dtype=torch.float64) for name in names}


@pytest.mark.parametrize("shape", [(4,), (4, 3), (1, 2), (3, 2, 5)])
def test_value_is_the_formula(shape):
    x, y, predictions = data(*shape)
    student, teacher = (values.flatten().tolist() for values in predictions.values())
    expected = sum((s - t) ** 2 for s, t in zip(student, teacher, strict=True)) / math.prod(shape)
    assert consistency_loss(x, y, **predictions).item() == pytest.approx(expected, rel=1e-13)


def test_of_roots_it_is_the_hellinger_distance():
    x, y, predictions = data(3, 7)
    student, teacher = (values.softmax(1) for values in predictions.values())
    value = consistency_loss(x, y, student_predictions=student.sqrt(), teacher_predictions=teacher.sqrt())
    affinity = (student * teacher).sqrt().sum(1)
    assert value.item() == pytest.approx((2 / 7 * (1 - affinity)).mean().item(), rel=1e-12)


def test_gradient():
    x, y, predictions = data(3, 2)

    def loss(student, teacher):
        return consistency_loss(x, y, student_predictions=student, teacher_predictions=teacher)

    assert torch.autograd.gradcheck(loss, tuple(value.requires_grad_() for value in predictions.values()))


def test_a_detached_teacher_has_no_gradient_and_scores_have_a_zero_one():
    x, y, predictions = data(3, 2)
    scores, student = x.requires_grad_(), predictions["student_predictions"].requires_grad_()
    consistency_loss(scores, y, **predictions).backward()
    expected = 2 * (student.detach() - predictions["teacher_predictions"]) / 6
    torch.testing.assert_close(student.grad, expected, rtol=1e-13, atol=0.0)
    assert predictions["teacher_predictions"].grad is None
    assert scores.grad is not None
    assert scores.grad.tolist() == [0.0] * 3


def test_degenerate_batches_are_finite(finite_values):
    def loss(scores, targets, **bank):
        predictions = scores.detach()[:, None].repeat(1, 3).requires_grad_()
        pack = {"student_predictions": predictions, "teacher_predictions": -predictions.flip(1)}
        value = consistency_loss(scores, targets, **pack, **bank)
        assert torch.isfinite(torch.autograd.grad(value, predictions, retain_graph=True)[0]).all()
        return value

    first, second = finite_values(loss)
    assert first == second  # the bank is not used


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_under_autocast(dtype):
    x, y, predictions = data(5, 3)
    pack = {name: value.to(dtype) for name, value in predictions.items()}
    with torch.autocast("cpu", dtype=torch.bfloat16):
        value = consistency_loss(x.to(dtype), y.to(dtype), **pack)
    assert value.dtype == torch.float32
    exact = consistency_loss(x, y, **{name: value.double() for name, value in pack.items()})
    assert value.item() == pytest.approx(exact.item(), rel=1e-6)


@pytest.mark.parametrize(
    ("changes", "error", "words"),
    [
        ({"student_predictions": None}, ValueError, "student_predictions are missing"),
        ({"teacher_predictions": None}, ValueError, "teacher_predictions are missing"),
        ({"student_predictions": torch.ones(3, 5)}, ValueError, r"student_predictions must have shape \(4, ...\)"),
        ({"student_predictions": torch.ones(())}, ValueError, r"student_predictions must have shape \(4, ...\)"),
        ({"teacher_predictions": torch.ones(4, 0)}, ValueError, r"teacher_predictions must have .* got \(4, 0\)"),
        ({"teacher_predictions": torch.ones(4, 6)}, ValueError, r"one shape, got \(4, 5\) and \(4, 6\)"),
        ({"teacher_predictions": torch.ones(4, 5).int()}, TypeError, "teacher_predictions .* torch.int32"),
        ({"teacher_predictions": torch.ones(4, 5) / 0}, ValueError, "teacher_predictions must be finite"),
        ({"student_predictions": torch.ones(4, 5).to("meta")}, ValueError, "student_predictions are on meta"),
    ],
)
def test_bad_input_is_refused(changes, error, words):
    x, y, predictions = data(4, 5)
    with pytest.raises(error, match=words):
        consistency_loss(x, y, **predictions | changes)
