"""Every part against a naive computation, crop by crop."""

import copy
from typing import Any

import numpy as np
import pytest
import torch
from scipy import stats

from imgqa.models.class_attention import class_token_backbone, features_and_attention
from imgqa.models.crop_saliency import CROP_SALIENCY, part_by_saliency, saliency_map
from imgqa.models.lml_iqa import LMLIQA
from rankqa_datasets.errors import InputError
from shared_engine.config import OptimConfig
from shared_engine.optimisation import build_optimizer
from shared_losses import PRESETS, Objective

IMAGES = torch.rand(3, 4, 3, 160, 160, generator=torch.Generator().manual_seed(0))
TARGETS = torch.tensor([1.0, 3.0, 2.0])


def small(**options) -> LMLIQA:
    torch.manual_seed(0)
    model = LMLIQA(backbone="test_vit", embedding=8, **options)
    with torch.no_grad():
        network: Any
        for network in (model.student, model.averaged):
            # Attention of a transformer at its start is nearly even.
            network.backbone.blocks[-1].attn.qkv.weight.mul_(8)
    return model


def step(model: LMLIQA, optimizer: torch.optim.Optimizer, seed: int) -> dict[str, torch.Tensor]:
    """One step of training, each on images of its own."""
    objective = Objective(PRESETS["lml_iqa"]().terms, target_location=2, target_scale=1)
    torch.manual_seed(seed)
    outputs = model({"images": torch.rand(2, 2, 3, 160, 160)})
    scores = outputs.pop("scores")
    objective(scores, TARGETS[:2], outputs=outputs)[0].backward()
    optimizer.step()
    optimizer.zero_grad()
    return outputs


def apart(**options) -> LMLIQA:
    """A model whose teacher has moved and no longer is its student."""
    model = small(**options)
    model({"images": IMAGES})
    with torch.no_grad():
        for parameter in model.student.parameters():
            parameter.add_(0.02 * torch.randn_like(parameter))
    return model


def test_attention_is_that_of_the_last_block():
    backbone: Any
    backbone, features, grid = class_token_backbone("test_vit", pretrained=False)
    last = backbone.blocks[-1].attn
    with torch.no_grad():
        last.qkv.weight.mul_(8)
    last.fused_attn = False
    matrices = []
    last.attn_drop.register_forward_pre_hook(lambda _, arguments: matrices.append(arguments[0]))
    with torch.inference_mode():
        expected = backbone(IMAGES[0])
        seen, attention = features_and_attention(backbone, IMAGES[0])
    assert seen.shape == (4, features)
    assert grid == (10, 10)
    torch.testing.assert_close(seen, expected)
    # Images, heads, from, to; the class token comes first.
    torch.testing.assert_close(attention, matrices[0].mean(dim=1)[:, 0, 1:])
    assert attention.shape == (4, 10 * 10)
    assert (attention.max(dim=1).values > 2 * attention.min(dim=1).values).all()


def test_saliency_against_scipy():
    attention = torch.rand(5, 9, dtype=torch.float64, generator=torch.Generator().manual_seed(0)) / 9
    expected = [stats.entropy(row, np.full(9, 1 / 9)) for row in attention.numpy()]
    np.testing.assert_allclose(CROP_SALIENCY["focus"](attention), expected, rtol=1e-10)
    np.testing.assert_allclose(CROP_SALIENCY["mass"](attention), attention.numpy().sum(axis=1), rtol=1e-12)
    one = torch.eye(9)[:1]
    assert CROP_SALIENCY["focus"](one).item() == pytest.approx(np.log(9))
    assert CROP_SALIENCY["focus"](torch.full((1, 9), 0.1)).item() == pytest.approx(0, abs=1e-6)
    np.testing.assert_allclose(saliency_map(attention).mean(dim=1), 1, rtol=1e-12)


def test_the_most_salient_crop_and_the_others():
    saliency = torch.tensor([[0.1, 0.3, 0.2], [0.5, 0.5, 0.1], [0.0, 0.0, 0.9]])
    salient, others = part_by_saliency(saliency)
    assert salient.tolist() == [1, 0, 2]
    assert others.tolist() == [[0, 2], [1, 2], [0, 1]]


