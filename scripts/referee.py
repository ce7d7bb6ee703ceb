"""Is a posterior model calibrated, and are our own checks right? The checks of the library sbi beside them.

pip install -c constraints.txt -e '.[referee]'          # sbi, of which nothing else has need
python scripts/referee.py --model checkpoints/posterior # a minute or two of one core for each pattern and level

Both are given the same observations, of random recipes, and the same samples. Ours are `polyinv.posterior.calibration`;
those of sbi are `run_sbc` (of each value, and of the density of all), `check_sbc`, `run_tarp` and `check_tarp`. With
`--scatter 0.8` samples are drawn together to that share of their scatter: then both have to find them too narrow.

- **p**: probability of ranks as far from uniform ones. That of sbi's TARP is of another test, which takes the points of
  the curve of coverage for a sample: it is near 1 of all that is not far off.
- **50 %**, **90 %**: coverage of these levels, of sbi by its ranks or its curve.
- **same rank**: share of the rows in which both have counted the same number of samples before the truth.
- **c2st**: accuracy of sbi's classifier of ranks and uniform numbers. Ranks are whole numbers, by which it tells them
  apart: the line `uniform` has its accuracy of random whole numbers, which those of a right posterior come to.
- **c2st prior**: that of recipes and of one sample of each observation.
- **area**: of TARP's curve above the diagonal, from one half on; below zero where samples are too narrow or shifted.
"""

import argparse
import logging
import sys
from collections.abc import Iterator, Sequence
from importlib.util import find_spec
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor

import polyinv
from polyinv.data.laboratory import random_observations
from polyinv.models.posterior import Posterior
from polyinv.posterior.calibration import DENSITY, JOINT, diagnose
from polyinv.posterior.checks import SEED
from polyinv.posterior.ranks import POINTS, density_ranks, sbc_ranks, tarp_ranks
from polyinv.report.tables import markdown
from polyinv.simulate.recipes import box

PATTERNS, LEVELS, CHAINS = ("composite+temp", "mmd"), ("exact", "ordinary"), (1e6,)
MISSING = "this needs sbi, which is not installed: pip install -c constraints.txt -e '.[referee]'"
COLUMNS = ("p", "50 %", "90 %", "area")
"""Numbers that both give."""
LEVEL_OF = {"50 %": 0.5, "90 %": 0.9}
ROUNDING = 1e-9


class Adapter:
    """Posterior of N observations as sbi takes one, which names observations by their number, (B, 1).

    Recipes are in the unit box. Values that are known exactly are left out: sbi would rank a truth below its equals.

    Args:
        model: What is asked.
        observations: With the pattern of inputs that it is given.
        recipes: The true ones, (N, V).
        count: Samples S of each observation, drawn once: all checks are of the same ones.
        scatter: Share of it that samples keep.
    """

    def __init__(self, model: Posterior, observations: Any, recipes: Tensor, count: int, scatter: float) -> None:
        self.posterior = model.posterior(observations)
        self.low, self.high = box(model.system)
        self.known = self.posterior.exactly
        self.open = ~self.known.any(0)
        assert torch.equal(self.known.all(0), self.known.any(0))  # by the level of errors, for all rows alike
        drawn = self._unit(self.posterior.sample((count,)))
        self.samples = drawn.mean(0) + scatter * (drawn - drawn.mean(0))
        self.truths = torch.where(self.known, self.samples[0], self._unit(recipes))
        self.numbers = torch.arange(float(len(recipes)))[:, None]

    def _unit(self, recipes: Tensor) -> Tensor:
        return ((recipes - self.low) / (self.high - self.low)).clamp(0, 1)

    def sample_batched(self, shape: Sequence[int], x: Tensor, show_progress_bars: bool = False) -> Tensor:
        """Samples (S, B, O) of the O values that are open."""
        assert tuple(shape) == (len(self.samples),)
        return self.samples[:, x[:, 0].long()][..., self.open]

    def log_prob(self, theta: Tensor, x: Tensor) -> Tensor:
        """Logarithm of the density of some recipes (S, O) of one observation (1,), up to a constant."""
        row = x.long()
        recipes = self.samples[:1, row[0]].repeat(len(theta), 1)
        recipes[:, self.open] = theta
        return self.posterior[row].log_prob((self.low + recipes * (self.high - self.low))[:, None])[:, 0]

    def densities(self) -> tuple[Tensor, Tensor]:
        """Logarithms of the densities of all samples (S, N) and of the truths (N,)."""
        both = self.low + torch.cat([self.samples, self.truths[None]]) * (self.high - self.low)
        found = torch.cat([self.posterior.log_prob(part) for part in both.split(10)])
        return found[:-1], found[-1]


