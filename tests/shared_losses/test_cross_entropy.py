import pytest
import torch
from scipy import special

from shared_losses import Objective, ScoreBank, Term, cross_entropy_loss, mse_loss

SCORES, TARGETS = torch.zeros(5), torch.arange(5.0)
LOGITS = torch.randn(5, 3, generator=torch.Generator().manual_seed(0))
CLASSES = torch.tensor([0, 2, -1, 1, 2])


def test_value_and_gradient_are_those_of_the_rows_whose_class_is_known():
    logits = LOGITS.double().requires_grad_()
    value = cross_entropy_loss(SCORES, TARGETS, class_logits=logits, classes=CLASSES)
    rows = [0, 1, 3, 4]
    shares = special.log_softmax(LOGITS.double().numpy(), axis=1)
    assert value.item() == pytest.approx(-sum(shares[row, CLASSES[row]] for row in rows) / 4, rel=1e-6)
    value.backward()
    expected = (special.softmax(LOGITS.double().numpy(), axis=1) - torch.eye(3)[CLASSES].numpy()) / 4
    assert not logits.grad[2].any()
    torch.testing.assert_close(logits.grad[rows], torch.from_numpy(expected[rows]), rtol=1e-6, atol=1e-7)


def test_without_a_known_class_it_is_0_with_a_gradient_of_0():
    logits, scores = LOGITS.clone().requires_grad_(), SCORES.clone().requires_grad_()
    value = cross_entropy_loss(scores, TARGETS, class_logits=logits, classes=torch.full((5,), -1))
    assert value.item() == 0
    value.backward()
    assert logits.grad is not None
    assert not logits.grad.any()
    assert not scores.grad.any()


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32])
def test_logits_of_any_size_are_finite(dtype):
    largest = torch.finfo(dtype).max
    logits = torch.tensor([[largest, -largest], [-largest, largest]], dtype=dtype).requires_grad_()
    value = cross_entropy_loss(SCORES[:2], TARGETS[:2], class_logits=logits, classes=torch.tensor([1, 1]))
    value.backward()
    assert value.isfinite()
    assert logits.grad.isfinite().all()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"class_logits": None}, "class_logits are missing: the model must"),
        ({"classes": None}, "classes are missing: the data must"),
        ({"classes": CLASSES + 1}, r"classes must lie in -1\.\.2 .* 3 columns; got 0\.\.3"),
        ({"classes": CLASSES - 1}, r"got -2\.\.1"),
        ({"class_logits": LOGITS[:, 0]}, r"class_logits must have shape \(5, K\)"),
    ],
)
def test_bad_rows(change, words):
    with pytest.raises(ValueError, match=words):
        cross_entropy_loss(SCORES, TARGETS, **{"class_logits": LOGITS, "classes": CLASSES, **change})


def test_a_term_names_the_output_with_its_logits():
    terms = [Term("mse", use_bank=True), Term("cross_entropy", 0.5, output="type"), Term("cross_entropy", 2.0)]
    objective = Objective(terms, ScoreBank(5), target_location=0, target_scale=1, classes=("a", "b", "c"))
    assert objective.needs_classes
    outputs = {"type": LOGITS.clone().requires_grad_(), "class_logits": LOGITS.flip(1), "classes": CLASSES}
    for _ in range(2):  # with an empty bank and with rows in it
        total, values = objective(SCORES.requires_grad_(), TARGETS, ids=torch.arange(5), outputs=outputs)
        objective.push()
    expected = {
        "mse": mse_loss(SCORES, TARGETS, location=0, scale=1),
        "cross_entropy@type": cross_entropy_loss(SCORES, TARGETS, class_logits=LOGITS, classes=CLASSES),
        "cross_entropy": cross_entropy_loss(SCORES, TARGETS, class_logits=LOGITS.flip(1), classes=CLASSES),
    }
    assert values == {name: value.item() for name, value in expected.items()}
    weighted = expected["mse"] + 0.5 * expected["cross_entropy@type"] + 2 * expected["cross_entropy"]
    assert total.item() == pytest.approx(weighted.item(), rel=1e-6)
    with pytest.raises(ValueError, match="a term takes the output 'type', but the model gives scores, classes"):
        objective(SCORES, TARGETS, ids=torch.arange(5), outputs={"classes": CLASSES})
    with pytest.raises(ValueError, match="classes are missing"):
        objective(SCORES, TARGETS, ids=torch.arange(5), outputs={**outputs, "classes": None})
    with pytest.raises(ValueError, match="classes and scores must have one length"):
        objective(SCORES, TARGETS, ids=torch.arange(5), outputs={**outputs, "classes": CLASSES[:2]})


def test_groups_have_a_value_each():
    objective = Objective([Term("cross_entropy", output="type")], grouped=True)
    groups = torch.tensor([0, 0, 0, 1, 1])
    _, values = objective(
        SCORES, TARGETS, databases=groups, outputs={"type": LOGITS.requires_grad_(), "classes": CLASSES}
    )
    parts = [
        cross_entropy_loss(SCORES[rows], TARGETS[rows], class_logits=LOGITS[rows], classes=CLASSES[rows])
        for rows in (slice(0, 3), slice(3, 5))
    ]
    assert values["cross_entropy@type"].item() == pytest.approx((3 * parts[0] + 2 * parts[1]).item() / 5, rel=1e-6)


def test_more_classes_than_outputs_are_named():
    objective = Objective([Term("cross_entropy", output="type")], classes=("a", "b", "c", "d"))
    with pytest.raises(ValueError, match=r"4 classes \(a, b, c, d\), but the model's type tell 3: give the model as"):
        objective(SCORES, TARGETS, outputs={"type": LOGITS, "classes": CLASSES})
    with pytest.raises(ValueError, match="takes 'type', but the bank holds scores alone"):
        Objective([Term("cross_entropy", use_bank=True, output="type")], ScoreBank(5))
