"""Study file: a base configuration, a few axes, seeds; every combination with every seed is a cell.

::

    base: ../forest.yaml               # or several, later ones on top; relative to this file
    axes:
      features: [composite, mmd]       # any key of a configuration and its values,
      data.simulated.rows: {from: 1000, to: 100000, steps: 3, scale: log}      # or a range of them,
      network:                         # or a name and what each of its labels changes
        small: {}
        wide: {config: ../mlp.yaml, model.hidden: [512, 512]}
    seeds: [42, 43, 44, 45, 46]        # of the splits; or {from: 42, count: 5}
    also_seeded: [model.seed]          # optional: other keys that take the seed, so that more than the split varies
    members: 4                         # optional: members trained at once in each cell, of models that have some

What is compared is said by the order: a cell's reference has the first value of the *first* axis and the same values on
all others, so that the first axis is the question and the others are where it is asked.
"""

import itertools
import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from polyinv.ablation.axes import MOST_STEPS, SEED, Option, axes_of, files_of, options_of, read_keys
from polyinv.ablation.summary import GIVEN, GLOBAL, text
from polyinv.data.features import feature_columns
from polyinv.data.splits import check_split
from polyinv.errors import InputError, unknown
from polyinv.experiment.configuration import read_experiment, value_of, with_value
from polyinv.experiment.experiment import Experiment
from polyinv.models import MODELS
from polyinv.runtime.files import folder_name
from polyinv.runtime.nested import dotted

KEYS = ("base", "axes", "seeds", "also_seeded", "members")
LONGEST_NAME = 200
MOST_CELLS = 100_000
TAKEN = (GLOBAL, GIVEN, "seeds", "seed", "done", "failed", "left", "a cell")
"""Columns of the tables that an axis would stand in the way of."""
ALSO_SEEDED = {"model.seed": None, "data.simulated.seed": "simulated", "data.grid.seed": "grid"}
"""What may take the seed of a cell beside its split, and the data source without which it decides nothing."""


@dataclass(frozen=True)
class Cell:
    """One cell of a study: an experiment with the values of its axes and a seed.

    Args:
        name: Of its run folder.
        values: Its value, or label, on each axis.
        seed: Of its split, and of whatever else the study says.
        experiment: What is run.
    """

    name: str
    values: Mapping[str, Any]
    seed: int
    experiment: Experiment

    @property
    def title(self) -> str:
        """Title of the cell: its values and seed."""
        return f"{title(self.values)}, seed {self.seed}"


@dataclass(frozen=True)
class Study:
    """Contents of a study file: its cells and how they are named.

    Args:
        name: That of the file.
        axes: The values, or labels, of each axis; the first one is what the others are compared with.
        seeds: Of the splits.
        seeded: Keys that take the seed of a cell, ``split.seed`` first.
        cells: Every combination with every seed, seed by seed.
    """

    name: str
    axes: Mapping[str, tuple[Any, ...]]
    seeds: tuple[int, ...]
    seeded: tuple[str, ...]
    cells: tuple[Cell, ...]


def read_study(path: Path | str) -> Study:
    """Read a study file and resolve every cell.

    Raises:
        InputError: There is none, or something in it cannot be: the line says what and where.
    """
    path = Path(path)
    given = read_keys(path, "study", KEYS)
    try:
        base = files_of(given.get("base"), path.parent, "base")
        options = {axis: options_of(axis, values, path.parent) for axis, values in axes_of(given, TAKEN).items()}
        seeds, members = _seeds(given.get("seeds")), _members(given.get("members"))
        also = _also_seeded(given.get("also_seeded"), options)
        check_cells(math.prod(map(len, options.values())) * len(seeds))
        combinations = [dict(zip(options, each, strict=True)) for each in itertools.product(*options.values())]
        resolved = [_resolve(base, combination, members) for combination in combinations]
        _check_systems([experiment for _, experiment in resolved], list(options))
        _check_also_seeded(also, seeds, [experiment for _, experiment in resolved])
        if members is not None and not any(MODELS[experiment.model].has_members for _, experiment in resolved):
            raise InputError(f"members are {members}, which decides nothing: no model of the study has members")
        return _study(path.stem, list(options), seeds, also, resolved)
    except InputError as error:
        raise InputError(f"{path}: {error}") from None