def ours(adapter: Adapter, targets: Sequence[str], densities: tuple[Tensor, Tensor]) -> dict[tuple[str, str], Any]:
    """Our numbers of each check and target."""
    found = diagnose(adapter.samples, adapter.truths, targets, log_densities=densities, known=adapter.known)
    names = {"p_value": "p", "coverage_50": "50 %", "coverage_90": "90 %"}
    lines = found.set_index(["check", "target"])[list(names)].rename(columns=names).to_dict("index")
    ranks = tarp_ranks(adapter.samples, adapter.truths, adapter.known)
    lines["TARP", JOINT]["area"] = (1 - ranks.clamp(min=0.5)).mean().item() - 3 / 8
    return lines


def of_sbi(adapter: Adapter, targets: Sequence[str], densities: tuple[Tensor, Tensor]) -> dict[tuple[str, str], Any]:
    """The numbers of sbi of each check and target."""
    return dict(_sbc(adapter, targets, densities)) | dict(_tarp(adapter))


def _sbc(
    adapter: Adapter, targets: Sequence[str], densities: tuple[Tensor, Tensor]
) -> Iterator[tuple[tuple[str, str], Any]]:
    """Lines of SBC, and one of whole numbers that are uniform."""
    from sbi.diagnostics import check_sbc, run_sbc

    truths, count = adapter.truths[:, adapter.open], len(adapter.samples)
    given = {"num_posterior_samples": count, "show_progress_bar": False}
    marginal, drawn = run_sbc(truths, adapter.numbers, adapter, reduce_fns="marginals", **given)
    density, _ = run_sbc(truths, adapter.numbers, adapter, reduce_fns=adapter.log_prob, **given)
    uniform = torch.randint(count + 1, density.shape)
    ranks = torch.cat([marginal, density, uniform], dim=1)
    found = check_sbc(ranks, truths, drawn, num_posterior_samples=count)
    names = [("marginal", name) for name, is_open in zip(targets, adapter.open, strict=True) if is_open]
    for at, name in enumerate([*names, (DENSITY, JOINT), ("uniform", "")]):
        share = ranks[:, at].double() / count
        within = 1 - share if name[0] == DENSITY else 2 * (share - 0.5).abs()  # sbi counts what is less dense
        line = {"p": found["ks_pvals"][at].item(), "c2st": found["c2st_ranks"][at].item()}
        line |= {name: (within <= level + ROUNDING).double().mean().item() for name, level in LEVEL_OF.items()}
        if at < len(names):
            line["c2st prior"] = found["c2st_dap"][at].item()
        if at <= len(names):
            line["same rank"] = (_counted(adapter, densities, at) == ranks[:, at]).double().mean().item()
        yield name, line


def _counted(adapter: Adapter, densities: tuple[Tensor, Tensor], at: int) -> Tensor:
    """Number of samples before the truth (N,) by our ranks: of an open value, or those less dense behind the last."""
    places = len(adapter.samples) + 1
    if at < int(adapter.open.sum()):
        return (sbc_ranks(adapter.samples, adapter.truths, adapter.known)[:, adapter.open][:, at] * places).floor()
    return places - 1 - (density_ranks(*densities) * places).floor()


