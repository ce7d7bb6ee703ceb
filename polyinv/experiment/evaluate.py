"""Evaluate a saved model on rows it has not learned from: scores, figures, closed loop, applicability, in one report.

The folder holds ``report.html``, which needs nothing beside itself, the figures as PNG and TensorBoard events, and the
numbers as CSV: ``scores.csv``, ``closed_loop.csv``, ``assessments.csv``, and of a posterior ``calibration.csv``.
"""

import logging
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from polyinv.chemistry import System, load_system
from polyinv.data.bundled import load_bundled
from polyinv.data.features import features_of
from polyinv.data.patterns import inputs_of, pattern_of
from polyinv.data.source import DataConfig, GridConfig, load_off_grid, load_table
from polyinv.data.splits import split_rows
from polyinv.data.workbook import read_table
from polyinv.errors import InputError, unknown
from polyinv.evaluation import ENSEMBLE
from polyinv.experiment.kept import read_kept
from polyinv.instrument.errors import LEVELS, MeasurementErrors, measurement_errors
from polyinv.models import InverseModel, Posterior, load_model
from polyinv.models.released import model_folder
from polyinv.reactions import conversion
from polyinv.runtime.files import check_new, claim, refuse_existing, written

if TYPE_CHECKING:
    from torch import Tensor

    from polyinv.data.observations import Observations
    from polyinv.evaluation.evaluated import Evaluated
    from polyinv.report.html import Section

SEED = 42
"""Of the by_recipe split of the bundled grid that gives the test rows, unless the experiment had another."""
CHAINS = 1e6
"""Of the reactions that the local estimate is given for: those of the bundled rows."""
LIMIT = (
    "The local estimate is the R² that rows with the noise of a million chains allow a model that has learned the "
    "whole box, from the slopes of the rate equations; of butyl acrylate, where little is known, too high for cAIBN_0 "
    "by up to 0.29 and too low for temperature and time by up to 0.08 (docs/explanation/value-of-knowing.md). A model "
    "that has learned the levels of a grid may pass it on that grid."
)

log = logging.getLogger(__name__)


def evaluate(
    path: Path | str,
    output: Path | str,
    *,
    data: str | None = None,
    given: str | None = None,
    method: str = "sampled",
    errors: str | None = None,
) -> pd.DataFrame:
    """Evaluate a saved model and write the report.

    Args:
        path: Folder of a saved model or of a run.
        output: New folder.
        data: Table of recipes and observations to evaluate on; none takes the test rows of the grid that the run kept
            apart, and the off-grid set.
        given: What a conditional model is given, see `polyinv.data.patterns`; the composite by default.
        method: What the closed loop simulates by, one of `polyinv.evaluation.simulated.METHODS`.
        errors: Measure the rows with these errors first, see `polyinv.instrument.errors.LEVELS`; a model that takes
            errors is told them. None takes the rows as they are.

    Returns:
        The scores: subset, member, target, metric, value, and its spread by the choice of the test reactions.

    Raises:
        InputError: No model, rows that it cannot answer from, or a folder that exists.
    """
    output = Path(output)
    claim(output)
    refuse_existing(output)
    from polyinv.evaluation.simulated import METHODS

    folder = model_folder(path)
    model = load_model(folder)
    if given is not None and not model.conditional:
        raise InputError(
            f"{path} is no conditional model: it is given all of {features_of(model.columns, model.system)}, not "
            f"{given}"
        )
    level = LEVELS["exact"] if errors is None else measurement_errors(errors)
    tables = dict(_tables(Path(path), data, model.system))
    for name, table in tables.items():
        if len(table) < 2:
            raise InputError(f"{name} has a single row, which has no R²; needs two or more")
    if method not in METHODS:
        raise unknown("method of a closed loop", method, METHODS)
    output.parent.mkdir(parents=True, exist_ok=True)
    check_new(output)
    with _loop_by(method, output) as loop, written(output) as passing:
        passing.mkdir()
        return _write_report(model, folder, Path(path), tables, given or "composite", level, loop, passing)