def _seeds(given: Any) -> tuple[int, ...]:
    if isinstance(given, Mapping):
        if set(given) != {"from", "count"} or not all(type(number) is int for number in given.values()):
            raise InputError(f"seeds are {dict(given)}; needs a list, or from and count")
        if given["count"] > MOST_STEPS:
            raise InputError(f"seeds have count {given['count']}; needs {MOST_STEPS} or fewer")
        given = list(range(given["from"], given["from"] + given["count"]))
    if given is None:
        raise InputError("seeds are missing; needs whole numbers, such as [42, 43, 44]")
    good = isinstance(given, list) and given and all(type(seed) is int and 0 <= seed < 2**32 for seed in given)
    if not good:
        raise InputError(f"seeds are {given}; needs whole numbers, 0 to {2**32 - 1}")
    if len(set(given)) < len(given):
        raise InputError(f"seeds are {given}; needs each one once")
    return tuple(given)


def _also_seeded(given: Any, options: Mapping[str, Sequence[Option]]) -> tuple[str, ...]:
    keys = [] if given is None else given
    if not isinstance(keys, list) or not all(isinstance(key, str) for key in keys):
        raise InputError(f"also_seeded is {given}; needs a list of {', '.join(ALSO_SEEDED)}")
    changed = {key for each in options.values() for option in each for key, _ in dotted(option.values)}
    for key in keys:
        if key not in ALSO_SEEDED:
            raise unknown("key of a seed in also_seeded", key, ALSO_SEEDED)
        if key in changed:
            raise InputError(f"{key} is on an axis and in also_seeded; needs one of them to leave it")
    return tuple(dict.fromkeys(keys))


def _check_systems(experiments: Sequence[Experiment], axes: Sequence[str]) -> None:
    """Refuse cells of systems that do not go together, and axes that are called as a column of theirs."""
    first = experiments[0].data.of
    for experiment in experiments:
        experiment.data.of.check_like(first, "a cell", "the first cell")
    for axis in axes:
        if axis in first.targets:
            raise InputError(f"{axis!r} cannot be the name of an axis: the tables have a column of that name")


def _check_also_seeded(also: Sequence[str], seeds: Sequence[int], experiments: Sequence[Experiment]) -> None:
    """Refuse keys of ``also_seeded`` that decide nothing, impossible seeds, and seeds that share members."""
    for key in also:
        source = ALSO_SEEDED[key]
        if source and all(experiment.data.source != source for experiment in experiments):
            raise InputError(f"also_seeded has {key}, which decides nothing: no cell has data.source {source}")
    if "model.seed" in also:
        if not any(_has_seed(experiment) for experiment in experiments):
            raise InputError("also_seeded has model.seed, which decides nothing: no model has a seed")
        for experiment in experiments:
            _check(_seeded(experiment, max(seeds), also))
        _check_apart(seeds, max(experiment.options.get("members", 1) for experiment in experiments))


def _check_apart(seeds: Sequence[int], members: int) -> None:
    """Refuse seeds that share members: member k of a network has its seed plus k."""
    for one, next_one in itertools.pairwise(sorted(seeds)):
        if next_one - one < members:
            raise InputError(
                f"seeds {one} and {next_one} would share members of networks, whose seeds count up; "
                f"with model.seed in also_seeded they need to be {members} apart"
            )


def _members(given: Any) -> int | None:
    if given is not None and (type(given) is not int or given < 1):
        raise InputError(f"members are {given}; needs a whole number from 1")
    return given


