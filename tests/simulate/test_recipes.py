import pandas as pd
import torch

from polyinv.chemistry.butyl_acrylate import RECIPE, SYSTEM, TARGETS
from polyinv.cli import main
from polyinv.simulate.recipes import published_grid, runs


def test_the_grid_is_the_published_one():
    grid = published_grid()
    assert list(grid.columns) == list(TARGETS)
    assert {name: grid[name].nunique() for name in TARGETS} == {"cBA_0": 6, "cAIBN_0": 8, "temp": 9, "time": 12}
    for quantity in RECIPE:
        assert (grid[quantity.name].min(), grid[quantity.name].max()) == (quantity.low, quantity.high)
    ordered = grid.sort_values(["temp", "cBA_0", "cAIBN_0", "time"])
    assert grid.index.equals(ordered.index)


def test_rows_find_their_run_and_snapshot_in_any_order(rng):
    grid = published_grid().sample(frac=0.3, random_state=1)
    conditions, times, run, snapshot = runs(grid, SYSTEM)
    back = torch.cat([conditions[run], times[run, snapshot, None]], 1)
    assert torch.equal(back, torch.from_numpy(grid.to_numpy(copy=True)))
    assert (times.diff(dim=1) >= 0).all()
    assert len(conditions) == len(grid.drop_duplicates(["cBA_0", "cAIBN_0", "temp"]))


def test_a_repeated_recipe_is_the_same_snapshot():
    recipe = pd.DataFrame([[1.0, 0.01, 70.0, 600.0]] * 2, columns=list(TARGETS))
    _, times, run, snapshot = runs(recipe, SYSTEM)
    assert (times.tolist(), run.tolist(), snapshot.tolist()) == ([[600.0]], [0, 0], [0, 0])


def test_what_no_reactor_makes_is_refused_by_the_name_of_its_file(tmp_path, capsys):
    path = tmp_path / "mine.csv"
    path.write_text("cBA_0,cAIBN_0,temp,time\n1,0.01,70,3600\n2e-300,1e-302,7e-299,10\n", encoding="utf-8")
    call = ["simulate", "--method", "deterministic", "--recipes", path, "--out", tmp_path / "out.csv"]
    assert main([*map(str, call)]) == 2
    assert f"{path}: the rate equations give no polymer for 2e-300 mol/L" in capsys.readouterr().err
