"""Folders of saved models: the released ones, and those of run folders."""

from pathlib import Path

from polyinv.chemistry import DEFAULT, AnySystem, System, load_system
from polyinv.errors import InputError
from polyinv.models.card import CARD, read_card, system_of
from polyinv.runtime.resources import RELEASED


def released(system: System) -> Path:
    """Folder of the released posterior model of a system, which takes missing inputs."""
    return RELEASED if system.name == DEFAULT else RELEASED.with_name(f"{RELEASED.name}_{system.name}")


def model_folder(path: Path | str | None, system: AnySystem | None = None) -> Path:
    """Find the folder of a saved model: a checkpoint, the model of a run folder, or the released posterior one.

    Args:
        path: None takes the released one.
        system: What is polymerized; None takes that of the model, or the default one.

    Raises:
        InputError: There is none, or it is of another system.
    """
    wanted = load_system(DEFAULT if system is None else system)
    if path is None:
        folder = released(wanted)
        if not (folder / CARD).is_file():
            raise InputError(
                f"no model of {wanted.name} is released (in {folder}); name a model of your own, such as a run folder"
            )
    else:
        inner = Path(path, "model")
        folder = inner if (inner / CARD).is_file() else Path(path)
    if system is not None:
        wanted.check_like(system_of(read_card(folder)), "what is asked for", str(folder))
    return folder
