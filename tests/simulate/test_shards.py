"""Shards of a table, one after the other, are bit for bit the table that one call simulates."""

import warnings

import numpy as np
import pandas as pd
import pytest
import torch

from polyinv.chemistry import BUTYL_ACRYLATE
from polyinv.chemistry.butyl_acrylate import SYSTEM
from polyinv.cli import main
from polyinv.data.source import simulate_table
from polyinv.data.workbook import read_table, write_table
from polyinv.reactions import Shard
from polyinv.simulate import SIMULATORS, recipes, sampling, solvers
from polyinv.simulate.control_volume import FewRadicals
from polyinv.simulate.montecarlo import ENGINES, simulate_runs
from polyinv.simulate.recipes import published_grid, runs

COUNT = 3


@pytest.fixture(scope="module")
def some():
    """8 reactions of the published grid, three snapshots each."""
    grid = published_grid()
    return grid[grid["time"].isin([300.0, 1200.0, 3600.0])].iloc[: 3 * 8].reset_index(drop=True)


def joined(table, **options):
    return pd.concat([simulate_table(table, shard=Shard(number, COUNT), **options) for number in (1, 2, 3)])


@pytest.mark.parametrize("method", SIMULATORS)
@pytest.mark.parametrize("block", [4, solvers.BLOCK])
def test_shards_are_the_table(some, monkeypatch, method, block):
    for module in (solvers, sampling, recipes):
        monkeypatch.setattr(module, "BLOCK", block)
    replicates = 1 if method == "deterministic" else 2
    options = {"method": method, "chains": 3e5, "seed": 3, "replicates": replicates}
    whole, parts = simulate_table(some, **options), joined(some, **options)
    pd.testing.assert_frame_equal(parts, whole, check_exact=True, check_index_type="equiv")
    assert not whole.drop(columns="time").duplicated().any()  # no stream twice
    assert {len(simulate_table(some, shard=Shard(2, 3), **options))} == {3 * (5 if replicates == 2 else 3)}


@pytest.mark.parametrize("engine", ENGINES)
def test_a_part_of_kinetic_monte_carlo_reactions_is_that_of_the_whole(some, engine):
    conditions, times, _, _ = runs(some, SYSTEM)
    options = {"chains": 2e4, "seed": 5, "engine": engine, "allow_few": True}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FewRadicals)
        whole = simulate_runs(conditions[:4], times[:4, :1], BUTYL_ACRYLATE, **options)
        part = simulate_runs(conditions[2:4], times[2:4, :1], BUTYL_ACRYLATE, first=2, **options)
    assert torch.equal(part.events.events, whole.events.events[2:])
    assert torch.equal(part.growth.squares, whole.growth.squares[2:])


@pytest.mark.parametrize("suffix", [".csv", ".npz", ".xlsx"])
def test_files_of_shards_are_joined_to_the_file_of_one_call(some, tmp_path, suffix):
    write_table(simulate_table(some), tmp_path / "given.npz")
    command = ["simulate", "--recipes", str(tmp_path / "given.npz"), "--out"]
    parts = [tmp_path / f"part{number}{suffix}" for number in (1, 2, 3)]
    for number, part in enumerate(parts, start=1):
        assert main([*command, str(part), "--shard", f"{number}/3"]) == 0
    assert main([*command, str(tmp_path / f"whole{suffix}")]) == 0
    write_table(pd.concat([read_table(part) for part in parts], ignore_index=True), tmp_path / f"joined{suffix}")
    whole, joined = (read_table(tmp_path / f"{name}{suffix}") for name in ("whole", "joined"))
    pd.testing.assert_frame_equal(joined, whole, check_exact=True)
    if suffix == ".npz":
        numbers = [np.load(part)["rows"] for part in parts]
        assert np.concatenate(numbers).tolist() == [*range(len(whole))]


@pytest.mark.parametrize(
    ("shard", "said"),
    [
        ("0/3", "--shard is '0/3'; needs I/N, I from 1 to N, such as 2/8"),
        ("4/3", "--shard is '4/3'; needs I/N"),
        ("1", "--shard is '1'; needs I/N"),
        ("1/0", "--shard is '1/0'; needs I/N"),
        ("-1/3", "needs I/N"),
        ("a/b", "--shard is 'a/b'; needs I/N"),
        ("1/3/5", "--shard is '1/3/5'; needs I/N"),
        ("1/9", "--shard is 1/9, but there are 8 reactions; needs fewer shards"),
    ],
)
def test_shards_that_cannot_be_are_refused(some, tmp_path, capsys, shard, said):
    some.to_csv(tmp_path / "given.csv", index=False)
    command = ["simulate", "--recipes", str(tmp_path / "given.csv"), "--out", str(tmp_path / "part.csv")]
    assert main([*command, f"--shard={shard}"]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert said in line


def test_a_reaction_whose_rows_stand_apart_has_no_shards(some, tmp_path, capsys):
    some.sort_values("time", kind="stable").to_csv(tmp_path / "given.csv", index=False)
    command = ["simulate", "--recipes", str(tmp_path / "given.csv"), "--out", str(tmp_path / "part.csv")]
    assert main([*command, "--shard", "1/2"]) == 2
    assert "row 9 of the recipes is of a reaction whose other rows stand apart" in capsys.readouterr().err
