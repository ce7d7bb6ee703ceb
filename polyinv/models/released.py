"""Folders of saved models: the released ones, and those of run folders."""

from pathlib import Path

from polyinv.errors import InputError
from polyinv.models.base import CARD
from polyinv.runtime.resources import RELEASED as DEFAULT


def model_folder(path: Path | str | None) -> Path:
    """Find the folder of a saved model: a checkpoint, the model of a run folder, or the released conditional one.

    Raises:
        InputError: There is none.
    """
    if path is None:
        if not (DEFAULT / CARD).is_file():
            raise InputError(f"there is no released model in {DEFAULT}; name a checkpoint: polyinv predict MODEL FILE")
        return DEFAULT
    inner = Path(path, "model")
    return inner if (inner / CARD).is_file() else Path(path)
