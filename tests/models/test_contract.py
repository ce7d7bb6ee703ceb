"""What every model promises."""

import inspect
import json
from pathlib import Path

import pandas as pd
import pytest
import torch
import yaml

from polyinv.data.bank import load_bank
from polyinv.data.datamodule import RecipeDataModule
from polyinv.data.features import WITH_CHAINS, feature_columns
from polyinv.data.masks import masked_inputs
from polyinv.data.observations import Observations
from polyinv.data.rows import Rows, rows_of
from polyinv.data.source import load_off_grid
from polyinv.data.splits import split_rows
from polyinv.errors import InputError
from polyinv.evaluation.metrics import score
from polyinv.models import MODELS, load_model
from polyinv.models.card import CARD
from polyinv.quantities import MMD

CHECKPOINTS = Path(__file__).parents[2] / "checkpoints"
RELEASED = sorted(path.name for path in CHECKPOINTS.iterdir() if path.is_dir())
TREES = {"n_estimators": 5, "jobs": 1}
NETWORK = {"hidden": (16,), "dropout": (0.1,), "training": {"max_epochs": 3}}
QUICK = {
    "forest": TREES,
    "trees": TREES,
    "mlp": NETWORK | {"members": 2},
    "cnn": NETWORK | {"channels": (4,), "members": 2},
    "network": {"network": "plain", "members": 2, "training": {"max_epochs": 3}},
    "posterior": {"hidden": (16,), "members": 2, "training": {"max_epochs": 3, "loss": "density"}},
}
"""Options that make a model fit in a second; one that is not listed has its defaults."""


def served(table, name, split):
    """Rows of a table for a model: all that was observed, and the recipe as what may be known where it takes that."""
    if name != "posterior":
        return RecipeDataModule.from_table(table, "composite", split)
    whole = RecipeDataModule.from_table(table, WITH_CHAINS, split)
    x = masked_inputs(whole.test.x, whole.columns, "composite", whole.system)
    return RecipeDataModule.from_rows(WITH_CHAINS, whole.train, whole.val, Rows(x, whole.test.y))


@pytest.fixture(scope="module", params=MODELS)
def kind(request):
    return request.param


@pytest.fixture(scope="module")
def data(small, kind):
    return served(small, kind, split_rows(small, "by_recipe", 0))


@pytest.fixture(scope="module")
def fitted(kind, data):
    model = MODELS[kind](**QUICK.get(kind, {}))
    model.fit(data)
    return model


def test_predicts_recipes_in_physical_units(fitted, data):
    predicted = fitted.predict(data.test.x)
    assert (predicted.shape, predicted.dtype) == (data.test.y.shape, torch.float64)
    low, high = data.train.y.min(0).values, data.train.y.max(0).values
    assert ((predicted.mean(0) > low) & (predicted.mean(0) < high)).all()


def test_the_answer_is_the_mean_of_the_members(fitted, data):
    members = fitted.predict_members(data.test.x)
    assert members.shape[1:] == data.test.y.shape
    torch.testing.assert_close(fitted.predict(data.test.x), members.mean(0))


def test_comes_back_from_disk_as_it_was(fitted, data, tmp_path):
    fitted.save(tmp_path / "model")
    for again in (type(fitted).load(tmp_path / "model"), load_model(tmp_path / "model")):
        assert torch.equal(again.predict(data.test.x), fitted.predict(data.test.x))
        assert (again.columns, again.options) == (fitted.columns, fitted.options)


def test_a_batch_equals_its_rows(fitted, data):
    together = fitted.predict(data.test.x)
    alone = torch.cat([fitted.predict(row[None]) for row in data.test.x[:10]])
    torch.testing.assert_close(together[:10], alone, rtol=1e-5, atol=1e-7)


def test_the_seed_decides_and_the_surroundings_do_not(fitted, data):
    def predicted(**options):
        torch.rand(3)  # somebody else draws numbers, too
        model = MODELS[fitted.name](**QUICK.get(fitted.name, {}) | options)
        model.fit(data)
        return model.predict(data.test.x)

    assert torch.equal(predicted(), fitted.predict(data.test.x))
    if "seed" in fitted.options:
        assert not torch.equal(predicted(seed=7), fitted.predict(data.test.x))


def test_test_rows_are_not_looked_at(fitted, small):
    split = split_rows(small, "by_recipe", 0)
    other = small.copy()
    other.loc[split.test, ["Mn", "cBA_0", "MMD50"]] *= 3
    model = MODELS[fitted.name](**QUICK.get(fitted.name, {}))
    model.fit(served(other, fitted.name, split))
    x = served(small, fitted.name, split).test.x
    assert torch.equal(model.predict(x), fitted.predict(x))


def test_observations_of_another_shape_or_not_finite_are_refused(fitted, data):
    for x in (data.test.x[:, :5], data.test.x[0]):
        with pytest.raises(InputError, match=rf"needs observations of shape \(B, {len(fitted.columns)}\), got"):
            fitted.predict(x)
    x, bad = data.test.x[:3].clone(), float("inf" if fitted.conditional else "nan")
    x[1, 2] = bad
    with pytest.raises(InputError, match=f"observation 2: Mw is {bad}; needs a number"):
        fitted.predict(x)


