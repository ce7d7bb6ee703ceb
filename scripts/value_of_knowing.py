"""What one more known value buys: the tables and the figure of docs/explanation/value-of-knowing.md.

python scripts/value_of_knowing.py --output runs/value_of_knowing          # about five minutes of one core

Prints R² of the released model off the grid for useful patterns of known and missing inputs, as simulated and as an
ordinary laboratory measures them; the local estimate beside the model's score on simulated recipes of 1e5, 1e6 and
1e7 chains, for all patterns; how often values that agree are called a contradiction, and values that do not are caught.
A volume that is done is found again.
"""

import argparse
import hashlib
import itertools
import logging
from dataclasses import replace
from pathlib import Path

import matplotlib
import numpy as np
import pandas as pd
import torch

import polyinv
from polyinv.chemistry import BUTYL_ACRYLATE
from polyinv.chemistry.butyl_acrylate import RECIPE, SCALARS, SYSTEM, TARGETS
from polyinv.data.bank import load_bank
from polyinv.data.bundled import load_bundled
from polyinv.data.measure import measure
from polyinv.data.observations import Observations
from polyinv.data.patterns import every_pattern, inputs_of, name_of
from polyinv.domain.expectations import FILE, Expectations
from polyinv.domain.recipe_box import leaving_box
from polyinv.domain.words import conflicts, in_words
from polyinv.evaluation.information import expected_variance, respond
from polyinv.models import InverseModel
from polyinv.quantities import MMD
from polyinv.r2 import r2
from polyinv.report.tables import markdown
from polyinv.runtime.files import written
from polyinv.runtime.threads import one_thread

matplotlib.use("Agg")
import matplotlib.pyplot as plt

ROOT = Path(__file__).resolve().parent.parent
RELEASED = ROOT / "checkpoints" / "conditional"
KNOWN = [list(itertools.compress(("temp", "time"), which)) for which in itertools.product((False, True), repeat=2)]
CUBE = [
    name_of((*seen, *known), SYSTEM) for seen in (("mmd", "means"), ("mmd", "means", "cBA_time")) for known in KNOWN
]
"""Residual monomer, temperature, time: each missing or given, beside the curve and its means."""
OTHERS = ["mmd", "mmd+temp", "mmd+temp+time", "means", "means+temp+time", "mmd+means+cBA_0", "mmd+means+cBA_0+temp"]
OTHERS += ["composite+cBA_0", "composite+cBA_0+temp", "composite+cBA_0+temp+time", "composite+cBA_0+cAIBN_0"]
CHAINS = (1e5, 1e6, 1e7)
ROWS, SEED = 1000, 7
NEAR_GAUSSIAN = 0.9
"""Limit from which a posterior is narrow against the box, a third of its standard deviation or less."""
SHOWN = ("exact", "ordinary")
"""Levels of errors (`polyinv.instrument.errors.LEVELS`) that are shown side by side."""
TIE = 0.02
"""Limits closer than this do not rank two patterns."""
WRONG = (2.0, 5.0, 10.0)
"""Errors in °C of a temperature that is said to be known."""


def words(pattern: str) -> str:
    """A pattern as a line of the table."""
    return in_words(inputs_of(pattern, SYSTEM), SYSTEM)


def off_grid_table(expected: pd.DataFrame, patterns: list[str]) -> str:
    """R² ± standard deviation over the members, as Markdown; an input that is known says so."""
    lines = expected.set_index(["pattern", "target"])
    rows = []
    for pattern in patterns:
        row = {"given": words(pattern)}
        for name in TARGETS:
            known = name in inputs_of(pattern, SYSTEM)
            row[name] = "known" if known else "{r2:.3f} ± {r2_members:.4f}".format(**lines.loc[(pattern, name)])
        rows.append(row)
    return markdown(pd.DataFrame(rows))


