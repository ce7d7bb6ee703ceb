"""Chain transfer agents, solvents by their concentration, and systems without mid-chain radicals."""

import warnings
from dataclasses import replace

import pytest
import torch

from polyinv.chemistry import BUTYL_ACRYLATE, Arrhenius, Chemistry
from polyinv.chemistry.kinetics import Solvent
from polyinv.errors import InputError
from polyinv.simulate import SIMULATORS, deterministic, fused
from polyinv.simulate.control_volume import FewRadicals
from polyinv.simulate.derivatives import derivatives, directions
from polyinv.simulate.fluctuations import fluctuations
from polyinv.simulate.montecarlo import simulate_runs
from polyinv.simulate.solvers import SOLVERS, simulate
from tests.simulate.reference import full_balance


def law(k: float) -> Arrhenius:
    return Arrhenius(k, 0.0, measured=None, source="made up for a test")


LINEAR = Chemistry(
    name="linear",
    monomer="M",
    initiator="I",
    monomer_molar_mass=100.0,
    f=0.6,
    k_d=law(3e-5),
    k_p=law(800.0),
    k_tss=law(4e7),
    d_ss=0.7,
    range={},
    k_trM=law(0.02),
    k_trS=law(0.01),
    k_trA=law(560.0),
    solvent=Solvent("solvent", molar_volumes=(0.11, 0.106)),
    extras=("agent",),
)
ACRYLATE = replace(BUTYL_ACRYLATE, k_trA=law(3e4), extras=("agent",))
"""Butyl acrylate with an agent that is used up sooner than the monomer."""
SYSTEMS = pytest.mark.parametrize("chemistry", [LINEAR, ACRYLATE], ids=["linear", "acrylate"])


def conditions_of(*reactions) -> torch.Tensor:
    return torch.tensor(reactions, dtype=torch.float64)


RECIPES = conditions_of([4.0, 0.02, 70.0, 0.02], [2.0, 0.01, 60.0, 0.0], [1.0, 0.005, 80.0, 0.1])
TIMES = torch.tensor([[1800.0, 7200.0]] * 3, dtype=torch.float64)


@SYSTEMS
@pytest.mark.parametrize("solver", SOLVERS)
def test_agrees_with_the_full_radical_balance(chemistry, solver):
    growth = SOLVERS[solver](RECIPES, TIMES, chemistry)
    for row, recipe in enumerate(RECIPES.tolist()):
        exact = full_balance(chemistry, recipe, 7200.0)
        # The full balance starts without radicals, whose life, a second of 7200, is lost.
        assert growth.monomer[row, -1].item() == pytest.approx(exact["monomer"], rel=1e-3)
        for moment in ("chains", "units", "squares"):
            assert getattr(growth, moment)[row].sum().item() == pytest.approx(exact[moment], rel=2e-3)


@SYSTEMS
def test_both_solvers_agree_and_conserve_the_units(chemistry):
    found = fused.grow(RECIPES, TIMES, chemistry, tolerance=1e-9)
    exact = deterministic.grow(RECIPES, TIMES, chemistry, step=2.0)
    torch.testing.assert_close(found.monomer, exact.monomer, rtol=1e-5, atol=0)
    torch.testing.assert_close(found.chains.sum((-1, -2)), exact.chains.sum((-1, -2)), rtol=1e-5, atol=0)
    units = found.units.sum((-1, -2)) + found.monomer[:, -1]
    torch.testing.assert_close(units, RECIPES[:, 0], rtol=0, atol=1e-12)


def test_mayo_slope():
    """At low conversion 1/DPn grows by the transfer constant k_trA/k_p with every [A]/[M]."""
    ratios = torch.tensor([0.0, 0.001, 0.002, 0.004], dtype=torch.float64)
    recipes = conditions_of(*([5.0, 1e-3, 70.0, 5.0 * ratio] for ratio in ratios.tolist()))
    polymer = simulate(recipes, torch.full((4, 1), 60.0, dtype=torch.float64), LINEAR)
    inverse = LINEAR.monomer_molar_mass / polymer.Mn[:, 0]
    slopes = (inverse[1:] - inverse[0]) / ratios[1:]
    # Propagation alone is in the denominator of Mayo's equation; here the unit that starts a chain counts, too.
    torch.testing.assert_close(slopes, torch.full_like(slopes, 560.0 / 800.0), rtol=0.01, atol=0)


def test_an_agent_is_used_up_as_its_transfer_constant_says():
    """A = A_0 (M/M_0)^C for a linear system, C = k_trA/k_p; seen in the chains that it ends, one each."""
    without, with_agent = (
        simulate(conditions_of([4.0, 0.01, 70.0, agent]), TIMES[:1], LINEAR) for agent in (0.0, 0.02)
    )
    left = 0.02 * (with_agent.residual_monomer / 4.0) ** 0.7
    torch.testing.assert_close(with_agent.dead_chains - without.dead_chains, 0.02 - left, rtol=0.01, atol=0)


