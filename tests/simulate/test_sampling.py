"""Noise has the size it should have, and belongs to the run or to the row as asked."""

import numpy as np
import pytest
import torch

from polyinv.chemistry import BUTYL_ACRYLATE
from polyinv.errors import InputError
from polyinv.mmd import STEP, mean_molar_masses
from polyinv.simulate import sampling, solvers
from polyinv.simulate.fluctuations import fluctuations

CHAINS, REPEATS = 1e5, 2000


@pytest.fixture(scope="module")
def runs():
    """One run many times over: its noise-free snapshots, and 2000 draws of both kinds."""
    conditions = torch.tensor([[1.0, 0.01, 70.0]], dtype=torch.float64).expand(REPEATS, 3)
    times = torch.tensor([[900.0, 1800.0, 2700.0, 3600.0]], dtype=torch.float64).expand(REPEATS, 4)
    smooth = solvers.simulate(conditions[:1], times[:1], BUTYL_ACRYLATE)
    options = {"chains": CHAINS, "seed": 0}
    kept = sampling.simulate(conditions, times, BUTYL_ACRYLATE, **options)
    redrawn = sampling.simulate(conditions, times, BUTYL_ACRYLATE, **options, redraw=True)
    return smooth, kept, redrawn


@pytest.mark.parametrize("kind", [1, 2])
def test_the_mean_over_runs_is_the_smooth_curve(runs, kind):
    smooth, drawn = runs[0], runs[kind]
    # 5 standard errors of the mean over 2000 runs; 400 nodes. Normalizing by the drawn mass biases far less than that.
    error = drawn.mmd.std(0) / REPEATS**0.5
    assert ((drawn.mmd.mean(0) - smooth.mmd[0]).abs() <= 5 * error + 1e-6).all()


@pytest.mark.parametrize("kind", [1, 2])
def test_the_number_of_chains_scatters_as_poisson(runs, kind):
    smooth, drawn = runs[0], runs[kind]
    expected = CHAINS * smooth.dead_chains[0] / smooth.dead_chains[0, -1]
    counts = expected * drawn.dead_chains / smooth.dead_chains[0]
    # The variance of 2000 draws is known to 1/sqrt(1000) = 3 %; four times that.
    torch.testing.assert_close(counts.var(0) / expected, torch.ones(4).double(), rtol=0, atol=0.13)


@pytest.mark.parametrize("kind", [1, 2])
def test_conversion_scatters_with_the_radicals(runs, kind):
    smooth, drawn = runs[0], runs[kind]
    times = torch.tensor([[900.0, 1800.0, 2700.0, 3600.0]], dtype=torch.float64)
    scatter = fluctuations(torch.tensor([[1.0, 0.01, 70.0]], dtype=torch.float64), times, BUTYL_ACRYLATE)
    volume = CHAINS / smooth.dead_chains[0, -1]
    error = -torch.log(drawn.residual_monomer / smooth.residual_monomer[0])
    torch.testing.assert_close(error.var(0) * volume, scatter.variance[0], rtol=0.15, atol=0)
    for at in range(4):
        together = torch.corrcoef(torch.stack([error[:, at], torch.log(drawn.Mn[:, at])]))[0, 1]
        assert together.item() == pytest.approx(scatter.correlation[0, at].item(), abs=4 / REPEATS**0.5)
    memory = [torch.corrcoef(error[:, [at - 1, at]].T)[0, 1].item() for at in range(1, 4)]
    expected = scatter.memory[0, 1:].tolist() if kind == 1 else [0.0, 0.0, 0.0]
    assert memory == pytest.approx(expected, abs=4 / REPEATS**0.5)


def test_the_horizon_fixes_the_volume():
    run = torch.tensor([[1.0, 0.01, 70.0]], dtype=torch.float64).expand(500, 3)
    smooth = solvers.simulate(run[:1], torch.tensor([[900.0, 3600.0]]).double(), BUTYL_ACRYLATE).dead_chains[0]
    early = torch.full((500, 1), 900.0).double()
    drawn = sampling.simulate(run, early, BUTYL_ACRYLATE, chains=CHAINS, seed=0, horizon=3600.0)
    expected = CHAINS * smooth[0] / smooth[1]
    # The variance of 500 draws is known to sqrt(2/500) = 6 %.
    assert (drawn.dead_chains / smooth[0]).var().item() * expected.item() == pytest.approx(1.0, abs=0.25)
    with pytest.raises(InputError, match="horizon is 600 s; needs to reach the last snapshot at 900 s"):
        sampling.simulate(run, early, BUTYL_ACRYLATE, chains=CHAINS, horizon=600.0)


def test_snapshots_of_a_run_share_their_past(runs):
    _, kept, redrawn = runs
    first, last = (kept.dead_chains[:, i].numpy() for i in (0, -1))
    # Var(first) / Var(last) is the share of chains made until then; so is the squared correlation of the two.
    share = first.mean() / last.mean()
    assert np.corrcoef(first, last)[0, 1] ** 2 == pytest.approx(share, abs=0.07)
    assert (kept.dead_chains.diff(dim=1) > 0).all()  # a chain that died stays dead
    first, last = (redrawn.dead_chains[:, i].numpy() for i in (0, -1))
    assert abs(np.corrcoef(first, last)[0, 1]) < 4 / REPEATS**0.5


def test_mean_molar_masses_come_from_the_drawn_chains(runs):
    _, kept, _ = runs
    torch.testing.assert_close(kept.mmd.sum(-1) * STEP, torch.ones(REPEATS, 4).double(), rtol=0, atol=1e-12)
    Mn, Mw = mean_molar_masses(kept.mmd.numpy())
    # A curve knows its molar masses to half a bin; what is left of the noise after that is not.
    assert np.corrcoef(Mn[:, -1], kept.Mn[:, -1])[0, 1] > 0.99
    assert np.corrcoef(Mw[:, -1], kept.Mw[:, -1])[0, 1] > 0.99
    np.testing.assert_allclose(Mn, kept.Mn, rtol=0.01)
    np.testing.assert_allclose(Mw, kept.Mw, rtol=0.01)


def test_the_seed_decides():
    run = torch.tensor([[1.0, 0.01, 70.0]], dtype=torch.float64), torch.tensor([[900.0]], dtype=torch.float64)
    one, same, other = (sampling.simulate(*run, BUTYL_ACRYLATE, chains=1e4, seed=seed).mmd for seed in (1, 1, 2))
    assert torch.equal(one, same)
    assert not torch.equal(one, other)


@pytest.mark.parametrize("chains", [0, -5, float("nan"), float("inf"), 0.01, 1e16])
def test_chains_that_cannot_be_are_refused(chains):
    run = torch.tensor([[1.0, 0.01, 70.0]], dtype=torch.float64), torch.tensor([[900.0]], dtype=torch.float64)
    with pytest.raises(InputError, match="chains"):
        sampling.simulate(*run, BUTYL_ACRYLATE, chains=chains, seed=0)
