"""Report of a calibration: on the terminal, and as HTML."""

from collections.abc import Iterator, Sequence

import numpy as np
import pandas as pd
import torch

from polyinv.calibrate.calibrate import Calibration
from polyinv.calibrate.left_out import summary
from polyinv.calibrate.scatter import KINDS
from polyinv.chemistry import System
from polyinv.chemistry.kinetics import FRACTIONS, Arrhenius
from polyinv.mmd import LOG_M
from polyinv.report.figures import BLUE, GREY, ORANGE, Figure
from polyinv.report.html import Section, report
from polyinv.report.panels import WIDTH
from polyinv.report.tables import markdown

CURVES = 12
"""Curves that are drawn, at most."""
COLUMNS = {
    "X rms": "{:.3f}",
    "ln Mn rms": "{:.3f}",
    "ln Mw rms": "{:.3f}",
    "mmd_distance": "{:.3f}",
    "deviation": "{:.2f}",
}
UNITS = {"temperature": "°C"}


def lines(found: Calibration, system: System) -> Iterator[str]:
    """What is printed of a calibration.

    Args:
        found: The calibration.
        system: That came of it.
    """
    runs = found.runs
    yield f"{len(runs.names)} run{'s' if len(runs.names) > 1 else ''}, {len(runs)} samples\n"
    yield "Fitted to all runs: root mean squares, and the median MMD distance\n"
    yield _markdown(summary(found.fitted))
    if found.left_out.empty:
        yield "\nLeft out: nothing, with a single run; how well others are predicted stays open.\n"
    else:
        yield "\nLeft out run by run, each predicted by the others; deviation in its standard deviations\n"
        yield _markdown(summary(found.left_out))
    yield "\nScatter: " + "; ".join(_scatter(found))
    yield "Instrument: " + _instrument(system)
    yield f"\nDetermined ({len(found.determined)} of {len(found.directions)} directions of the coefficients):"
    yield from (f"  {each.left:.2f}  {each.words}" for each in found.determined)
    yield "Still as assumed before: " + (", ".join(found.still_prior) or "none")
    yield "\nNext run that would tell most (nats):"
    yield from (
        f"  {each.gain:.2f}  {_recipe(each.recipe.tolist(), system)}; tells {each.most}" for each in found.next_runs
    )


def page(found: Calibration, before: System, after: System) -> str:
    """HTML page of a calibration.

    Args:
        found: The calibration.
        before: System that was calibrated.
        after: System that came of it.
    """
    sections = [
        Section(
            "Measured against fitted",
            "All runs were fitted together. What coefficients and instrument do not explain is scatter.",
            tables=(("Root mean squares by run; mmd_distance: median MMD distance", summary(found.fitted)),),
            figures=(*_curves(found), ("Conversion and Mw, measured against fitted", _parity(found.fitted))),
        ),
        *_left_out(found),
        Section("Coefficients", tables=(("In the middle of the recipe box", _coefficients(before, after)),)),
        Section(
            "What the runs have determined",
            "Directions of the coefficients, in standard deviations a priori. A share of 1 is what was assumed before.",
            tables=(("Standard deviation after, as a share of that before", _directions(found)),),
        ),
        Section(
            "Laboratory", tables=(("Scatter between runs and samples, standard deviations", _scatter_table(found)),)
        ),
        Section(
            "Next run",
            "Recipes of the box whose run would tell most of the coefficients, each given those above it.",
            tables=(("Expected gain in nats", _next(found, after)),),
        ),
    ]
    said = [
        f"{len(found.runs.names)} runs, {len(found.runs)} samples",
        "Instrument: " + _instrument(after),
        *found.warnings(),
    ]
    return report(f"Calibration of {after.title}", said, sections)


def _left_out(found: Calibration) -> list[Section]:
    if found.left_out.empty:
        return [
            Section("Left out", "With a single run nothing can be left out: how well others are predicted stays open.")
        ]
    return [
        Section(
            "Left out run by run",
            "Each run predicted by a fit to the others, which shows a wrong structure as no fit does. A deviation of 1 "
            "is what is expected, of 3 is outlying.",
            tables=(("Root mean squares by run", summary(found.left_out)),),
            figures=(("Conversion and Mw, measured against predicted", _parity(found.left_out)),),
        )
    ]


def _markdown(table: pd.DataFrame) -> str:
    shown = table.copy()
    for name, form in COLUMNS.items():
        if name in shown:
            shown[name] = [form.format(value) if np.isfinite(value) else "" for value in shown[name]]
    return markdown(shown)


def _scatter(found: Calibration) -> list[str]:
    return [f"{row.what} {row.sd:.3g} {row.unit}".strip() for row in _scatter_table(found).itertuples()]


