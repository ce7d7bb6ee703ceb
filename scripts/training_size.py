"""How many reactions does a model need? One target curve, answered by models that learned from ever fewer.

python scripts/training_size.py --output runs/training_size                       # about three minutes of one core
python scripts/training_size.py --output runs/training_size --model mlp --figure mlp.png   # about eight

Writes docs/explanation/training-size.png, prints its numbers. The picture follows Figure 1 of Fiosina, Sievers, Drache
and Beuermann, Computers & Chemical Engineering 177 (2023) 108356: the target is a row of the grid, given its MMD alone;
models are trained on 100, 61, 34, 17 and 10 % of the reactions, of which the target's own is none; each answer is
simulated and its curve compared with the target. Five choices of reactions give the spread; at 100 % they are one, and
only the seed of the model changes. The target has the most initiator and the longest time of the grid, so that a
forest, which averages over what it has learned, can answer only less of both. Answers that are there are found again: a
killed call goes on where it was.
"""

import argparse
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
import pandas as pd
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import Tensor

from polyinv.chemistry.butyl_acrylate import RECIPE, SYSTEM, TARGETS
from polyinv.data.bundled import load_bundled
from polyinv.data.datamodule import RecipeDataModule
from polyinv.data.observations import Observations
from polyinv.data.splits import VALIDATION_SHARE, Split
from polyinv.evaluation.closed_loop import closed_loop
from polyinv.evaluation.simulated import simulated
from polyinv.mmd import LOG_M
from polyinv.models import MODELS
from polyinv.models.options import Training
from polyinv.quantities import MMD
from polyinv.reactions import run_numbers
from polyinv.report.tables import markdown
from polyinv.runtime.files import written
from polyinv.runtime.threads import one_thread

ROOT = Path(__file__).resolve().parent.parent
TARGET = {"cBA_0": 1.0, "cAIBN_0": 0.020, "temp": 70.0, "time": 3600.0}
SHARES = (100, 61, 34, 17, 10)
"""Training reactions in per cent of the 431 that are not the target's."""
SEEDS = range(5)
OPTIONS: dict[str, dict[str, Any]] = {
    "forest": {"n_estimators": 200, "max_depth": 20, "jobs": 1},
    "mlp": {  # configs/mlp.yaml with configs/table.yaml
        "hidden": (256, 256, 128),
        "dropout": (0.2,),
        "transform": "root_log",
        "members": 4,
        "training": Training(
            schedule="cosine",
            weight_decay=0.01,
            clip=1.0,
            batch_size=64,
            max_epochs=300,
            patience=60,
            accelerator="cpu",
        ),
    },
}
NAMES = {"forest": "random forest", "mlp": "MLP"}
SHOWN = (3.2, 6.0)  # log10 M that the curves reach
COLOURS = dict(zip(SHARES, matplotlib.colormaps["viridis"](np.linspace(0.0, 0.92, len(SHARES))), strict=True))
INK, RED = "#222222", "#d55e00"


def split(table: pd.DataFrame, share: int, seed: int) -> Split:
    """Some reactions train and validate, the row of the target is the test; the rest of its reaction is left out."""
    runs, row = run_numbers(table, SYSTEM), target_row(table)
    others = np.random.default_rng(seed).permutation(np.setdiff1d(runs, runs[row]))
    chosen = others[: round(share / 100 * len(others))]
    of_validation = round(VALIDATION_SHARE * len(chosen))
    train, val = (np.flatnonzero(np.isin(runs, part)) for part in (chosen[of_validation:], chosen[:of_validation]))
    return Split(train, val, np.array([row]), runs)


def target_row(table: pd.DataFrame) -> int:
    """Where the target stands in the grid."""
    (row,) = np.flatnonzero((table[list(TARGET)] == list(TARGET.values())).all(axis=1))
    return int(row)


def answers(table: pd.DataFrame, name: str, folder: Path) -> pd.DataFrame:
    """The recipe that each model answers to the target: ``share``, ``seed`` and the recipe; kept as they come."""
    folder.mkdir(parents=True, exist_ok=True)
    kept = folder / f"{name}.csv"
    lines = pd.read_csv(kept).to_dict("records") if kept.is_file() else []
    done = {(line["share"], line["seed"]) for line in lines}
    for share in reversed(SHARES):
        for seed in SEEDS:
            if (share, seed) in done:
                continue
            data = RecipeDataModule.from_table(table, "mmd", split(table, share, seed))
            options = {**OPTIONS[name], "seed": seed}
            model = MODELS[name](**options)
            model.fit(data)
            recipe = model.predict(data.test.x)[0].tolist()
            lines.append({"share": share, "seed": seed, **dict(zip(TARGETS, recipe, strict=True))})
            with written(kept, overwrite=True) as passing:
                pd.DataFrame(lines).to_csv(passing, index=False, lineterminator="\n")
            print(
                f"[{len(lines)}/{len(SHARES) * len(SEEDS)}] {name}, {share} % of the reactions, seed {seed}", flush=True
            )
    return pd.DataFrame(lines)


def with_loop(answered: pd.DataFrame, table: pd.DataFrame) -> pd.DataFrame:
    """The answers with the columns of `closed_loop`."""
    target = Observations.from_table(table.iloc[[target_row(table)] * len(answered)])
    recipes = torch.from_numpy(answered[list(TARGETS)].to_numpy(dtype=float, copy=True))
    loop = closed_loop(recipes, target.masked("mmd"), target.recipe)
    return answered.join(loop.set_axis(answered.index))