def heat_map(expected: pd.DataFrame, patterns: list[str], path: Path) -> None:
    """R² by pattern and target, known values crossed out, a panel for each level of errors."""
    figure, panels = plt.subplots(
        1, len(SHOWN), figsize=(12, 0.36 * len(patterns) + 1.4), layout="constrained", sharey=True
    )
    colours = plt.get_cmap("viridis").with_extremes(bad="#e8e8e8")
    figure.suptitle("R² off the grid, by what is given", fontsize=11)
    for level, axes in zip(SHOWN, panels, strict=True):
        of_level = expected[expected["level"] == level].pivot(index="pattern", columns="target", values="r2")
        wide = of_level.reindex(index=patterns, columns=list(TARGETS)).to_numpy()
        image = axes.imshow(wide, vmin=0, vmax=1, cmap=colours, aspect="auto")
        for (row, column), value in np.ndenumerate(wide):
            text, colour = (
                ("known", "#777777") if np.isnan(value) else (f"{value:.2f}", "black" if value > 0.6 else "white")
            )
            axes.text(column, row, text, ha="center", va="center", color=colour, fontsize=9)
        axes.set_xticks(range(len(TARGETS)), [quantity.label.replace(" ", "\n") for quantity in RECIPE], fontsize=8)
        axes.set_title(f"errors: {level}", fontsize=10)
        axes.tick_params(length=0)
    panels[0].set_yticks(range(len(patterns)), [words(pattern) for pattern in patterns])
    figure.colorbar(image, ax=panels, label="R²", shrink=0.8)
    with written(path, overwrite=True) as passing:
        figure.savefig(passing, dpi=150)


def compare(model: InverseModel, chains: float) -> pd.DataFrame:
    """The model's R² and the limit for every pattern, on the same simulated recipes in the same volume."""
    bank = load_bank(ROWS, SEED, SYSTEM, 3600.0)
    y, generator = bank.recipes, torch.Generator().manual_seed(SEED)
    drawn = bank.observe(BUTYL_ACRYLATE, torch.full((ROWS,), chains), generator)
    observations = replace(Observations.from_tensor(drawn, (*SCALARS, *MMD)), recipe=y)
    response, variance = respond(y), y.var(0, correction=0)
    lines = []
    for pattern in every_pattern(SYSTEM):
        members = model.predict_members(observations.masked(pattern).x(model.columns))
        network, spread = r2(y, members.mean(0)), r2(y, members).std(0, correction=int(len(members) > 1))
        limit = 1 - expected_variance(response, pattern, chains).mean(0) / variance
        for at, name in enumerate(TARGETS):
            if name not in inputs_of(pattern, SYSTEM):
                numbers = (network[at].item(), spread[at].item(), limit[at].item())
                lines.append([chains, pattern, name, *numbers])
    return pd.DataFrame(lines, columns=["chains", "pattern", "target", "network", "spread", "limit"])


def agreement(compared: pd.DataFrame) -> str:
    """How network and limit agree over all patterns, by volume and target, as Markdown."""
    rows = []
    for (chains, target), part in compared.groupby(["chains", "target"], sort=False):
        network, limit = part["network"].to_numpy(), part["limit"].to_numpy()
        apart = np.subtract.outer(limit, limit)
        pairs = apart > TIE
        alike = (np.subtract.outer(network, network) > 0)[pairs].mean()
        gap, near = network - limit, limit >= NEAR_GAUSSIAN
        worst = np.flatnonzero(near)[np.abs(gap[near]).argmax()]
        rows.append(
            {
                "chains": f"{chains:.0e}",
                "value": target,
                "patterns": len(part),
                "pairs ranked alike": f"{alike:.1%} of {pairs.sum()}",
                "network less estimate": f"{gap.min():+.3f} to {gap.max():+.3f}",
                f"where the estimate is ≥ {NEAR_GAUSSIAN}": f"{gap[near].min():+.3f} to {gap[near].max():+.3f}",
                "patterns there": int(near.sum()),
                "farthest there": part["pattern"].iloc[worst],
            }
        )
    return markdown(pd.DataFrame(rows))


