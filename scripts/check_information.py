"""Who is right where network and local estimate disagree? The posterior itself, sampled, without either.

python scripts/check_information.py --output runs/check_information      # about 20 minutes of one core

For simulated observations of random recipes the exact R² that they allow is one less the mean variance of their
posterior, uniform in the box. It is sampled here by sequential Monte Carlo: particles go from the prior to the
posterior over tempered likelihoods, moved by stretches [Goodman & Weare 2010]. The forward model is a Chebyshev
polynomial in all four values of the recipe. Posteriors that are done are found again, whatever the model.
"""

import argparse
import logging
from dataclasses import replace
from pathlib import Path

import pandas as pd
import torch
from torch import Tensor

import polyinv
from polyinv.chemistry import BUTYL_ACRYLATE
from polyinv.chemistry.butyl_acrylate import SYSTEM, TARGETS
from polyinv.data.bank import load_bank
from polyinv.data.observations import Observations
from polyinv.data.patterns import inputs_of
from polyinv.evaluation.information import box_variance, expected_variance, respond
from polyinv.models import InverseModel
from polyinv.quantities import MMD
from polyinv.report.tables import markdown
from polyinv.runtime.files import written
from polyinv.runtime.progress import counted
from polyinv.runtime.threads import one_thread
from polyinv.simulate.observed import OBSERVED, observe
from polyinv.simulate.polynomial import Polynomial
from polyinv.simulate.recipes import from_unit, random_recipes, to_unit

ROOT = Path(__file__).parents[1]
PATTERNS = ("means", "cBA_time+means", "mmd", "mmd+temp", "composite", "composite+temp")
NODES = 11
"""Of the polynomial, whose error is then a fiftieth of the noise of 1e7 chains at most."""
PARTICLES, MOVES = 200, 40
LOGARITHMIC = torch.tensor([quantity.logarithmic for quantity in SYSTEM.recipe])
SEED = 7
FEW = 25
"""Chains that a node of the curve has to hold to count on its own."""


def pooled(noise: Tensor, expected: Tensor) -> Tensor:
    """Sums (O, P) of observed numbers whose noise is Gaussian: nodes of few chains at either end count as one.

    Args:
        noise: Covariance of the observed numbers, (O, O).
        expected: Their values without noise, (O,).
    """
    nodes = torch.tensor([name in MMD for name in OBSERVED])[-len(expected) :]
    single, places = torch.eye(len(expected), dtype=noise.dtype), torch.arange(len(expected))
    peak = int(torch.where(nodes, expected, -torch.inf).argmax())
    few = nodes & (noise.diagonal() * FEW > expected.square())
    ends = [(few & side).to(noise) for side in (places < peak, places > peak)]
    filled = [end for end in ends if end @ noise @ end * FEW < (end @ expected).square()]
    return torch.stack([*single[~few], *filled], -1)


def whitening(noise: Tensor, spread: Tensor) -> Tensor:
    """Linear combinations (O, K) of observed numbers with independent unit noise, those that any recipe moves.

    Args:
        noise: Covariance of the observed numbers, (O, O).
        spread: What recipes of the box show, less their mean, (M, O).
    """
    scale = noise.diagonal().sqrt()
    inverse = torch.where(scale > 0, 1 / scale, 0.0)
    values, vectors = torch.linalg.eigh(noise * inverse[:, None] * inverse)
    kept = values > 1e-5 * values[-1]
    white = inverse[:, None] * vectors[:, kept] / values[kept].sqrt()
    _, sizes, directions = torch.linalg.svd(spread @ white, full_matrices=False)
    moved = sizes > 0.05 * len(spread) ** 0.5
    return white @ directions[moved].T


