"""Description of a saved model, ``model.json``: what it is, what it was made for, and checksums of its files.

A folder is read only if every file is as long as it was saved and has the same SHA-256, the description included: a
flipped byte in the weights, or columns in another order, would answer without a word.
"""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from polyinv import __version__
from polyinv.chemistry import DEFAULT, System, load_system
from polyinv.data.features import errors_of, features_of
from polyinv.errors import InputError
from polyinv.mmd import STEP
from polyinv.quantities import N_NODES
from polyinv.runtime.files import written

CARD = "model.json"
FORMAT = 1
"""Of saved models; counts up when older versions could not read them."""
GRID = {"step": STEP, "nodes": N_NODES}
LARGEST = 2**20
"""Bytes of a description at most: it is read whole before anything in it has been checked."""
KEYS: dict[str, type] = {
    "format": int,
    "polyinv": str,
    "model": str,
    "options": dict,
    "columns": list,
    "targets": list,
    "grid": dict,
}
"""What a description has, at least, and of which type."""


def seal(folder: Path, card: Mapping[str, Any] | None = None) -> None:
    """Write the description of a saved model with the checksums of all files beside it.

    Args:
        folder: Of the model.
        card: The description; None takes that which is there, after files were changed or added.
    """
    card = _parsed(Path(folder, CARD)) if card is None else dict(card)
    files = sorted(path for path in folder.iterdir() if path.is_file() and path.name != CARD)
    card |= {"files": {path.name: _identity(path) for path in files}}
    sealed = card | {"sha256": _sha256(card)}
    with written(folder / CARD, overwrite=True) as passing:
        passing.write_text(json.dumps(sealed, indent=2) + "\n", encoding="utf-8")


def _identity(path: Path) -> dict[str, Any]:
    with path.open("rb") as file:
        return {"bytes": path.stat().st_size, "sha256": hashlib.file_digest(file, "sha256").hexdigest()}


def _sha256(card: Mapping[str, Any]) -> str:
    content = {key: value for key, value in card.items() if key != "sha256"}
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def model_of_run(folder: Path) -> Path:
    """The saved model of a run folder; any other folder as it is."""
    inside = folder / "model"
    return inside if not (folder / CARD).is_file() and (inside / CARD).is_file() else folder


def read_card(folder: Path | str) -> dict[str, Any]:
    """Read the description of a saved model.

    Raises:
        InputError: There is none, it is damaged, or it was made for another grid or other columns than its system has.
    """
    path = Path(folder, CARD)
    if not path.is_file():
        hint = f"; take {Path(folder, 'model')}" if Path(folder, "model", CARD).is_file() else ""
        raise InputError(f"{folder} holds no model: there is no {CARD} in it{hint}")
    card = _parsed(path)
    _check_keys(card, path)
    if card["format"] != FORMAT:
        raise InputError(
            f"{folder} was saved in format {card['format']} by polyinv {card['polyinv']}; "
            f"polyinv {__version__} reads format {FORMAT}"
        )
    try:
        system = system_of(card)
    except InputError as error:
        raise InputError(f"{path} is damaged: {error}") from None
    for key, expected in {"targets": list(system.targets), "grid": GRID}.items():
        if card[key] != expected:
            raise InputError(f"{folder} was made with {key} {card[key]}; this version has {expected}")
    _check_columns(card["columns"], system, folder, sealed="sha256" in card)
    if card.get("sha256", _sha256(card)) != _sha256(card):
        raise InputError(f"{path} is damaged: it is not as it was saved")
    return card


def _parsed(path: Path) -> dict[str, Any]:
    if path.stat().st_size > LARGEST:
        raise InputError(f"{path} is damaged: it has {path.stat().st_size} bytes, more than {LARGEST}")
    try:
        card = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path} is damaged: {error}") from None
    if not isinstance(card, dict):
        raise InputError(f"{path} is damaged: it holds no keys")
    return card


def _check_keys(card: Mapping[str, Any], path: Path) -> None:
    for key, kind in KEYS.items():
        if key not in card:
            raise InputError(f"{path} is damaged: it has no {key!r}")
        if not isinstance(card[key], kind) or isinstance(card[key], bool):
            raise InputError(f"{path} is damaged: its {key!r} is {str(card[key])[:60]!r}")


def _check_columns(columns: list[Any], system: System, folder: Path | str, *, sealed: bool) -> None:
    known = {*system.columns, *errors_of(system)}
    unheard = [column for column in columns if not isinstance(column, str) or column not in known]
    if unheard:
        raise InputError(f"{folder} was made with the feature {unheard[0]!r}, which this version does not know")
    if len(set(columns)) < len(columns):
        raise InputError(f"{Path(folder, CARD)} is damaged: it has a column twice")
    if not sealed and features_of(columns, system) is None:
        raise InputError(f"{Path(folder, CARD)} is damaged: its columns are those of no feature set, in its order")


def check_files(folder: Path, card: Mapping[str, Any]) -> None:
    """Refuse a saved model whose files are not as they were saved. Models of 0.1.0 have no checksums.

    Raises:
        InputError: One is missing, or has another length or another SHA-256.
    """
    files = card.get("files", {})
    try:
        known = {name: (stated["bytes"], stated["sha256"]) for name, stated in files.items()}
    except (AttributeError, KeyError, TypeError):
        raise InputError(f"{folder / CARD} is damaged: its 'files' are {str(files)[:60]!r}") from None
    for name, (size, checksum) in known.items():
        path = folder / Path(name).name
        if not path.is_file():
            raise InputError(f"{folder} is damaged: its {name} is missing")
        if path.stat().st_size != size:
            raise InputError(f"{path} is damaged: it has {path.stat().st_size} bytes, and {size} were saved")
        if _identity(path)["sha256"] != checksum:
            raise InputError(f"{path} is damaged: it has as many bytes as were saved, but others")


def system_of(card: Mapping[str, Any]) -> System:
    """System of a saved model by its card; cards of 0.1.0 have none and are of the default one.

    Raises:
        InputError: What the card holds is no system.
    """
    given = card.get("system", DEFAULT)
    if given is not DEFAULT and not isinstance(given, Mapping):
        raise InputError(f"its 'system' is {str(given)[:60]!r}")
    return load_system(given)
