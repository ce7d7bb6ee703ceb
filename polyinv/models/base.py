"""Interface of every inverse model.

The signature of a model's constructor is its configuration schema, so that importing a model has to be cheap: the
libraries that take seconds to import (torch, lightning, scikit-learn) are imported where they are needed.
"""

import inspect
import json
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import asdict, is_dataclass
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, ClassVar, Self
from zipfile import BadZipFile

from polyinv import __version__
from polyinv.chemistry import DEFAULT, System, load_system
from polyinv.errors import InputError
from polyinv.mmd import STEP
from polyinv.quantities import N_NODES
from polyinv.runtime.files import written

if TYPE_CHECKING:
    from torch import Tensor

    from polyinv.data.datamodule import RecipeDataModule

CARD = "model.json"
FORMAT = 1
"""Of saved models; counts up when older versions could not read them."""
GRID = {"step": STEP, "nodes": N_NODES}


class InverseModel(ABC):
    """Inverse model: predicts the recipe of an observation, in physical units on both sides.

    Subclasses take their options as keyword arguments with defaults and store each under its own name.

    Attributes:
        columns: Names of the features the model was fitted on, in the order of ``x``.
        system: What is polymerized; that of the data once it was fitted.
    """

    name: ClassVar[str]
    has_members: ClassVar[bool] = False
    """Whether it takes the option ``members``: several are trained at once."""
    parallel_option: ClassVar[str | None] = None
    """Option that says how many threads it takes."""
    length_option: ClassVar[str | None] = None
    """Option that the time of a training is linear in; None if there is none to try a short one by."""
    takes_missing_inputs: ClassVar[bool] = False
    """Whether it can be fitted on the feature set ``conditional``."""
    can_start_from: ClassVar[bool] = False
    """Whether `start_from` lets it go on from a saved model."""
    uses_trainer: ClassVar[bool] = False
    """Whether it is trained by Lightning's Trainer."""
    trainer: Mapping[str, Any] = MappingProxyType({})
    """Options for that Trainer, see ``polyinv.models.options.TRAINER_OPTIONS``."""
    logger: Any = "tensorboard"
    """One of ``polyinv.models.options.LOGGERS``, a mapping with ``class_path`` and ``init_args`` of one of Lightning's,
    or a list of such."""
    columns: tuple[str, ...] = ()
    _system: System | None = None

    @property
    def system(self) -> System:
        """See the class."""
        return load_system(DEFAULT) if self._system is None else self._system

    @property
    def options(self) -> dict[str, Any]:
        """Constructor arguments, as plain types."""
        given = {name: getattr(self, name) for name in inspect.signature(type(self)).parameters}
        return {name: _as_plain(value) for name, value in given.items()}

    @property
    def conditional(self) -> bool:
        """Whether the model is conditional: it answers from missing inputs (NaN)."""
        from polyinv.data.features import is_conditional

        return is_conditional(self.columns, self.system)

    @abstractmethod
    def fit(self, data: "RecipeDataModule", folder: Path | None = None) -> None:
        """Fit the training rows, choosing on the validation rows; the test rows are not looked at.

        Args:
            data: The rows.
            folder: Where TensorBoard events and what is needed to resume are kept. A fit that was killed and is
                called again with the same folder ends where the uninterrupted one would have.
        """

    def start_from(self, folder: Path | str) -> None:
        """Let `fit` go on from a saved model; for models that can, see ``can_start_from``.

        Raises:
            InputError: This one cannot, or the folder holds no model that it can go on from.
        """
        raise InputError(f"a {self.name} cannot go on from a saved model")

    def predict(self, x: "Tensor") -> "Tensor":
        """Predict recipes (B, V) of observations (B, F), in physical units and float64: the mean over the members.

        A model fitted on the feature set ``conditional`` takes NaN for what is not known, and gives back what is.

        Raises:
            InputError: ``x`` has not the columns the model was fitted on, is not finite, or shows no polymer.
        """
        return mean_answer(self.predict_members(x))

    @abstractmethod
    def predict_members(self, x: "Tensor") -> "Tensor":
        """Predict recipes (R, B, V) by each of the R members; a model that is no ensemble has one.

        Raises:
            InputError: As `predict`.
        """

    def _checked(self, x: "Tensor") -> "Tensor":
        if not self.columns:
            raise InputError(f"this {self.name} has learned nothing yet; fit it, or load a saved one")
        if x.ndim != 2 or x.shape[1] != len(self.columns):
            raise InputError(f"{self.name} needs observations of shape (B, {len(self.columns)}), got {(*x.shape,)}")
        bad = x.isinf() if self.conditional else ~x.isfinite()
        if bad.any():
            row, column = bad.nonzero()[0].tolist()
            raise InputError(
                f"observation {row + 1}: {self.columns[column]} is {x[row, column].item():g}; needs a number"
            )
        if self.conditional:
            from polyinv.data.masks import check_polymer_is_there

            check_polymer_is_there(x, self.columns, self.system)
        return x.double()

    def save(self, folder: Path | str) -> None:
        """Write the model to a new folder.

        Raises:
            InputError: The folder exists.
        """
        card = {
            "format": FORMAT,
            "polyinv": __version__,
            "model": self.name,
            "options": self.options,
            "columns": self.columns,
            "targets": self.system.targets,
            "grid": GRID,
            "recipe_box": {quantity.name: (quantity.low, quantity.high) for quantity in self.system.recipe},
            "system": self.system.as_dict(),
        }
        with written(folder) as passing:
            passing.mkdir()
            (passing / CARD).write_text(json.dumps(card, indent=2) + "\n", encoding="utf-8")
            self._save(passing)

    @classmethod
    def load(cls, folder: Path | str) -> Self:
        """Read a model written by `save`.

        Raises:
            InputError: The folder holds no such model, or was made with other targets or another grid.
        """
        card = read_card(folder)
        if card["model"] != cls.name:
            raise InputError(f"{folder} holds a model {card['model']!r}, not {cls.name!r}")
        try:
            model = cls(**card["options"])
            model.columns, model._system = tuple(card["columns"]), system_of(card)
            model._load(Path(folder))
        except (KeyError, TypeError, ValueError, AttributeError, OSError, RuntimeError, BadZipFile) as error:
            raise InputError(f"{folder} holds no whole model of polyinv {card['polyinv']}: {error}") from error
        return model

    @abstractmethod
    def _save(self, folder: Path) -> None: ...

    @abstractmethod
    def _load(self, folder: Path) -> None: ...


