import pytest
import torch

from pcqa.config import CloudRunConfig
from pcqa.modality import CLOUD
from shared_engine.config_files import list_recipes, read_recipe, resolve_config
from shared_engine.names import build
from shared_losses.objective import LOSSES

RECIPES = list_recipes(CLOUD.recipes)


def config_of(recipe: str) -> CloudRunConfig:
    return resolve_config(CloudRunConfig, [read_recipe(recipe, CLOUD.recipes), {"data": {"manifest": "m.csv"}}])


def test_the_promised_recipes_are_there():
    assert {"demo-cloud", "mm-pcqa-tokens", "pointnet2-small", "pointnet2-ssg"} <= set(RECIPES)
    named = {config_of(recipe).model.name for recipe in RECIPES}
    assert named == CLOUD.models.keys()


@pytest.mark.parametrize("recipe", RECIPES)
def test_every_recipe_resolves_and_its_model_scores(recipe):
    config = config_of(recipe)
    assert config.recipe == recipe
    assert {term.name for term in config.objective.terms} <= set(LOSSES)
    # Weights are not fetched here.
    options = {name: value for name, value in config.model.options.items() if name != "pretrained"}
    model = build("model", config.model.name, CLOUD.models, options).eval()
    batch = {}
    if config.input.views is not None:
        size = config.input.views.crop or config.input.views.size
        batch |= {"views": torch.rand(1, 6, 3, size, size), "masks": torch.ones(1, 6, size, size)}
    if config.input.patches is not None:
        size = config.input.patches.size
        batch |= {
            "points": torch.rand(1, 1, size, 3) - 0.5,
            "colors": torch.rand(1, 1, size, 3),
            "scales": torch.full((1, 1), 0.1),
        }
    with torch.no_grad():
        scores = model(batch)["scores"]
    assert scores.shape == (1,)
    assert torch.isfinite(scores).all()
