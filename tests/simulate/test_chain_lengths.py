"""The closed forms against sums over integer lengths, and how lengths are spread over the bins."""

import numpy as np
import pytest
import torch

from polyinv.chemistry import BUTYL_ACRYLATE, SYSTEMS, load_system
from polyinv.mmd import BIN_EDGES, LOG_M
from polyinv.simulate.chain_lengths import ChainEnds, cuts, moments_beyond, spread
from polyinv.simulate.recipes import random_recipes
from polyinv.simulate.solvers import SOLVERS
from polyinv.simulate.solvers import simulate as solve

n = torch.arange(1, 20_001, dtype=torch.float64)
UNIT = BUTYL_ACRYLATE.monomer_molar_mass


def number_of_chains(p, flory, combined):
    return flory * p * (1 - p) ** (n - 1) + combined * (n - 1) * p**2 * (1 - p) ** (n - 2)


def of(p, flory, combined):
    return ChainEnds(*(torch.tensor(value, dtype=torch.float64) for value in (p, flory, combined)))


@pytest.mark.parametrize("p", [0.003, 0.05, 0.6])
@pytest.mark.parametrize(("flory", "combined"), [(1.0, 0.0), (0.0, 1.0), (0.3, 2.0)])
@pytest.mark.parametrize("length", [0, 1, 2, 7, 300])
@pytest.mark.parametrize("below", [0.0, 0.3])
def test_moments_beyond_a_length_are_the_sums_over_longer_chains(p, flory, combined, length, below):
    moments = moments_beyond(torch.tensor(float(length), dtype=torch.float64), of(p, flory, combined), below)
    share = (n > length).double() - below * (n == length + 1).double()
    for j, moment in enumerate(moments):
        expected = (n**j * number_of_chains(p, flory, combined) * share).sum()
        torch.testing.assert_close(moment, expected, rtol=1e-10, atol=1e-200)


def overlap(lengths):
    """Share of the masses between half a unit below and above each length that lies in each bin, (L, 100)."""
    edges = 10**BIN_EDGES / UNIT
    below = np.clip(edges - (lengths[:, None] - 0.5), 0, 1)
    return np.diff(below, axis=1)


@pytest.mark.parametrize("p", [0.003, 0.05, 0.6])
def test_the_mass_of_a_length_is_shared_by_the_bins_that_its_half_units_meet(p):
    lengths, below = (torch.from_numpy(part) for part in cuts(UNIT))
    chains = of(p, 0.3, 2.0)
    for j, moment in enumerate(moments_beyond(lengths, chains, below)):
        expected = (n**j * number_of_chains(p, 0.3, 2.0)).numpy() @ overlap(n.numpy())
        found = -np.diff(moment.numpy())
        np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-12 * expected.max())


def test_counted_chains_are_spread_likewise_and_none_is_lost():
    ends, shares = spread(UNIT)
    assert len(ends) < 255  # a class is looked up as one byte
    np.testing.assert_allclose(shares.sum(1), 1.0, rtol=1e-15)
    for lengths in (np.arange(1, 3000), np.arange(10_000, 700_000, 997)):
        np.testing.assert_allclose(shares[np.searchsorted(ends, lengths)], overlap(lengths), atol=1e-9)


@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("name", SYSTEMS)
def test_a_smooth_curve_has_no_comb(name, solver):
    """Between 10³ and 10⁴ g/mol a curve rises, curved upwards and from its inflection on downwards, and no more."""
    system = load_system(name)
    recipes = random_recipes(400 if solver == "fused" else 8, torch.Generator().manual_seed(0), system)
    w = solve(recipes[:, :-1], recipes[:, -1:], system.chemistry, solver=solver).mmd[:, 0].numpy()
    between = (LOG_M[1:-1] >= 3) & (LOG_M[1:-1] <= 4)
    bent = np.sign(np.diff(w, 2)[:, between])
    assert ((bent[:, 1:] == bent[:, :-1]) | ((bent[:, :-1] > 0) & (bent[:, 1:] < 0))).all()
