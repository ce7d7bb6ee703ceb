"""Noise has the size it should have, and belongs to the run or to the row as asked."""

import numpy as np
import pytest
import torch

from polyinv.chemistry import BUTYL_ACRYLATE
from polyinv.errors import InputError
from polyinv.mmd import STEP, mean_molar_masses
from polyinv.simulate import deterministic, sampling

CHAINS, REPEATS = 1e5, 2000


@pytest.fixture(scope="module")
def runs():
    """One run many times over: its noise-free snapshots, and 2000 draws of both kinds."""
    conditions = torch.tensor([[1.0, 0.01, 70.0]], dtype=torch.float64).expand(REPEATS, 3)
    times = torch.tensor([[900.0, 1800.0, 2700.0, 3600.0]], dtype=torch.float64).expand(REPEATS, 4)
    smooth = deterministic.simulate(conditions[:1], times[:1], BUTYL_ACRYLATE)
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
def test_conversion_noise_has_the_stated_variance(runs, kind):
    smooth, drawn = runs[0], runs[kind]
    conversion = torch.log(drawn.cBA_time / 1.0) / torch.log(smooth.cBA_time[0] / 1.0) - 1
    chains = CHAINS * smooth.dead_chains[0, -1] / smooth.dead_chains[0, -1]
    assert conversion[:, -1].var().item() * chains.item() == pytest.approx(sampling.CONVERSION_NOISE, rel=0.15)


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