@contextmanager
def _loop_by(method: str, output: Path) -> "Iterator[Callable[..., pd.DataFrame]]":
    """Closed loop by one method. Kinetic Monte Carlo takes long: two replicates, and finished reactions are kept."""
    from polyinv.evaluation.closed_loop import closed_loop

    if method != "kmc":
        yield partial(closed_loop, method=method)
        return

    from polyinv.simulate.run_store import kept_until_written

    with kept_until_written(output) as store:
        yield partial(closed_loop, method=method, replicates=2, store=store)


def _of_run(config: Path, system: System) -> tuple[DataConfig, str]:
    """The data of a run, and what its test rows are called.

    Raises:
        InputError: Its configuration is damaged.
    """
    settings = read_kept(config)
    try:
        data, of = settings["data"], settings["split"]
        source = DataConfig(**{key: data.get(key) for key in ("path", "source")}, system=system.stored)
        if "grid" in data:
            source = replace(source, grid=GridConfig(**data["grid"]))
        return source, f"test rows, {of['name']} seed {of['seed']}"
    except (KeyError, TypeError, AttributeError) as error:
        raise InputError(f"{config} is damaged: {type(error).__name__}, {error}") from None


def _test_rows(split: Path, rows: int) -> np.ndarray:
    """Numbers of the test rows of a run, of a table with so many rows.

    Raises:
        InputError: The file is damaged.
    """
    try:
        parts = pd.read_csv(split, dtype={"row": "int64", "part": str})[["row", "part"]]
    except (ValueError, KeyError, OverflowError, UnicodeDecodeError) as error:
        raise InputError(f"{split} is damaged: {error}; needs the columns row and part") from None
    test = parts.loc[parts["part"] == "test", "row"].to_numpy()
    if not len(test) or test.min() < 0 or test.max() >= rows or len(set(test)) < len(test):
        raise InputError(f"{split} is damaged: its test rows are not different rows of a table of {rows}")
    return test


def _tables(path: Path, data: str | None, system: System) -> Iterator[tuple[str, pd.DataFrame]]:
    """Rows to evaluate on, by name."""
    if data is not None:
        yield Path(data).name, read_table(data, system=system)
        return
    split, config = path / "split.csv", path / "config.yaml"
    if split.is_file() and config.is_file():
        source, name = _of_run(config, system)
        table = load_table(source)
        yield name, table.iloc[_test_rows(split, len(table))]
        if not source.has_off_grid:
            return
    else:
        source = DataConfig("table" if "grid" in system.bundled else "grid", system=system.stored)
        grid = load_table(source)
        yield f"test rows, by_recipe seed {SEED}", grid.iloc[split_rows(grid, "by_recipe", SEED, system=system).test]
    yield "off grid", load_off_grid(system)


def _write_report(
    model: InverseModel,
    folder: Path,
    run: Path,
    tables: Mapping[str, pd.DataFrame],
    given: str,
    errors: MeasurementErrors,
    loop: Callable[..., pd.DataFrame],
    output: Path,
) -> pd.DataFrame:
    from polyinv.data.measure import measure
    from polyinv.data.observations import Observations
    from polyinv.report.html import report

    exact = {name: Observations.from_table(table, model.system) for name, table in tables.items()}
    is_exact = errors == LEVELS["exact"]
    observations = exact if is_exact else {name: measure(rows, errors, SEED) for name, rows in exact.items()}
    if not is_exact and not model.takes_errors:
        log.warning("%s has learned from exact inputs: it is not told that these are not", folder)
    system = model.system
    pattern = given if model.conditional else pattern_of(model.columns, system)
    what = pattern if model.conditional else features_of(model.columns, system)
    subsets = [_answered(model, name, rows, exact[name].recipe, what) for name, rows in observations.items()]
    last = subsets[-1]
    known = inputs_of(pattern, system) if pattern else ()
    asked = [name for name in system.targets if name not in known]
    scores, sections = _scores(subsets, tables, asked, pattern, system, errors)
    sections += _training(run, system)
    sections += _calibration(model, pattern, errors, is_exact, output)
    assessments = _assessments(observations, output)
    sections += [_loop(subsets, observations, assessments, loop, output), _domain(assessments)]
    sections += [_importance(model, last, _given(model, observations[last.subset], what))]
    sections += _high_conversion(tables, system)
    r2 = scores[(scores["metric"] == "r2") & (scores["target"] == "global") & (scores["member"] == ENSEMBLE)]
    named = next((name for name, known in LEVELS.items() if known == errors), "as given")
    told = "which the model is told" if model.takes_errors else "of which the model knows nothing"
    measured = [] if is_exact else [f"inputs measured with errors ({named}), {told}"]
    lines = [f"{row.subset}: global R² {row.value:.3f} ({len(tables[row.subset])} rows)" for row in r2.itertuples()]
    (output / "report.html").write_text(
        report(f"{model.name} from {what}: {folder}", [*measured, *lines], sections), encoding="utf-8"
    )
    scores.to_csv(output / "scores.csv", index=False, lineterminator="\n")
    _keep_figures(sections, output)
    return scores


