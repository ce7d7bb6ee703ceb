"""Evaluate a saved model on rows it has not learned from: scores, figures, closed loop, applicability, in one report.

The folder holds ``report.html``, which needs nothing beside itself, the figures as PNG and TensorBoard events, and the
numbers as CSV: ``scores.csv``, ``closed_loop.csv``, ``assessments.csv``, and of a posterior ``calibration.csv``.
"""

import logging
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from polyinv.data.features import features_of
from polyinv.data.patterns import inputs_of, pattern_of
from polyinv.errors import InputError, one_line, unknown
from polyinv.evaluation import ENSEMBLE
from polyinv.experiment.evaluated_rows import SEED, tables_of
from polyinv.experiment.sections import (
    assessments_of,
    calibration_sections,
    closed_loop_section,
    domain_section,
    high_conversion_sections,
    importance_section,
    score_sections,
    training_sections,
)
from polyinv.instrument.errors import LEVELS, MeasurementErrors, measurement_errors
from polyinv.models import InverseModel, load_model
from polyinv.models.released import model_folder
from polyinv.runtime.files import check_new, claim, folder_name, refuse_existing, written
from polyinv.runtime.spreadsheets import write_csv

if TYPE_CHECKING:
    from torch import Tensor

    from polyinv.data.observations import Observations
    from polyinv.evaluation.evaluated import Evaluated
    from polyinv.report.html import Section

NAMED = 200
"""Characters of a path in a title, at most."""

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
    tables = dict(tables_of(Path(path), data, model.system))
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
    scores, sections = score_sections(subsets, tables, asked, pattern, system, errors)
    sections += training_sections(run, system)
    sections += calibration_sections(model, pattern, errors, is_exact, output)
    assessments = assessments_of(observations, output)
    sections += [closed_loop_section(subsets, observations, assessments, loop, output), domain_section(assessments)]
    sections += [importance_section(model, last, _given(model, observations[last.subset], what))]
    sections += high_conversion_sections(tables, system)
    r2 = scores[(scores["metric"] == "r2") & (scores["target"] == "global") & (scores["member"] == ENSEMBLE)]
    named = next((name for name, known in LEVELS.items() if known == errors), "as given")
    told = "which the model is told" if model.takes_errors else "of which the model knows nothing"
    measured = [] if is_exact else [f"inputs measured with errors ({named}), {told}"]
    lines = [f"{row.subset}: global R² {row.value:.3f} ({len(tables[row.subset])} rows)" for row in r2.itertuples()]
    (output / "report.html").write_text(
        report(f"{model.name} from {what}: {one_line(folder, NAMED)}", [*measured, *lines], sections), encoding="utf-8"
    )
    write_csv(scores, output / "scores.csv")
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


def _keep_figures(sections: "list[Section]", output: Path) -> None:
    """Write every figure as a file and as a TensorBoard event."""
    from matplotlib.image import imread
    from torch.utils.tensorboard import SummaryWriter

    from polyinv.report.html import png

    with SummaryWriter(output) as writer:
        for section in sections:
            for number, (_, figure) in enumerate(section.figures, start=1):
                words = "".join(sign if sign.isalnum() else " " for sign in section.title.lower()).split()
                name = folder_name("-".join(words))
                file = output / f"{name}-{number}.png"
                file.write_bytes(png(figure))
                writer.add_image(f"evaluation/{name}-{number}", imread(file)[..., :3], dataformats="HWC")
