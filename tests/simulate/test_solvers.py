import itertools
from functools import partial

import pytest
import torch

from polyinv.chemistry import BUTYL_ACRYLATE
from polyinv.chemistry.butyl_acrylate import RECIPE, SYSTEM
from polyinv.chemistry.reference_problem import P1, P1_KNOWN, P1_RECIPE
from polyinv.errors import InputError
from polyinv.mmd import LOG_M, STEP
from polyinv.simulate import deterministic, fused, solvers
from polyinv.simulate.deterministic import grow
from polyinv.simulate.recipes import published_grid, runs
from polyinv.simulate.solvers import SOLVERS
from tests.simulate.reference import full_balance, reaches_90_percent


@pytest.fixture(params=SOLVERS)
def solver(request):
    return request.param


@pytest.fixture
def simulate(solver):
    return partial(solvers.simulate, solver=solver)


def run_of(*values: float) -> tuple[torch.Tensor, torch.Tensor]:
    """Conditions (1, 3) and times (1, 1) of one recipe."""
    recipe = torch.tensor([values], dtype=torch.float64)
    return recipe[:, :3], recipe[:, 3:]


def test_all_432_conversion_labels_of_the_study(simulate):
    conditions, times, _, _ = runs(published_grid(), SYSTEM)
    polymer = simulate(conditions, times, BUTYL_ACRYLATE)
    conversion = 1 - polymer.residual_monomer[:, -1] / conditions[:, 0]
    labels = reaches_90_percent(conditions)
    assert labels.sum() == 86
    assert torch.equal(conversion >= 0.9, labels)


def test_the_published_example(simulate):
    polymer = simulate(*run_of(1.0, 0.020, 70.0, 3600.0), BUTYL_ACRYLATE)
    assert 1 - polymer.residual_monomer.item() == pytest.approx(0.824, abs=0.002)
    assert polymer.Mn.item() == pytest.approx(17_600, rel=0.01)
    assert polymer.Mw.item() == pytest.approx(46_900, rel=0.01)
    peak = polymer.mmd[0, 0].max(0)
    assert peak.values.item() == pytest.approx(0.963, abs=0.005)
    assert LOG_M[peak.indices.item()] == pytest.approx(4.6, abs=0.04 + 1e-9)


def test_monomer_units_are_conserved_and_the_area_is_one(recipes, solver):
    growth = SOLVERS[solver](recipes[:, :3], recipes[:, 3:], BUTYL_ACRYLATE)
    units = growth.units.sum((-1, -2)) + growth.monomer[:, -1]
    torch.testing.assert_close(units, recipes[:, 0], rtol=0, atol=1e-12)
    area = growth.snapshots(BUTYL_ACRYLATE).mmd.sum(-1) * STEP
    torch.testing.assert_close(area, torch.ones_like(area), rtol=0, atol=1e-12)


def test_each_initiator_leaves_two_chain_ends(solver):
    # Without transfer, each of the 2·f fragments of an initiator is one end of a dead chain: combination joins two.
    growth = SOLVERS[solver](*run_of(*P1_RECIPE), P1)
    decomposed = 0.02 * -torch.expm1(torch.tensor(-4e-5 * 3600.0, dtype=torch.float64))
    started = 2 * P1.f * decomposed
    # Equal rates of combination and disproportionation: 3 chains from 4 ends.
    assert growth.chains.sum().item() == pytest.approx(0.75 * started.item(), rel=1e-4)


def test_reference_problem_P1(simulate):
    polymer = simulate(*run_of(*P1_RECIPE), P1)
    found = {
        "X": 1 - polymer.residual_monomer.item(),
        "DPn": polymer.Mn.item() / 100.0,
        "DPw": polymer.Mw.item() / 100.0,
    }
    assert found == pytest.approx(P1_KNOWN, rel=2e-3)


@pytest.mark.parametrize("recipe", [(1.0, 0.02, 70.0, 3600.0), (3.0, 0.02, 80.0, 3600.0), (0.5, 0.0025, 60.0, 300.0)])
def test_agrees_with_the_full_radical_balance(recipe, solver):
    exact = full_balance(BUTYL_ACRYLATE, list(recipe[:3]), recipe[3])
    growth = SOLVERS[solver](*run_of(*recipe), BUTYL_ACRYLATE)
    # The full balance starts without radicals. It makes no polymer until they are there, which takes 2 s at 60 °C and
    # 0.0025 mol/L: 0.5 % of 300 s. Elsewhere the two differ by 2e-4 at most.
    tolerance = {300.0: 1e-2, 3600.0: 5e-4}[recipe[3]]
    assert growth.monomer.item() == pytest.approx(exact["monomer"], rel=tolerance)
    for moment in ("chains", "units", "squares"):
        assert getattr(growth, moment).sum().item() == pytest.approx(exact[moment], rel=tolerance)


