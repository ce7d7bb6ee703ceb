"""Sections of the report on a saved model: scores, training, calibration, closed loop, domain, importance."""

import logging
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from polyinv.chemistry import System, load_system
from polyinv.data.bundled import load_bundled
from polyinv.evaluation import ENSEMBLE
from polyinv.instrument.errors import MeasurementErrors
from polyinv.models import InverseModel, Posterior
from polyinv.reactions import conversion
from polyinv.runtime.spreadsheets import write_csv

if TYPE_CHECKING:
    from polyinv.data.observations import Observations
    from polyinv.evaluation.evaluated import Evaluated
    from polyinv.report.html import Section

CHAINS = 1e6
"""Of the reactions that the local estimate is given for: those of the bundled rows."""
LIMIT = (
    "The local estimate is the R² that rows with the noise of a million chains allow a model that has learned the "
    "whole box, from the slopes of the rate equations; of butyl acrylate, where little is known, too high for cAIBN_0 "
    "by up to 0.29 and too low for temperature and time by up to 0.08 (docs/explanation/value-of-knowing.md). A model "
    "that has learned the levels of a grid may pass it on that grid."
)

log = logging.getLogger(__name__)


def score_sections(
    subsets: "list[Evaluated]",
    tables: Mapping[str, pd.DataFrame],
    asked: list[str],
    pattern: str | None,
    system: System,
    errors: MeasurementErrors,
) -> tuple[pd.DataFrame, "list[Section]"]:
    from polyinv.evaluation.metrics import SPREAD, score_members
    from polyinv.report.html import Section
    from polyinv.report.panels import parity, residuals
    from polyinv.report.tables import score_frame

    parts, sections = [], []
    for subset in subsets:
        scored = pd.concat(
            [score_members(subset.y, subset.predictions, system), _limit(subset, asked, pattern, system, errors)]
        )
        parts.append(scored.assign(subset=subset.subset))
        caption = (
            f"{subset.subset}, {len(subset)} rows; ± is the standard deviation over the members, the interval that by "
            "the choice of the test reactions (95 %, bootstrap)"
        )
        reacted = conversion(tables[subset.subset], system).to_numpy()
        figures = (
            (f"Predicted against true; {caption}", parity(subset.y, subset.predictions, subset.subset, asked, system)),
            (
                f"Predicted less true against conversion; {subset.subset}; band from 16 to 84 % of the rows",
                residuals(subset.y, subset.predicted, reacted, subset.subset, asked, system),
            ),
        )
        sections.append(
            Section(f"Scores: {subset.subset}", LIMIT if pattern else "", ((caption, score_frame(scored)),), figures)
        )
    columns = ["subset", "member", "target", "metric", "value", *SPREAD]
    return pd.concat(parts)[columns].reset_index(drop=True), sections


def _limit(
    subset: "Evaluated", asked: list[str], pattern: str | None, system: System, errors: MeasurementErrors
) -> pd.DataFrame:
    """Local estimate of rows, as scores; nothing where the features are no pattern."""
    from polyinv.evaluation.information import local_r2_of_rows

    if pattern is None:
        return pd.DataFrame()
    log.info("local estimate: %s", subset.subset)
    r2 = local_r2_of_rows(subset.y, pattern, CHAINS, system=system, errors=errors).tolist()
    limit = dict(zip(system.targets, r2, strict=True))
    lines = {name: limit[name] for name in asked} | {"global": sum(limit.values()) / len(limit)}
    table = pd.DataFrame({"target": lines.keys(), "value": lines.values()})
    return table.assign(metric="r2_local", member=ENSEMBLE)


def training_sections(run: Path, system: System) -> "list[Section]":
    from polyinv.report.html import Section
    from polyinv.report.panels import learning_curves

    figure = learning_curves(run, system)
    if figure is None:
        return []
    caption = "Loss and R² by epoch, training and validation rows; bands: a standard deviation over the members"
    return [Section("Training", "", (), ((caption, figure),))]


