"""Tables in another unit than their columns have: refused, or warned of, before anything is learned from them."""

import pandas as pd
import pytest

from polyinv.chemistry import load_system
from polyinv.cli import main
from polyinv.data.source import DataConfig, load_table
from polyinv.errors import InputError
from tests.data.test_runs_file import with_nodes

SYSTEM = load_system("butyl_acrylate")
ROWS = pd.DataFrame(
    [[1.5, 0.008, 60.0, 1200.0, 1.0, 65000.0, 133000.0], [2.0, 0.012, 75.0, 3600.0, 0.5, 55000.0, 120000.0]],
    columns=["cBA_0", "cAIBN_0", "temp", "time", "cBA_time", "Mn", "Mw"],
)


def read(change, tmp_path) -> str:
    """Path of a table that was loaded after a change."""
    with_nodes(change(ROWS)).to_csv(tmp_path / "table.csv", index=False)
    return load_table(DataConfig(path=str(tmp_path / "table.csv"), normalize=True))


SAID = {
    "minutes": (
        lambda t: t.assign(time=t["time"] / 60),
        "column 'time' holds 60 s, outside of 300 to 3600; if it is min",
    ),
    "mmol/L": (lambda t: t.assign(cAIBN_0=1000 * t["cAIBN_0"]), "if it is mmol/L"),
    "fahrenheit": (lambda t: t.assign(temp=1.8 * t["temp"] + 32), "if it is °F"),
    "kg/mol": (lambda t: t.assign(Mn=t["Mn"] / 100), "column 'Mn' holds 650 g/mol at most; if it is kg/mol"),
}


@pytest.mark.parametrize(("change", "said"), SAID.values(), ids=SAID)
def test_what_another_unit_explains_is_said_once(change, said, tmp_path, caplog):
    for _ in range(2):
        read(change, tmp_path)
    assert caplog.text.count(said) == 1


REFUSED = {
    "kelvin": (lambda t: t.assign(temp=t["temp"] + 273.15), "column 'temp' holds .* if it is K"),
    "what no unit explains": (
        lambda t: t.assign(temp=900.0),
        "column 'temp' holds 900 °C and more, outside of 60 to 80",
    ),
    "mmol/L of monomer": (lambda t: t.assign(cBA_0=1000 * t["cBA_0"]), "if it is mmol/L"),
    "kg/mol": (lambda t: t.assign(Mn=t["Mn"] / 1000), r"'Mn' holds 65 g/mol \(2 such rows\), less than a molecule"),
    "one row in kg/mol": (lambda t: t.assign(Mn=[65.0, 55000.0]), r"'Mn' holds 65 g/mol \(1 such rows\)"),
}


@pytest.mark.parametrize(("change", "said"), REFUSED.values(), ids=REFUSED)
def test_what_no_recipe_and_no_polymer_has_is_refused(change, said, tmp_path):
    with pytest.raises(InputError, match=said):
        read(change, tmp_path)


BEYOND = {
    "as it is": lambda t: t,
    "hotter": lambda t: t.assign(temp=[95.0, 110.0]),
    "longer": lambda t: t.assign(time=[7200.0, 36000.0]),
    "more concentrated": lambda t: t.assign(cBA_0=[4.0, 6.0]),
    "a hot row": lambda t: t.assign(temp=[70.0, 250.0]),
}


@pytest.mark.parametrize("change", BEYOND.values(), ids=BEYOND)
def test_a_study_beyond_the_box_is_none(change, tmp_path, caplog):
    assert len(read(change, tmp_path)) == 2
    assert "if it is" not in caplog.text


def test_recipes_to_simulate_are_doubted(tmp_path, capsys):
    ROWS.assign(time=60.0)[list(SYSTEM.targets)].to_csv(tmp_path / "recipes.csv", index=False)
    arguments = ["--recipes", str(tmp_path / "recipes.csv"), "--out", str(tmp_path / "out.csv")]
    assert main(["simulate", "--method", "deterministic", *arguments]) == 0
    assert "column 'time' holds 60 s, outside of 300 to 3600; if it is min" in capsys.readouterr().err