def _scatter_table(found: Calibration) -> pd.DataFrame:
    values = found.fit.scatter_in_units
    rows = [(kind.words, values[kind.name], UNITS.get(kind.name, "")) for kind in KINDS]
    return pd.DataFrame(rows, columns=["what", "sd", "unit"])


def _instrument(system: System) -> str:
    laboratory = system.laboratory
    assert laboratory is not None
    sd = laboratory.sd
    return (
        f"broadening {laboratory.broadening:.3f} ± {laboratory.broadening * sd['broadening']:.3f} decades, molar "
        f"masses {100 * laboratory.offset:+.1f} ± {100 * sd['offset']:.1f} %"
    )


def _recipe(values: Sequence[float], system: System) -> str:
    return ", ".join(f"{name} {value:.3g}" for name, value in zip(system.targets, values, strict=True))


def _coefficients(before: System, after: System) -> pd.DataFrame:
    temp, rows = before.recipe[2], []
    middle = (temp.low + temp.high) / 2
    for name, law in vars(after.chemistry).items():
        if not isinstance(law, Arrhenius):
            continue
        prior, stated = getattr(before.chemistry, name), before.uncertainty.get(name)
        sd, ratio = after.uncertainty[name], _at(law, middle) / _at(prior, middle)
        assert sd.sd is not None
        rows.append(
            [
                name,
                _at(prior, middle),
                "" if stated is None else stated.sd,
                _at(law, middle),
                sd.sd,
                float(np.log(ratio)),
            ]
        )
    for name in FRACTIONS:
        if name in after.uncertainty and name in after.sources:
            was, now = getattr(before.chemistry, name), getattr(after.chemistry, name)
            stated = before.uncertainty.get(name)
            rows.append(
                [name, was, "" if stated is None else stated.sd, now, after.uncertainty[name].sd, np.log(now / was)]
            )
    return pd.DataFrame(rows, columns=["", "before", "sd ln before", "after", "sd ln after", "ln change"])


def _at(law: Arrhenius, temp: float) -> float:
    return law(torch.tensor(temp, dtype=torch.float64)).item()


def _directions(found: Calibration) -> pd.DataFrame:
    return pd.DataFrame(
        [(f"{each.left:.2f}", each.words, "determined" if each.determined else "open") for each in found.directions],
        columns=["share left", "direction", "so"],
    )


def _next(found: Calibration, system: System) -> pd.DataFrame:
    rows = [[*(f"{value:.3g}" for value in each.recipe.tolist()), each.gain, each.most] for each in found.next_runs]
    return pd.DataFrame(rows, columns=[*system.targets, "gain", "tells most of"])


def _curves(found: Calibration) -> list[tuple[str, Figure]]:
    model, N = found.fit.model, len(found.fit.model.nodes)
    rows = model.has_curves.nonzero()[:, 0].tolist()
    if not rows:
        return []
    shown = [rows[at] for at in np.unique(np.linspace(0, len(rows) - 1, min(CURVES, len(rows))).round().astype(int))]
    down = -(-len(shown) // 4)
    figure = Figure(figsize=(WIDTH, 1.7 * down + 0.3), layout="constrained")
    panels = figure.subplots(down, 4, squeeze=False).ravel()
    log_m = LOG_M[model.nodes.numpy()]
    for panel, row in zip(panels, shown, strict=False):
        given = model.given[row, :N].numpy()
        panel.plot(log_m[given], model.observed[row, :N].numpy()[given], color=GREY, linewidth=2)
        panel.plot(log_m[given], found.fit.shown.values[row, :N].numpy()[given], color=BLUE, linewidth=1)
        time = model.runs.observations.recipe[row, -1].item()
        panel.set_title(f"run {model.runs.names[model.runs.run[row]]}, {time:g} s", fontsize=7)
        panel.tick_params(labelsize=6)
    for panel in panels[len(shown) :]:
        panel.axis("off")
    return [("Curves over their peaks: measured (grey) and fitted (blue), of some samples", figure)]


def _parity(table: pd.DataFrame) -> Figure:
    figure = Figure(figsize=(WIDTH, 3.2), layout="constrained")
    for panel, name in zip(figure.subplots(1, 2), ("conversion", "Mw"), strict=True):
        measured, fitted = table[name].to_numpy(dtype=float), table[f"{name}_fitted"].to_numpy(dtype=float)
        known = np.isfinite(measured) & np.isfinite(fitted)
        if known.any():
            ends = [measured[known].min(), measured[known].max()]
            panel.plot(ends, ends, color=GREY, linewidth=1)
            panel.scatter(measured[known], fitted[known], s=12, color=ORANGE)
        panel.set_xlabel(f"{name}, measured", fontsize=8)
        panel.set_ylabel(f"{name}, fitted", fontsize=8)
        panel.tick_params(labelsize=7)
    return figure
