"""Search file: a base configuration, axes with what may be tried on each, and how many trials.

::

    base: [../mlp.yaml, ../table.yaml]       # as of a study; relative to this file
    axes:
      model.training.learning_rate: {from: 0.0003, to: 0.01, scale: log}     # any number between,
      model.hidden: [[256, 128], [512, 512, 256]]                            # one of a list, or
      network:                                                               # one of several labels
        mlp: {}
        cnn: {config: ../cnn.yaml}
    trials: 30
    sampler: tpe                             # or random
    pruner: median                           # or none
    seed: 1                                  # of the sampler

A range whose ends are written as whole numbers has whole numbers.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from polyinv import __version__
from polyinv.ablation.axes import Option, Range, axes_of, files_of, options_of, range_of, read_keys
from polyinv.ablation.folder import decisive
from polyinv.ablation.summary import text
from polyinv.data.source import check_seed
from polyinv.errors import InputError, unknown
from polyinv.experiment.configuration import read_experiment, value_of
from polyinv.experiment.experiment import Experiment
from polyinv.experiment.run import check_inputs
from polyinv.models import MODELS
from polyinv.runtime.nested import dotted

KEYS = ("base", "axes", "trials", "sampler", "pruner", "seed")
SAMPLERS = ("tpe", "random")
PRUNERS = ("median", "none")
TRIALS, MOST_TRIALS = 30, 100_000
TAKEN = ("trial", "state", "value", "epoch", "cpu_seconds", "error")
"""Columns of the table of trials."""
COMPARED_BY = ("split", "model.training.loss", "model.training.loss_weights", "data", "init", "trainer", "logger")
"""Sections and keys that decide which rows validate and by which loss, or nothing; trials that differ there cannot be
compared."""
ALLOWED = ("data.simulated.rows", "data.simulated.epoch", "data.simulated.redraw", "data.simulated.fresh")
"""Keys of these sections that do not."""


@dataclass(frozen=True)
class Span:
    """Numbers between two ends, as an axis of a search.

    Args:
        key: Of the configuration.
        range: The ends, and the scale.
        is_whole: Whether the numbers are whole ones.
        in_list: Whether the configuration takes a list, of which the number is the only one.
    """

    key: str
    range: Range
    is_whole: bool
    in_list: bool

    def holds(self, value: Any) -> bool:
        """Whether a value, which need not be a number, is one of these."""
        is_number = type(value) is int or (type(value) is float and not self.is_whole)
        return is_number and self.range.low <= value <= self.range.high


Axis = Span | Mapping[Any, Option]
"""What may be tried on an axis: numbers between two ends, or options by their label."""


@dataclass(frozen=True)
class Search:
    """Contents of a search file.

    Args:
        name: That of the file.
        files: Config files of the base, later ones on top.
        base: The experiment without any change.
        axes: What may be tried, by the name of the axis.
        trials: How many.
        sampler: One of ``SAMPLERS``.
        pruner: One of ``PRUNERS``.
        seed: Of the sampler.
    """

    name: str
    files: tuple[Path, ...]
    base: Experiment
    axes: Mapping[str, Axis]
    trials: int = TRIALS
    sampler: str = "tpe"
    pruner: str = "median"
    seed: int = 1

    def experiment(self, values: Mapping[str, Any]) -> Experiment:
        """The base with these values of the axes: numbers, or labels of options.

        Raises:
            InputError: The configuration refuses them.
        """
        files, changes = list(self.files), {}
        for name, value in values.items():
            axis = self.axes[name]
            if isinstance(axis, Span):
                changes[axis.key] = [value] if axis.in_list else value
            else:
                files += axis[value].files
                changes |= dict(dotted(axis[value].values))
        experiment = read_experiment(files, changes)
        _check(experiment)
        return experiment

    @property
    def base_values(self) -> dict[str, Any] | None:
        """Values of the axes that are those of the base; None if it lies outside of one."""
        found = {name: value for name in self.axes for value in self._values_of_base(name)}
        return found if found.keys() == self.axes.keys() else None

    def _values_of_base(self, name: str) -> list[Any]:
        """The value of one axis that changes nothing, if there is one."""
        axis = self.axes[name]
        if not isinstance(axis, Span):
            unchanged = decisive(self.base)
            return [label for label in axis if decisive(self.experiment({name: label})) == unchanged][:1]
        value = value_of(self.base, axis.key)
        values = set(value) if axis.in_list else {value}
        return [each for each in values if len(values) == 1 and axis.holds(each)]

    @property
    def sha256(self) -> str:
        """Fingerprint of all that decides what trials are and how they are compared; not of their number."""
        digest = hashlib.sha256(f"{__version__} {self.sampler} {self.pruner} {self.seed}".encode())
        digest.update(repr(decisive(self.base)).encode())
        digest.update(self.base.data.of.fingerprint.encode())
        for name, axis in self.axes.items():
            options = (
                axis if isinstance(axis, Span) else [(key, decisive(self.experiment({name: key}))) for key in axis]
            )
            digest.update(f"{name} {options!r}".encode())
        path = self.base.data.path
        if path is not None and Path(path).is_file():
            digest.update(Path(path).read_bytes())
        return digest.hexdigest()


def read_search(path: Path | str, trials: int | None = None) -> Search:
    """Read a search file, and try each option and end of a range on the base.

    Args:
        path: The file.
        trials: Instead of those of the file.

    Raises:
        InputError: There is none, or something in it cannot be: the line says what and where.
    """
    path = Path(path)
    given = read_keys(path, "search", KEYS)
    try:
        files = files_of(given.get("base"), path.parent, "base")
        base = read_experiment(files)
        _check(base)
        axes = {name: _axis(name, each, path.parent, base) for name, each in axes_of(given, TAKEN).items()}
        _check_choices(given)
        count = _count(given.get("trials", TRIALS) if trials is None else trials)
        chosen = {key: given[key] for key in ("sampler", "pruner", "seed") if key in given}
        search = Search(path.stem, files, base, axes, count, **chosen)
        _try_each(search)
    except InputError as error:
        raise InputError(f"{path}: {error}") from None
    return search


def _check(experiment: Experiment) -> None:
    """Refuse what has no validation loss to search by, and options that the model refuses."""
    if not MODELS[experiment.model].uses_trainer:
        raise InputError(f"a {experiment.model} chooses nothing on validation rows; search is for networks")
    MODELS[experiment.model](**experiment.options)


def _check_choices(given: Mapping[str, Any]) -> None:
    for key, known in {"sampler": SAMPLERS, "pruner": PRUNERS}.items():
        if given.get(key, known[0]) not in known:
            raise unknown(key, given[key], known)
    seed = given.get("seed", 1)
    if type(seed) is not int:
        raise InputError(f"seed is {seed}; needs a whole number from 0")
    check_seed(seed)


def _count(given: Any) -> int:
    if type(given) is not int or not 1 <= given <= MOST_TRIALS:
        raise InputError(f"trials are {given}; needs a whole number, 1 to {MOST_TRIALS}")
    return given


def _axis(name: str, given: Any, folder: Path, base: Experiment) -> Axis:
    if isinstance(given, Mapping) and "from" in given and "steps" not in given:
        _check_compared(name, name)
        found = range_of(name, given)
        if found.low >= found.high:
            raise InputError(f"the axis {name} goes from {found.low:g} to {found.high:g}; needs ascending ends")
        whole = type(given["from"]) is int and type(given["to"]) is int
        return Span(name, found, whole, _is_list(name, base))
    options = options_of(name, given, folder)
    for option in options:
        for key, _ in dotted(option.values):
            _check_compared(name, key)
    labelled = {option.label if _is_simple(option.label) else text(option.label): option for option in options}
    if len(labelled) < len(options):
        raise InputError(f"the axis {name} has a value twice; needs values that differ")
    return labelled


def check_inputs_of(search: Search) -> None:
    """Refuse tables and models to start from that cannot be read, before a trial is run.

    Raises:
        InputError: The first of them.
    """
    options = [{name: label} for name, axis in search.axes.items() if not isinstance(axis, Span) for label in axis]
    experiments = [search.base, *map(search.experiment, options)]
    for experiment in {(each.features, each.split.name): each for each in experiments}.values():
        check_inputs(experiment)


def _compares(key: str) -> bool:
    """Whether trials that differ in a key cannot be compared."""
    return (key in COMPARED_BY or key.partition(".")[0] in COMPARED_BY) and key not in ALLOWED


def _check_compared(axis: str, key: str) -> None:
    if _compares(key):
        raise InputError(
            f"the axis {axis} changes {key}, by which trials are compared (rows or loss); needs another key"
        )


def _differing(one: Experiment, other: Experiment) -> set[str]:
    """Keys in which two experiments differ; of the data, also the file."""
    lines = {*decisive(one)} ^ {*decisive(other)}
    return {line.partition(": ")[0] for line in lines} | ({"data.path"} if one.data.path != other.data.path else set())


def _is_simple(value: Any) -> bool:
    return value is None or isinstance(value, bool | int | float | str)


def _is_list(key: str, base: Experiment) -> bool:
    try:
        return isinstance(value_of(base, key), list)
    except (KeyError, TypeError):  # the configuration will say what it knows
        return False


def _try_each(search: Search) -> None:
    for name, axis in search.axes.items():
        ends = [axis.range.low, axis.range.high] if isinstance(axis, Span) else [*axis]
        for end in ends:
            whole = isinstance(axis, Span) and axis.is_whole
            try:
                tried = search.experiment({name: int(end) if whole else end})
                for key in _differing(search.base, tried):
                    _check_compared(name, key)
            except InputError as error:
                raise InputError(f"{name} {text(end)}: {error}") from None
