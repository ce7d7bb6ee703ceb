"""The report on a saved model: whole, offline, and true to the scores of the run."""

import sys

import numpy as np
import pandas as pd
import pytest

from polyinv.cli import main
from polyinv.data.bundled import load_bundled
from polyinv.data.workbook import write_table
from polyinv.evaluation import closed_loop
from polyinv.experiment.experiment import Experiment, SplitConfig
from polyinv.experiment.run import run
from polyinv.simulate.run_store import RunStore

FOREST = {"n_estimators": 5, "jobs": 1}


@pytest.fixture(scope="module")
def few(tmp_path_factory):
    """Sixty rows off the grid, as a file."""
    path = tmp_path_factory.mktemp("few") / "few.csv"
    write_table(load_bundled("off_grid").head(60), path)
    return path


@pytest.fixture(scope="module")
def judged(tmp_path_factory, few):
    """A forest on the grid, and the report on it."""
    folder = tmp_path_factory.mktemp("judged")
    scores = run(Experiment("forest", FOREST, "composite", SplitConfig("by_recipe", 7)), folder / "run")
    assert main(["evaluate", str(folder / "run"), "--output", str(folder / "report"), "--data", str(few)]) == 0
    return folder, scores


def test_the_folder_holds_report_figures_and_numbers(judged):
    folder, _ = judged
    names = {path.name for path in (folder / "report").iterdir()}
    assert {"report.html", "scores.csv", "closed_loop.csv", "assessments.csv", "importance-1.png"} <= names
    assert any(name.startswith("events.out.tfevents") for name in names)
    page = (folder / "report" / "report.html").read_text()
    assert "http" not in page.replace("http-equiv", "")
    for title in ("Scores", "Closed loop", "Applicability domain", "Importance", "Where conversion is high"):
        assert f">{title}" in page


def test_every_row_is_simulated_and_judged(judged):
    folder, _ = judged
    loop, assessments = (pd.read_csv(folder / "report" / f"{name}.csv") for name in ("closed_loop", "assessments"))
    assert len(loop) == len(assessments) == 60
    assert loop["ratio"].median() > 1.2  # a small forest on the grid does not make the polymers off it
    assert (assessments["applicability"] == "inside").mean() > 0.8


def test_scores_are_those_of_the_run(judged, tmp_path, monkeypatch):
    """On the rows that the run kept apart, by the same numbers."""
    folder, scores = judged
    off_grid = load_bundled("off_grid")
    write_table(off_grid, tmp_path / "off_grid.npz")
    table = tmp_path / "off_grid.npz"
    assert main(["evaluate", str(folder / "run"), "--output", str(tmp_path / "again"), "--data", str(table)]) == 0
    again = pd.read_csv(tmp_path / "again" / "scores.csv").set_index(["target", "metric"])["value"]
    of_run = scores[scores["subset"] == "off_grid"].set_index(["target", "metric"])["value"]
    np.testing.assert_allclose(again[of_run.index], of_run, rtol=1e-9)
    limit = again.xs("r2_local", level="metric")
    assert limit["cBA_0"] > 0.99 > 0.9 > limit["temp"] > 0.5 > limit["cAIBN_0"]  # docs/explanation/value-of-knowing.md


def test_a_loop_by_kinetic_monte_carlo_is_taken_up_where_it_was_killed(judged, tmp_path, monkeypatch):
    """Runs that are finished are not simulated again, and their folder goes at the end."""
    early = load_bundled("grid").query("time == 300").iloc[::144]
    write_table(early, tmp_path / "early.csv")
    call = ["evaluate", str(judged[0] / "run"), "--data", str(tmp_path / "early.csv"), "--method", "kmc", "--output"]
    assert main([*call, str(tmp_path / "whole")]) == 0
    compare = closed_loop._floor
    monkeypatch.setattr(closed_loop, "_floor", lambda *given, **settings: sys.exit(9))
    with pytest.raises(SystemExit):
        main([*call, str(tmp_path / "killed")])
    kept = set((tmp_path / "killed.runs").iterdir())
    assert len(kept) == 2 * len(early)
    assert not (tmp_path / "killed").exists()
    monkeypatch.setattr(closed_loop, "_floor", compare)
    read, find = [], RunStore.read
    monkeypatch.setattr(RunStore, "read", lambda store, inputs: read.append(store.path(inputs)) or find(store, inputs))
    assert main([*call, str(tmp_path / "killed")]) == 0
    assert kept <= set(read)
    assert not (tmp_path / "killed.runs").exists()
    whole, killed = (pd.read_csv(tmp_path / name / "closed_loop.csv") for name in ("whole", "killed"))
    pd.testing.assert_frame_equal(whole, killed)
    assert whole["ratio"].between(0.3, 100).all()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["nowhere", "--output", "{tmp}/new"], "nowhere holds no model"),
        (["{run}", "--output", "{run}"], "exists already"),
        (["{run}", "--output", "{tmp}/new", "--method", "kcm", "--data", "{few}"], "no method of a closed loop 'kcm'"),
        (["{run}", "--output", "{tmp}/new", "--given", "tmep"], "no input 'tmep'"),
        (["{run}", "--output", "{tmp}/new", "--given", "mmd+temp"], "is no conditional model: it is given all"),
        (["{run}", "--output", "{tmp}/new", "--data", "{tmp}/none.csv"], "no such file"),
        (["{run}", "--output", "{tmp}/new", "--data", "{one}"], "has a single row, which has no R²"),
    ],
)
def test_refusals_leave_nothing_behind(judged, few, tmp_path, capsys, arguments, said):
    one = few.with_name("one.csv")
    one.write_text("\n".join(few.read_text().splitlines()[:2]) + "\n")
    places = {"run": judged[0] / "run", "tmp": tmp_path, "few": few, "one": one}
    assert main(["evaluate", *(argument.format(**places) for argument in arguments)]) == 2
    assert said in capsys.readouterr().err.splitlines()[-1]
    assert list(tmp_path.iterdir()) == []
