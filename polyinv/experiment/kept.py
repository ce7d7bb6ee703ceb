"""What a run folder keeps, read with checks: its configuration, its scores, and the seconds it took."""

import json
import logging
from io import StringIO
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from polyinv.errors import InputError, quoted
from polyinv.runtime.yaml_files import read_mapping

KEPT: dict[str, type] = {"model": dict, "features": str, "split": dict, "data": dict}
"""Sections that the configuration of a run folder has, and of which type."""


def read_kept(path: Path) -> dict[str, Any]:
    """Read the ``config.yaml`` of a run folder.

    Raises:
        InputError: It is damaged.
    """
    config = read_mapping(path, "configuration of a run")
    for key, kind in KEPT.items():
        if not isinstance(config.get(key), kind):
            raise InputError(f"{path} is damaged: its {key} is {quoted(config.get(key))}")
    for key, part in (("model", "name"), ("split", "name"), ("data", "source")):
        if not isinstance(config[key].get(part, "table" if key == "data" else None), str):
            raise InputError(f"{path} is damaged: its {key}.{part} is {quoted(config[key].get(part))}")
    return config


SCORED = {
    **dict.fromkeys(("features", "member", "subset", "target", "metric"), str),
    "seed": "int64",
    "value": "float64",
}
"""Columns that scores have, and of which type."""
SECONDS = {"wall": (int, float), "cpu": (int, float), "resumed": (bool,)}
"""What is kept of the seconds of a run, and of which types."""

log = logging.getLogger(__name__)


def read_scores(path: Path) -> pd.DataFrame:
    """Read the ``scores.csv`` of a run folder.

    Raises:
        InputError: It is damaged.
    """
    try:
        text = path.read_text(encoding="utf-8")
        if not text.endswith("\n") or len({line.count(",") for line in text.splitlines()}) > 1:
            raise ValueError("it does not end where a line ends, or a line has other cells than the first")
        scores = pd.read_csv(StringIO(text), dtype=SCORED)
        missing = [name for name in SCORED if name not in scores]
        if missing:
            raise ValueError(f"it has no column {missing[0]}")
        if scores.empty:
            raise ValueError("it has no rows")
        if scores[["member", "subset", "target", "metric"]].isna().any(axis=None):
            raise ValueError("a cell is empty")
        doubled = scores.duplicated(["member", "subset", "features", "target", "metric"])
        if doubled.any():
            raise ValueError(f"row {doubled.idxmax() + 2} stands there twice")
    except (ValueError, KeyError, OverflowError) as error:
        said = quoted(error)
        raise InputError(f"{path} is damaged: {said}; remove its folder, and the next call runs it again") from None
    return scores


VALIDATED = {"member": "int64", "epoch": "int64", "loss": "float64"}
"""Columns of ``validation.csv``, and of which type."""


def read_validation(path: Path) -> pd.DataFrame:
    """Read the ``validation.csv`` of a run folder: the best validation loss of each member, and its epoch.

    Raises:
        InputError: It is missing or damaged.
    """
    try:
        best = pd.read_csv(path, dtype=VALIDATED)[list(VALIDATED)]
        if best.empty or not np.isfinite(best["loss"]).all():
            raise ValueError("a loss is not finite, or there is none")
    except (ValueError, KeyError, OverflowError, OSError) as error:
        raise InputError(
            f"{path} is damaged: {quoted(error)}; remove its folder, and the next call runs it again"
        ) from None
    return best


def read_seconds(path: Path) -> dict[str, Any]:
    """Read how long a run took; nothing where that is not kept, or damaged, which is said."""
    if not path.is_file():
        return {}
    try:
        spent = json.loads(path.read_text(encoding="utf-8"))
        if not isinstance(spent, dict):
            raise ValueError("it holds no keys")
        for key, kinds in SECONDS.items():
            if key in spent and type(spent[key]) not in kinds:
                raise ValueError(f"its {key} is {quoted(spent[key])}")
    except (ValueError, RecursionError) as error:
        log.warning("%s is damaged, and its seconds are left out: %s", path, quoted(error))
        return {}
    return spent