def _resolve(base: Sequence[Path], options: Mapping[str, Option], members: int | None) -> tuple[dict, Experiment]:
    """Resolve one combination: its values, typed, and its experiment."""
    files = [*base, *(file for option in options.values() for file in option.files)]
    changed = [(key, value, axis) for axis, option in options.items() for key, value in dotted(option.values)]
    values: dict[str, Any] = {}
    by: dict[str, str] = {}
    for key, value, axis in changed:
        if by.setdefault(key, axis) != axis:
            raise InputError(f"the axes {by[key]} and {axis} both change {key}; needs one of them to leave it")
        values[key] = value
    try:
        experiment = read_experiment(files, values)
        for option, value in _of_study(experiment.model, members).items():
            if f"model.{option}" not in values:
                experiment = with_value(experiment, f"model.{option}", value)
        _check(experiment)
    except InputError as error:
        raise InputError(f"{title({axis: option.label for axis, option in options.items()})}: {error}") from None
    named = {axis: value_of(experiment, axis) if each.typed else each.label for axis, each in options.items()}
    return named, experiment


def _of_study(name: str, members: int | None) -> dict[str, int]:
    """Options of a model that the study sets, unless an axis does."""
    model = MODELS[name]
    options = {"members": members} if model.has_members and members is not None else {}
    return options | ({model.parallel_option: 1} if model.parallel_option else {})  # the processes fill the cores


def _check(experiment: Experiment) -> None:
    """Refuse names and options that no cell can have; what does not go together is for the cell to say."""
    feature_columns(experiment.features, experiment.data.of)
    check_split(experiment.split.name, experiment.split.share)
    MODELS[experiment.model](**experiment.options)


def check_cells(count: int) -> None:
    """Refuse a study of more cells than a folder can hold.

    Raises:
        InputError: There are too many.
    """
    if count > MOST_CELLS:
        raise InputError(f"a study of {count:g} cells; up to {MOST_CELLS} are run: leave values or seeds out")


def _study(
    name: str,
    axes: Sequence[str],
    seeds: Sequence[int],
    also: Sequence[str],
    resolved: Sequence[tuple[dict, Experiment]],
) -> Study:
    found: dict[str, list[Any]] = {axis: [] for axis in axes}
    for values, _ in resolved:
        for axis, value in values.items():
            found[axis] += [] if value in found[axis] else [value]
    cells = [
        Cell(f"{_slug(values)}-{seed}", values, seed, _seeded(whole, seed, also))
        for seed in seeds
        for values, whole in resolved
    ]
    longest = max((cell.name for cell in cells), key=lambda name: len(name.encode()))
    if len(longest.encode()) > LONGEST_NAME:
        raise InputError(
            f"a cell would be called {longest[:40]}..., which is too long for a folder; needs shorter labels"
        )
    (called, count), *_ = Counter(cell.name for cell in cells).most_common(1)
    if count > 1:
        raise InputError(f"two cells would be called {called}; needs values that differ")
    kept = {axis: tuple(values) for axis, values in found.items()}
    return Study(name, kept, tuple(seeds), (SEED, *also), tuple(cells))


def _seeded(experiment: Experiment, seed: int, also: Sequence[str]) -> Experiment:
    for key in (SEED, *also):
        if key != "model.seed" or _has_seed(experiment):
            experiment = with_value(experiment, key, seed)
    return experiment


def _has_seed(experiment: Experiment) -> bool:
    return "seed" in experiment.options


def title(values: Mapping[str, Any]) -> str:
    """Short title of values of axes; numbers with the name of their axis.

    Example:
        >>> title({"features": "mmd", "data.simulated.rows": 1000, "model.hidden": [64, 32]})
        'mmd, rows 1000, hidden 64-32'
    """
    return ", ".join(_said(axis, value) for axis, value in values.items())


def _said(axis: str, value: Any) -> str:
    return value if isinstance(value, str) else f"{axis.split('.')[-1]} {text(value)}"


def _slug(values: Mapping[str, Any]) -> str:
    """Folder name made of the values.

    Example:
        >>> _slug({"features": "mmd+Mn", "split.share": 0.1, "model": "published MLP"})
        'mmd+Mn_share-0.1_published-MLP'
    """
    return "_".join(folder_name(_said(axis, value)) for axis, value in values.items())
