"""The closed forms against sums over integer lengths."""

import pytest
import torch

from polyinv.chemistry import BUTYL_ACRYLATE
from polyinv.mmd import BIN_EDGES
from polyinv.simulate.chain_lengths import ChainEnds, bin_lengths, moments_beyond

n = torch.arange(1, 20_001, dtype=torch.float64)


def number_of_chains(p, flory, combined):
    return flory * p * (1 - p) ** (n - 1) + combined * (n - 1) * p**2 * (1 - p) ** (n - 2)


@pytest.mark.parametrize("p", [0.003, 0.05, 0.6])
@pytest.mark.parametrize(("flory", "combined"), [(1.0, 0.0), (0.0, 1.0), (0.3, 2.0)])
@pytest.mark.parametrize("length", [0, 1, 2, 7, 300])
def test_moments_beyond_a_length_are_the_sums_over_longer_chains(p, flory, combined, length):
    chains = ChainEnds(*(torch.tensor(value, dtype=torch.float64) for value in (p, flory, combined)))
    moments = moments_beyond(torch.tensor(float(length), dtype=torch.float64), chains)
    for j, moment in enumerate(moments):
        expected = (n**j * number_of_chains(p, flory, combined))[n > length].sum()
        torch.testing.assert_close(moment, expected, rtol=1e-10, atol=1e-200)


def test_every_length_falls_into_the_bin_of_its_molar_mass():
    like = torch.zeros(1, dtype=torch.float64)
    lengths = bin_lengths(BUTYL_ACRYLATE.monomer_molar_mass, like=like)
    for i in (24, 25, 40, 70):  # edges below one unit, at one unit, above
        molar_mass = BUTYL_ACRYLATE.monomer_molar_mass * torch.stack([lengths[i], lengths[i] + 1])
        assert molar_mass[0] <= 10 ** BIN_EDGES[i] < molar_mass[1]
