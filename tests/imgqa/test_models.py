"""What every image model promises, and what each promises alone."""

import inspect

import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import conv2d

from imgqa.modality import IMAGE
from imgqa.models.cnniqa import CNNIQA, normalise_locally
from imgqa.models.compact_cnn import CompactCNN
from imgqa.models.local_mean import local_mean
from imgqa.models.timm_regressor import TimmRegressor
from rankqa_datasets.errors import InputError
from shared_engine.names import build

OPTIONS = {
    "cnniqa": {},
    "compact-cnn": {},
    "timm-regressor": {"backbone": "mobilenetv3_small_050"},
    "siamese-resnet": {"backbone": "test_resnet"},
    "asna": {"crop": 64},
    "linearity-iqa": {"backbone": "test_resnet"},
    "hyperiqa": {"backbone": "test_resnet"},
    "dbcnn": {"backbone": "test_resnet"},
    "gmc-iqa": {"backbone": "test_vit", "blocks": [1, 3, 5], "opinions": 2, "rank": 8},
    "maniqa": {"backbone": "test_vit", "blocks": [2, 3]},
    "lml-iqa": {"backbone": "test_vit", "embedding": 8},
}
# Height and width of a crop; the models not named take every size.
SIZES = {"asna": (64, 64), "gmc-iqa": (160, 160), "maniqa": (160, 160), "lml-iqa": (160, 160)}
# Crops of an image in training; the models not named take every number.
LEAST_CROPS = {"lml-iqa": 2}


@pytest.fixture(params=IMAGE.models)
def name(request) -> str:
    return request.param


@pytest.fixture
def size(name) -> tuple[int, int]:
    return SIZES.get(name, (64, 96))


@pytest.fixture
def model(name) -> nn.Module:
    torch.manual_seed(0)
    return build("image model", name, IMAGE.models, OPTIONS[name])


def random_images(*shape: int, seed: int = 0) -> Tensor:
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed))


def outputs(model: nn.Module, images: Tensor) -> dict[str, Tensor]:
    # Some reference that follows from the image, so that one image is scored alike in every batch.
    references = {"references": 1 - images} if getattr(model, "full_reference", False) else {}
    return model({"images": images, **references})


def scores(model: nn.Module, images: Tensor) -> Tensor:
    return outputs(model, images)["scores"]


def parameter_count(model: nn.Module) -> int:
    return sum(parameter.numel() for parameter in model.parameters())


def test_one_score_an_image_and_gradient_to_every_parameter(model, size):
    with torch.no_grad():
        for parameter in model.parameters():
            if not parameter.any():  # a gain that starts at zero lets no gradient through at first
                parameter.fill_(0.1)
    result = outputs(model, random_images(4, 2, 3, *size))
    assert result["scores"].shape == (4,)
    assert result["scores"].dtype == torch.float32
    outputs_with_gradient = [output for output in result.values() if output.requires_grad]
    sums = [(torch.arange(4) * output.reshape(4, -1).sum(dim=1)).sum() for output in outputs_with_gradient]
    torch.stack(sums).sum().backward()
    for name, parameter in model.named_parameters():
        if not parameter.requires_grad:  # an averaged teacher's
            continue
        assert parameter.grad is not None, name
        assert torch.isfinite(parameter.grad).all(), name
        # Under batch normalisation single entries may be zero, a whole tensor may not.
        assert parameter.grad.abs().max() > 0, name


def test_the_score_is_the_mean_over_crops(model, size):
    model.eval()
    images = random_images(2, 3, 3, *size)
    with torch.inference_mode():
        whole = scores(model, images)
        single = torch.stack([scores(model, images[:, k : k + 1]) for k in range(3)]).mean(dim=0)
    torch.testing.assert_close(whole, single, rtol=1e-4, atol=1e-6)


def test_evaluation_is_deterministic_and_does_not_depend_on_the_batch(model, size):
    model.eval()
    images = random_images(4, 1, 3, *size)
    with torch.inference_mode():
        first, again = scores(model, images), scores(model, images)
        alone = torch.cat([scores(model, images[i : i + 1]) for i in range(4)])
    assert torch.equal(first, again)
    torch.testing.assert_close(first, alone, rtol=1e-4, atol=1e-6)
    assert first.unique().numel() == 4