WORST = (3.0, 0.02, 80.0, 3600.0)
"""Corner of the box."""


@pytest.fixture(scope="module")
def exact():
    """Growth in the worst corner by steps of a second."""
    return grow(*run_of(*WORST), BUTYL_ACRYLATE, step=1.0)


def test_halving_the_step_divides_the_error_by_four(exact):
    conditions, times = run_of(*WORST)

    def error(step: float) -> torch.Tensor:
        growth = grow(conditions, times, BUTYL_ACRYLATE, step=step)
        return torch.stack([growth.monomer.sum() - exact.monomer.sum(), growth.chains.sum() - exact.chains.sum()])

    ratio = error(40.0) / error(20.0)
    torch.testing.assert_close(ratio, torch.full_like(ratio, 4.0), rtol=0.05, atol=0)


def test_the_default_step_is_as_good_as_it_says(exact):
    now = grow(*run_of(*WORST), BUTYL_ACRYLATE, step=deterministic.STEP)
    assert abs(now.monomer - exact.monomer).item() / 3.0 < 2e-5
    assert abs(now.chains.sum() / exact.chains.sum() - 1).item() < 2e-4


def test_a_batch_equals_its_rows(recipes, simulate):
    together = simulate(recipes[:, :3], recipes[:, 3:], BUTYL_ACRYLATE)
    for i in (0, 17, 63):
        alone = simulate(recipes[i : i + 1, :3], recipes[i : i + 1, 3:], BUTYL_ACRYLATE)
        for name in ("mmd", "residual_monomer", "Mn", "Mw", "dead_chains"):
            torch.testing.assert_close(getattr(together, name)[i], getattr(alone, name)[0], rtol=1e-12, atol=1e-15)


def test_chunks_and_blocks_do_not_change_the_result(recipes, monkeypatch, simulate):
    recipes = recipes[:30]
    expected = simulate(recipes[:, :3], recipes[:, 3:], BUTYL_ACRYLATE)
    monkeypatch.setitem(deterministic.CHUNK, "cpu", 7)
    monkeypatch.setattr(fused, "CHUNK", 7)
    monkeypatch.setattr(solvers, "BLOCK", 20)
    done = []
    polymer = simulate(recipes[:, :3], recipes[:, 3:], BUTYL_ACRYLATE, progress=done.append)
    assert sum(done) == len(recipes)
    torch.testing.assert_close(polymer.mmd, expected.mmd, rtol=1e-12, atol=1e-15)
    torch.testing.assert_close(polymer.Mn, expected.Mn, rtol=1e-12, atol=0)


def test_snapshots_on_the_way_do_not_change_the_end(simulate, solver):
    conditions, _ = run_of(1.0, 0.02, 70.0, 3600.0)
    many = simulate(conditions, torch.arange(300.0, 3601.0, 300.0, dtype=torch.float64)[None], BUTYL_ACRYLATE)
    one = simulate(conditions, torch.tensor([[3600.0]], dtype=torch.float64), BUTYL_ACRYLATE)
    # Equal steps of 10 s fall on the snapshots; other steps are as good as they say.
    tolerance = {"torch": 1e-12, "fused": fused.TOLERANCE}[solver]
    torch.testing.assert_close(many.mmd[:, -1], one.mmd[:, -1], rtol=1e-9, atol=tolerance)
    repeated = simulate(conditions, torch.tensor([[3600.0, 3600.0]], dtype=torch.float64), BUTYL_ACRYLATE)
    assert torch.equal(repeated.mmd[:, 0], repeated.mmd[:, 1])


def corners() -> torch.Tensor:
    return torch.tensor(list(itertools.product(*((q.low, q.high) for q in RECIPE))), dtype=torch.float64)