@pytest.mark.parametrize("saliency", CROP_SALIENCY)
@pytest.mark.parametrize("mirror", [True, False])
def test_anchor_positive_and_negatives_crop_by_crop(saliency, mirror):
    model = apart(saliency=saliency, mirror=mirror)
    outputs = model({"images": IMAGES})
    student, teacher, chosen = model.student, model.averaged, []
    with torch.no_grad():
        for b, image in enumerate(IMAGES):
            taught, saliencies = [], []
            for k, crop in enumerate(image):
                shown = torch.from_numpy(crop.numpy()[:, :, ::-1].copy()) if mirror else crop
                features, attention = features_and_attention(teacher.backbone, teacher.normalise(shown[None]))
                taught.append(teacher.projector(features)[0])
                row = attention[0].double().numpy()
                saliencies.append(row.sum() if saliency == "mass" else np.log(100) - stats.entropy(row))
                maps = (row / row.mean()).reshape(10, 10)
                maps = maps[:, ::-1] if mirror else maps
                roots = outputs["teacher_predictions"][b, k].reshape(10, 10)
                np.testing.assert_allclose(roots.square(), maps, rtol=1e-3, atol=1e-7)
                _, own = features_and_attention(student.backbone, student.normalise(crop[None]))
                roots = outputs["student_predictions"][b, k].detach()
                np.testing.assert_allclose(roots.square(), own[0] / own[0].mean(), rtol=1e-3, atol=1e-7)
            s = int(np.argmax(saliencies))
            chosen.append(s)
            features = student.backbone(student.normalise(image[s][None]))
            rest = [taught[k] for k in range(4) if k != s]
            close: Any = {"rtol": 1e-3, "atol": 1e-4}
            torch.testing.assert_close(outputs["anchor_embeddings"][b], student.projector(features)[0], **close)
            torch.testing.assert_close(outputs["positive_embeddings"][b], taught[s], **close)
            torch.testing.assert_close(outputs["negative_embeddings"][b], torch.stack(rest), **close)
    assert len(set(chosen)) > 1


