import numpy as np
import pytest

from polyinv.chemistry.butyl_acrylate import CONDITIONS
from polyinv.data.splits import SPLITS, split_rows
from polyinv.errors import InputError

CUTS = {
    "early": lambda table: table["time"] <= 1800,
    "late": lambda table: table["time"] > 1800,
    "low_conversion": lambda table: table["cBA_time"] > 0.1 * table["cBA_0"],
    "high_conversion": lambda table: table["cBA_time"] <= 0.1 * table["cBA_0"],
}
"""What is learned from, by the name of a split that cuts runs in two."""


@pytest.mark.parametrize("name", SPLITS)
def test_contract(name, grid):
    split = split_rows(grid, name, seed=3)
    rows = np.concatenate(list(split.parts().values()))
    assert len(set(rows)) == len(rows)  # no row twice
    assert len(rows) == len(grid) or name in CUTS  # and every one, unless time cuts some off
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


@pytest.mark.parametrize("name", CUTS)
def test_cut_runs_are_learned_from_on_one_side_and_judged_on_the_other(name, grid):
    split, whole, learned = split_rows(grid, name, 3), split_rows(grid, "by_recipe", 3), CUTS[name](grid).to_numpy()
    assert learned[split.train].all()
    assert learned[split.val].all()
    assert not learned[split.test].any()
    # The runs held out are those of by_recipe, so that a run has no rows on both sides, and no row is wasted.
    for part, rows in split.parts().items():
        of_whole = whole.parts()[part]
        assert np.array_equal(rows, of_whole[learned[of_whole] != (part == "test")])


@pytest.mark.parametrize("name", SPLITS)
def test_a_share_leaves_the_test_rows_and_takes_whole_runs(name, grid):
    whole = split_rows(grid, name, 3)
    smaller = [split_rows(grid, name, 3, share) for share in (0.61, 0.1)]
    for split in smaller:
        assert np.array_equal(split.test, whole.test)
    for part in ("train", "val"):
        units = [part_of[part] for part_of in (whole.parts(), *(split.parts() for split in smaller))]
        if whole.groups is not None:
            # Of every run that is kept, all rows.
            for rows in units[1:]:
                assert set(rows) == set(units[0][np.isin(whole.groups[units[0]], whole.groups[rows])])
            units = [np.unique(whole.groups[rows]) for rows in units]
        assert [len(each) for each in units] == [round(share * len(units[0])) for share in (1, 0.61, 0.1)]
        assert set(units[2]) < set(units[1]) < set(units[0])


def test_a_share_that_is_none_is_refused(grid):
    for share in (0, -1, 1.5, float("nan")):
        with pytest.raises(InputError, match=r"split\.share is .*; needs more than 0, up to 1"):
            split_rows(grid, "by_recipe", 0, share)


def test_what_cannot_be_split_is_refused(grid):
    with pytest.raises(InputError, match="no split 'by_recepie'; known: by_recipe, by_temperature, early"):
        split_rows(grid, "by_recepie", 0)
    for name in SPLITS:
        with pytest.raises(InputError, match=f"{name} cannot split 1 rows of 1 reactions"):
            split_rows(grid.head(1), name, 0)
    with pytest.raises(InputError, match="by_recipe cannot split 12 rows of 1 reactions"):
        split_rows(grid.head(12), "by_recipe", 0)
    with pytest.raises(InputError, match=r"by_temperature cannot split .* all have temp 60"):
        split_rows(grid.head(48), "by_temperature", 0)
    with pytest.raises(InputError, match=r"early cannot split .* its side of the cut has no test rows"):
        split_rows(grid[grid["time"] <= 1800], "early", 0)
    with pytest.raises(InputError, match="a single test row has no R²"):
        split_rows(grid.iloc[::12].head(5), "by_recipe", 0)
