"""Inverse engineering of polymerizations: which recipe made this molar mass distribution?"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from polyinv.predict.predictor import Predictor

__version__ = "0.1.0"


def load(path: "Path | str | None" = None) -> "Predictor":
    """A saved model that answers from files and tables, see `polyinv.predict.predictor.load`.

    Args:
        path: Folder of a saved model or of a run; none takes the released conditional model, for any missing inputs.
    """
    from polyinv.predict.predictor import load as load_predictor

    return load_predictor(path)
