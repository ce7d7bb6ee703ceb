"""What an answer says of the kinetics it rests on, and of the errors that these add."""

import logging
from dataclasses import replace

import pandas as pd
import pytest
import torch

import polyinv
from polyinv.chemistry import load_system
from polyinv.chemistry.coordinates import Coordinates
from polyinv.chemistry.draws import draws
from polyinv.chemistry.laboratory import INSTRUMENT, Laboratory
from polyinv.data.laboratory import observations_of
from polyinv.data.observations import Observations
from polyinv.predict.fits import UNASKED
from polyinv.predict.predictor import Predictor
from polyinv.simulate.recipes import random_recipes

SYSTEM = load_system()
KNOWN = ["temp", "time"]
OPEN = ["cBA_0", "cAIBN_0"]
LABORATORIES, POLYMERS = 6, 60


def measured(recipes: torch.Tensor, seed: int, system=SYSTEM) -> Observations:
    """What an ordinary laboratory knows of polymers: curve, temperature and time; said of the literature's system."""
    seen = observations_of(recipes, "ordinary", 1e6, seed, system)
    return replace(seen, system=SYSTEM, residual_monomer=torch.full_like(seen.Mn, torch.nan)).forgetting(OPEN)


@pytest.fixture(scope="module")
def predictor() -> Predictor:
    return polyinv.load()


@pytest.fixture(scope="module")
def recipes() -> torch.Tensor:
    return random_recipes(POLYMERS, torch.Generator().manual_seed(4), SYSTEM)


@pytest.fixture(scope="module")
def calibrated():
    """The system as if runs had halved what is open of each coefficient."""
    names = (*Coordinates(SYSTEM).names, *INSTRUMENT)
    covariance = tuple(tuple(0.25 * (row == column) for column in range(row + 1)) for row in range(len(names)))
    prior = (*Coordinates(SYSTEM).sd, 0.3, 0.02)
    scatter = {"initiation": 0.02, "temperature": 0.3, "conversion": 0.005, "sampling": 1.0, "curve": 0.005}
    return replace(SYSTEM, laboratory=Laboratory(3, 9, names, prior, covariance, 0.045, 0.0, scatter))


def test_errors_with_the_kinetics_of_the_literature_stand_beside(predictor, recipes, caplog):
    caplog.set_level(logging.INFO)
    answers = predictor.predict(measured(recipes[:8], 0), sharpen=False)
    assert set(answers["kinetics"]) == {"literature"}
    for name in OPEN:
        columns = list(answers.columns)
        assert columns.index(f"{name}_rmse_literature") == columns.index(f"{name}_rmse") + 1
        assert (answers[f"{name}_rmse_literature"] / answers[f"{name}_rmse"]).median() > 2
    assert answers[[f"{name}_rmse_literature" for name in KNOWN]].isna().all(axis=None)
    (said,) = [line for line in caplog.messages if "as uncertain as in the literature" in line]
    assert "kinetics of butyl_acrylate are taken as exact" in said
    assert "cBA_0 0.0" in said
    assert "temp" not in said


def test_in_other_laboratories_the_answers_err_as_it_says(predictor, recipes):
    inside: dict[str, list[float]] = {"rmse": [], "rmse_literature": []}
    for seed, chemistry in enumerate(draws(SYSTEM, LABORATORIES, torch.Generator().manual_seed(1))):
        answers = predictor.predict(measured(recipes, seed, replace(SYSTEM, chemistry=chemistry)), sharpen=False)
        for at, name in enumerate(OPEN):
            apart = (answers[name] - recipes[:, at].numpy()).abs()
            for end, shares in inside.items():
                stated = answers[f"{name}_{end}"].dropna()
                shares.append(float((apart[stated.index] < stated).mean()))
    share = {end: sum(shares) / len(shares) for end, shares in inside.items()}
    assert share["rmse"] < 0.35  # of 0.68 that it would be if the kinetics were exact
    assert 0.5 < share["rmse_literature"] < 0.86  # a laboratory is wrong in all of its answers alike


def test_a_network_of_other_coefficients_is_sharpened_or_says_so(predictor, recipes, caplog):
    other = replace(SYSTEM, chemistry=draws(SYSTEM, 1, torch.Generator().manual_seed(7))[0])
    rows = replace(measured(recipes[:2], 0, other), system=other)
    with caplog.at_level(logging.INFO):
        sharp = predictor.predict(rows)
    assert sharp["effective"].notna().all()
    assert "the answers are sharpened, which corrects that" in caplog.text
    assert not sharp["warnings"].str.contains("other coefficients").any()
    caplog.clear()
    with caplog.at_level(logging.INFO):
        alone = predictor.predict(rows, sharpen=False)
    assert alone["warnings"].str.contains("answered by other coefficients").all()
    assert "2 of 2 rows are answered by the coefficients that" in caplog.text
    many = rows[[0] * (UNASKED + 1)]
    many = replace(many, labels=pd.RangeIndex(1, UNASKED + 2))
    assert "effective" not in predictor.predict(many)


def test_what_runs_left_open_is_in_the_errors_of_a_table(predictor, recipes, calibrated):
    rows = measured(recipes[:8], 0)
    before = predictor.predict(rows, sharpen=False)
    after = predictor.predict(replace(rows, system=calibrated), sharpen=False)
    assert set(after["kinetics"]) == {"calibrated on 3 runs"}
    assert not any(name.endswith("literature") for name in after)
    for name in OPEN:
        for end in ("rmse", "error_95"):
            assert (after[f"{name}_{end}"] >= 0.999 * before[f"{name}_{end}"]).all()
        width, wider = (each[f"{name}_high"] - each[f"{name}_low"] for each in (before, after))
        assert (wider > 1.2 * width).mean() > 0.8
        quantity = SYSTEM.recipe[SYSTEM.targets.index(name)]
        assert ((after[f"{name}_low"] >= quantity.low) & (after[f"{name}_high"] <= quantity.high)).all()


def test_a_model_without_errors_says_which_kinetics(recipes):
    seen = observations_of(recipes[:2], "exact", 1e6, 0, SYSTEM).forgetting(SYSTEM.targets)
    answers = polyinv.load("checkpoints/mlp").predict(seen)
    assert set(answers["kinetics"]) == {"literature"}
    assert not any(name.endswith("literature") for name in answers)