def posterior(
    polynomial: Polynomial, white: Tensor, observed: Tensor, known: Tensor, generator: torch.Generator
) -> tuple[Tensor, Tensor]:
    """Mean and variance (4,) of the posterior of one recipe.

    Args:
        polynomial: Forward model.
        white: See `whitening`.
        observed: The observed numbers, (O,).
        known: The recipe with NaN for what is asked, (4,).
        generator: Random numbers.
    """
    asked = known.isnan()
    forward, target = polynomial.combined(white), observed @ white
    fixed = to_unit(known.nan_to_num(1.0), SYSTEM)

    def log_prior(unit: Tensor) -> Tensor:
        recipes = from_unit(unit, SYSTEM)  # uniform in these: in logarithms the density is proportional to the value
        inside = (unit.abs() <= 1).all(-1)
        return torch.where(
            inside,
            (recipes.log() * (LOGARITHMIC & asked)).sum(-1),
            -torch.inf,
        )

    def log_likelihood(unit: Tensor) -> Tensor:
        return -0.5 * (forward(unit) - target).square().sum(-1)

    unit = torch.where(asked, to_unit(random_recipes(8 * PARTICLES, generator, SYSTEM), SYSTEM), fixed)
    likelihood, tempered = log_likelihood(unit), 0.0
    while tempered < 1:
        step = _next_step(likelihood, 1 - tempered)
        tempered += step
        weight = torch.softmax(step * likelihood, 0)
        picked = torch.multinomial(weight, PARTICLES, replacement=True, generator=generator)
        unit, likelihood = unit[picked], likelihood[picked]
        prior = log_prior(unit)
        for _ in range(MOVES):
            order = torch.randperm(PARTICLES, generator=generator)
            for movers, others in (order.chunk(2), order.chunk(2)[::-1]):
                partners = others[torch.randint(len(others), (len(movers),), generator=generator)]
                stretch = (1 + torch.rand(len(movers), generator=generator, dtype=torch.float64)) ** 2 / 2  # 0.5 to 2
                moved = unit[partners] + stretch[:, None] * (unit[movers] - unit[partners])
                moved = torch.where(asked, moved, fixed)
                new_prior, new_likelihood = log_prior(moved), log_likelihood(moved.clamp(-1, 1))
                gain = new_prior - prior[movers] + tempered * (new_likelihood - likelihood[movers])
                gain = gain + (asked.sum() - 1) * stretch.log()
                chance = torch.rand(len(movers), generator=generator, dtype=torch.float64)
                taken = movers[chance.log() < gain]
                new = chance.log() < gain
                unit[taken], prior[taken], likelihood[taken] = moved[new], new_prior[new], new_likelihood[new]
    recipes = from_unit(unit, SYSTEM)
    return recipes.mean(0), torch.where(asked, recipes.var(0), 0.0)


def _next_step(likelihood: Tensor, most: float) -> float:
    """How much more of the likelihood can be taken in at once while half of the particles go on counting."""

    def effective(step: float) -> float:
        weight = torch.softmax(step * likelihood, 0)
        return (1 / weight.square().sum()).item()

    if effective(most) > PARTICLES / 2:
        return most
    low, high = 0.0, most
    for _ in range(40):
        middle = (low + high) / 2
        low, high = (middle, high) if effective(middle) > PARTICLES / 2 else (low, middle)
    return high


def observations(chains: float, rows: int) -> tuple[Tensor, Tensor]:
    """Simulated observations (N, 103), as of `polyinv.data.bank.observables`, and their recipes (N, 4)."""
    bank = load_bank(rows, SEED, SYSTEM, 3600.0)
    generator = torch.Generator().manual_seed(SEED)
    return bank.observe(BUTYL_ACRYLATE, torch.full((rows,), chains), generator).double(), bank.recipes


