"""What every simulator promises."""

import pytest
import torch

from polyinv.chemistry import BUTYL_ACRYLATE
from polyinv.errors import InputError
from polyinv.mmd import STEP
from polyinv.simulate import SIMULATORS, solvers

CONDITIONS = torch.tensor([[1.0, 0.02, 70.0], [2.0, 0.01, 80.0], [0.5, 0.005, 65.0]], dtype=torch.float64)
TIMES = torch.tensor([[600.0, 1800.0], [300.0, 3600.0], [900.0, 900.0]], dtype=torch.float64)
CHAINS = 1e6


@pytest.fixture(scope="module", params=SIMULATORS)
def polymer(request):
    return SIMULATORS[request.param](CONDITIONS, TIMES, BUTYL_ACRYLATE, chains=CHAINS, seed=3)


def test_shapes_and_bounds(polymer):
    assert polymer.mmd.shape == (3, 2, 100)
    for scalar in (polymer.residual_monomer, polymer.Mn, polymer.Mw, polymer.dead_chains):
        assert (scalar.shape, scalar.dtype) == ((3, 2), torch.float64)
    assert (polymer.mmd >= 0).all()
    assert (polymer.mmd[..., :22] == 0).all()  # lighter than half a unit
    torch.testing.assert_close(polymer.mmd.sum(-1) * STEP, torch.ones(3, 2).double(), rtol=0, atol=1e-12)
    assert ((polymer.residual_monomer > 0) & (polymer.residual_monomer < CONDITIONS[:, :1])).all()
    assert (polymer.Mw > 1.5 * polymer.Mn).all()


def test_it_agrees_with_the_rate_equations_within_its_noise(polymer):
    exact = solvers.simulate(CONDITIONS, TIMES, BUTYL_ACRYLATE)
    # Poisson's law for the chains, 2.65 over the chains for ln c_M; 5 standard errors, and 1e-3 for a finite volume.
    chains = CHAINS * exact.dead_chains / exact.dead_chains[:, -1:]
    decline = torch.log(CONDITIONS[:, :1] / exact.residual_monomer)
    error = torch.log(CONDITIONS[:, :1] / polymer.residual_monomer) / decline - 1
    assert (error.abs() < 5 * (2.65 / chains).sqrt() + 1e-3).all()
    assert ((polymer.Mn / exact.Mn - 1).abs() < 5 * (2.65 / chains).sqrt() + 1e-3).all()
    assert ((polymer.mmd - exact.mmd).abs().max(-1).values < 5 * (20 / chains).sqrt()).all()


@pytest.mark.parametrize("name", SIMULATORS)
def test_the_same_time_twice_is_the_same_snapshot_unless_each_row_is_drawn_anew(name):
    polymer = SIMULATORS[name](CONDITIONS[2:], TIMES[2:], BUTYL_ACRYLATE, chains=CHAINS, seed=3)
    assert torch.equal(polymer.mmd[0, 0], polymer.mmd[0, 1]) == (name != "sampled_per_row")


@pytest.mark.parametrize("name", SIMULATORS)
def test_progress_counts_every_run(name):
    done = []
    SIMULATORS[name](CONDITIONS, TIMES[:, :1], BUTYL_ACRYLATE, chains=CHAINS, seed=0, progress=done.append)
    assert sum(done) == len(CONDITIONS)


@pytest.mark.parametrize("name", SIMULATORS)
def test_impossible_recipes_are_refused(name):
    with pytest.raises(InputError, match="reaction 2: monomer is -1"):
        bad = CONDITIONS.clone()
        bad[1, 0] = -1
        SIMULATORS[name](bad, TIMES, BUTYL_ACRYLATE, chains=CHAINS, seed=0)
