"""Check calibrations on drawn laboratories: how well recipes of new polymers are answered after 1, 3 and 6 runs.

Each laboratory has coefficients drawn at prior width, an SEC that broadens by 0.03 to 0.06 decades and is off by up to
5 %, conversions to 1.5 % and temperatures to 0.5 °C. Kind "solvent" has another transfer to the solvent besides, kind
"chain_length" termination that depends on the chain length, which the solver lacks: k_tss falls with the length of the
radicals, by turns with the mean length that comes out, for each recipe.

    python scripts/check_calibration.py runs/calibration --laboratories 2

Finished laboratories are kept in the folder and not done again.
"""

import argparse
import json
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from polyinv.calibrate.fit import fit
from polyinv.calibrate.left_out import left_out, summary
from polyinv.calibrate.model import LaboratoryModel
from polyinv.calibrate.reading import read_own_runs
from polyinv.calibrate.result import system_of
from polyinv.calibrate.runs import Runs
from polyinv.chemistry import Arrhenius, Chemistry, System, load_system
from polyinv.chemistry.coordinates import Coordinates
from polyinv.data.calibrated import of_instrument
from polyinv.data.observations import Observations
from polyinv.domain.assessment import references
from polyinv.domain.closest import fit as closest
from polyinv.instrument.curve import miscalibrate
from polyinv.instrument.errors import MeasurementErrors
from polyinv.instrument.measure import observe as measured
from polyinv.mmd import STEP
from polyinv.posterior.exact import exact_posteriors
from polyinv.r2 import r2
from polyinv.runtime.files import written
from polyinv.runtime.threads import one_thread
from polyinv.simulate.observed import observe
from polyinv.simulate.recipes import random_recipes

KINDS = ("matched", "solvent", "chain_length")
SAMPLES = 3
"""Of each run, at equal steps up to its end."""
SLOPE, AT = 0.16, 100.0
"""Fall of ln k_tss with the logarithm of the chain length, and the length at which it is as stated."""
STATED = MeasurementErrors(offset=0.05, broadening=0.045)
"""What the laboratory says of itself."""


class Laboratory:
    """Drawn laboratory.

    Args:
        system: Whose coefficients are drawn about.
        kind: One of ``KINDS``.
        seed: Of all that is drawn.
    """

    def __init__(self, system: System, kind: str, seed: int) -> None:
        self.system, self.kind = system, kind
        self.generator = torch.Generator().manual_seed(seed)
        coordinates = Coordinates(system)
        moved = self.normal(len(coordinates.names)) * torch.tensor(coordinates.sd, dtype=torch.float64)
        self.chemistry = coordinates.chemistry(moved.tolist())
        if kind == "solvent" and self.chemistry.k_trS is not None:
            by = float(torch.exp(self.normal(1)))
            self.chemistry = replace(self.chemistry, k_trS=times(self.chemistry.k_trS, by))
        self.broadening = 0.03 + 0.03 * float(torch.rand(1, generator=self.generator))
        self.offset = 0.1 * float(torch.rand(1, generator=self.generator)) - 0.05

    def normal(self, *size: int) -> Tensor:
        """Standard normal numbers."""
        return torch.randn(*size, generator=self.generator, dtype=torch.float64)

    def numbers(self, recipes: Tensor) -> Tensor:
        """True numbers (B, 103) of recipes (B, V)."""
        values = observe(recipes, self.chemistry)
        if self.kind != "chain_length":
            return values
        for _ in range(3):  # k_tss of the mean length that comes out
            lengths = (values[:, 1].exp() / self.chemistry.monomer_molar_mass).tolist()
            each = [observe(row[None], slower(self.chemistry, n)) for row, n in zip(recipes, lengths, strict=True)]
            values = torch.cat(each)
        return values

    def observations(self, recipes: Tensor, temperatures: Tensor) -> Observations:
        """Measure polymers of recipes (B, V) as stated, made at other temperatures (B,)."""
        made = recipes.clone()
        made[:, 2] = temperatures
        values = self.numbers(made)
        w = values[:, 3:].clamp(min=0)
        errors = MeasurementErrors(
            temperature=0.0, time=0.0, concentration=0.0, broadening=self.broadening, offset=0.0, slope=0.0
        )  # the offset is one of the laboratory, not one of each curve
        shifted = miscalibrate(w / (w.sum(-1, keepdim=True) * STEP), float(np.log10(1 + self.offset))).clamp(min=0)
        Mn, Mw = (values[:, at].exp() * (1 + self.offset) for at in (1, 2))
        found = measured(
            recipes,
            values[:, 0].exp(),
            shifted,
            errors,
            self.generator,
            quantities=self.system.recipe,
            residual_name=self.system.residual,
            means=(Mn, Mw),
        )
        return Observations(
            recipe=recipes,
            residual_monomer=found.residual,
            Mn=found.Mn,
            Mw=found.Mw,
            mmd=found.mmd,
            system=self.system,
            assumed=STATED,
        )

    def runs(self, count: int) -> Runs:
        """Runs of random recipes, samples at equal steps up to the end of each."""
        recipes = random_recipes(count, self.generator, self.system)
        recipes[:, -1] = recipes[:, -1].clamp(min=0.5 * self.system.horizon)
        temp = recipes[:, 2] + 0.5 * self.normal(count)
        rows = recipes.repeat_interleave(SAMPLES, 0)
        rows[:, -1] *= torch.arange(1, SAMPLES + 1).repeat(count) / SAMPLES
        number = torch.arange(count).repeat_interleave(SAMPLES)
        return Runs(self.observations(rows, temp[number]), number, tuple(str(at + 1) for at in range(count)))


