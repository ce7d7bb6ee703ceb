"""Pages of the documentation that are generated from the code, so that they cannot go stale: API, commands, keys."""

import inspect
from collections.abc import Iterator
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any

import options

import polyinv

API = "reference/api"
DICTIONARIES = {
    "SIMULATORS": "polyinv.simulate",
    "SYSTEMS": "polyinv.chemistry",
    "TRANSFORMS": "polyinv.data.transforms",
    "LOSSES": "polyinv.models.losses",
    "ACTIVATIONS": "polyinv.models.networks",
    "METHODS": "polyinv.evaluation.simulated",
    "SIGNALS": "polyinv.data.files.options",
    "UNITS": "polyinv.data.files.options",
    "BASELINES": "polyinv.data.files.options",
}
"""Dictionaries beside those that ``polyinv`` itself lists, and the module of each."""
LISTED = {
    "FEATURES": "Feature sets (`features`): the blocks of columns that a model is given.",
    "MODELS": "Models (`model.name`): a class of [`InverseModel`](InverseModel.md).",
    "NETWORKS": "Networks of your own (`model.name: network`, `model.network`): a function from the numbers of inputs "
    "and outputs to a PyTorch module. Empty, until [a file of yours](../../how-to/own-network.md) adds one.",
    "SPLITS": "Splits (`split.name`): a function from a table, a seed and a system to a [`Split`](Split.md).",
    "SIMULATORS": "Simulators (`--method`, `data.grid.method`): a function from conditions (B, 3), times (B, T) and a "
    "chemistry to [`Snapshots`](Snapshots.md).",
    "SYSTEMS": "Systems that come along (`--system`, `data.system`), and the file of each. `load_system` takes their "
    "names, or a [file of your own](../systems.md), and makes a [`System`](System.md).",
    "TRANSFORMS": "Transforms (`model.transform`): what a network is given instead of the columns as they are.",
    "LOSSES": "Losses (`model.training.loss`) of the standardized recipe z and its prediction.",
    "ACTIVATIONS": "Activations (`model.activation`): a class of PyTorch modules.",
    "METHODS": "Methods of the closed loop (`polyinv evaluate --method`): what predicted recipes are simulated by. "
    "`sampled` draws noise on top of the rate equations, `deterministic` compares with curves without noise, and `kmc` "
    "is kinetic Monte Carlo, which takes long.",
    "SIGNALS": "Ordinates of a measured curve (`--signal`), and what each is.",
    "UNITS": "Units of the molar mass of a measured curve (`--unit`), and what each adds to log₁₀ M in g/mol.",
    "BASELINES": "Baselines that are subtracted from a measured curve (`--baseline`): none, or the straight line over "
    "log₁₀ M through the means of the outermost 5 % of the points at either end.",
}
"""What each dictionary lists: the option that takes its keys, and what its values are."""
BEHIND = {
    "Predictor": "polyinv.predict.predictor",
    "InverseModel": "polyinv.models.base",
    "Network": "polyinv.models.neural",
    "Training": "polyinv.models.options",
    "Split": "polyinv.data.splits",
    "Scaling": "polyinv.data.scaling",
    "Snapshots": "polyinv.simulate.snapshots",
    "Chemistry": "polyinv.chemistry.kinetics",
}
"""What the functions and classes of the public list take or return, and the module of each."""


def pages() -> dict[str, str]:
    """Make every generated page: its text by its path in the documentation."""
    api = {f"{API}/{name}.md": _page(name, home) for name, home in homes().items()}
    return {
        f"{API}/index.md": _index(),
        **api,
        "reference/cli.md": options.commands(),
        "reference/config-keys.md": options.keys(),
    }


def homes() -> dict[str, str]:
    """Names that have a page of their own, and the module of each."""
    return (
        {name: f"polyinv.{polyinv._HOMES[name].partition(':')[0]}" for name in polyinv.__all__} | DICTIONARIES | BEHIND
    )


def groups() -> dict[str, list[str]]:
    """Group the names of `homes` as the navigation shows them."""
    dictionaries = [name for name, home in homes().items() if isinstance(_value(name, home), dict)]
    return {
        "Functions and classes": [name for name in polyinv.__all__ if name not in dictionaries],
        "Dictionaries": dictionaries,
        "Taken and returned": list(BEHIND),
    }


def _index() -> str:
    functions, dictionaries, behind = groups().values()
    return "\n".join(
        [
            "# Python API\n",
            "Everything that a script imports: `from polyinv import load`, and so on. Each name has a page.\n",
            "## Functions and classes\n",
            *_list(functions),
            "\n## Dictionaries to extend\n",
            "What polyinv knows by name. Add an entry, and every command takes it; `--import FILE` runs the file that "
            "adds it ([your own network](../../how-to/own-network.md), [your own split](../../how-to/own-split.md)).\n",
            *_list(dictionaries),
            "\n## Taken and returned by these\n",
            *_list(behind),
        ]
    )


def _list(names: list[str]) -> Iterator[str]:
    for name in names:
        value = _value(name, homes()[name])
        said = (
            ", ".join(f"`{key}`" for key in value) or "empty: for your own" if isinstance(value, dict) else _line(value)
        )
        yield f"[`{name}`]({name}.md)\n:   {said}\n"


def _page(name: str, home: str) -> str:
    value = _value(name, home)
    source = "polyinv" if name in polyinv.__all__ else home
    head = f"# {name}\n\n```python\nfrom {source} import {name}\n```\n"
    if not isinstance(value, dict):
        return f"{head}\n::: {value.__module__}.{value.__name__}\n"
    return "\n".join([head, f"{LISTED[name]}\n", *_entries(value)])


def _entries(dictionary: dict[Any, Any]) -> Iterator[str]:
    for key, value in dictionary.items():
        if getattr(value, "__name__", None) == key:
            yield f"::: {value.__module__}.{key}\n"
            continue
        yield f"## `{key}`\n"
        if inspect.isclass(value) and value.__name__ in homes():
            yield f"[`{value.__name__}`]({value.__name__}.md): {_line(value)}\n"
        elif isinstance(value, partial):
            given = ", ".join(f"{name}={each!r}" for name, each in value.keywords.items())
            yield f"`{value.func.__module__}.{value.func.__name__}` with `{given}`.\n"
        elif callable(value) and value.__module__.startswith("polyinv") and not value.__name__.startswith(("_", "<")):
            yield f"::: {value.__module__}.{value.__name__}\n    options:\n      heading_level: 3\n"
        else:
            yield f"{_said(value)}\n"


def _said(value: Any) -> str:
    """Say a value of a dictionary in a few words; nothing where they stand above it."""
    if isinstance(value, tuple):
        few = value if len(value) < 10 else (value[0], "…", value[-1])
        return ", ".join(f"`{each}`" for each in few)
    if isinstance(value, dict):
        shown = [f"`{column}` as {', '.join(each)}" for column, each in value.items()]
        return "; ".join(shown if len(shown) < 10 else [*shown[:7], "…", shown[-1]]) or "As they are."
    if isinstance(value, Path):
        return f"`{value.name}`"
    if isinstance(value, str | int):
        return str(value)
    if callable(value):
        return _line(value) if inspect.isclass(value) else ""
    return _line(value.function) if hasattr(value, "function") else f"{value.note}."


def _line(value: Any) -> str:
    return (value.__doc__ or "").strip().partition("\n\n")[0].replace("\n", " ")


def _value(name: str, home: str) -> Any:
    return getattr(import_module(home), name)
