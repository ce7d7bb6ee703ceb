"""Run folder: its configuration as resolved, and who may go on with it."""

import logging
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pandas as pd
import yaml

from polyinv import __version__
from polyinv.chemistry import DEFAULT, System, load_system
from polyinv.data.features import current_name
from polyinv.data.source import DataConfig
from polyinv.data.workbook import checksum
from polyinv.errors import InputError
from polyinv.experiment.experiment import Experiment, SplitConfig
from polyinv.experiment.kept import read_kept
from polyinv.models import InverseModel
from polyinv.models.options import LOGGERS
from polyinv.runtime.files import check_new, claim, written
from polyinv.runtime.nested import dotted, plain

CONFIG, SYSTEM, SCORES = "config.yaml", "system.yaml", "scores.csv"
VERSION = "polyinv"
"""Key of a configuration under which the version stands that made the folder."""

EARLIER = {"de479c10b25088414c7565f68cde9346d8735ab6cb0811c816c2a2f749094e5b": "0.1.0"}
"""Bundled grids of earlier versions, by their checksum."""

log = logging.getLogger(__name__)


def resolved(experiment: Experiment, model: InverseModel, table: pd.DataFrame) -> dict[str, Any]:
    return {
        "model": {"name": model.name, **plain(model.options)},
        "features": experiment.features,
        "split": asdict(experiment.split),
        "data": _data(experiment.data),
        "init": experiment.init,
        **({"trainer": dict(experiment.trainer)} if experiment.trainer else {}),
        **({"logger": experiment.logger} if experiment.logger != LOGGERS[0] else {}),
        "system": _identified(experiment.data.of),
        "sha256": checksum(table),  # of the rows as they were read
        VERSION: __version__,
    }


def _identified(system: System) -> str:
    return f"{system.name} {system.fingerprint[:16]}"


def _data(config: DataConfig) -> dict[str, Any]:
    idle = (
        {"simulated", "grid"} - {config.source} - ({"grid"} if not config.is_bundled and config.path is None else set())
    )
    idle |= set() if config.patterns else {"patterns"}
    return {key: value for key, value in plain(asdict(config)).items() if key not in idle}


def claim_folder(folder: Path, config: dict[str, Any], system: System, *, resume: bool) -> bool:
    """Make the run folder with its configuration, or check that an existing one may be resumed.

    Returns:
        Whether the folder is new.
    """
    if not folder.exists():
        folder.parent.mkdir(parents=True, exist_ok=True)
        check_new(folder)  # so that two do not make it
        with written(folder) as passing:
            passing.mkdir()
            (passing / CONFIG).write_text(as_yaml(config), encoding="utf-8")
            (passing / SYSTEM).write_text(as_yaml(system.as_dict()), encoding="utf-8")
        return True
    claim(folder)  # so that what a killed process has left of its claim goes with it
    if not (folder / CONFIG).is_file():
        raise InputError(f"{folder} exists already and is no run folder; choose another --output")
    if not resume:
        finished = (folder / SCORES).is_file()
        state = "a finished experiment" if finished else "an unfinished experiment (--resume goes on with it)"
        raise InputError(f"{folder} exists already and holds {state}; choose another --output")
    check_same(folder, config, reading=True)
    return False


def check_same(folder: Path, config: dict[str, Any], *, reading: bool = False) -> str | None:
    """Refuse a run folder of something else; a key it does not have had its default when it was made.

    A finished one of an earlier bundled data set may be read, but nothing goes on with it. One that another version of
    polyinv has finished is read; what that version has left unfinished is its own to end.

    Returns:
        That other version, if one has finished it.
    """
    version = None
    theirs, ours = _what_matters(read_kept(folder / CONFIG)), _what_matters(config)
    defaults = dict(dotted({"split": asdict(SplitConfig()), "data": plain(asdict(DataConfig()))}))
    defaults["system"] = _identified(load_system(DEFAULT))
    for key in ours:
        was = theirs.get(key, defaults.get(key))
        if was != ours[key] and key == VERSION:
            if (folder / SCORES).is_file():
                version = str(was)
                continue
            raise InputError(
                f"{folder} was begun by polyinv {was}, not {ours[key]}; end it with that version, or choose another "
                "--output"
            )
        if was != ours[key] and key == "sha256" and was in EARLIER:
            if (folder / SCORES).is_file() and reading:
                log.info(
                    "%s is of the bundled data set of polyinv %s; it is finished, and read as it is",
                    folder,
                    EARLIER[was],
                )
                continue
            raise InputError(
                f"{folder} was made of the bundled data set of polyinv {EARLIER[was]}, which has been simulated again "
                "since; choose another --output"
            )
        if was != ours[key] and key == "sha256":
            now = config["data"].get("path") or "those asked for now"
            raise InputError(
                f"{folder} was made of other rows than {now} (sha256 {str(was)[:8]}, not {ours[key][:8]}); "
                "choose another --output"
            )
        if was != ours[key]:
            raise InputError(f"{folder} was made with {key} {was}, not {ours[key]}; choose another --output")
    return version


def _what_matters(config: dict[str, Any]) -> dict[str, Any]:
    """Entries of a configuration that decide the result: not the path of the rows, nor the device."""
    idle = ("data", "init", "trainer", "logger")
    entries = dict(dotted({key: value for key, value in config.items() if key not in idle}))
    entries["features"] = current_name(entries["features"], load_system(DEFAULT))
    for key in ("model.jobs", "model.training.accelerator", "model.training.steps_per_call"):
        entries.pop(key, None)
    source = config.get("data", {}).get("source", "table")
    simulated = {source: config.get("data", {}).get(source, {})} if source != "table" else {}
    patterns = config.get("data", {}).get("patterns")
    decisive = {"data.source": source, "data.patterns": patterns, "init": config.get("init")}
    return entries | decisive | dict(dotted(simulated, "data."))


def as_yaml(config: dict[str, Any]) -> str:
    return yaml.safe_dump(config, sort_keys=False, allow_unicode=True)