@SYSTEMS
def test_derivatives_match_finite_differences(chemistry):
    by = [name for name in directions(chemistry) if name in ("monomer", "temp", "agent", "k_trA", "k_trS", "k_p")]
    recipes = RECIPES[[0, 2]]
    _, slopes = derivatives(recipes, TIMES[:2], chemistry, by=by, tolerance=1e-11)
    for at, name in enumerate(by):
        share = 1e-5

        def made(sign, name=name, share=share):
            other, changed = chemistry, recipes.clone()
            if name in ("monomer", "temp", "agent"):
                changed[:, {"monomer": 0, "temp": 2, "agent": 3}[name]] *= 1 + sign * share
            else:
                old = getattr(chemistry, name)
                other = replace(chemistry, **{name: replace(old, A=old.A * (1 + sign * share))})
            growth = fused.grow(changed, TIMES[:2], other, tolerance=1e-11).cumulated()
            return growth.snapshots(other)

        size = {"monomer": recipes[:, 0], "temp": recipes[:, 2], "agent": recipes[:, 3]}.get(name)
        if size is None:
            size = getattr(chemistry, name)(recipes[:, 2])
        for part in ("mmd", "Mn", "Mw", "residual_monomer", "dead_chains"):
            numeric = (getattr(made(1), part) - getattr(made(-1), part)) / (2 * share)
            exact = getattr(slopes, part)[..., at] * size.reshape(-1, *[1] * (numeric.ndim - 1))
            scale = getattr(made(1), part).abs().max()
            torch.testing.assert_close(exact / scale, numeric / scale, rtol=2e-5, atol=1e-8)


@pytest.mark.parametrize("engine", ["skip", "plain"])
@SYSTEMS
def test_kinetic_monte_carlo_agrees(chemistry, engine):
    recipe, time = conditions_of([2.0, 0.02, 70.0, 0.01]), torch.tensor([[300.0]]).double()
    expected = simulate(recipe, time, chemistry)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FewRadicals)
        runs = simulate_runs(recipe, time, chemistry, chains=2e5, seed=1, engine=engine)
    found = runs.growth.snapshots(chemistry)
    # 2e5 chains: 0.2 % for Mn by Poisson's law, about twice that for the rest; 5 of them, and a few radicals' bias.
    for name in ("residual_monomer", "Mn", "Mw"):
        assert getattr(found, name).item() == pytest.approx(getattr(expected, name).item(), rel=0.03)
    ended = runs.events.count("transfer_agent").item() / runs.events.per_molar.item()
    assert 0 < ended < 0.01


def test_an_agent_that_is_not_there_changes_no_bit_of_a_simulation():
    plain = torch.tensor([[1.0, 0.02, 70.0]], dtype=torch.float64)
    with_none = conditions_of([1.0, 0.02, 70.0, 0.0])
    time = torch.tensor([[900.0]]).double()
    for name, simulator in SIMULATORS.items():
        options = {} if name == "deterministic" else {"chains": 3e5, "seed": 3}
        a, b = simulator(plain, time, BUTYL_ACRYLATE, **options), simulator(with_none, time, ACRYLATE, **options)
        assert torch.equal(a.mmd, b.mmd)
        assert torch.equal(a.residual_monomer, b.residual_monomer)


@SYSTEMS
def test_fluctuations_are_finite(chemistry):
    scatter = fluctuations(RECIPES, TIMES, chemistry)
    for part in (scatter.variance, scatter.correlation, scatter.memory):
        assert part.isfinite().all()
    assert (scatter.variance > 0).all()


def test_solvent_and_monomer_fill_the_volume():
    solvent = LINEAR.solvent_under(RECIPES)
    torch.testing.assert_close(RECIPES[:, 0] * 0.11 + solvent * 0.106, torch.ones(3).double())
    by_recipe = replace(LINEAR, solvent=Solvent("solvent"), extras=("solvent", "agent"))
    recipe = conditions_of([4.0, 0.02, 70.0, 5.0, 0.02])
    assert by_recipe.solvent_under(recipe).item() == 5.0
    assert by_recipe.agent_under(recipe).item() == 0.02


def test_a_negative_concentration_is_refused():
    with pytest.raises(InputError, match=r"a concentration is -0\.1; needs a number of 0 or more"):
        simulate(conditions_of([1.0, 0.02, 70.0, -0.1]), TIMES[:1], ACRYLATE)
