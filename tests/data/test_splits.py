import numpy as np
import pytest

from polyinv.data.splits import SPLITS, split_rows
from polyinv.errors import InputError
from polyinv.quantities import CONDITIONS


@pytest.mark.parametrize("name", SPLITS)
def test_contract(name, grid):
    split = split_rows(grid, name, seed=3)
    rows = np.concatenate(list(split.parts().values()))
    assert sorted(rows) == list(range(len(grid)))  # every row once
    assert np.array_equal(split_rows(grid, name, seed=3).test, split.test)
    assert not np.array_equal(split_rows(grid, name, seed=4).test, split.test)


@pytest.mark.parametrize("name", ["by_recipe", "by_temperature"])
def test_no_run_stands_on_two_sides(name, grid):
    run = grid.groupby(list(CONDITIONS)).ngroup().to_numpy()
    split = split_rows(grid, name, seed=0)
    parts = [set(run[rows]) for rows in split.parts().values()]
    assert sum(map(len, parts)) == len(set.union(*parts)) == 432


def test_rounding_errors_do_not_tear_a_run_apart(grid, rng):
    noisy = grid.assign(cAIBN_0=grid["cAIBN_0"] * (1 + rng.choice([0, 2e-16, -3e-16], len(grid))))
    assert noisy["cAIBN_0"].nunique() > 8
    for name in ("by_recipe", "by_temperature"):
        for part, rows in split_rows(noisy, name, seed=0).parts().items():
            assert np.array_equal(rows, split_rows(grid, name, seed=0).parts()[part])


def test_the_published_split_puts_runs_on_both_sides(grid):
    run = grid.groupby(list(CONDITIONS)).ngroup().to_numpy()
    split = split_rows(grid, "random_rows", seed=42)
    assert len(set(run[split.test]) & set(run[split.train])) > 300


def test_the_published_test_rows(grid):
    # What the published MSE and R² of `time` imply: the protocol is reproduced row by row.
    test = split_rows(grid, "random_rows", seed=42).test
    assert len(test) == 1037
    assert grid["time"].to_numpy()[test].var() == pytest.approx(1135182.12, abs=0.01)


def test_by_temperature_holds_out_one_level(grid):
    temp = grid["temp"].to_numpy()
    levels = set()
    for seed in range(9):
        split = split_rows(grid, "by_temperature", seed)
        (level,) = set(temp[split.test])
        assert level not in temp[split.train]
        assert level not in temp[split.val]
        levels.add(level)
    assert len(levels) == 9


def test_what_cannot_be_split_is_refused(grid):
    with pytest.raises(InputError, match="no split 'by_recepie'; known: by_recipe, by_temperature, random_rows"):
        split_rows(grid, "by_recepie", 0)
    for name in SPLITS:
        with pytest.raises(InputError, match=f"{name} cannot split 1 rows of 1 runs"):
            split_rows(grid.head(1), name, 0)
    with pytest.raises(InputError, match="by_recipe cannot split 12 rows of 1 runs"):
        split_rows(grid.head(12), "by_recipe", 0)
    with pytest.raises(InputError, match=r"by_temperature cannot split .* all have temp 60"):
        split_rows(grid.head(48), "by_temperature", 0)
    with pytest.raises(InputError, match="a single test row has no R²"):
        split_rows(grid.iloc[::12].head(5), "by_recipe", 0)