def test_flat_images_have_finite_scores_and_gradients(model, name, size):
    crops = LEAST_CROPS.get(name, 1)
    images = torch.stack([torch.zeros(crops, 3, *size), torch.ones(crops, 3, *size)]).requires_grad_()
    result = scores(model, images)
    result.sum().backward()
    assert torch.isfinite(result).all()
    assert images.grad is not None
    assert torch.isfinite(images.grad).all()


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_mixed_precision_keeps_scores_and_gradients_finite(model, name, size, dtype):
    images = random_images(4, LEAST_CROPS.get(name, 1), 3, *size)
    images[0] = 0
    with torch.autocast("cpu", dtype=dtype):
        result = outputs(model, images)["scores"]
        plain = result.float()
    plain.square().sum().backward()
    assert torch.isfinite(plain).all()
    assert all(torch.isfinite(parameter.grad).all() for parameter in model.parameters() if parameter.grad is not None)


def test_weights_survive_a_round_trip(model, name, size):
    other = build("image model", name, IMAGE.models, OPTIONS[name])
    other.load_state_dict(model.state_dict())
    images = random_images(2, 1, 3, *size)
    with torch.inference_mode():
        assert torch.equal(scores(model.eval(), images), scores(other.eval(), images))


def test_full_reference_models_need_references(model, size):
    if not getattr(model, "full_reference", False):
        assert "references" not in inspect.getsource(type(model))
        return
    with pytest.raises(InputError, match=r"full-reference.*a column `reference`"):
        model({"images": random_images(1, 1, 3, *size)})


def test_an_unknown_option_names_the_closest():
    with pytest.raises(InputError, match=r"dropuot.*did you mean 'dropout'"):
        build("image model", "cnniqa", IMAGE.models, {"dropuot": 0.1})


class TestCNNIQA:
    def test_parameters_as_published(self):
        convolution, hidden, output = 50 * 49 + 50, (100 * 800 + 800) + (800 * 800 + 800), 801
        assert parameter_count(CNNIQA()) == convolution + hidden + output == 724_901

    def test_against_patch_by_patch_convolution(self):
        torch.manual_seed(1)
        model = CNNIQA().eval()
        images = random_images(2, 1, 3, 70, 100)
        grey = 0.299 * images[:, 0, 0] + 0.587 * images[:, 0, 1] + 0.114 * images[:, 0, 2]
        normalised = normalise_locally(grey[:, None])
        kernels = model.filters.weight.view(50, 1, 7, 7)
        expected = []
        for image in normalised:
            values = []
            for top in (0, 32):  # 70 x 100 holds 2 x 3 patches
                for left in (0, 32, 64):
                    patch = image[None, :, top : top + 32, left : left + 32]
                    response = conv2d(patch, kernels, model.filters.bias)
                    pooled = torch.cat([response.amax(dim=(2, 3)), response.amin(dim=(2, 3))], dim=1)
                    values.append(model.head(pooled))
            expected.append(torch.stack(values).mean())
        torch.testing.assert_close(scores(model, images), torch.stack(expected), rtol=1e-4, atol=1e-6)

    def test_local_normalisation_against_a_loop(self):
        grey = random_images(1, 1, 9, 10).double()
        padded = torch.nn.functional.pad(grey, (3, 3, 3, 3), mode="reflect")[0, 0]
        result = normalise_locally(grey)[0, 0]
        for row, column in ((0, 0), (4, 5), (8, 9)):
            window = padded[row : row + 7, column : column + 7]
            expected = (grey[0, 0, row, column] - window.mean()) / (window.std(correction=0) + 1 / 255)
            assert result[row, column].item() == pytest.approx(expected.item(), rel=1e-9)

    def test_local_normalisation_ignores_brightness(self):
        grey = random_images(1, 1, 16, 16).double()
        torch.testing.assert_close(normalise_locally(grey), normalise_locally(grey + 0.3))

    def test_dropout_acts_in_training_only(self):
        model, images = CNNIQA(), random_images(2, 1, 3, 32, 32)
        assert not torch.equal(scores(model, images), scores(model, images))
        with pytest.raises(ValueError, match=r"dropout in \[0, 1\), got 1"):
            CNNIQA(dropout=1.0)

    def test_crops_below_a_patch(self):
        with pytest.raises(ValueError, match="at least 32 x 32 pixels, got 40 x 31"):
            scores(CNNIQA(), random_images(1, 1, 3, 31, 40))


