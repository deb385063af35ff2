import numpy as np
import pytest
import torch
from PIL import Image

from imgqa.config import ImageRunConfig
from imgqa.modality import IMAGE
from rankqa_datasets.cache import ArrayCache
from shared_engine.config_files import list_recipes, read_recipe
from shared_engine.names import build
from shared_engine.stimuli import model_input
from shared_engine.timm_import import import_timm
from shared_losses.objective import LOSSES

RECIPES = list_recipes(IMAGE.recipes)
# Recipes of published methods keep the terms of their method.
PUBLISHED = {
    "asna": ("asna",),
    "dbcnn": ("mse",),
    "gmc-iqa": ("gcc",),
    "hyperiqa": ("mae",),
    "linearity-iqa": ("norm_in_norm",) * 3,
    "lml-iqa": ("smooth_l1", "local_manifold", "consistency"),
    "maniqa": ("mse",),
    "pretrain-ladder": ("spearman", "listmle"),  # labels by level, compared within a ladder only
}
# Stand-ins for backbones that take seconds for one crop.
SMALL = {
    "deit3_small_patch16_224.fb_in22k_ft_in1k": "vit_tiny_patch16_224",
    "resnet50.tv_in1k": "test_resnet",
    "resnext101_32x8d.tv_in1k": "test_resnet",
    "vgg16.tv_in1k": "test_resnet",
    "vit_base_patch8_224.augreg_in21k_ft_in1k": "vit_tiny_patch16_224",
}


def read(name: str) -> ImageRunConfig:
    return ImageRunConfig.model_validate({"data": {"manifest": "manifest.csv"}, **read_recipe(name, IMAGE.recipes)})


def test_the_recipes():
    assert {"cnniqa", "compact-cnn", "demo-image", "siamese-resnet18", "timm-resnet18", *PUBLISHED} <= set(RECIPES)


@pytest.mark.parametrize("name", RECIPES)
def test_a_recipe_fits_the_configuration(name):
    config = read(name)
    assert config.recipe == name
    assert config.modality == "image"
    assert config.model.name in IMAGE.models
    assert {term.name for term in config.objective.terms} <= set(LOSSES)
    terms = tuple(term.name for term in config.objective.terms)
    if name in PUBLISHED:
        assert terms == PUBLISHED[name]
        return
    assert (terms[0], config.objective.terms[0].bank) == ("spearman", True)
    # A scale-free loss alone would let the scores drift.
    assert {"mse", "mae"} & set(terms)


def test_weights_that_recipes_name_exist():
    timm = import_timm()
    names = [read(name).model.options.get("backbone") for name in RECIPES]
    for name in filter(None, names):
        assert timm.models.is_model_pretrained(name), name


@pytest.mark.parametrize("name", RECIPES)
def test_a_recipe_scores_an_image(name, tmp_path):
    config = read(name)
    options = dict(config.model.options)
    if "pretrained" in options:
        options["pretrained"] = False
    if "backbone" in options:
        options["backbone"] = SMALL.get(options["backbone"], options["backbone"])
    model = build("image model", config.model.name, IMAGE.models, options).eval()
    side = config.input.crop + 5
    pixels = np.random.default_rng(0).integers(0, 256, (side, side, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(tmp_path / "a.png")
    reader = IMAGE.reader(config, ArrayCache(tmp_path / "cache"))
    batch = model_input({name: tensor[None] for name, tensor in reader(tmp_path / "a.png", None).items()})
    if getattr(model, "full_reference", False):
        batch["references"] = 1 - batch["images"]
    with torch.inference_mode():
        assert torch.isfinite(model(batch)["scores"]).all()
