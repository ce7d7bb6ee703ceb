"""Configs and the released model that come with polyinv, beside the package in a clone, inside it in a wheel."""

from pathlib import Path

from polyinv.errors import InputError
from polyinv.runtime.files import at_home

INSIDE = Path(__file__).parents[1] / "shipped"
"""Made by ``setup.py`` in a wheel, where nothing stands beside the package."""
SHIPPED = INSIDE if INSIDE.is_dir() else Path(__file__).parents[2]
CONFIGS = SHIPPED / "configs"
STUDIES, SEARCHES = CONFIGS / "ablations", CONFIGS / "searches"
CONDITIONAL = SHIPPED / "checkpoints" / "conditional"
"""The conditional model, which answers from any missing inputs with one recipe."""
RELEASED = SHIPPED / "checkpoints" / "posterior"
"""The posterior model, which answers from any missing inputs with all the recipes that fit."""


def shipped_or(given: Path | str, folder: Path) -> Path:
    """Find a file; a bare name that is no file here is looked up in a folder that comes with polyinv.

    Args:
        given: As a user writes it.
        folder: ``CONFIGS``, ``STUDIES`` or ``SEARCHES``.

    Raises:
        InputError: A bare name that is in neither place.

    Example:
        >>> shipped_or("mlp.yaml", CONFIGS).relative_to(SHIPPED).as_posix()
        'configs/mlp.yaml'
    """
    path = at_home(given)
    if path.exists() or len(path.parts) != 1:
        return path
    if not (folder / path).is_file():
        known = ", ".join(sorted(file.name for file in folder.glob("*.yaml")))
        raise InputError(f"{given}: no such file here, and none that comes with polyinv: {known}")
    return folder / path
