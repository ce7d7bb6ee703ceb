"""Models that take what is known and answer the rest."""

import pytest
import torch

from polyinv.chemistry.butyl_acrylate import SYSTEM, TARGETS
from polyinv.data.datamodule import RecipeDataModule
from polyinv.data.features import feature_columns
from polyinv.data.masks import masked_inputs
from polyinv.data.patterns import every_pattern, inputs_of
from polyinv.data.splits import split_rows
from polyinv.errors import InputError
from polyinv.models import MLP, CurveCNN, load_model

COLUMNS = feature_columns("conditional", SYSTEM)
QUICK = {"hidden": (32,), "dropout": (0.0,), "members": 2, "transform": "root_log", "training": {"max_epochs": 5}}
NETWORKS = {
    "mlp": (MLP, QUICK),
    "cnn": (CurveCNN, QUICK | {"channels": (4,)}),
    "nll": (MLP, QUICK | {"training": {"max_epochs": 5, "loss": "nll"}}),
}


@pytest.fixture(scope="module")
def data(small):
    return RecipeDataModule.from_table(small, "conditional", split_rows(small, "by_recipe", 0))


@pytest.fixture(scope="module", params=NETWORKS)
def fitted(request, data):
    kind, options = NETWORKS[request.param]
    model = kind(**options)
    model.fit(data)
    return model


@pytest.mark.parametrize("pattern", every_pattern(SYSTEM)[::7])
def test_a_known_value_comes_back_as_it_was_given_and_the_rest_is_answered(fitted, data, pattern):
    answer = fitted.predict_members(masked_inputs(data.test.x, COLUMNS, pattern, SYSTEM))
    for at, name in enumerate(TARGETS):
        same = answer[..., at] == data.test.y[:, at]
        assert same.all() if name in inputs_of(pattern, SYSTEM) else not same.any()
    spread = fitted.spread(masked_inputs(data.test.x, COLUMNS, pattern, SYSTEM))
    known = torch.tensor([name in inputs_of(pattern, SYSTEM) for name in TARGETS])
    assert torch.equal((spread == 0).all(0), known)


def test_what_is_not_whole_cannot_influence_the_answer(fitted, data):
    """Bit-equal: an input with a gap is masked, whatever its other columns hold."""
    x = data.test.x.clone()
    x[:, [COLUMNS.index(name) for name in ("MMD1", "Mw", "temp", "time", "cBA_0", "cAIBN_0")]] = torch.nan
    x[:, COLUMNS.index("temp")] = data.test.y[:, 2]
    with pytest.raises(InputError, match="observation 1 has neither the curve nor Mn and Mw"):
        fitted.predict(x)
    x[:, COLUMNS.index("Mw")] = data.test.x[:, COLUMNS.index("Mw")]
    before = fitted.predict_members(x)
    x[:, COLUMNS.index("MMD2") : COLUMNS.index("MMD100") + 1] = torch.rand(len(x), 99, dtype=torch.float64)
    assert torch.equal(fitted.predict_members(x), before)
    x[:, COLUMNS.index("cBA_time")] *= 1.01
    assert not torch.equal(fitted.predict_members(x), before)


def test_every_input_that_is_given_counts(fitted, data):
    whole = masked_inputs(data.test.x, COLUMNS, "composite+temp+time+cBA_0", SYSTEM)
    for name in inputs_of("composite+temp+time+cBA_0", SYSTEM):
        changed = whole.clone()
        changed[:, [COLUMNS.index(column) for column in SYSTEM.inputs[name]]] *= 1.05
        assert not torch.equal(fitted.predict(changed)[:, 1], fitted.predict(whole)[:, 1]), name


def test_nothing_and_infinity_are_refused(fitted, data):
    with pytest.raises(InputError, match="observation 1 has neither the curve nor Mn and Mw"):
        fitted.predict(torch.full_like(data.test.x, torch.nan))
    x = data.test.x.clone()
    x[3, COLUMNS.index("temp")] = torch.inf
    with pytest.raises(InputError, match="observation 4: temp is inf"):
        fitted.predict(x)


def test_comes_back_from_disk_as_it_was(fitted, data, tmp_path):
    fitted.save(tmp_path / "model")
    x = masked_inputs(data.test.x, COLUMNS, "mmd+temp", SYSTEM)
    assert torch.equal(load_model(tmp_path / "model").predict(x), fitted.predict(x))


def test_a_member_is_what_its_seed_gives_alone(data):
    together, alone = MLP(**QUICK), MLP(**QUICK | {"members": 1, "seed": 43})
    for model in (together, alone):
        model.fit(data)
    x = masked_inputs(data.test.x, COLUMNS, "mmd+temp", SYSTEM)
    torch.testing.assert_close(together.predict_members(x)[1], alone.predict(x), rtol=1e-3, atol=1e-5)