def times(law: Arrhenius, by: float) -> Arrhenius:
    """A coefficient times a factor."""
    return replace(law, A=law.A * by)


def slower(chemistry: Chemistry, length: float) -> Chemistry:
    """A chemistry whose radicals of a mean length terminate as they do."""
    by = (max(length, 1.0) / AT) ** -SLOPE
    laws: dict[str, Any] = {
        name: times(getattr(chemistry, name), by) for name in ("k_tss", "k_tst") if getattr(chemistry, name)
    }
    return replace(chemistry, **laws)


def answers(seen: Observations, system: System, true: Tensor, asked: list[int]) -> dict[str, float]:
    """R² of the closest recipes of polymers by a system's coefficients."""
    return answers_of(of_instrument(replace(seen, system=system)), system, true, asked)


def coverage(seen: Observations, system: System, true: Tensor, asked: list[int], count: int) -> dict[str, float]:
    """Share of the true values within the 90 % intervals of the exact posterior."""
    given = of_instrument(replace(seen, system=system))[torch.arange(count)]
    names = [name for at, name in enumerate(system.targets) if at in asked]
    held = []
    for at, each in enumerate(exact_posteriors(given.forgetting([*names, system.residual]), 500)):
        low, high = each.samples.quantile(torch.tensor([0.05, 0.95], dtype=torch.float64), 0)
        held.append(((true[at] >= low) & (true[at] <= high))[asked])
    shares = torch.stack(held).double().mean(0).tolist()
    return dict(zip(names, shares, strict=True))


def check(system: System, kind: str, seed: int, options: argparse.Namespace) -> list[dict]:
    """Calibrate one laboratory on several numbers of runs; a line for each."""
    laboratory = Laboratory(system, kind, seed)
    all_runs = laboratory.runs(max(options.runs))
    recipes = random_recipes(options.polymers, laboratory.generator, system)
    seen = laboratory.observations(recipes, recipes[:, 2] + 0.5 * laboratory.normal(len(recipes)))
    asked = [0, 1]
    true = recipes
    lines = []
    informed = replace(system, chemistry=laboratory.chemistry)
    known = replace(of_truth(seen, laboratory), system=informed)
    best = answers_of(known, informed, true, asked)
    before = answers(seen, system, true, asked)
    lines.append({"runs": 0, **{f"R2 {name}": value for name, value in before.items()}})
    for count in options.runs:
        begun = time.process_time()
        fitted = fit(LaboratoryModel(all_runs.only(range(count)), Coordinates(system)))
        seconds = time.process_time() - begun
        calibrated = system_of(fitted)
        line = {"runs": count, "seconds": seconds, "converged": fitted.converged}
        line |= {f"R2 {name}": value for name, value in answers(seen, calibrated, true, asked).items()}
        if options.intervals:
            held = coverage(seen, calibrated, true, asked, options.intervals)
            line |= {f"held {name}": value for name, value in held.items()}
        lines.append(line)
    lines.append({"runs": -1, **{f"R2 {name}": value for name, value in best.items()}})
    return [{"kind": kind, "seed": seed, **line} for line in lines]