def test_gradients_are_finite_and_match_finite_differences_at_all_corners_of_the_box(simulate, solver):
    weights = torch.linspace(-1, 1, 100, dtype=torch.float64)
    scale = torch.tensor([q.high - q.low for q in RECIPE], dtype=torch.float64)
    # A hair before the corner in time: at it, the number of steps jumps, and finite differences with it.
    centre = corners() * torch.tensor([1.0, 1.0, 1.0, 1 - 1e-3])

    def summary(recipes: torch.Tensor) -> torch.Tensor:
        polymer = simulate(recipes[:, :3], recipes[:, 3:], BUTYL_ACRYLATE)
        return (
            (polymer.mmd[:, 0] @ weights)
            + polymer.residual_monomer[:, 0]
            + polymer.Mn[:, 0].log()
            + polymer.Mw[:, 0].log()
        )

    recipes = centre.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(summary(recipes).sum(), recipes)
    assert gradient.isfinite().all()
    shift = 1e-5 * scale
    moved = torch.cat([centre + sign * shift * torch.eye(4).double()[j] for j in range(4) for sign in (1, -1)])
    for j, (up, down) in enumerate(summary(moved).reshape(4, 2, -1)):  # at once: steps cost, not rows
        numeric = (up - down) / (2 * shift[j])
        # The compiled loop keeps its steps where they are: its derivative is as exact as its value.
        rtol = {"torch": 1e-6, "fused": 2e-5}[solver]
        torch.testing.assert_close(gradient[:, j] * scale[j], numeric * scale[j], rtol=rtol, atol=rtol / 10)


def test_differentiable_in_the_coefficients(simulate):
    from dataclasses import replace

    A = torch.tensor(BUTYL_ACRYLATE.k_bb.A, dtype=torch.float64, requires_grad=True)
    chemistry = replace(BUTYL_ACRYLATE, k_bb=replace(BUTYL_ACRYLATE.k_bb, A=A))
    (gradient,) = torch.autograd.grad(simulate(*run_of(1.0, 0.01, 70.0, 1800.0), chemistry).Mn.sum(), A)

    def Mn(A: float) -> float:
        chemistry = replace(BUTYL_ACRYLATE, k_bb=replace(BUTYL_ACRYLATE.k_bb, A=A))
        return simulate(*run_of(1.0, 0.01, 70.0, 1800.0), chemistry).Mn.item()

    h = 1e-4 * A.item()
    assert gradient.item() == pytest.approx((Mn(A.item() + h) - Mn(A.item() - h)) / (2 * h), rel=1e-5)


def test_monomer_stays_positive_when_it_runs_out(simulate):
    polymer = simulate(*run_of(0.01, 0.5, 95.0, 3600.0), BUTYL_ACRYLATE)
    assert 0 < polymer.residual_monomer.item() < 1e-4
    assert polymer.mmd.isfinite().all()
    polymer = simulate(*run_of(3.0, 10.0, 150.0, 3600.0), BUTYL_ACRYLATE)  # no initiator left either
    assert polymer.mmd.isfinite().all()


def test_a_time_of_too_many_steps_is_refused_by_equal_steps_and_no_matter_to_others():
    with pytest.raises(InputError, match="are more than 1000000 steps of 10 s"):
        grow(*run_of(1.0, 0.01, 70.0, 1e9), BUTYL_ACRYLATE)
    ages, day = (fused.grow(*run_of(1.0, 0.01, 70.0, time), BUTYL_ACRYLATE) for time in (1e9, 1e7))
    torch.testing.assert_close(ages.monomer, day.monomer, rtol=1e-6, atol=0)  # no initiator is left after a day


@pytest.mark.parametrize(
    ("recipe", "said"),
    [
        ((-1.0, 0.01, 70.0, 600.0), "monomer is -1; needs a number above 0"),
        ((1.0, 0.0, 70.0, 600.0), "initiator is 0; needs a number above 0"),
        ((1.0, 0.01, -300.0, 600.0), "temp is -300; needs a number above -273.15"),
        ((1.0, 0.01, 70.0, 0.0), "time is 0; needs a number above 0"),
        ((1.0, float("nan"), 70.0, 600.0), "initiator is nan"),
        ((1.0, 0.01, 70.0, float("inf")), "time is inf; needs"),
        ((1.0, 0.01, -272.0, 600.0), "no polymer for 1 mol/L of monomer, 0.01 mol/L of initiator, -272 °C"),
        ((1e-10, 0.01, 70.0, 600.0), "no polymer for 1e-10 mol/L of monomer"),
        ((1.0, 1e300, 70.0, 600.0), "no polymer for 1 mol/L of monomer, 1e"),
    ],
)
def test_recipes_that_cannot_be_are_refused(recipe, said, simulate):
    with pytest.raises(InputError, match=said):
        simulate(*run_of(*recipe), BUTYL_ACRYLATE)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_gpu_agrees_with_cpu(recipes):
    here = solvers.simulate(recipes[:, :3], recipes[:, 3:], BUTYL_ACRYLATE, solver="torch")
    there = solvers.simulate(recipes[:, :3].cuda(), recipes[:, 3:].cuda(), BUTYL_ACRYLATE)
    torch.testing.assert_close(there.mmd.cpu(), here.mmd, rtol=1e-9, atol=1e-12)