def test_scores_in_training_are_means_of_the_students_crops():
    model = apart(mutual="scores", mirror=False)
    outputs = model({"images": IMAGES})
    student, teacher = outputs["student_predictions"], outputs["teacher_predictions"]
    with torch.no_grad():
        for b in range(3):
            torch.testing.assert_close(student[b], model.student(IMAGES[b]), rtol=1e-4, atol=1e-5)
            torch.testing.assert_close(teacher[b], model.averaged(IMAGES[b]), rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(outputs["scores"], student.mean(dim=1))
    assert (student - teacher).abs().max() > 0.01


def test_every_student_parameter_learns_and_the_teacher_has_no_gradient():
    model = apart()
    outputs = model({"images": IMAGES})
    assert {name for name, value in outputs.items() if value.requires_grad} == {
        "scores", "anchor_embeddings", "student_predictions"
    }  # fmt: skip
    scores = outputs.pop("scores")
    total, values = Objective(PRESETS["lml_iqa"]().terms)(scores, TARGETS, outputs=outputs)
    total.backward()
    assert set(values) == {"smooth_l1", "local_manifold", "consistency"}
    assert all(value > 0 for value in values.values())
    assert all(parameter.grad is not None for parameter in model.student.parameters())
    assert all(parameter.grad is None and not parameter.requires_grad for parameter in model.teacher.parameters())
    optimizer = build_optimizer(model, OptimConfig(backbone_lr_ratio=0.1))
    assert {p for group in optimizer.param_groups for p in group["params"]} == set(model.student.parameters())
    assert optimizer.param_groups[1]["params"] == model.backbone_parameters()


def test_scores_alone_reach_every_student_parameter():
    model = small()
    model({"images": IMAGES})["scores"].sum().backward()
    assert all(parameter.grad is not None for parameter in model.student.parameters())


def test_the_teacher_is_a_moving_average():
    model = small(momentum=0.6)
    optimizer = torch.optim.SGD(model.student.parameters(), lr=0.1)
    mean = None
    for n in range(4):
        own = {name: value.double().clone() for name, value in model.student.named_parameters()}
        share = min(0.6, n / (n + 1))  # the mean of all, until the momentum is smaller
        mean = own if mean is None else {name: share * mean[name] + (1 - share) * own[name] for name in own}
        step(model, optimizer, n)
        for name, value in model.averaged.named_parameters():
            torch.testing.assert_close(value.double(), mean[name], rtol=1e-5, atol=1e-7)
        assert not torch.equal(model.student.score.weight, model.averaged.score.weight)


@pytest.mark.parametrize("set_to_none", [True, False])
def test_accumulated_gradients_move_the_teacher_once(set_to_none):
    model = small()
    optimizer = torch.optim.SGD(model.student.parameters(), lr=0.1)
    for moves in (1, 2):
        for _ in range(3):
            model({"images": IMAGES})["scores"].sum().backward()
            assert model.teacher.n_averaged.item() == moves
        optimizer.step()
        optimizer.zero_grad(set_to_none=set_to_none)


def test_a_resumed_run_is_bit_equal():
    model = small(dropout=0.3)
    optimizer = torch.optim.AdamW(model.student.parameters(), lr=1e-2)
    for seed in range(2):
        step(model, optimizer, seed)
    state = copy.deepcopy((model.state_dict(), optimizer.state_dict()))
    outputs = step(model, optimizer, 2)

    torch.manual_seed(99)
    again = LMLIQA(backbone="test_vit", embedding=8, dropout=0.3)
    again.load_state_dict(state[0])
    optimizer = torch.optim.AdamW(again.student.parameters(), lr=1e-2)
    optimizer.load_state_dict(state[1])
    for name, value in step(again, optimizer, 2).items():
        assert torch.equal(value, outputs[name]), name
    for name, value in again.state_dict().items():
        assert torch.equal(value, model.state_dict()[name]), name


def test_evaluation_is_one_network_and_changes_nothing():
    model = apart().eval()
    before = copy.deepcopy(model.state_dict())
    with torch.inference_mode():
        outputs = model({"images": IMAGES})
        assert set(outputs) == {"scores"}
        alone = torch.cat([model({"images": image[None]})["scores"] for image in IMAGES])
        crops = torch.stack([model.student(crop[None])[0] for image in IMAGES for crop in image])
        torch.testing.assert_close(outputs["scores"], alone, rtol=1e-4, atol=1e-5)
        torch.testing.assert_close(outputs["scores"], crops.view(3, 4).mean(dim=1), rtol=1e-4, atol=1e-5)
        assert torch.equal(outputs["scores"], model({"images": IMAGES})["scores"])
        assert model({"images": IMAGES[:, :1]})["scores"].shape == (3,)
        taught = apart(scored_by="teacher").eval()
        expected = taught.averaged(IMAGES.flatten(0, 1)).view(3, 4).mean(dim=1)
        torch.testing.assert_close(taught({"images": IMAGES})["scores"], expected)
    for name, value in model.state_dict().items():
        assert torch.equal(value, before[name]), name


def test_the_teacher_never_drops_anything():
    model = small(dropout=0.5)
    assert model.student.dropout.training
    assert not model.averaged.dropout.training
    model.eval()
    assert model.train().student.dropout.training
    assert not model.averaged.dropout.training


def test_parameters_of_the_default():
    with torch.device("meta"):
        model = LMLIQA()
    backbone, head, projector = 21_674_496, 384 + 1, (384 * 384 + 384) + (384 * 128 + 128)
    assert sum(p.numel() for p in model.student.parameters()) == backbone + head + projector
    assert sum(p.numel() for p in model.teacher.parameters()) == backbone + head + projector


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"saliency": "entropy"}, "saliency to be one of 'focus', 'mass', got 'entropy'"),
        ({"mutual": "both"}, "mutual to be one of 'saliency', 'scores', got 'both'"),
        ({"scored_by": "both"}, "scored_by to be one of 'student', 'teacher', got 'both'"),
        ({"momentum": 1.0}, r"momentum in \[0, 1\), got 1.0"),
        ({"dropout": -0.1}, r"dropout in \[0, 1\), got -0.1"),
        ({"embedding": 0}, "positive number of embedding dimensions, got 0"),
    ],
)
def test_bad_options(options, words):
    with pytest.raises(ValueError, match=words):
        LMLIQA(backbone="test_vit", **options)


@pytest.mark.parametrize("backbone", ["test_resnet", "test_vit2"])
def test_a_backbone_without_a_class_token(backbone):
    with pytest.raises(InputError, match=f"vision transformer with a class token.*got '{backbone}'"):
        LMLIQA(backbone=backbone)


def test_other_crops():
    model = small()
    with pytest.raises(InputError, match=r"160 x 160 pixels only, got 64 x 64: set input\.crop = 160"):
        model({"images": torch.rand(1, 2, 3, 64, 64)})
    with pytest.raises(InputError, match=r"set input\.train_crops to 2 or more"):
        model({"images": IMAGES[:, :1]})
