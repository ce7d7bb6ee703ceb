"""The data sets that come with polyinv: the published grid, and an independent set off the grid.

``card.yaml`` beside this file says what each is, how it was made and what it is not.
"""

from functools import cache
from pathlib import Path
from typing import Any

import pandas as pd
import yaml

from polyinv.data.workbook import checksum, read_table
from polyinv.errors import InputError, unknown

FOLDER = Path(__file__).parent


@cache
def card() -> dict[str, dict[str, Any]]:
    """Read the card of each bundled data set, by name."""
    return yaml.safe_load((FOLDER / "card.yaml").read_text(encoding="utf-8"))


def load_bundled(name: str) -> pd.DataFrame:
    """Load a bundled data set, with the columns of its system, butyl acrylate.

    ``grid``: the 432 published recipes, 12 snapshots each, in the published row order. ``off_grid``: 1000 random
    recipes of the same box, one time each. It is the last test: nothing may be trained or chosen on it.

    Raises:
        InputError: The name is unknown, or the file is not the one that the card describes.
    """
    if name not in card():
        raise unknown("bundled data set", name, card())
    return _checked(FOLDER / f"{name}.npz", card()[name]["sha256"]).copy()


@cache
def _checked(path: Path, sha256: str) -> pd.DataFrame:
    """Load and verify a data set once: the cells of a study all ask for it."""
    table = read_table(path)
    if checksum(table) != sha256:
        raise InputError(f"{path} is not the file that its card.yaml describes; install polyinv again")
    return table
