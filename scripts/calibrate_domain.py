"""Calibrate the applicability domain and measure what it catches; the tables of docs/explanation/domain.md.

python scripts/calibrate_domain.py                         # writes polyinv/domain/limits.yaml, about four minutes
python scripts/calibrate_domain.py --measure               # false alarms and artefacts with the limits as they are
python scripts/calibrate_domain.py --system styrene        # writes limits_styrene.yaml beside it; name it in the system
python scripts/calibrate_domain.py --table FILE            # false alarms on a table of your own, and nothing else

Limits come from simulated recipes of the box with the noise of 1e5 to 1e7 chains, a seed of their own. False alarms are
counted on the bundled kinetic Monte Carlo rows; artefacts are made on the off-grid ones.
"""

import argparse
import logging
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import torch
import yaml

from polyinv.chemistry import System, load_system
from polyinv.chemistry.butyl_acrylate import SYSTEM, TARGETS
from polyinv.data.bundled import load_bundled
from polyinv.data.features import CONDITIONAL, WITH_ERRORS
from polyinv.data.measure import measure
from polyinv.data.observations import Observations
from polyinv.data.patterns import RESIDUAL, measured
from polyinv.data.source import load_off_grid, simulate_table
from polyinv.data.workbook import read_table
from polyinv.domain.assessment import ERRORS, GRADES, LIMITS, Deviations, assess, calibrate
from polyinv.domain.expectations import simulated_observations
from polyinv.instrument.errors import LEVELS
from polyinv.mmd import LOG_M, STEP, unit_area
from polyinv.quantities import MMD
from polyinv.report.tables import markdown
from polyinv.runtime.files import written

GIVEN = ("mmd+residual+means", "mmd+residual", "mmd+means", "mmd", "residual+means", "means")
"""The measured inputs that an observation may have."""
ROWS = 8192
WITH_KNOWN = ("composite+temp", "mmd+temp+time")
KNOWN = 0.4
"""Share of the values of the recipe that are known to the check, when limits are calibrated."""
Change = Callable[[pd.DataFrame], pd.DataFrame]


def with_curve(change: Callable[[np.ndarray], np.ndarray]) -> Change:
    """Change the curves of a table, (N, 100), and bring them back to unit area."""

    def changed(table: pd.DataFrame) -> pd.DataFrame:
        curves = unit_area(change(table[list(MMD)].to_numpy(copy=True)).clip(min=0))
        return table.assign(**dict(zip(MMD, curves.T, strict=True)))

    return changed


def shifted(decades: float) -> Change:
    """A calibration error: every molar mass too large by the same factor."""
    return with_curve(lambda w: np.stack([np.interp(LOG_M - decades, LOG_M, row, 0, 0) for row in w]))


def broadened(decades: float) -> Change:
    """Band broadening: the curve blurred by a Gaussian of that standard deviation."""
    kernel = np.exp(-0.5 * ((LOG_M[:, None] - LOG_M) / decades) ** 2)
    return with_curve(lambda w: w @ (kernel / kernel.sum(0)))


def drifting(height: float) -> Change:
    """A baseline that rises along the molar masses where there is signal, to that share of the peak."""

    def ramp(w: np.ndarray) -> np.ndarray:
        there = w > 1e-3 * w.max(1, keepdims=True)
        first, last = there.argmax(1)[:, None], there.shape[1] - 1 - there[:, ::-1].argmax(1)[:, None]
        along = ((np.arange(w.shape[1]) - first) / (last - first)).clip(0, 1) * (np.arange(w.shape[1]) <= last)
        return w + height * w.max(1, keepdims=True) * along

    return with_curve(ramp)


def second_mode(share: float, decades: float) -> Change:
    """Another polymer mixed in: that share of the mass, as broad as the curve, so many decades higher."""

    def mixed(w: np.ndarray) -> np.ndarray:
        other = np.stack([np.interp(LOG_M - decades, LOG_M, row, 0, 0) for row in w])
        return (1 - share) * w + share * other / (other.sum(1, keepdims=True) * STEP)

    return with_curve(mixed)


def scaled(column: str, factor: float) -> Change:
    """A scalar that does not belong to the curve."""
    return lambda table: table.assign(**{column: table[column] * factor})


def elsewhere(**values: float) -> Change:
    """The same recipes with one value outside the box, polymerized."""

    def simulated(table: pd.DataFrame) -> pd.DataFrame:
        return simulate_table(
            table[list(TARGETS)].assign(**values), method="sampled", chains=1e6, seed=3, horizon=3600.0
        )

    return simulated


ARTEFACTS: dict[str, dict[str, Change]] = {
    "molar masses too large": {f"{10**d - 1:.0%}": shifted(d) for d in (0.02, 0.05, 0.1, 0.2, 0.3)},
    "broadened, decades": {f"{d:g}": broadened(d) for d in (0.04, 0.06, 0.08, 0.12, 0.2)},
    "baseline drift, of the peak": {f"{h:.1%}": drifting(h) for h in (0.002, 0.005, 0.01, 0.02, 0.05)},
    "second mode one decade higher": {f"{share:.1%}": second_mode(share, 1.0) for share in (0.005, 0.01, 0.02, 0.05)},
    "second mode half a decade lower": {f"{share:.0%}": second_mode(share, -0.5) for share in (0.02, 0.05, 0.1, 0.2)},
    "Mn too large": {f"{f - 1:.1%}": scaled("Mn", f) for f in (1.005, 1.01, 1.02, 1.05)},
    "Mw too large": {f"{f - 1:.1%}": scaled("Mw", f) for f in (1.005, 1.01, 1.02, 1.05)},
    "residual monomer": {f"× {f:g}": scaled("cBA_time", f) for f in (0.01, 0.1, 0.5, 0.8, 1.25, 2.0)},
    "temperature of the recipe": {f"{t:g} °C": elsewhere(temp=t) for t in (50.0, 55.0, 85.0, 95.0)},
    "cBA_0 of the recipe": {f"{c:g} mol/L": elsewhere(cBA_0=c) for c in (0.05, 0.3, 4.0, 5.0)},
}


