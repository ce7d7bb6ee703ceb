"""Errors of answers that took the kinetics as exact: against answers that are fitted to polymers of other kinetics."""

from dataclasses import replace

import pytest
import torch

from polyinv.chemistry import System, load_system
from polyinv.chemistry.draws import draws
from polyinv.chemistry.system import Uncertainty
from polyinv.data.laboratory import observations_of
from polyinv.data.observations import Observations
from polyinv.domain.assessment import closest
from polyinv.posterior.propagation import added_by_kinetics, widened
from polyinv.simulate.recipes import box

SYSTEM = load_system()
RECIPES = torch.tensor([[1.5, 0.01, 70.0, 1500.0], [1.0, 0.006, 65.0, 2500.0]], dtype=torch.float64)
KNOWN = ["temp", "time"]
COPIES = 60


def uncertain(times: float) -> System:
    """The system with coefficients that are so many times as uncertain."""
    stated = {
        name: Uncertainty(*(None if sd is None else sd * times for sd in (each.sd, each.sd_E_a)))
        for name, each in SYSTEM.uncertainty.items()
    }
    return replace(SYSTEM, uncertainty=stated)


def observed(system: System, recipes: torch.Tensor, seed: int, errors: str = "good") -> Observations:
    """Curves with temperature, time and solvent, as a laboratory of the system measures them; known as of another."""
    seen = replace(observations_of(recipes, errors, 1e7, seed, system), recipe=recipes)
    nothing = torch.full_like(seen.Mn, torch.nan)
    return replace(seen, system=SYSTEM, residual_monomer=nothing).forgetting(
        [name for name in SYSTEM.targets if name not in KNOWN]
    )


@pytest.fixture(scope="module")
def small() -> System:
    return uncertain(0.25)


def test_answers_of_other_kinetics_err_as_it_says(small):
    many = RECIPES.repeat_interleave(COPIES, 0)
    ours = closest(observed(SYSTEM, many, 1)).recipes
    others = draws(small, COPIES, torch.Generator().manual_seed(2))
    parts = [observed(replace(SYSTEM, chemistry=each), RECIPES, 3 + at) for at, each in enumerate(others)]
    theirs = torch.stack([closest(part).recipes for part in parts], 1).flatten(0, 1)
    added = added_by_kinetics(replace(observed(SYSTEM, RECIPES, 1), system=small), RECIPES)
    for at, name in enumerate(SYSTEM.targets):
        if name in KNOWN:
            continue
        with_kinetics, alone = ((found - many)[:, at].view(2, COPIES).square().mean(1) for found in (theirs, ours))
        assert (with_kinetics > 4 * alone).all(), name
        # A standard deviation of 60 is known to 9 %: three standard errors.
        assert (with_kinetics - alone).sqrt() == pytest.approx(added[:, at], rel=0.3), name


def test_known_values_have_no_error_and_nothing_is_said_of_no_answer(small):
    rows = replace(observed(SYSTEM, RECIPES, 1, "exact"), system=small)
    recipes = RECIPES.clone()
    recipes[1, 0] = torch.nan
    added = added_by_kinetics(rows, recipes)
    known = [SYSTEM.targets.index(name) for name in KNOWN]
    assert (added[0, known] == 0).all()
    assert (added[0, :2] > 0).all()
    assert added[1].isnan().all()


def test_the_more_uncertain_the_kinetics_the_larger_the_errors(small):
    rows = observed(SYSTEM, RECIPES, 1)
    exact, little, much = (
        added_by_kinetics(replace(rows, system=system), RECIPES) for system in (uncertain(0.0), small, uncertain(1.0))
    )
    assert exact.abs().max() < 1e-9
    # Linear: four times as uncertain.
    torch.testing.assert_close(much, 4 * little)


def test_rows_are_answered_as_in_a_table(small):
    rows = replace(observed(SYSTEM, RECIPES, 1), system=small)
    alone = torch.cat([added_by_kinetics(rows[[at]], RECIPES[[at]]) for at in range(2)])
    torch.testing.assert_close(added_by_kinetics(rows, RECIPES), alone, rtol=1e-9, atol=0)


@pytest.mark.parametrize("share", [0.68, 0.9])
def test_no_error_is_larger_than_that_of_a_guess(share):
    low, high = box(SYSTEM)
    tenth = 0.1 * (high - low)[None]
    found = widened(tenth, tenth * torch.tensor([0.0, 0.1, 1e3, 1e9]), share, SYSTEM) / (high - low)
    uniform = torch.rand(2, 100_000, generator=torch.Generator().manual_seed(0))
    guess = (uniform[0] - uniform[1]).abs().quantile(share).item()
    assert found.tolist()[0] == pytest.approx([0.1, 0.1, guess, guess], abs=5e-3)
    normal = torch.randn(100_000, generator=torch.Generator().manual_seed(0))
    small = widened(torch.zeros(1, 4), 1e-3 * (high - low)[None], share, SYSTEM) / (high - low)
    assert small[0, 0].item() == pytest.approx(1e-3 * normal.abs().quantile(share).item(), rel=0.02)
