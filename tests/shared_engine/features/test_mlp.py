import numpy as np
import pytest
import torch

from shared_engine.features.mlp import FeatureMLP
from shared_engine.modality import FitsInputs


def stimuli(rows):
    return ({"features": row} for row in rows)


def test_features_are_standardised_by_the_training_part_and_kept_in_the_state():
    rows = torch.randn(50, 3) * torch.tensor([1e4, 1.0, 1e-3]) + torch.tensor([5e3, -2.0, 1.0])
    rows[:, 1] = 7.7
    model = FeatureMLP(features=3, hidden=(), dropout=0.0)
    assert isinstance(model, FitsInputs)
    model.fit_inputs(stimuli(rows))
    np.testing.assert_allclose(model.mean, rows.double().mean(0), rtol=1e-6)
    std = rows.double().std(0, correction=0)
    np.testing.assert_allclose(model.inverse_std, [1 / std[0], 0, 1 / std[2]], rtol=1e-6)
    assert {"mean", "inverse_std"} <= model.state_dict().keys()
    layer = model.layers[0]
    z = (rows.double() - rows.double().mean(0)) / std.clamp_min(1e-30)
    z[:, 1] = 0
    expected = z @ layer.weight.double().T + layer.bias.double()
    np.testing.assert_allclose(model({"features": rows})["scores"].detach(), expected[:, 0].detach(), atol=1e-3)


def test_a_change_of_units_changes_nothing():
    rows = torch.randn(40, 5, dtype=torch.float64)
    scores = []
    for scale, shift in ((1.0, 0.0), (256.0, 1024.0)):
        torch.manual_seed(0)
        model = FeatureMLP(features=5).eval()
        moved = (rows * scale + shift).float()
        model.fit_inputs(stimuli(moved))
        scores.append(model({"features": moved})["scores"])
    torch.testing.assert_close(*scores, rtol=1e-3, atol=1e-4)


def test_a_constant_column_is_ignored_wherever_it_goes():
    rows = torch.randn(40, 2)
    rows[:, 1] = 0.1
    model = FeatureMLP(features=2).eval()
    model.fit_inputs(stimuli(rows))
    other = rows.clone()
    other[:, 1] = 1e6
    torch.testing.assert_close(model({"features": other}), model({"features": rows}), rtol=0, atol=0)


def test_heads():
    batch = {"features": torch.randn(6, 4)}
    normal = FeatureMLP(features=4, head="normal").eval()(batch)
    assert normal.keys() == {"scores", "score_std"}
    assert (normal["score_std"] > 0).all()
    levels = FeatureMLP(features=4, head="levels", levels=5).eval()(batch)
    shares = levels["score_distribution"]
    torch.testing.assert_close(shares.sum(1), torch.ones(6))
    torch.testing.assert_close(levels["scores"], shares @ torch.arange(1.0, 6.0))


def test_parameters():
    count = sum(p.numel() for p in FeatureMLP(features=64, hidden=(64, 32)).parameters())
    assert count == (64 + 1 + 2) * 64 + (64 + 1 + 2) * 32 + 33


@pytest.mark.parametrize("options", [{"dropout": 1.0}, {"hidden": (0,)}, {"features": 0}, {"levels": 1}])
def test_bad_options(options):
    with pytest.raises(ValueError, match="expected"):
        FeatureMLP(**({"features": 3} | options))