def calibrated(system: System) -> dict[str, dict[str, list[float]]]:
    """Limits for each of ``GIVEN``, of exact rows and of such with errors; values of the recipe are known at random."""
    found = {}
    for features, said in ((CONDITIONAL, ""), (WITH_ERRORS, f"+{ERRORS}")):
        observations, _ = simulated_observations(ROWS, system, features)
        known = torch.rand(observations.recipe.shape, generator=torch.Generator().manual_seed(0)) < KNOWN
        observations = replace(observations, recipe=observations.recipe.where(known, torch.nan))
        for given in GIVEN:
            logging.info("calibrating on %d observations with %s%s", ROWS, given, said)
            names = [system.residual if name == RESIDUAL else name for name in given.split("+")]
            rows = observations.forgetting([name for name in measured(system) if name not in names])
            if said:
                rows = rows[~rows.exact]
            found[given + said] = calibrate(Deviations.of(rows).kinds)
    return found


def write_limits(system: System) -> None:
    """Calibrate a system and write its limits beside the domain check."""
    path = LIMITS if system.name == SYSTEM.name else LIMITS.with_name(f"limits_{system.name}.yaml")
    text = "# Made by scripts/calibrate_domain.py.\n" + yaml.safe_dump(calibrated(system), sort_keys=False)
    with written(path, overwrite=True) as passing:
        passing.write_text(text, encoding="utf-8")
    print(f"written: {path}")


def false_alarms(tables: dict[str, pd.DataFrame], system: System = SYSTEM) -> Iterator[dict[str, str]]:
    """Shares of grades on rows that all come from inside the box, by table, errors and what is given."""
    for name, table in tables.items():
        exact = Observations.from_table(table, system)
        for level in LEVELS:
            rows = exact if level == "exact" else measure(exact, level, seed=5)
            for given in (*GIVEN, *WITH_KNOWN):
                assessments = assess(rows.masked(given))["applicability"]
                shares = {grade: f"{(assessments == grade).mean():.1%}" for grade in GRADES}
                yield {"rows": name, "errors": level, "given": given, **shares}


def caught(table: pd.DataFrame) -> Iterator[dict[str, str]]:
    """Share of rows that are not called inside after each artefact, with the residual monomer and without.

    Taken as exact but for the artefact, and as what an ordinary laboratory measures.
    """
    for artefact, sizes in ARTEFACTS.items():
        for size, change in sizes.items():
            changed, line = change(table), {"artefact": artefact, "size": size}
            for given in ("mmd+cBA_time+means", "mmd"):
                if given == "mmd" and artefact.split()[0] in ("Mn", "Mw", "residual"):
                    line |= dict.fromkeys((f"{given}, exact", f"{given}, ordinary"), "")
                    continue
                kept = Observations.from_table(changed).masked(given)
                if artefact.split()[0] in ("molar", "broadened,", "baseline", "second"):
                    # Mn and Mw come from the same instrument: they go with the curve.
                    kept = kept.forgetting(["means"])
                for level in ("exact", "ordinary"):
                    assessments = assess(replace(kept, assumed=LEVELS[level]))["applicability"]
                    shares = (assessments != "inside").mean(), (assessments == "outside").mean()
                    line[f"{given}, {level}"] = f"{shares[0]:.0%} ({shares[1]:.0%})"
            yield line


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--measure", action="store_true", help="with the limits as they are")
    parser.add_argument("--system", default=SYSTEM.name, help="name of a system, or its file")
    parser.add_argument("--table", type=Path, help="rows from inside the box")
    parser.add_argument("--rows", type=int, default=300, help="off-grid rows that artefacts are made on")
    given = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    system = load_system(given.system)
    if given.table is not None:
        table = read_table(given.table, system=system)
        print(markdown(pd.DataFrame(false_alarms({f"{given.table.name}, {len(table)} rows": table}, system))))
        return
    if not given.measure:
        write_limits(system)
    if system.name != SYSTEM.name:
        rows = {"off grid, 1000 rows": load_off_grid(system)}
        print(f"Verdicts on rows from inside the box:\n\n{markdown(pd.DataFrame(false_alarms(rows, system)))}")
        return
    bundled = {"off grid, 1000 rows": load_bundled("off_grid"), "grid, every fifth row": load_bundled("grid").iloc[::5]}
    print(f"Verdicts on rows from inside the box:\n\n{markdown(pd.DataFrame(false_alarms(bundled)))}\n")
    table = load_bundled("off_grid").head(given.rows)
    print(f"Called edge or outside (outside alone) after an artefact:\n\n{markdown(pd.DataFrame(caught(table)))}")


if __name__ == "__main__":
    main()