def calibration_sections(
    model: InverseModel, pattern: str | None, errors: MeasurementErrors, is_exact: bool, output: Path
) -> "list[Section]":
    """Checks of a posterior, on random recipes that are simulated and measured with each level of errors."""
    if not isinstance(model, Posterior) or pattern is None:
        return []
    from polyinv.posterior.checks import LEVELS as CHECKED
    from polyinv.posterior.checks import ROWS, calibration
    from polyinv.report.calibration import coverage
    from polyinv.report.html import Section

    log.info("calibration of the posterior")
    levels = CHECKED if is_exact else (asdict(errors),)
    table = calibration(model, pattern, levels=levels)
    write_csv(table, output / "calibration.csv")
    text = (
        "Intervals that claim 90 % are to hold 90 % of the true values, whatever the errors and the number of chains, "
        "which the model is told. So are regions of highest density of all values together, and ranks by the distance "
        "to random points (TARP); a mean rank other than one half is a shift. Verdicts name what is larger than chance "
        f"and than 2 %; an empty one is none. {ROWS} random recipes of each level."
    )
    caption = f"Checks of the posterior from {pattern}"
    columns = ["errors", "chains", "check", "target", "coverage_50", "coverage_90", "mean_rank", "nll", "verdict"]
    shown = table[columns].assign(chains=table["chains"].map("{:.0e}".format)).round(3)
    return [Section("Calibration", text, ((caption, shown),), ((caption, coverage(table, f"from {pattern}")),))]


def closed_loop_section(
    subsets: "list[Evaluated]",
    observations: "Mapping[str, Observations]",
    assessments: Mapping[str, pd.DataFrame],
    closed: Callable[..., pd.DataFrame],
    output: Path,
) -> "Section":
    import torch

    from polyinv.evaluation.closed_loop import closed_loop, summary
    from polyinv.report.html import Section
    from polyinv.report.panels import closed_loop as picture

    loops, lines, figures = [], [], []
    for subset in subsets:
        log.info("closed loop: %s", subset.subset)
        loop = closed(subset.predicted, observations[subset.subset], subset.y)
        loops.append(loop.assign(subset=subset.subset, row=subset.rows))
        closest = assessments[subset.subset].filter(like="closest_").to_numpy(copy=True)
        fitted = closed_loop(torch.from_numpy(closest), observations[subset.subset], subset.y, method="sampled")
        for answer, part in {"the model": loop, "the closest recipe of the box": fitted}.items():
            lines.append(summary(part).assign(subset=subset.subset, answer=answer))
        caption = f"Ratio to the distance of two replicates of the true recipe; {subset.subset}, {len(loop)} rows"
        figures.append((caption, picture(loop, subset.subset)))
    write_csv(pd.concat(loops), output / "closed_loop.csv")
    table = pd.concat(lines)
    first = ["subset", "answer"]
    text = (
        "Each predicted recipe is simulated and its curve compared with the one that was observed. The MMD distance "
        "(total variation distance) is divided by that between two replicates of the true recipe: a ratio of 1 is "
        "perfect. The closest recipe of the box is fitted to the observation: it makes the polymer, "
        "but need not be the recipe that was used."
    )
    caption = "Medians over the rows; ratio with its quartiles; close: share of rows with a ratio up to 1.5"
    return Section("Closed loop", text, ((caption, table[[*first, *table.columns.drop(first)]]),), tuple(figures))


def assessments_of(observations: "Mapping[str, Observations]", output: Path) -> dict[str, pd.DataFrame]:
    """Assessment of every row by the applicability domain, by subset; the true recipes are not shown to it."""
    from polyinv.domain.assessment import assess

    found = {}
    for name, rows in observations.items():
        log.info("applicability domain: %s", name)
        found[name] = assess(rows.forgetting(load_system(rows.system).targets))
    parts = [assessments.assign(subset=name, row=np.arange(len(assessments))) for name, assessments in found.items()]
    write_csv(pd.concat(parts), output / "assessments.csv")
    return found


