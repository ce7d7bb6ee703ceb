"""A table simulated in parts by an engine is that of one call; what was finished before is not simulated again."""

import traceback

import numpy as np
import pandas as pd
import pytest

from polyinv.chemistry import load_system
from polyinv.cli import main
from polyinv.data import in_parts
from polyinv.data.source import simulate_table
from polyinv.errors import InputError
from polyinv.runtime.engines import Engine
from polyinv.runtime.workers import Outcome

SYSTEM = load_system("butyl_acrylate")


def here(done):
    """Engine of this process; writes down what it runs."""

    def work(task, jobs):
        for name, arguments in jobs.items():
            done.append(name)
            try:
                yield Outcome(name, task(*arguments))
            except InputError as error:
                yield Outcome(name, error=str(error), trace=traceback.format_exc())

    return Engine(work, "here")


@pytest.fixture
def recipes():
    """Three reactions of two snapshots."""
    conditions = pd.DataFrame({"cBA_0": [1, 2, 3], "cAIBN_0": [0.01, 0.005, 0.02], "temp": [60, 65, 70]})
    return conditions.loc[[0, 0, 1, 1, 2, 2]].assign(time=[900, 1800] * 3).reset_index(drop=True)


@pytest.mark.parametrize("method", ["deterministic", "sampled", "sampled_per_row", "kmc"])
def test_parts_joined_are_the_table_of_one_call(method, recipes, tmp_path, monkeypatch):
    monkeypatch.setattr("polyinv.simulate.solvers.BLOCK", 2)
    for module in ("recipes", "sampling"):
        monkeypatch.setattr(f"polyinv.simulate.{module}.BLOCK", 2)
    options = {"method": method, "seed": 3, "chains": 1e4, "replicates": 1 if method == "deterministic" else 2}
    options |= {"allow_few": True} if method == "kmc" else {}
    counted, done = [], []
    with pytest.warns(match="radicals") if method == "kmc" else np.errstate():
        whole = simulate_table(recipes, system=SYSTEM, **options)
    options |= {"engine": here(done), "store": tmp_path, "system": SYSTEM}
    found = in_parts.simulate_in_parts(recipes, progress=counted.append, **options)
    pd.testing.assert_frame_equal(found, whole, check_exact=True)
    assert found.to_csv() == whole.to_csv()
    assert len(done) > 1
    assert sum(counted) == 3 * options["replicates"]
    again = in_parts.simulate_in_parts(recipes, progress=counted.append, **options)
    pd.testing.assert_frame_equal(again, whole, check_exact=True)
    assert len(done) == len(set(done))


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"method": "exact"}, "no simulator 'exact'"),
        ({"replicates": 0}, "replicates is 0"),
        ({"seed": -1}, "seed is -1"),
        ({"horizon": 60.0}, "reactions range(0, 3): horizon is 60 s"),
    ],
)
def test_what_cannot_be_simulated_in_parts_either_is_one_line(recipes, tmp_path, changes, said):
    options = {"method": "sampled", "seed": 3, "chains": 1e4, "replicates": 1} | changes
    with pytest.raises(InputError) as refused:
        in_parts.simulate_in_parts(recipes, here([]), tmp_path, system=SYSTEM, progress=lambda count: None, **options)
    assert said in str(refused.value)


def test_a_shard_is_not_divided_again(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("polyinv.runtime.engines.needed", lambda *given: None)
    out = str(tmp_path / "a.csv")
    assert main(["simulate", "--random", "4", "--shard", "1/2", "--engine", "dask", "--out", out]) == 2
    assert "--shard and --engine both divide the reactions" in capsys.readouterr().err