def posteriors(pattern: str, chains: float, rows: int) -> pd.DataFrame:
    """For each observation ``mean_<value>`` and ``variance_<value>`` of its posterior, and ``limit_<value>``, the
    variance that the local limit leaves."""
    seen, recipes = observations(chains, rows)
    response = respond(recipes)
    given = inputs_of(pattern, SYSTEM)
    at = [OBSERVED.index(column) for name in given for column in SYSTEM.inputs[name] if column in OBSERVED]
    logarithms = torch.cat([seen[:, :3].log(), seen[:, 3:]], 1)[:, at]
    generator = torch.Generator().manual_seed(SEED)
    polynomial = Polynomial.interpolate(SYSTEM, NODES).combined(torch.eye(len(OBSERVED)).double()[:, at])
    spread, exact = (
        polynomial(to_unit(random_recipes(500, generator, SYSTEM), SYSTEM)),
        observe(recipes, BUTYL_ACRYLATE)[:, at],
    )
    spread = spread - spread.mean(0)
    known = torch.where(torch.tensor([name in given for name in TARGETS]), recipes, torch.nan)
    means, variances = [], []
    with counted(f"{pattern}, {chains:g} chains", "posteriors", rows) as advance:
        for row in range(rows):
            noise = response.noise[row][at][:, at] / chains
            sums = pooled(noise, exact[row])
            white = sums @ whitening(sums.T @ noise @ sums, spread @ sums)
            mean, variance = posterior(polynomial, white, logarithms[row], known[row], generator)
            means.append(mean)
            variances.append(variance)
            advance(1)
    found = {"mean": torch.stack(means), "variance": torch.stack(variances)}
    found["limit"] = expected_variance(response, pattern, chains)
    columns = {f"{kind}_{name}": part[:, at] for kind, part in found.items() for at, name in enumerate(TARGETS)}
    return pd.DataFrame({name: column.numpy() for name, column in columns.items()})


def compared(found: pd.DataFrame, pattern: str, chains: float, model: InverseModel) -> pd.DataFrame:
    """R² of the local limit, the posterior and the network on the same simulated observations, per target."""
    seen, recipes = observations(chains, len(found))
    given = replace(Observations.from_tensor(seen, (*SYSTEM.scalars, *MMD)), recipe=recipes).masked(pattern)
    predicted, lines = model.predict(given.x(model.columns)), []
    for at, name in enumerate(TARGETS):
        if name in inputs_of(pattern, SYSTEM):
            continue
        total, true = box_variance(SYSTEM)[at].item(), recipes[:, at].numpy()
        error, other = (found[f"mean_{name}"] - true) ** 2, (predicted[:, at].numpy() - true) ** 2
        lines.append(
            {
                "pattern": pattern,
                "chains": chains,
                "target": name,
                "local limit": 1 - found[f"limit_{name}"].mean() / total,
                "posterior": 1 - found[f"variance_{name}"].mean() / total,
                "calibration": error.mean() / found[f"variance_{name}"].mean(),
                "network against posterior": (error - other).mean() / total,
                "±": (error - other).std() / len(found) ** 0.5 / total,
            }
        )
    return pd.DataFrame(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--model", type=Path, default=ROOT / "checkpoints" / "conditional")
    parser.add_argument("--rows", type=int, default=200)
    parser.add_argument("--chains", type=float, nargs="+", default=[1e6])
    parser.add_argument("--patterns", nargs="+", default=PATTERNS)
    given = parser.parse_args()
    given.output.mkdir(parents=True, exist_ok=True)
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    model, parts = polyinv.load(given.model).model, []
    with one_thread():
        for chains in given.chains:
            for pattern in given.patterns:
                file = given.output / f"posteriors-{pattern}-{chains:g}-{given.rows}.csv"
                if not file.is_file():
                    with written(file) as passing:
                        posteriors(pattern, chains, given.rows).to_csv(passing, index=False, lineterminator="\n")
                parts.append(compared(pd.read_csv(file), pattern, chains, model))
    table = pd.concat(parts)
    numbers = table.columns[3:]
    table[numbers] = table[numbers].map("{:.3f}".format)
    print(markdown(table.assign(chains=table["chains"].map("{:.0e}".format))))


if __name__ == "__main__":
    main()