def alarms(model: InverseModel, expectations: Expectations) -> str:
    """Share of off-grid rows that are warned of when their temperature is right or wrong, as Markdown."""
    exact = Observations.from_table(load_bundled("off_grid"))
    lines = []
    for level in SHOWN:
        rows = exact if level == "exact" else measure(exact, level, SEED)
        for pattern in ("mmd+temp", "mmd+temp+time", "composite+temp", "composite+temp+time"):
            right = warned(model, expectations, rows, pattern, 0.0)
            line = {"errors": level, "given": words(pattern), "right": f"{right:.1%}"}
            for error in WRONG:
                line[f"wrong by {error:g} °C"] = f"{warned(model, expectations, rows, pattern, error):.0%}"
            lines.append(line)
    return markdown(pd.DataFrame(lines))


def warned(model: InverseModel, expectations: Expectations, rows: Observations, pattern: str, error: float) -> float:
    """Share of rows of which ``polyinv predict`` warns when their temperature is off by so much, up or down.

    Either the rest of the inputs speaks against it, or with it the answers leave the box.
    """
    at, found = TARGETS.index("temp"), []
    for sign in (-1, 1):
        recipe = rows.recipe.clone()
        recipe[:, at] += sign * error
        inside = (recipe[:, at] >= RECIPE[2].low) & (recipe[:, at] <= RECIPE[2].high)
        said = replace(rows, recipe=recipe)[inside].masked(pattern)
        recipes = model.predict(said.x(model.columns))
        against = conflicts(model, said, pattern, "temp", expectations)[0]
        found.append(against | leaving_box(recipes, said).any(-1))
    return torch.cat(found).double().mean().item()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--model", type=Path, default=RELEASED)
    parser.add_argument("--figure", type=Path, help="of the released model that of docs/explanation/, else in --output")
    given = parser.parse_args()
    given.output.mkdir(parents=True, exist_ok=True)
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    model = polyinv.load(given.model).model
    weights = hashlib.sha256((given.model / "weights.pt").read_bytes()).hexdigest()
    expectations = Expectations(model, given.model)
    expected = pd.read_csv(given.model / FILE)
    for level in SHOWN:
        of_level = expected[expected["level"] == level]
        tables = "\n\n".join(off_grid_table(of_level, patterns) for patterns in (CUBE, OTHERS))
        print(f"Off the grid, errors of the level {level}:\n\n{tables}\n")
    figure = (ROOT / "docs" / "explanation" if given.model == RELEASED else given.output) / "value-of-knowing.png"
    heat_map(expected, CUBE + OTHERS, given.figure or figure)
    parts = []
    with one_thread():
        for chains in CHAINS:
            file = given.output / f"compared-{chains:.0e}-{weights[:8]}.csv"
            if not file.is_file():
                logging.info("comparing with the local estimate at %.0e chains", chains)
                with written(file) as passing:
                    compare(model, chains).to_csv(passing, index=False, lineterminator="\n")
            parts.append(pd.read_csv(file))
    compared = pd.concat(parts, ignore_index=True)
    print(f"Network and local estimate, all patterns:\n\n{agreement(compared)}\n")
    chosen = compared[compared["pattern"].isin(["mmd", "mmd+temp", "mmd+temp+time", "composite", "composite+temp"])]
    wide = chosen.assign(both=chosen["network"].map("{:.3f}".format) + " / " + chosen["limit"].map("{:.3f}".format))
    wide = wide.pivot(index=["pattern", "chains"], columns="target", values="both")[list(TARGETS)].fillna("known")
    wide = wide.reset_index().assign(chains=lambda table: table["chains"].map("{:.0e}".format))
    print(f"Network / local estimate:\n\n{markdown(wide)}\n")
    print(f"Rows whose temperature is called a contradiction:\n\n{alarms(model, expectations)}")


if __name__ == "__main__":
    main()