def _tarp(adapter: Adapter) -> Iterator[tuple[tuple[str, str], Any]]:
    """Lines of TARP: with the points that ours are measured from, and with those that sbi draws."""
    from sbi.diagnostics import check_tarp, run_tarp

    truths, count = adapter.truths[:, adapter.open], len(adapter.samples)
    points = torch.from_numpy(np.random.default_rng([0, POINTS]).random(adapter.truths.shape))[:, adapter.open]
    given = {"num_posterior_samples": count, "show_progress_bar": False}
    for target, options in {JOINT: {"references": points, "z_score_theta": False}, "joint, points of sbi": {}}.items():
        curve, levels = run_tarp(truths, adapter.numbers, adapter, **given, **options)
        area, p_value = check_tarp(curve, levels)
        at = {level: float(np.interp(level, levels, curve)) for level in (0.05, 0.25, 0.75, 0.95)}
        yield ("TARP", target), {"p": p_value, "50 %": at[0.75] - at[0.25], "90 %": at[0.95] - at[0.05], "area": area}


def beside(model: Posterior, pattern: str, level: str, chains: float, given: argparse.Namespace) -> pd.DataFrame:
    """Lines of one pattern, level of errors and number of chains: our numbers, and those of sbi."""
    recipes, observations = random_observations(given.rows, level, chains, given.seed, model.system)
    torch.manual_seed(given.seed + 1)  # by that of the recipes, the points of TARP would be the recipes
    adapter = Adapter(model, observations.masked(pattern), recipes, given.samples, given.scatter)
    densities, targets = adapter.densities(), model.system.targets
    left, right = (of(adapter, targets, densities) for of in (ours, of_sbi))
    setting = {"pattern": pattern, "errors": level, "chains": f"{chains:.0e}"}
    lines = [
        setting
        | {"check": key[0], "target": key[1]}
        | {name: left.get(key, {}).get(name) for name in COLUMNS}
        | {f"sbi: {name}": right[key].get(name) for name in (*COLUMNS, "same rank", "c2st", "c2st prior")}
        for key in right
    ]
    return pd.DataFrame(lines)


def written(table: pd.DataFrame) -> pd.DataFrame:
    """Numbers as text."""
    numbers = table.columns[5:]
    return table.assign(**{name: [_text(number) for number in table[name]] for name in numbers})


def _text(number: float | None) -> str:
    if number is None or number != number:
        return ""
    return f"{number:.0e}" if 0 < abs(number) < 5e-4 else f"{number:.3f}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", default="checkpoints/posterior", help="folder of a posterior model")
    parser.add_argument("--patterns", nargs="+", default=PATTERNS)
    parser.add_argument("--levels", nargs="+", default=LEVELS, help="of errors")
    parser.add_argument("--chains", type=float, nargs="+", default=CHAINS, help="dead chains at the horizon")
    parser.add_argument("--rows", type=int, default=1000)
    parser.add_argument("--samples", type=int, default=200, help="of each row")
    parser.add_argument("--scatter", type=float, default=1.0, help="share of it that samples keep; 1 changes nothing")
    parser.add_argument("--seed", type=int, default=SEED)
    given = parser.parse_args()
    if find_spec("sbi") is None:
        print(MISSING, file=sys.stderr)
        sys.exit(2)
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    model, parts = polyinv.load(given.model).model, []
    if not isinstance(model, Posterior):
        raise SystemExit(f"{given.model} holds no posterior model")
    for level in given.levels:
        for chains in given.chains:
            for pattern in given.patterns:
                logging.info("%s, %s errors, %.0e chains", pattern, level, chains)
                parts.append(beside(model, pattern, level, chains, given))
    print(markdown(written(pd.concat(parts))))


if __name__ == "__main__":
    main()
