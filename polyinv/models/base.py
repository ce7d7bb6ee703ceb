"""Interface of every inverse model.

The signature of a model's constructor is its configuration schema, so that importing a model has to be cheap: the
libraries that take seconds to import (torch, lightning, scikit-learn) are imported where they are needed.
"""

import inspect
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import asdict, is_dataclass
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, ClassVar, Self
from zipfile import BadZipFile

from polyinv import __version__
from polyinv.chemistry import DEFAULT, System, load_system
from polyinv.errors import InputError
from polyinv.models.card import FORMAT, GRID, check_files, read_card, seal, system_of
from polyinv.runtime.files import written

if TYPE_CHECKING:
    from torch import Tensor

    from polyinv.data.datamodule import RecipeDataModule

WEIGHTS = "weights.pt"
"""Where a model keeps its tensors, see `load_weights`."""
DAMAGE = (
    KeyError,
    IndexError,
    TypeError,
    ValueError,
    AttributeError,
    OSError,
    RuntimeError,
    OverflowError,
    MemoryError,
    ZeroDivisionError,
)
"""What libraries raise for files that are not whole."""


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
    callbacks: Sequence[Any] = ()
    """Lightning callbacks that watch the training of this model, beside its own."""
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

    @property
    def takes_errors(self) -> bool:
        """Whether the model is told the errors of what it is given."""
        from polyinv.data.features import errors_of

        return not set(errors_of(self.system)).isdisjoint(self.columns)

    @property
    def tells_errors(self) -> bool:
        """Whether the model says of each answer how far it errs, from the errors that it is told, see `spread`."""
        return False

    def spread(self, x: "Tensor") -> "Tensor":
        """Predicted standard deviation (B, V) of the answers to observations (B, F), for models that tell it.

        Raises:
            InputError: This one does not.
        """
        raise InputError(f"a {self.name} does not tell how far its answers err")

    def half_widths(self, x: "Tensor") -> "Tensor":
        """Half widths (2, B, V) of the intervals around the answers that hold the truth of 68 % and of 95 % of rows.

        By `spread`, as if errors were normal, unless they were fitted to validation rows (`polyinv.models.coverage`).

        Raises:
            InputError: As `spread`.
        """
        import torch

        from polyinv.models.coverage import NORMAL

        return torch.tensor(NORMAL, dtype=torch.float64)[:, None, None] * self.spread(x)

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

    def goes_on_from(self, theirs: tuple[str, ...], ours: tuple[str, ...]) -> bool:
        """Whether what a saved model has learned from some columns can be gone on with on others."""
        return theirs == ours

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
            from polyinv.data.masks import check_errors_are_there, check_polymer_is_there

            check_polymer_is_there(x, self.columns, self.system)
            if self.takes_errors:
                check_errors_are_there(x, self.columns, self.system)
        return x.double()

    def save(self, folder: Path | str) -> None:
        """Write the model to a new folder.

        Raises:
            InputError: The folder exists.
        """
        card: dict[str, Any] = {
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
            self._save(passing)
            seal(passing, card)

    @classmethod
    def load(cls, folder: Path | str) -> Self:
        """Read a model written by `save`.

        Raises:
            InputError: The folder holds no such model, or was made with other targets or another grid.
        """
        card = read_card(folder)
        if card["model"] != cls.name:
            raise InputError(f"{folder} holds a model {card['model']!r}, not {cls.name!r}")
        check_files(Path(folder), card)
        try:
            model = cls(**card["options"])
            model.columns, model._system = tuple(card["columns"]), system_of(card)
            model._load(Path(folder))
        except InputError:
            raise
        except (*DAMAGE, BadZipFile) as error:
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


def load_weights(path: Path) -> dict[str, "Tensor"]:
    """Read a ``state_dict`` from disk, without pickle.

    Raises:
        OSError, RuntimeError: There is none, or it is damaged.
    """
    import pickle

    import torch

    try:
        weights = torch.load(path, weights_only=True)
    except (pickle.UnpicklingError, EOFError, *DAMAGE):
        raise RuntimeError(f"{path.name} is damaged") from None
    if not isinstance(weights, dict) or not all(isinstance(value, torch.Tensor) for value in weights.values()):
        raise RuntimeError(f"{path.name} holds no tensors by name")
    for name, value in weights.items():
        if value.isnan().any() or (value.isinf().any() and not name.endswith(".limit")):
            raise RuntimeError(f"{path.name} is damaged: {name} is not finite")
        if name.endswith((".std", "coverage.factors", "coverage.scale")) and not (value > 0).all():
            raise RuntimeError(f"{path.name} is damaged: {name} is not positive")
    return weights


def check_seed(seed: int) -> None:
    """Refuse a seed that not every random number generator takes.

    Raises:
        InputError: It is negative or has more than 32 bits.
    """
    if not 0 <= seed < 2**32:
        raise InputError(f"model.seed is {seed}; needs 0 to {2**32 - 1}")
