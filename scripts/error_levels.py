"""Measure answers of a conditional model from inputs with errors; the tables of docs/explanation/errors-of-inputs.md.

python scripts/error_levels.py --output runs/error_levels                            # about two minutes of one core
python scripts/error_levels.py --output runs/mma --model checkpoints/conditional_methyl_methacrylate

The off-grid set, kinetic Monte Carlo with 1e6 chains, is measured with each level of errors
(`polyinv.instrument.errors.LEVELS`), and with those of the ordinary level that matter most. For each pattern of inputs:
R² of the model, the local estimate of the same rows with the same errors, and how often the truth lies within the
intervals of 68 % and of 95 % that the model states. A last table has curves that were cut off at their high end.
"""

import argparse
import logging
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pandas as pd
import torch
from torch import Tensor

import polyinv
from polyinv.data.measure import measure
from polyinv.data.observations import Observations
from polyinv.data.patterns import inputs_of
from polyinv.data.source import load_off_grid
from polyinv.domain.assessment import assess
from polyinv.evaluation.information import expected_variance, respond
from polyinv.instrument.errors import LEVELS, MeasurementErrors, measurement_errors
from polyinv.mmd import LOG_M, STEP
from polyinv.models.base import InverseModel
from polyinv.r2 import r2
from polyinv.report.tables import markdown
from polyinv.runtime.resources import CONDITIONAL

PATTERNS = ("composite+temp", "mmd+temp+time", "means+temp+time", "mmd+residual+temp", "composite", "mmd+temp", "mmd")
FOUR = {"level": "exact", "conversion": 0.015, "temperature": 0.5, "broadening": 0.045, "offset": 0.02}
ERRORS = {**LEVELS, "the four largest of ordinary": measurement_errors(FOUR | {"lower_limit": 1000.0})}
CHAINS = 1e6
LIMITED = 250
"""Rows that the limit is computed for: each costs some 15 ms for each pattern and level."""
SEED = 5
CUT = 0.5
"""Decades beyond its peak at which a curve is cut off."""


def scores(model: InverseModel, exact: Observations) -> Iterator[dict[str, object]]:
    """A line for each level of errors, pattern and value of the recipe that is asked for."""
    system, y = model.system, exact.recipe
    response = respond(y[:: max(1, len(y) // LIMITED)], system)
    for name, errors in ERRORS.items():
        logging.info("errors: %s", name)
        rows = exact if name == "exact" else measure(exact, errors, SEED)
        for pattern in PATTERNS:
            given = rows.masked(pattern)
            answers = model.predict(given.x(model.columns))
            left = expected_variance(response, pattern, CHAINS, errors)
            limit = 1 - left.mean(0) / y.var(0, correction=0)
            inside = covered(model, given, answers, y)
            for at, target in enumerate(system.targets):
                if target not in inputs_of(pattern, system):
                    yield {
                        "errors": name,
                        "pattern": pattern,
                        "target": target,
                        "r2": r2(y, answers)[at].item(),
                        "limit": limit[at].item(),
                        **{share: of[at].item() for share, of in inside.items()},
                    }


def covered(model: InverseModel, given: Observations, answers: Tensor, y: Tensor) -> dict[str, Tensor]:
    """Shares of rows within the intervals that are stated, (V,) each; nothing of a model that states none."""
    if not model.tells_errors:
        return {}
    halves = model.half_widths(given.x(model.columns))
    away = (answers - y).abs()
    return {
        name: (away <= half).double().mean(0) for name, half in zip(("within_68", "within_95"), halves, strict=True)
    }


def cut(exact: Observations, errors: MeasurementErrors) -> Observations:
    """The rows with every curve cut off ``CUT`` decades beyond its peak, as nobody has stated."""
    rows = measure(exact, errors, SEED)
    peak = torch.from_numpy(LOG_M)[rows.mmd.argmax(-1)]
    kept = rows.mmd * (torch.from_numpy(LOG_M) <= peak[:, None] + CUT)
    rest = {name: sd for name, sd in rows.errors.items() if not name.startswith("sec_cut")}
    return replace(rows, mmd=kept / (kept.sum(-1, keepdim=True) * STEP), errors=rest)


def of_cut_curves(model: InverseModel, exact: Observations) -> Iterator[dict[str, object]]:
    """R² and coverage from curves that were cut off, and what the applicability check says of them."""
    for name in ("exact", "ordinary"):
        given = cut(exact, LEVELS[name]).masked("mmd+temp+time")
        answers = model.predict(given.x(model.columns))
        at = model.system.targets.index(model.system.targets[1])
        grades = assess(given)["applicability"]
        line: dict[str, object] = {"errors": name, "r2": r2(exact.recipe, answers)[at].item()}
        line |= {share: of[at].item() for share, of in covered(model, given, answers, exact.recipe).items()}
        yield line | {"not inside": (grades != "inside").mean()}


def table(lines: pd.DataFrame) -> str:
    """R² beside the limit, a column for each level of errors, as Markdown."""
    cells = lines.assign(cell=lines["r2"].map("{:.3f}".format) + " / " + lines["limit"].map("{:.3f}".format))
    wide = cells.pivot(index=["pattern", "target"], columns="errors", values="cell")
    order = lines[["pattern", "target"]].drop_duplicates()
    wide = wide.reindex(pd.MultiIndex.from_frame(order)).reindex(columns=list(ERRORS))
    return markdown(wide.reset_index())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--model", type=Path, default=CONDITIONAL)
    given = parser.parse_args()
    given.output.mkdir(parents=True, exist_ok=True)
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    torch.set_num_threads(1)
    model = polyinv.load(given.model).model
    exact = Observations.from_table(load_off_grid(model.system), model.system)
    lines = pd.DataFrame(scores(model, exact))
    lines.to_csv(given.output / "error_levels.csv", index=False, lineterminator="\n")
    print(f"R² off the grid / local estimate:\n\n{table(lines)}\n")
    if model.tells_errors:
        shares = lines.groupby(["errors", "target"], sort=False)[["within_68", "within_95"]].mean().reset_index()
        print("Share of rows within the stated intervals of 68 % and 95 %, mean over the patterns:\n")
        print(f"{markdown(shares.round(3))}\n")
    of_cut = pd.DataFrame(of_cut_curves(model, exact)).round(3)
    print(f"Curves cut off {CUT:g} decades beyond their peak, {model.system.targets[1]}:\n\n{markdown(of_cut)}")


if __name__ == "__main__":
    main()
