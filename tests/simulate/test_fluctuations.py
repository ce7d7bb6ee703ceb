"""The linear noise approximation: its closed form, and the kinetic Monte Carlo it stands for."""

import pytest
import torch

from polyinv.chemistry import BUTYL_ACRYLATE
from polyinv.chemistry.butyl_acrylate import SYSTEM
from polyinv.chemistry.reference_problem import P1, P1_RECIPE
from polyinv.data.bundled import load_bundled
from polyinv.simulate import fused, solvers
from polyinv.simulate.fluctuations import fluctuations
from polyinv.simulate.recipes import runs


@pytest.fixture(scope="module")
def grid():
    """The bundled kinetic Monte Carlo runs: conditions (432, 3), times (432, 12), and c_M and Mn of that shape."""
    table = load_bundled("grid")
    conditions, times, run, snapshot = runs(table, SYSTEM)
    seen = torch.zeros(2, *times.shape, dtype=torch.float64)
    seen[:, run, snapshot] = torch.from_numpy(table[["cBA_time", "Mn"]].to_numpy(copy=True)).T
    return conditions, times, *seen


def test_a_linear_polymerization_scatters_as_the_closed_form_says():
    # dS/dt = R_i - 2 k S²: each pair born or gone shifts the integral of k_p S by k_p / 2kS, and 2 k S² events a
    # second do; the variance grows by k_p² / 2k, whatever the concentrations.
    conditions = torch.tensor([P1_RECIPE[:3]], dtype=torch.float64)
    times = torch.tensor([[900.0, 3600.0]], dtype=torch.float64)
    k = P1.at(conditions[:, 2])
    scatter = fluctuations(conditions, times, P1)
    expected = k.k_p**2 / (2 * k.k_tss) * times
    # What the initiator that is gone takes with it is of second order in its share, 13 % after an hour.
    assert (scatter.variance < expected).all()
    torch.testing.assert_close(scatter.variance, expected, rtol=0.06, atol=0)
    torch.testing.assert_close(scatter.memory[0, 1].item(), 0.5, rtol=0.06, atol=0)  # sqrt(900 / 3600): no memory


def test_kinetic_monte_carlo_scatters_as_predicted(grid):
    conditions, times, monomer, Mn = grid
    smooth = solvers.simulate(conditions, times, BUTYL_ACRYLATE)
    scatter = fluctuations(conditions, times, BUTYL_ACRYLATE)
    volume = 1e6 / smooth.dead_chains[:, -1:]
    error = -torch.log(monomer / smooth.residual_monomer) / (scatter.variance / volume).sqrt()
    # 432 runs: a mean square is known to sqrt(2 / 432) = 0.07, a mean product to about 0.05; four times that.
    torch.testing.assert_close(error.square().mean(0), torch.ones(12).double(), rtol=0, atol=0.28)
    of_Mn = torch.log(Mn / smooth.Mn)
    together = (error * of_Mn / of_Mn.std(0)).mean(0)
    torch.testing.assert_close(together, scatter.correlation.mean(0), rtol=0, atol=0.2)
    assert (together < -0.25).all()
    memory = (error[:, 1:] * error[:, :-1]).mean(0)
    torch.testing.assert_close(memory, scatter.memory[:, 1:].mean(0), rtol=0, atol=0.2)


def test_the_step_does_not_matter(grid):
    conditions, times, _, _ = grid
    some = slice(None, None, 20)
    coarse, fine = (
        fluctuations(conditions[some], times[some], BUTYL_ACRYLATE, reach=reach) for reach in (fused.REACH, 0.05)
    )
    torch.testing.assert_close(coarse.variance, fine.variance, rtol=0.005, atol=0)  # L is held over a step
    torch.testing.assert_close(coarse.correlation, fine.correlation, rtol=0, atol=0.005)


def test_nothing_scatters_before_anything_happened():
    scatter = fluctuations(
        torch.tensor([[1.0, 0.01, 70.0]]).double(), torch.tensor([[0.0, 600.0]]).double(), BUTYL_ACRYLATE
    )
    assert (scatter.variance[0, 0], scatter.correlation[0, 0], scatter.memory[0, 1]) == (0, 0, 0)