def domain_section(found: dict[str, pd.DataFrame]) -> "Section":
    from polyinv.domain.assessment import FALSE_ALARMS, GRADES
    from polyinv.report.html import Section
    from polyinv.report.panels import assessments as picture

    shares = [
        {"subset": name, "applicability": grade, "share": (assessments["applicability"] == grade).mean()}
        for name, assessments in found.items()
        for grade in GRADES
    ]
    share = pd.DataFrame(shares)
    table = share.pivot(index="subset", columns="applicability", values="share").reindex(columns=list(GRADES))
    table = table.map("{:.1%}".format).reset_index()
    text = (
        "Whether each observation lies where models have learned: near enough, in units of its own noise, to the "
        f"polymer of some recipe of the box. Of polymers from inside, {FALSE_ALARMS:.0%} are not called inside."
    )
    figure = ("Share of the rows inside, at the edge and outside", picture(share, "Applicability domain"))
    return Section(
        "Applicability domain", text, (("Share of the rows inside, at the edge and outside", table),), (figure,)
    )


def importance_section(model: InverseModel, subset: "Evaluated", given: "Observations") -> "Section":
    from polyinv.evaluation.importance import (
        blocks,
        importance_table,
        impurity_importance,
        missing_importance,
        permutation_importance,
        with_whole_curve,
    )
    from polyinv.report.html import Section
    from polyinv.report.panels import importance_bars

    log.info("importance: %s", subset.subset)
    cut = blocks(model.columns, given)
    found = permutation_importance(model, given, subset.y, with_whole_curve(cut))
    caption = f"Drop in R² when a block is shuffled among the rows; {subset.subset}; ± over five shuffles"
    tables = [(caption, importance_table(found))]
    figures = [(caption, importance_bars(found, subset.subset, system=model.system))]
    missing = missing_importance(model, given, subset.y) if model.conditional else pd.DataFrame()
    if len(missing):  # not where a single input is given, without which there is nothing to answer from
        caption = f"Drop in R² when an input is not known; {subset.subset}; ± over the members"
        tables.append((caption, importance_table(missing)))
        figures.append((caption, importance_bars(missing, subset.subset, system=model.system)))
    if hasattr(model, "impurity_importance"):
        impurity = impurity_importance(model, cut)
        caption = "Share of the decrease in variance that the splits on a block bring, as in the study; training rows"
        tables.append((caption, importance_table(impurity, "share")))
    text = (
        "Correlated blocks share their importance: a curve, its means and the residual monomer say much of the same. "
        "The drop says what the model leans on, not what a block could tell; shuffled inputs contradict one another."
    )
    return Section("Importance", text, tuple(tables), tuple(figures))


def high_conversion_sections(tables: Mapping[str, pd.DataFrame], system: System) -> "list[Section]":
    """Where the conversion of the user's own rows is high, or of the bundled grid when none were given."""
    from polyinv.reactions import HIGH_CONVERSION, without_high_conversion
    from polyinv.report.html import Section
    from polyinv.report.panels import high_conversion

    if "off grid" not in tables:
        (named,) = tables.items()
        name, table = named
    elif "grid" in system.bundled:
        name, table = "the bundled grid, as in the published study's Figures 3 to 5", load_bundled("grid")
    else:
        return []
    said = without_high_conversion(table, system)
    text = (
        f"No reaction reaches a conversion of {HIGH_CONVERSION:.0%} {', '.join(said)}. Which recipes reach it is no "
        "random choice: what is learned from these rows of high conversion is learned of the others only."
        if said
        else ""
    )
    caption = f"Reactions that reach a conversion of {HIGH_CONVERSION:.0%} at their last time: {name}"
    return [Section("Where conversion is high", text, (), ((caption, high_conversion(table, system=system)),))]