@pytest.mark.parametrize("damage", ["half a card", "no weights", "unknown option"])
def test_a_damaged_model_is_refused(fitted, tmp_path, damage):
    fitted.save(tmp_path / "model")
    card = tmp_path / "model" / CARD
    if damage == "half a card":
        card.write_text(card.read_text()[:50])
    elif damage == "no weights":
        next(path for path in (tmp_path / "model").iterdir() if path.name != CARD).unlink()
    else:
        content = json.loads(card.read_text())
        content["options"]["trees"] = 3
        card.write_text(json.dumps(content))
    with pytest.raises(InputError, match=r"damaged|holds no whole model"):
        load_model(tmp_path / "model")


def test_a_folder_that_exists_is_not_overwritten(fitted, tmp_path):
    with pytest.raises(InputError, match="exists already"):
        fitted.save(tmp_path)


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        ("targets", ["cBA_0"], "made with targets"),
        ("grid", {"step": 0.1, "nodes": 80}, "made with grid"),
        ("columns", ["Mn", "Mz"], "made with the feature 'Mz', which this version does not know"),
        ("format", 2, r"saved in format 2 by polyinv .*; polyinv .* reads format 1"),
    ],
)
def test_a_model_for_something_else_is_refused(fitted, tmp_path, key, value, said):
    fitted.save(tmp_path / "model")
    card = json.loads((tmp_path / "model" / CARD).read_text())
    (tmp_path / "model" / CARD).write_text(json.dumps(card | {key: value}))
    with pytest.raises(InputError, match=said):
        load_model(tmp_path / "model")


def test_no_model_is_refused(tmp_path):
    with pytest.raises(InputError, match=r"holds no model: there is no model\.json"):
        load_model(tmp_path)


@pytest.mark.parametrize("name", MODELS)
def test_every_option_has_a_default_and_is_documented(name):
    model = MODELS[name]
    for option, parameter in inspect.signature(model).parameters.items():
        assert parameter.default is not parameter.empty
        assert f" {option}: " in model.__doc__
    json.dumps(model().options)  # plain types


@pytest.mark.parametrize("name", ["mlp", "cnn"])
def test_a_model_saved_by_an_earlier_version_still_answers_the_same(name):
    frozen = Path(__file__).parents[1] / "data" / "frozen"
    model = load_model(frozen / name)
    x = rows_of(pd.read_csv(frozen / "rows.csv"), model.columns).x
    answers = torch.tensor(json.loads((frozen / f"{name}_answers.json").read_text()), dtype=torch.float64)
    torch.testing.assert_close(model.predict(x), answers, rtol=1e-5, atol=1e-7)


def answers(model, x, y, pattern):
    """What a released model answers when it is given all that was observed, or a pattern of what is known, exactly."""
    if not model.conditional:
        return model.predict(x)
    columns = feature_columns("conditional", model.system)
    observations = Observations.from_tensor(torch.cat([x, y], 1), columns, model.system)
    return model.predict(observations.masked(pattern).x(model.columns))


@pytest.mark.parametrize("name", RELEASED)
def test_a_released_model_answers_as_its_card_says(name):
    folder = CHECKPOINTS / name
    model, card = load_model(folder), yaml.safe_load((folder / "card.yaml").read_text())
    observed = [column for column in (*model.system.scalars, *MMD) if column in model.columns]
    rows = rows_of(load_off_grid(model.system), observed, model.system)
    for pattern, said in (card["r2"] if model.conditional else {"": card["r2"]}).items():
        scored = score(rows.y, answers(model, rows.x, rows.y, pattern), model.system)
        scores = scored.set_index(["target", "metric"])["value"]
        for target, line in said.items():
            assert scores[target, "r2"] == pytest.approx(float(line["off_grid"]), abs=2e-3)
    assert sum(path.stat().st_size for path in folder.iterdir()) < 8e6


@pytest.mark.parametrize("name", RELEASED)
def test_a_released_model_has_not_learned_the_volume_of_a_simulation(name, monkeypatch):
    """Single chains in the tail give the number of chains away; who relies on it fails where it is another."""
    monkeypatch.setattr("polyinv.data.bank.BLOCK", 1000)
    model = load_model(CHECKPOINTS / name)
    system = model.system
    bank = load_bank(1000, 99, system, system.horizon)
    at = [at for at, column in enumerate((*system.scalars, *MMD)) if column in model.columns]
    r2 = []
    for chains in (0.8e6, 1e6, 1.25e6):
        x = bank.observe(system.chemistry, torch.full((1000,), chains), torch.Generator().manual_seed(0))[:, at]
        predicted = answers(model, x.double(), bank.recipes, "composite")
        scored = score(bank.recipes, predicted, system).set_index(["target", "metric"])["value"]
        r2.append(scored["global", "r2"])
    assert max(r2) - min(r2) < 0.02