def of_truth(seen: Observations, laboratory: Laboratory) -> Observations:
    """Observations as of somebody who knows the instrument."""
    moved = miscalibrate(seen.mmd, -float(np.log10(1 + laboratory.offset))).clamp(min=0)
    like, scale = torch.ones_like(seen.Mn), 1 + laboratory.offset
    stated = {"sec_broadening": like * laboratory.broadening, "sec_offset": like * 1e-3}
    return replace(seen, mmd=moved, Mn=seen.Mn / scale, Mw=seen.Mw / scale, errors=stated)


def answers_of(given: Observations, system: System, true: Tensor, asked: list[int]) -> dict[str, float]:
    """R² of the closest recipes, of observations whose instrument is known."""
    names = [name for at, name in enumerate(system.targets) if at in asked]
    with one_thread():
        found = closest(references(system), given.forgetting([*names, system.residual])).recipes
    return dict(zip(names, r2(true, found)[asked].tolist(), strict=True))


def real(path: str) -> None:
    """Calibrate the system MMA on real runs, each left out in turn; recipes of samples left out are asked for."""
    system = load_system("MMA")
    runs = read_own_runs([path], system)
    whole = fit(LaboratoryModel(runs, Coordinates(system)))
    print(summary(left_out(whole)).round(3).to_string(index=False))
    print({name: round(value, 4) for name, value in whole.scatter.as_dict().items()})
    held, wide = [], []
    for number in range(len(runs.names)):
        others = fit(LaboratoryModel(runs.without(number), Coordinates(system)))
        calibrated, part = system_of(others), runs.only([number])
        asked = [0, 1, len(system.targets) - 1]
        names = [system.targets[at] for at in asked]
        given = of_instrument(replace(part.observations, system=calibrated)).forgetting(names)
        true = part.observations.recipe
        for at, each in enumerate(exact_posteriors(given, 500)):
            low, high = each.samples.quantile(torch.tensor([0.05, 0.95], dtype=torch.float64), 0)
            held.append(((true[at] >= low) & (true[at] <= high))[asked].tolist())
            wide.append(((high - low) / true[at])[asked].tolist())
    print("inside 90 % intervals:", dict(zip(names, np.mean(held, 0).round(2), strict=True)))
    print("width over the value, median:", dict(zip(names, np.median(wide, 0).round(2), strict=True)))


def main() -> None:
    """Parse, check, print."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("folder", nargs="?", default="runs/calibration", help="folder of finished laboratories")
    parser.add_argument("--laboratories", type=int, default=2, help="of each kind")
    parser.add_argument("--kinds", nargs="+", default=list(KINDS), choices=KINDS)
    parser.add_argument("--runs", type=int, nargs="+", default=[1, 3, 6], help="numbers of runs")
    parser.add_argument("--polymers", type=int, default=100, help="new polymers of each laboratory")
    parser.add_argument("--intervals", type=int, default=0, help="of how many the intervals are checked, a second each")
    parser.add_argument("--system", default="butyl_acrylate")
    parser.add_argument("--real", metavar="FILE", help="runs of MMA instead: each left out in turn")
    options = parser.parse_args()
    if options.real:
        real(options.real)
        return
    folder, system, lines = Path(options.folder), load_system(options.system), []
    folder.mkdir(parents=True, exist_ok=True)
    for kind in options.kinds:
        for seed in range(options.laboratories):
            counts = "-".join(map(str, options.runs))
            path = folder / f"{system.name}_{kind}_{seed}_{counts}_{options.polymers}_{options.intervals}.json"
            if not path.exists():
                found = check(system, kind, seed, options)
                with written(path) as passing:
                    passing.write_text(json.dumps(found))
            lines += json.loads(path.read_text())
    table = pd.DataFrame(lines)
    names = [name for name in table if name.startswith(("R2", "held", "seconds"))]
    for kind, part in table.groupby("kind", sort=False):
        groups = part.groupby("runs")[names]
        print(f"{kind}: median of {options.laboratories}; runs 0: before, -1: true chemistry and instrument known")
        print(groups.median().round(3).to_string())
        print("worst")
        print(groups.min().round(3).to_string())
    fits = table["converged"].dropna()
    print(f"{len(fits)} fits, {int((~fits.astype(bool)).sum())} not settled")


if __name__ == "__main__":
    main()
