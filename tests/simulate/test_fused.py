"""The compiled loop: as exact as it says, derivatives by everything, as fast as it is meant to be."""

import itertools
import time
from dataclasses import fields, replace

import pytest
import torch

from polyinv.chemistry import BUTYL_ACRYLATE, Arrhenius
from polyinv.chemistry.butyl_acrylate import RECIPE, SYSTEM
from polyinv.errors import InputError
from polyinv.simulate import deterministic, fused
from polyinv.simulate.derivatives import derivatives, directions
from polyinv.simulate.radical_rates import COEFFICIENTS
from polyinv.simulate.recipes import published_grid, random_recipes, runs
from polyinv.simulate.snapshots import Snapshots

CORNERS = torch.tensor(list(itertools.product(*((q.low, q.high) for q in RECIPE))), dtype=torch.float64)
PARTS = [field.name for field in fields(Snapshots)]


def snapshots(conditions, times, chemistry=BUTYL_ACRYLATE, **options):
    return fused.grow(conditions, times, chemistry, **options).cumulated().snapshots(chemistry)


def worst_error(found: Snapshots, exact: Snapshots, initial: torch.Tensor) -> float:
    """Largest error of X, Mn and Mw, relative, and of the curve against its peak."""
    peak = exact.mmd.amax(-1, keepdim=True)
    errors = (
        (found.residual_monomer - exact.residual_monomer) / initial,
        found.Mn / exact.Mn - 1,
        found.Mw / exact.Mw - 1,
    )
    return max(error.abs().max().item() for error in (*errors, (found.mmd - exact.mmd) / peak))


def varied(generator: torch.Generator):
    """Butyl acrylate with every rate coefficient up to three times as large or small."""
    laws = {}
    for field in fields(BUTYL_ACRYLATE):
        law = getattr(BUTYL_ACRYLATE, field.name)
        if isinstance(law, Arrhenius):
            factor = 3.0 ** (2 * torch.rand(1, generator=generator).item() - 1)
            laws[field.name] = replace(law, A=law.A * factor)
    return replace(BUTYL_ACRYLATE, **laws)


@pytest.mark.parametrize("tolerance", [1e-4, 1e-6, 1e-8])
def test_errors_stay_below_the_tolerance_in_the_box_and_for_other_kinetics(tolerance):
    generator = torch.Generator().manual_seed(0)
    recipes = torch.cat([CORNERS, random_recipes(200, generator, SYSTEM)])
    for chemistry in (BUTYL_ACRYLATE, *(varied(generator) for _ in range(10))):
        found, exact = (
            snapshots(recipes[:, :3], recipes[:, 3:], chemistry, tolerance=each) for each in (tolerance, 1e-12)
        )
        assert worst_error(found, exact, recipes[:, :1]) < tolerance


def test_the_error_falls_with_the_sixth_power_of_the_step():
    conditions, times, _, _ = runs(published_grid().iloc[::97], SYSTEM)
    exact = snapshots(conditions, times, tolerance=1e-13)
    coarse, fine = (
        worst_error(snapshots(conditions, times, tolerance=1e-6 * factor), exact, conditions[:, :1])
        for factor in (2.0**6, 1.0)
    )
    assert 2.0**5 < coarse / fine < 2.0**7


def test_agrees_with_the_torch_solver_as_its_steps_get_short(recipes):
    exact = snapshots(recipes[:, :3], recipes[:, 3:], tolerance=1e-10)
    errors = []
    for step in (4.0, 2.0):
        found = deterministic.grow(recipes[:, :3], recipes[:, 3:], BUTYL_ACRYLATE, step=step).snapshots(BUTYL_ACRYLATE)
        errors.append(worst_error(found, exact, recipes[:, :1]))
    assert errors[1] < 2e-5
    assert errors[0] / errors[1] == pytest.approx(4.0, rel=0.1)  # so that their limit is the same


def test_units_are_conserved_to_rounding(recipes):
    conditions, times, _, _ = runs(published_grid(), SYSTEM)
    growth = fused.grow(conditions, times, BUTYL_ACRYLATE)
    units = growth.units.sum((-1, -2)) + growth.monomer[:, -1]
    torch.testing.assert_close(units, conditions[:, 0], rtol=0, atol=1e-12)


def shifted(chemistry, name: str, share: float):
    """The chemistry with one number larger by a share of it."""
    number = getattr(chemistry, name)
    larger = replace(number, A=number.A * (1 + share)) if isinstance(number, Arrhenius) else number * (1 + share)
    return replace(chemistry, **{name: larger})


