"""Folder of a study: what lies where, the state of each cell, and what may go on in it.

It holds ``study.yaml`` (the axes and cells), ``cells/`` (a run folder each), ``failed/`` (a text for each cell that
failed), ``.claims/`` (see `polyinv.ablation.claims`), ``cells.csv`` (state and seconds of each), ``table.csv`` (all
scores), and the summary: see `polyinv.ablation.tables`. Everything but the run folders can be made from them.
"""

import hashlib
import logging
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any

import yaml

from polyinv import __version__
from polyinv.ablation.study import Cell, Study
from polyinv.errors import InputError, quoted
from polyinv.experiment.configuration import read_yaml
from polyinv.experiment.experiment import Experiment
from polyinv.experiment.kept import read_seconds
from polyinv.experiment.run import check_goes_on_with
from polyinv.experiment.run_folder import CONFIG, SCORES
from polyinv.runtime.files import discard, written
from polyinv.runtime.nested import dotted, plain
from polyinv.runtime.shared_folders import look_again

STUDY, CELLS, FAILED, SECONDS = "study.yaml", "cells", "failed", "seconds.json"
DONE, BROKEN, LEFT = "done", "failed", "left"
IDLE = ("data.path", "trainer", "logger", "model.jobs", "model.training.accelerator", "model.training.steps_per_call")
"""What two calls may say differently while they work on one study: it decides no result."""

log = logging.getLogger(__name__)


def check_folder(output: Path) -> None:
    """Refuse a folder that holds something other than a study.

    Raises:
        InputError: It does.
    """
    if output.exists() and not output.is_dir():
        raise InputError(f"{output} is a file; choose another --output")
    is_there = (output / STUDY).is_file()
    if not is_there and output.exists() and {path.name for path in output.glob("[!.]*")} - {CELLS, FAILED}:
        raise InputError(f"{output} exists already and holds no study; choose another --output")


def check_same_study(study: Study, output: Path) -> None:
    """Refuse a folder of another study, or with a cell that was made of something else.

    Raises:
        InputError: Names the cell and what differs.
    """
    check_folder(output)
    if (output / STUDY).is_file():
        theirs = list(kept_study(output)["axes"])
        if theirs != list(study.axes):
            raise InputError(
                f"{output} holds a study of the axes {', '.join(theirs)}, not {', '.join(study.axes)}; "
                "choose another --output"
            )
    versions = []
    for cell in study.cells:
        if (output / CELLS / cell.name / CONFIG).is_file() and state_of(cell.name, output) != BROKEN:
            with suppress(FileNotFoundError):  # it has failed since, and gone
                versions.append(check_goes_on_with(cell.experiment, output / CELLS / cell.name))
    if others := [version for version in versions if version is not None]:
        log.warning(
            "%s of %d cells in %s were finished by polyinv %s, and stand in one table with those of %s",
            len(others), len(study.cells), output, " and ".join(sorted({*others})), __version__,
        )  # fmt: skip


def check_same_as_others(study: Study, output: Path) -> None:
    """Refuse a study that differs from the one that other calls are at work on: values may be added once they ended.

    Raises:
        InputError: Says what differs.
    """
    theirs, ours = kept_study(output), _kept(study)
    differs = [key for key in ("axes", "seeds", "seeded") if theirs.get(key) != ours[key]]
    if differs or theirs.get("sha256") != ours["sha256"]:
        raise InputError(
            f"another process is at work in {output} on a study that differs in its "
            f"{differs[0] if differs else 'configuration or data'}; wait for its end, or choose another --output"
        )


def states_of(study: Study, output: Path) -> dict[str, str]:
    """State of each cell: done, failed, or left."""
    return {cell.name: state_of(cell.name, output) for cell in study.cells}


def state_of(name: str, output: Path) -> str:
    """State of a cell: done, failed, or left."""
    if (output / CELLS / name / SCORES).is_file():
        return DONE
    return BROKEN if report_of(name, output).is_file() else LEFT


def current_state(name: str, output: Path) -> str:
    """State of a cell, also of one that another host has just finished."""
    for folder in (output / CELLS, output / CELLS / name, output / FAILED):
        look_again(folder)
    return state_of(name, output)


