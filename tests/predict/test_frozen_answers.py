"""Answers to rows of every kind: whatever is made faster, they stay."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import polyinv
from polyinv.runtime.resources import CONDITIONAL

FOLDER = Path(__file__).parents[1] / "data" / "frozen" / "predict"


@pytest.fixture(scope="module")
def answers() -> pd.DataFrame:
    return polyinv.load(CONDITIONAL).predict(FOLDER / "rows.csv", errors="exact")


@pytest.fixture(scope="module")
def frozen() -> pd.DataFrame:
    return pd.read_csv(FOLDER / "answers.csv")


def test_answers_are_those_that_were_kept(answers, frozen):
    added = [name for name in answers if name not in frozen]
    assert added == [
        *(f"{name}_rmse_literature" for name in ("cBA_0", "cAIBN_0", "temp", "time")),
        "kinetics",
        "warnings",
    ]
    assert answers.columns.drop(added).tolist() == frozen.columns.tolist()
    for name in ["sample", "inputs", "applicability", "reason"]:
        assert answers[name].fillna("").tolist() == frozen[name].fillna("").tolist()
    endings = ("_spread", "_rmse", "_error_95")
    same = frozen.columns[[name.endswith(endings) or name in ("temp", "time") for name in frozen]]
    # Networks compute in single precision, and other processors add in another order.
    np.testing.assert_allclose(
        answers[["cBA_0", "cAIBN_0", "temp", "time"]], frozen[["cBA_0", "cAIBN_0", "temp", "time"]], rtol=1e-4
    )
    np.testing.assert_allclose(answers[same], frozen[same], rtol=1e-2)
    np.testing.assert_allclose(answers["distance"], frozen["distance"], rtol=0.01)


def test_the_closed_loop_is_the_one_that_was_kept(answers, frozen):
    for name in ("mmd_distance", "mmd_distance_replicate"):
        # A last digit of the recipe that differs has the noise drawn anew: 3 % is what 32 replicates scatter by.
        np.testing.assert_allclose(answers[name], frozen[name], rtol=0.15)


def test_the_closest_recipes_are_those_that_were_kept(answers, frozen):
    """Where they are one: many recipes make about the same curve, and the descent ends where it gains no more."""
    rows = frozen["inputs"].str.contains("mmd|composite") & frozen["inputs"].str.contains("temp.*time")
    assert rows.sum() >= 3
    closest = [name for name in frozen if name.startswith("closest_")]
    np.testing.assert_allclose(answers.loc[rows.to_numpy(), closest], frozen.loc[rows, closest], rtol=5e-3)