@pytest.mark.parametrize("name", directions(BUTYL_ACRYLATE))
def test_derivatives_match_finite_differences_at_all_corners_of_the_box(name):
    tight = {"tolerance": 1e-11}
    _, slopes = derivatives(CORNERS[:, :3], CORNERS[:, 3:], BUTYL_ACRYLATE, by=(name,), **tight)
    share = 1e-5
    if name in COEFFICIENTS:
        law = getattr(BUTYL_ACRYLATE, name)
        size = law(CORNERS[:, 2]) if isinstance(law, Arrhenius) else torch.full((len(CORNERS),), law).double()
        up, down = (
            snapshots(CORNERS[:, :3], CORNERS[:, 3:], shifted(BUTYL_ACRYLATE, name, sign * share), **tight)
            for sign in (1, -1)
        )
    else:
        at = ("monomer", "initiator", "temp", "time").index(name)
        size = CORNERS[:, at]
        step = torch.zeros(4).double()
        step[at] = share
        up, down = (
            snapshots((CORNERS * (1 + sign * step))[:, :3], (CORNERS * (1 + sign * step))[:, 3:], **tight)
            for sign in (1, -1)
        )
    for part in PARTS:
        numeric = (getattr(up, part) - getattr(down, part)) / (2 * share)
        found = getattr(slopes, part)[..., 0] * size.reshape(-1, *[1] * (numeric.ndim - 1))
        scale = getattr(up, part).abs().flatten(1).amax(-1).max()
        torch.testing.assert_close(found / scale, numeric / scale, rtol=1e-5, atol=1e-8)


def test_derivatives_at_several_times_are_those_of_each_time_alone():
    conditions, times = torch.tensor([[1.0, 0.02, 70.0]]).double(), torch.tensor([[600.0, 1800.0, 3600.0]]).double()
    polymer, slopes = derivatives(conditions, times, BUTYL_ACRYLATE, tolerance=1e-10)
    for at in range(3):
        alone, its_slopes = derivatives(conditions, times[:, at : at + 1], BUTYL_ACRYLATE, tolerance=1e-10)
        for part in PARTS:
            torch.testing.assert_close(getattr(polymer, part)[:, at], getattr(alone, part)[:, 0], rtol=1e-8, atol=1e-9)
            expected = getattr(its_slopes, part)[:, 0]
            torch.testing.assert_close(getattr(slopes, part)[:, at], expected, rtol=1e-6, atol=1e-6)


def test_torch_gets_the_same_gradients_by_recipe_times_and_coefficients():
    A = torch.tensor(BUTYL_ACRYLATE.k_bb.A, dtype=torch.float64, requires_grad=True)
    f = torch.tensor(BUTYL_ACRYLATE.f, dtype=torch.float64, requires_grad=True)
    chemistry = replace(BUTYL_ACRYLATE, k_bb=replace(BUTYL_ACRYLATE.k_bb, A=A), f=f)
    conditions = torch.tensor([[1.0, 0.02, 70.0], [2.0, 0.01, 80.0]], dtype=torch.float64, requires_grad=True)
    times = torch.tensor([[600.0, 1800.0], [300.0, 900.0]], dtype=torch.float64, requires_grad=True)
    weights = torch.linspace(-1, 1, 100, dtype=torch.float64)
    gradients = []
    for solver, options in ((fused.grow, {"tolerance": 1e-10}), (deterministic.grow, {"step": 2.0})):
        growth = solver(conditions, times, chemistry, **options)
        polymer = growth.cumulated().snapshots(chemistry)
        summary = (polymer.mmd @ weights).sum() + polymer.Mn.log().sum() + polymer.residual_monomer.sum()
        gradients.append(torch.autograd.grad(summary, (conditions, times, A, f)))
    for found, expected in zip(*gradients, strict=True):
        torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-9)


def test_no_direction_is_no_derivative_and_an_unknown_one_is_refused():
    recipe = torch.tensor([[1.0, 0.02, 70.0, 3600.0]]).double()
    polymer, slopes = derivatives(recipe[:, :3], recipe[:, 3:], BUTYL_ACRYLATE, by=())
    assert slopes.mmd.shape == (1, 1, 100, 0)
    assert polymer.Mn.item() == pytest.approx(17_600, rel=1e-3)
    with pytest.raises(InputError, match="no derivative by 'k_x'; known: monomer, initiator, temp, time, k_d, k_p"):
        derivatives(recipe[:, :3], recipe[:, 3:], BUTYL_ACRYLATE, by=("k_x",))


def test_threads_do_not_change_a_bit(recipes, monkeypatch):
    alone = fused.grow(recipes[:, :3], recipes[:, 3:], BUTYL_ACRYLATE)
    monkeypatch.setattr(fused, "CHUNK", 5)
    threads = torch.get_num_threads()
    torch.set_num_threads(3)
    try:
        together = fused.grow(recipes[:, :3], recipes[:, 3:], BUTYL_ACRYLATE)
    finally:
        torch.set_num_threads(threads)
    assert torch.equal(together.units, alone.units)


def test_two_thousand_recipes_take_less_than_a_fifth_of_the_torch_solver():
    recipes = random_recipes(2000, torch.Generator().manual_seed(0), SYSTEM)

    def cpu_seconds(solver) -> float:
        solver(recipes[:10, :3], recipes[:10, 3:], BUTYL_ACRYLATE)
        start = time.process_time()
        solver(recipes[:, :3], recipes[:, 3:], BUTYL_ACRYLATE)
        return time.process_time() - start

    assert cpu_seconds(fused.grow) < cpu_seconds(deterministic.grow_in_chunks) / 5  # measured: a thirtieth