def report_of(name: str, output: Path) -> Path:
    """Path of the text that says why a cell failed."""
    return output / FAILED / f"{name}.txt"


def reason_of(name: str, output: Path) -> str | None:
    """Say in a line why a cell failed; None if it is being retried."""
    with suppress(FileNotFoundError):
        return report_of(name, output).read_text(encoding="utf-8").split("\n")[0]
    return None


def spent_on(folder: Path) -> dict[str, Any]:
    """Seconds of a finished cell; of one that was resumed, those since it was."""
    spent = read_seconds(folder / SECONDS)
    return {"cpu_seconds": spent.get("cpu"), "wall_seconds": spent.get("wall"), "resumed": spent.get("resumed")}


def take_for_unfinished(cell: Cell, output: Path) -> None:
    """Take a failed cell for unfinished again; what it left behind is removed if the study has been mended since."""
    folder = output / CELLS / cell.name
    try:
        if (folder / CONFIG).is_file():
            check_goes_on_with(cell.experiment, folder)
    except InputError:
        discard(folder)
    report_of(cell.name, output).unlink(missing_ok=True)


def keep_study(study: Study, output: Path) -> None:
    """Write ``study.yaml``."""
    with written(output / STUDY, overwrite=True) as passing:
        passing.write_text(yaml.safe_dump(_kept(study), sort_keys=False, allow_unicode=True), encoding="utf-8")


def kept_study(output: Path) -> dict[str, Any]:
    """Read ``study.yaml``.

    Raises:
        InputError: There is none, or it is damaged.
    """
    path = output / STUDY
    if not path.is_file():
        raise InputError(f"{output} holds no study: there is no {STUDY} in it")
    kept = read_yaml(path, "axes, cells")
    if not (isinstance(kept.get("axes"), dict) and isinstance(kept.get("cells"), dict)):
        raise InputError(f"{path} is not what `ablate` keeps of a study: it has no axes or no cells")
    axes, cells = kept["axes"], kept["cells"]
    for key, kind in (("seeds", int), ("seeded", str)):
        values = kept.get(key)
        if not isinstance(values, list) or not all(isinstance(value, kind) for value in values):
            raise InputError(f"{path} is damaged: its {key} are {quoted(values)}")
    if not isinstance(kept.get("study"), str):
        raise InputError(f"{path} is damaged: its study is called {quoted(kept.get('study'))}")
    for axis, values in axes.items():
        if not isinstance(axis, str) or not isinstance(values, list) or not values:
            raise InputError(f"{path} is damaged: the values of the axis {quoted(axis)} are {quoted(values)}")
    for name, cell in cells.items():
        whole = isinstance(cell, dict) and isinstance(cell.get("seed"), int) and isinstance(cell.get("values"), dict)
        if not whole or list(cell["values"]) != list(axes) or Path(str(name)).name != name:
            raise InputError(f"{path} is damaged: its cell {quoted(name)} is {quoted(cell)}")
    return kept


def _kept(study: Study) -> dict[str, Any]:
    cells = {cell.name: {"values": dict(cell.values), "seed": cell.seed} for cell in study.cells}
    axes = {axis: list(values) for axis, values in study.axes.items()}
    kept = {"study": study.name, "axes": axes, "seeds": list(study.seeds), "seeded": list(study.seeded)}
    return {**kept, "sha256": _sha256(study), "cells": cells}


def _sha256(study: Study) -> str:
    """Fingerprint of all that decides the results of a study."""
    digest, files = hashlib.sha256(__version__.encode()), {cell.experiment.data.path for cell in study.cells}
    for cell in study.cells:
        digest.update(f"{cell.name} {decisive(cell.experiment)}\n".encode())
    for path in sorted(str(file) for file in files if file and Path(file).is_file()):
        digest.update(hashlib.sha256(Path(path).read_bytes()).digest())
    return digest.hexdigest()


def decisive(experiment: Experiment) -> list[str]:
    """List the values of an experiment that decide its result, as text."""
    values = plain(asdict(experiment))
    entries = dotted({**values, "model": {"name": values["model"], **values.pop("options")}})
    return sorted(f"{key}: {value!r}" for key, value in entries if not key.startswith(IDLE))
