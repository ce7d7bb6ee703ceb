"""Errors of a laboratory: levels, what a configuration may say, and the columns that state them."""

import re
from dataclasses import asdict, fields
from pathlib import Path

import pytest

from polyinv.chemistry.butyl_acrylate import RECIPE
from polyinv.chemistry.system import SYSTEMS, load_system
from polyinv.errors import InputError
from polyinv.instrument.errors import (
    LEAST,
    LEVELS,
    MOST,
    MeasurementErrors,
    error_columns,
    measurement_errors,
)

NAMES = [each.name for each in fields(MeasurementErrors)]


def test_every_error_has_its_limits():
    assert NAMES == list(MOST) == list(LEAST)


def test_levels_rise_from_exact_to_rough():
    assert list(LEVELS) == ["exact", "good", "ordinary", "rough"]
    levels = [asdict(level) for level in LEVELS.values()]
    for name in NAMES:
        values = [level[name] for level in levels]
        if name == "lower_limit":
            assert values == pytest.approx([0.0, *[1000.0] * 3])  # a simulation has its oligomers
            continue
        assert values[0] == 0
        assert LEAST[name] <= values[1] < values[2] < values[3] < MOST[name]


def test_the_ordinary_level_is_that_of_the_documentation():
    ordinary = LEVELS["ordinary"]
    assert (ordinary.conversion, ordinary.temperature, ordinary.broadening, ordinary.offset) == (
        0.015,
        0.5,
        0.045,
        0.02,
    )


@pytest.mark.parametrize("system", SYSTEMS)
def test_every_error_can_be_stated_for_every_system(system):
    system = load_system(system)
    columns = error_columns(system.recipe, system.residual)
    assert set(columns.values()) == set(NAMES)
    assert not set(columns) & set(system.columns)
    for name in (*system.targets, *system.scalars):
        assert f"{name}_error" in columns
    assert columns[f"{system.targets[0]}_error"] == "concentration"
    assert columns["time_error"] == "time"


@pytest.mark.parametrize("level", LEVELS)
def test_a_configuration_names_a_level(level):
    assert measurement_errors(level) == measurement_errors({"level": level}) == LEVELS[level]


def test_a_configuration_changes_single_errors():
    errors = measurement_errors({"level": "rough", "time": 5, "offset": 0})
    assert asdict(errors) == asdict(LEVELS["rough"]) | {"time": 5.0, "offset": 0.0}
    assert measurement_errors({}) == MeasurementErrors() == LEVELS["ordinary"]


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("exakt", "no level of errors 'exakt'; known: exact, good, ordinary, rough"),
        ({"level": 3}, "no level of errors 3; known"),
        ({"level": ["exact"]}, "no level of errors"),
        ({"tempreature": 1}, "no error 'tempreature'; known: broadening"),
        ({1: 1}, "no error 1; known"),
        ({"temperature": "1"}, "the error temperature is '1'; needs a number"),
        ({"temperature": True}, "the error temperature is True; needs a number"),
        ({"temperature": None}, "the error temperature is None; needs a number"),
        ({"temperature": float("nan")}, "the error temperature is nan; needs 0 to 50"),
        ({"conversion": float("inf")}, "the error conversion is inf; needs 0 to 0.5"),
        ({"conversion": 1.5}, "the error conversion is 1.5; needs 0 to 0.5"),
        ({"offset": -0.02}, "the error offset is -0.02; needs 0 to 1"),
        (None, "errors are None; needs a level"),
        (0.5, "errors are 0.5; needs a level"),
    ],
)
def test_what_cannot_be_is_refused_in_one_line(given, message):
    with pytest.raises(InputError) as error:
        measurement_errors(given)
    assert message in str(error.value)
    assert "\n" not in str(error.value)


def test_columns_of_butyl_acrylate():
    assert list(error_columns(RECIPE, "cBA_time")) == [
        *("cBA_0_error", "cAIBN_0_error", "temp_error", "time_error", "cBA_time_error", "Mn_error", "Mw_error"),
        *("conversion_error", "sec_broadening", "sec_offset", "sec_slope", "sec_drift", "sec_noise"),
        *("sec_cut_low", "sec_cut_high", "sec_lower_limit"),
    ]


PAGE = Path(__file__).parents[2] / "docs" / "reference" / "measurement-errors.md"


def test_the_documentation_names_every_column_and_has_the_numbers_of_every_level():
    text = PAGE.read_text(encoding="utf-8")
    for column in error_columns(RECIPE, "cBA_time"):
        assert f"`{column}`" in text.partition("## Levels")[0]
    lines = re.findall(r"^\| (`\w+`.*?) \| (.*) \|$", text.partition("## Levels")[2], re.MULTILINE)
    written = {
        name: [float(cell) for cell in cells.split(" | ")]
        for names, cells in lines
        for name in re.findall(r"`(\w+)`", names)
    }
    assert written == {name: [pytest.approx(getattr(level, name)) for level in LEVELS.values()] for name in NAMES}