def _as_plain(option: Any) -> Any:
    return asdict(option) if is_dataclass(option) and not isinstance(option, type) else option


def mean_answer(members: "Tensor") -> "Tensor":
    """Mean (B, V) of the answers of members (R, B, V), bit for bit where all of them say the same."""
    return members[0].where((members == members[0]).all(0), members.mean(0))


def read_card(folder: Path | str) -> dict[str, Any]:
    """Read the description of a saved model.

    Raises:
        InputError: There is none, or it was made for other targets or another grid than this version has.
    """
    path = Path(folder, CARD)
    if not path.is_file():
        hint = f"; take {Path(folder, 'model')}" if Path(folder, "model", CARD).is_file() else ""
        raise InputError(f"{folder} holds no model: there is no {CARD} in it{hint}")
    try:
        card = json.loads(path.read_text(encoding="utf-8"))
        missing = {"format", "polyinv", "model", "options", "columns", "targets", "grid"} - set(card)
    except (ValueError, TypeError) as error:
        raise InputError(f"{path} is damaged: {error}") from None
    if missing:
        raise InputError(f"{path} is damaged: it has no {sorted(missing)[0]!r}")
    for key, kind in {"options": dict, "columns": list}.items():
        if not isinstance(card[key], kind):
            raise InputError(f"{path} is damaged: its {key!r} is {card[key]!r}")
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
    unheard = [column for column in card["columns"] if column not in system.columns]
    if unheard:
        raise InputError(f"{folder} was made with the feature {unheard[0]!r}, which this version does not know")
    return card


def system_of(card: Mapping[str, Any]) -> System:
    """System of a saved model by its card; cards of 0.1.0 have none and are of the default one.

    Raises:
        InputError: What the card holds is no system.
    """
    return load_system(card.get("system") or DEFAULT)


def load_weights(path: Path) -> dict[str, "Tensor"]:
    """Read a ``state_dict`` from disk, without pickle.

    Raises:
        OSError, RuntimeError: There is none, or it is damaged.
    """
    import pickle

    import torch

    try:
        return torch.load(path, weights_only=True)
    except (pickle.UnpicklingError, EOFError, RuntimeError, ValueError, KeyError):
        raise RuntimeError(f"{path.name} is damaged") from None


def check_seed(seed: int) -> None:
    """Refuse a seed that not every random number generator takes.

    Raises:
        InputError: It is negative or has more than 32 bits.
    """
    if not 0 <= seed < 2**32:
        raise InputError(f"model.seed is {seed}; needs 0 to {2**32 - 1}")
