"""Configuration that a run folder keeps, read with checks."""

from pathlib import Path
from typing import Any

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