class TestCompactCNN:
    def test_about_four_hundred_thousand_parameters(self):
        assert parameter_count(CompactCNN()) == 401_953

    @pytest.mark.parametrize(
        ("options", "message"),
        [
            ({"widths": []}, "positive widths"),
            ({"widths": [8, 0]}, "positive widths"),
            ({"hidden": 0}, "positive widths and hidden"),
            ({"stride": 5}, "stride from 1 to 4, got 5"),
            ({"dropout": 1.0}, "dropout"),
        ],
    )
    def test_bad_options(self, options, message):
        with pytest.raises(ValueError, match=message):
            CompactCNN(**options)

    @pytest.mark.parametrize(("stride", "side"), [(4, 8), (2, 16)])
    def test_stages_divide_the_sides(self, stride, side):
        model = CompactCNN(widths=[4, 8], stride=stride, local_contrast=True)
        assert model.stages(model.input(random_images(1, 3, 64, 64))).shape == (1, 8, side, side)

    def test_local_contrast_ignores_brightness_and_local_means_are_means(self):
        model = CompactCNN(widths=[4, 8], local_contrast=True).eval()
        images = 0.5 * random_images(2, 1, 3, 32, 32)
        torch.testing.assert_close(scores(model, images), scores(model, images + 0.3), rtol=1e-4, atol=1e-5)
        image = random_images(1, 1, 12, 12)
        assert local_mean(image)[0, 0, 5, 6].item() == pytest.approx(image[0, 0, 2:9, 3:10].mean().item(), rel=1e-5)

    def test_a_last_batch_of_one_crop_trains(self):
        scores(CompactCNN(widths=[4, 8], hidden=4), random_images(1, 1, 3, 32, 32)).sum().backward()


class TestTimmRegressor:
    def test_normalisation_is_the_backbones_own(self):
        model = TimmRegressor(backbone="vit_tiny_patch16_224")
        image = torch.full((1, 3, 2, 2), 0.75)
        torch.testing.assert_close(model.normalise(image), torch.full((1, 3, 2, 2), 0.5))  # mean .5, deviation .5

    def test_backbone_parameters_are_all_but_the_head(self):
        model = TimmRegressor(backbone="resnet18", dropout=0.1)
        backbone = {id(parameter) for parameter in model.backbone_parameters()}
        rest = [name for name, parameter in model.named_parameters() if id(parameter) not in backbone]
        assert rest == ["head.1.weight", "head.1.bias"]

    def test_a_backbone_of_one_input_size_says_so(self):
        model = TimmRegressor(backbone="vit_tiny_patch16_224")
        assert scores(model.eval(), random_images(1, 1, 3, 224, 224)).shape == (1,)
        with pytest.raises(InputError, match=r"224 x 224 pixels only, got 96 x 96: set input\.crop = 224"):
            scores(model, random_images(1, 1, 3, 96, 96))

    def test_unknown_backbone_names_close_ones(self):
        with pytest.raises(InputError, match=r"no backbone 'resnt18': did you mean .*resnet18"):
            TimmRegressor(backbone="resnt18")

    def test_unknown_tag_of_weights(self):
        with pytest.raises(InputError, match=r"cannot provide 'resnet18\.nonsense'"):
            TimmRegressor(backbone="resnet18.nonsense")

    def test_weights_that_cannot_be_fetched(self, monkeypatch):
        from shared_engine.timm_import import import_timm

        def refuse(*args, **options):
            raise ConnectionError("no route to host\nmany more lines")

        monkeypatch.setattr(import_timm(), "create_model", refuse)
        with pytest.raises(InputError, match=r"\(no route to host\).*set model\.options\.pretrained=false"):
            TimmRegressor(backbone="resnet18", pretrained=True)

    def test_bad_dropout(self):
        with pytest.raises(ValueError, match="dropout"):
            TimmRegressor(backbone="resnet18", dropout=-0.1)