def lines_of(evaluated: pd.DataFrame) -> str:
    """Mean ± standard deviation over the choices of reactions, as Markdown."""
    columns = {
        **{quantity.name: (quantity.name, 1, 4 if quantity.high < 1 else 2) for quantity in RECIPE[:3]},
        "time": ("time", 1, 0),
        "MMD distance": ("distance", 100, 2),
        "ratio to the floor": ("ratio", 1, 1),
        "error of Mn": ("error_Mn", 100, 1),
        "error of Mw": ("error_Mw", 100, 1),
    }
    rows = []
    for share in SHARES:
        part = evaluated[evaluated["share"] == share]
        cells = {"reactions": f"{share} %"}
        for heading, (name, factor, digits) in columns.items():
            values = factor * part[name]
            unit = " %" if factor == 100 else ""
            cells[heading] = f"{values.mean():.{digits}f} ± {values.std():.{digits}f}{unit}"
        rows.append(cells)
    return markdown(pd.DataFrame(rows))


def draw(evaluated: pd.DataFrame, table: pd.DataFrame, name: str) -> Figure:
    """Curves and what is left of the target above, bars of the recipe and of the distance below."""
    figure = Figure(figsize=(12, 7.2), layout="constrained")
    parts: Any = figure.subfigures(2, 1, height_ratios=(1.15, 1))
    above, below = parts
    curves, errors = above.subplots(1, 2)
    draw_curves(curves, errors, evaluated, table)
    panels = below.subplots(1, len(RECIPE) + 1)
    for panel, quantity in zip(panels, RECIPE, strict=False):
        bars(panel, evaluated, quantity.name)
        panel.axhline(TARGET[quantity.name], color=INK, linewidth=1.2, linestyle="--")
        panel.set_ylabel(quantity.axis)
        if quantity.name == "temp":  # a temperature has no zero to start from
            panel.set_ylim(quantity.low, quantity.high)
    bars(panels[-1], evaluated.assign(distance=100 * evaluated["distance"]), "distance")
    panels[-1].axhline(100 * evaluated["floor"].mean(), color=RED, linewidth=1.2)
    panels[-1].set_ylabel("MMD distance / %")
    below.supxlabel(
        f"training reactions / % of {run_numbers(table, SYSTEM).max()} of the grid  "
        f"(bars: mean over {len(SEEDS)} choices of reactions; dashed: the true recipe; red: two replicates of it)",
        fontsize=10,
    )
    figure.suptitle(
        f"{NAMES[name]} on the MMD alone; target: 70 °C, 1 mol/L butyl acrylate, 0.020 mol/L AIBN, 3600 s", fontsize=12
    )
    return figure


def draw_curves(curves: Axes, errors: Axes, evaluated: pd.DataFrame, table: pd.DataFrame) -> None:
    row = target_row(table)
    target, recipe = (table.iloc[row][list(names)].to_numpy(dtype=float, copy=True) for names in (MMD, TARGETS))
    noise = spread_of_replicates(torch.from_numpy(recipe))
    band = errors.fill_between(LOG_M, -2 * noise, 2 * noise, color=RED, alpha=0.3, linewidth=0)
    errors.add_artist(errors.legend([band], ["noise of the target, 2σ"], frameon=False, loc="lower left", fontsize=9))
    for share in reversed(SHARES):
        recipes = torch.from_numpy(evaluated.loc[evaluated["share"] == share, list(TARGETS)].to_numpy(copy=True))
        made = simulated(recipes, method="deterministic").mmd[:, 0].numpy()
        for seed, w in enumerate(made):
            label = f"{share} %" if seed == 0 else None
            curves.plot(LOG_M, w, color=COLOURS[share], linewidth=1, alpha=0.8)
            errors.plot(LOG_M, w - target, color=COLOURS[share], linewidth=1, alpha=0.8, label=label)
    curves.plot(LOG_M, target, "o", color=INK, markersize=3.5, markerfacecolor="white", label="target (kMC)", zorder=3)
    curves.set_ylabel("w(log$_{10}$ M)")
    errors.set_ylabel("answered less target")
    for panel in (curves, errors):
        panel.set_xlim(*SHOWN)
        panel.set_xlabel("log$_{10}$ (M / g mol$^{-1}$)")
    curves.set_ylim(bottom=0)
    handles, labels = errors.get_legend_handles_labels()
    curves.legend(frameon=False, loc="upper left")
    errors.legend(handles[::-1], labels[::-1], frameon=False, loc="upper right", fontsize=9, title="training reactions")


def spread_of_replicates(recipe: Tensor) -> np.ndarray:
    """Standard deviation of w between reactions of 1e6 chains, (100,)."""
    return simulated(recipe[None], replicates=200).mmd[0].std(0).numpy()


def bars(panel: Axes, evaluated: pd.DataFrame, column: str) -> None:
    """Mean over the choices of reactions as bars, each choice as a point."""
    for place, share in enumerate(SHARES):
        values = evaluated.loc[evaluated["share"] == share, column]
        panel.bar(place, values.mean(), 0.75, color=COLOURS[share])
        at = place + np.linspace(-0.2, 0.2, len(values))
        panel.plot(at, values, "o", color="white", markeredgecolor=INK, markeredgewidth=0.7, markersize=3.5)
    panel.set_xticks(range(len(SHARES)), [str(share) for share in SHARES])
    panel.locator_params(axis="y", nbins=6)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--output", type=Path, required=True, help="folder to keep the answers in")
    parser.add_argument("--model", choices=OPTIONS, default="forest")
    parser.add_argument("--figure", type=Path, default=ROOT / "docs" / "explanation" / "training-size.png")
    given = parser.parse_args()
    table = load_bundled("grid")
    with one_thread():
        evaluated = with_loop(answers(table, given.model, given.output), table)
        print(lines_of(evaluated))
        print(f"floor: {100 * evaluated['floor'].mean():.2f} %")
        draw(evaluated, table, given.model).savefig(given.figure, dpi=110)


if __name__ == "__main__":
    main()
