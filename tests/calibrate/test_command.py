"""`polyinv calibrate`: what it writes, and what it says of bad input in one line."""

import pandas as pd
import pytest

from polyinv.calibrate.reading import read_own_runs
from polyinv.chemistry import load_system
from polyinv.cli import main
from polyinv.quantities import MMD
from tests.calibrate.laboratories import SYSTEM, drawn, runs_of


@pytest.fixture(scope="module")
def table():
    runs = runs_of(drawn(2), 2, 2)
    found = runs.observations.to_table()[list(SYSTEM.columns)]
    names = pd.Series([runs.names[at] for at in runs.run.tolist()], found.index, name="run")
    return pd.concat([found, names], axis=1)


@pytest.fixture
def called(table, tmp_path, capsys):
    """Call of the command on a changed table: exit code, standard output and error."""

    def call(change=lambda table: table, *options, out="lab.yaml"):
        change(table.copy()).to_csv(tmp_path / "runs.csv", index=False)
        arguments = ["calibrate", str(tmp_path / "runs.csv"), "--system", "MMA", "--out", str(tmp_path / out), *options]
        code = main(arguments)
        said = capsys.readouterr()
        return code, said.out, said.err

    return call


def test_a_system_and_a_report_are_written(called, tmp_path):
    code, out, _ = called(lambda table: table, "--errors", "good", "--report", str(tmp_path / "lab.html"))
    assert code == 0
    for part in ("Left out run by run", "Determined (", "Still as assumed before", "Next run that would tell most"):
        assert part in out
    system = load_system(tmp_path / "lab.yaml")
    assert (system.laboratory.runs, system.laboratory.samples) == (2, 6)
    page = (tmp_path / "lab.html").read_text(encoding="utf-8")
    assert "Left out run by run" in page
    code, _, said = called(lambda table: table, "--system", str(tmp_path / "lab.yaml"), out="again.yaml")
    assert code == 2
    assert "was calibrated already, on 2 runs" in said


def test_one_run_works_and_says_what_stays_open(called):
    code, out, said = called(lambda table: table[table["run"] == "1"])
    assert code == 0
    assert "Left out: nothing, with a single run" in out
    assert "a single run: scatter between runs stays as assumed" in said


def test_means_and_conversion_without_curves_are_enough(called):
    code, _, said = called(lambda table: table.drop(columns=list(MMD)))
    assert code == 0
    assert "no sample has a curve" in said


WRONG = {
    "kelvin": (lambda t: t.assign(temp=t["temp"] + 273.15), "if it is K"),
    "minutes": (lambda t: t.assign(time=t["time"] / 600), "if it is min"),
    "per cent": (
        lambda t: pd.concat([t.drop(columns="cMMA_time"), pd.Series(45.0, t.index, name="conversion")], axis=1),
        "needs 0 to 1, or 0 to 100 in a column that is named in %",
    ),
    "another monomer": (
        lambda t: t.rename(columns={"cMMA_0": "cBA_0", "cMMA_time": "cBA_time"}),
        "has columns of the system butyl_acrylate",
    ),
    "nothing measured": (lambda t: t[[*SYSTEM.targets, "run"]], "has nothing measured"),
    "two recipes in a run": (lambda t: t.assign(run="1"), "the samples of a run are of one recipe"),
    "no such curve": (lambda t: t.assign(curve_file="no.csv"), "no.csv: no such file"),
}


@pytest.mark.parametrize(("change", "said"), WRONG.values(), ids=WRONG)
def test_bad_input_is_refused_in_one_line(change, said, called, tmp_path):
    code, _, err = called(change)
    assert code == 2
    assert said in err.splitlines()[-1]
    assert not (tmp_path / "lab.yaml").exists()


def test_a_unit_in_doubt_is_said_once(called):
    _, _, said = called(lambda table: table.drop(columns=list(MMD)).assign(temp=table["temp"] + 273.15))
    assert said.count("if it is K") == 1


def test_samples_that_count_twice_are_refused_or_said(table, tmp_path, capsys, caplog):
    files = [tmp_path / f"{name}.csv" for name in "abc"]
    table = table.drop(columns=list(MMD))
    for file, rows in zip(files, (table, table, table.iloc[:4]), strict=True):
        rows.to_csv(file, index=False)
    options = ["--system", "MMA", "--out", str(tmp_path / "lab.yaml")]
    for again in files[:2]:
        assert main(["calibrate", str(files[0]), str(again), *options]) == 2
        assert "a.csv: they would count twice" in capsys.readouterr().err.splitlines()[-1]
    read_own_runs([files[0], files[2]], SYSTEM)
    assert "c.csv: row 2 stands in" in caplog.text
    assert "(4 such rows), and counts again" in caplog.text


def test_contradictory_runs_are_named(called, table):
    def contradict(table):
        again = table[table["run"] == "1"].assign(run="again")
        charged = again["cMMA_0"]
        again["cMMA_time"] = charged * (again["cMMA_time"] / charged) ** 3  # three times as fast
        again[["Mn", "Mw"]] /= 3
        return pd.concat([table, again.drop(columns=list(MMD))], ignore_index=True)

    code, _, said = called(contradict, "--errors", "good")
    assert code == 0
    assert "contradict" in said or "outlying" in said
