"""Chains that a sample tells, values that are known exactly, and polymers as a laboratory writes them down."""

import pandas as pd
import pytest
import torch

from polyinv.chemistry import load_system
from polyinv.data.bundled import load_bundled
from polyinv.data.datamodule import RecipeDataModule
from polyinv.data.features import WITH_CHAINS, WITH_ERRORS, feature_columns
from polyinv.data.laboratory import observations_of, random_observations, with_chains
from polyinv.data.observations import Observations
from polyinv.errors import InputError
from polyinv.instrument.errors import LEAST, SUFFIX
from polyinv.quantities import CHAINS

SYSTEM = load_system("butyl_acrylate")


@pytest.fixture
def simulated(monkeypatch):
    """Training rows of a small bank, by their columns."""
    monkeypatch.setattr("polyinv.data.bank.BLOCK", 600)

    def rows(features=WITH_CHAINS, **options):
        given = {"rows": 600, "validation": 64, "seed": 3, **options}
        data = RecipeDataModule(features, source="simulated", simulated=given, batch_size=64)
        return pd.DataFrame(data.train.x.numpy(), columns=list(data.columns)), data.train.y

    return rows


def test_some_rows_tell_their_chains_and_early_samples_hold_fewer(simulated):
    table, recipes = simulated(told=0.5, chains=(1e6, 1e6))
    told = table[CHAINS].notna()
    assert 0.4 < told.mean() < 0.6
    assert (table[CHAINS][told] <= 1e6 * 1.001).all()
    early = recipes[:, 3].numpy() < 600
    assert table[CHAINS][told & early].median() < 0.4 * table[CHAINS][told & ~early].median()
    assert simulated(told=1.0)[0][CHAINS].notna().all()


def test_values_known_exactly_are_the_true_ones_whatever_the_other_errors(simulated):
    table, recipes = simulated(known_exactly=0.5, exact=0.0)
    error = table["temp" + SUFFIX]
    exactly = error <= LEAST["temperature"] * 1.0001
    # The temperature comes first in half of the rows, and is known in a tenth of the others; the monomer comes last.
    assert 0.5 < exactly.mean() < 0.6
    # Columns are in single precision.
    assert (table["temp"] - recipes[:, 2].numpy()).abs()[exactly].max() < 1e-5
    assert (table["temp"] - recipes[:, 2].numpy()).abs()[~exactly].median() > 0.01
    monomer = table["cBA_0" + SUFFIX] <= LEAST["concentration"] * recipes[:, 0].numpy() * 1.001
    assert 0.17 < monomer.mean() < 0.27
    assert (monomer & ~exactly).any()
    assert (monomer & exactly).any()


def test_what_is_told_as_exact_is_exact(simulated):
    table, recipes = simulated(exact=0.5)
    error, true = table["temp" + SUFFIX], recipes[:, 2].float().numpy()
    exact = error <= LEAST["temperature"] * 1.0001
    assert 0.4 < exact.mean() < 0.6
    assert (table["temp"][exact] == true[exact]).all()
    assert (table["temp"][~exact] != true[~exact]).mean() > 0.9


def test_a_skew_below_one_draws_more_large_errors(simulated):
    medians = [simulated(exact=0.0, skew=skew)[0]["temp" + SUFFIX].median() for skew in (1.0, 0.5)]
    assert medians[1] > 1.5 * medians[0]


def test_exact_rows_are_not_read_off_as_instruments_do(simulated):
    exported, _ = simulated(exported=1.0, exact=1.0)
    plain, _ = simulated(exported=0.0, exact=1.0)
    nodes = [name for name in exported if name.startswith("MMD")]
    # Numbers are drawn in another order, so that the noise differs: but no row has been smoothed away.
    roughness = [table[nodes].diff(axis=1).diff(axis=1).abs().sum(axis=1).median() for table in (exported, plain)]
    assert roughness[0] == pytest.approx(roughness[1], rel=0.05)


@pytest.mark.parametrize("option", ["told", "known_exactly"])
def test_shares_that_are_none_are_refused(option):
    with pytest.raises(InputError, match=f"data.simulated.{option} is 1.5; needs a share, 0 to 1"):
        RecipeDataModule(WITH_CHAINS, source="simulated", simulated={option: 1.5})


def test_observations_carry_their_chains_everywhere():
    table = load_bundled("off_grid").head(4).assign(chains=[1e5, None, 1e6, 1e7])
    observations = Observations.from_table(table)
    assert observations.chains.isnan().tolist() == [False, True, False, False]
    for same in (observations[[0, 2]], observations.masked("mmd+temp")[[0, 2]], observations.to("cpu")[[0, 2]]):
        assert same.chains.tolist() == [1e5, 1e6]
    assert observations.to_table()[CHAINS].tolist()[2:] == [1e6, 1e7]
    columns = feature_columns(WITH_CHAINS, SYSTEM)
    again = Observations.from_tensor(observations.x(columns), columns)
    assert torch.equal(again.chains.nan_to_num(0), observations.chains.nan_to_num(0))
    assert CHAINS not in Observations.from_table(table.drop(columns="chains")).to_table()
    assert CHAINS not in feature_columns(WITH_ERRORS, SYSTEM)


def test_chains_that_are_no_number_are_refused():
    table = load_bundled("off_grid").head(2).assign(chains=[1e5, -1])
    with pytest.raises(InputError, match=r"row 1, column 'chains' holds '-1.0'; needs a number above 0, or nothing"):
        Observations.from_table(table)


def test_a_laboratory_states_errors_and_chains():
    recipes, observations = random_observations(5, {"temperature": 2.0}, 1e5, 4, SYSTEM)
    assert (observations.recipe[:, 2] != recipes[:, 2]).all()
    assert observations.error_columns()["temp" + SUFFIX].tolist() == [2.0] * 5
    assert (observations.chains <= 1e5 * 1.001).all()
    again = observations_of(recipes, {"temperature": 2.0}, 1e5, 4, SYSTEM)
    assert torch.equal(again.mmd, observations.mmd)
    told = with_chains(observations_of(recipes, "exact", 1e5, 4, SYSTEM), 1e6)
    torch.testing.assert_close(told.chains, 10 * observations.chains, rtol=1e-5, atol=0)