def _answered(
    model: InverseModel, name: str, observations: "Observations", y: "Tensor", given: str | None
) -> "Evaluated":
    from polyinv.evaluation.evaluated import Evaluated

    log.info("answering %d rows: %s", len(observations), name)
    members = model.predict_members(_given(model, observations, given).x(model.columns))
    return Evaluated(name, given or "", y, members, np.arange(len(observations)))


def _given(model: InverseModel, observations: "Observations", given: str | None) -> "Observations":
    """Select the inputs of a model: of a conditional one a pattern of inputs, of any other what it needs."""
    return observations.masked(given) if model.conditional and given else observations


def _scores(
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


def _training(run: Path, system: System) -> "list[Section]":
    from polyinv.report.html import Section
    from polyinv.report.panels import learning_curves

    figure = learning_curves(run, system)
    if figure is None:
        return []
    caption = "Loss and R² by epoch, training and validation rows; bands: a standard deviation over the members"
    return [Section("Training", "", (), ((caption, figure),))]


def _calibration(
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
    table.to_csv(output / "calibration.csv", index=False, lineterminator="\n")
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


def _loop(
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
    pd.concat(loops).to_csv(output / "closed_loop.csv", index=False, lineterminator="\n")
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


def _assessments(observations: "Mapping[str, Observations]", output: Path) -> dict[str, pd.DataFrame]:
    """Assessment of every row by the applicability domain, by subset; the true recipes are not shown to it."""
    from polyinv.domain.assessment import assess

    found = {}
    for name, rows in observations.items():
        log.info("applicability domain: %s", name)
        found[name] = assess(rows.forgetting(load_system(rows.system).targets))
    parts = [assessments.assign(subset=name, row=np.arange(len(assessments))) for name, assessments in found.items()]
    pd.concat(parts).to_csv(output / "assessments.csv", index=False, lineterminator="\n")
    return found


def _domain(found: dict[str, pd.DataFrame]) -> "Section":
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


def _importance(model: InverseModel, subset: "Evaluated", given: "Observations") -> "Section":
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


def _high_conversion(tables: Mapping[str, pd.DataFrame], system: System) -> "list[Section]":
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


def _keep_figures(sections: "list[Section]", output: Path) -> None:
    """Write every figure as a file and as a TensorBoard event."""
    from matplotlib.image import imread
    from torch.utils.tensorboard import SummaryWriter

    from polyinv.report.html import png

    with SummaryWriter(output) as writer:
        for section in sections:
            for number, (_, figure) in enumerate(section.figures, start=1):
                name = "-".join("".join(sign if sign.isalnum() else " " for sign in section.title.lower()).split())
                file = output / f"{name}-{number}.png"
                file.write_bytes(png(figure))
                writer.add_image(f"evaluation/{name}-{number}", imread(file)[..., :3], dataformats="HWC")
