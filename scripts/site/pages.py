"""Pages of the documentation that are generated from the code, so that they cannot go stale: API, commands, keys."""

import inspect
from collections.abc import Iterator
from functools import partial
from importlib import import_module
from typing import Any

import options

import polyinv

API = "reference/api"
DICTIONARIES = {
    "SIMULATORS": "polyinv.simulate",
    "CHEMISTRIES": "polyinv.chemistry",
    "INPUTS": "polyinv.data.patterns",
    "TRANSFORMS": "polyinv.data.transforms",
    "LOSSES": "polyinv.models.losses",
    "ACTIVATIONS": "polyinv.models.networks",
    "METHODS": "polyinv.evaluation.closed_loop",
    "SIGNALS": "polyinv.data.measured",
    "UNITS": "polyinv.data.measured",
    "BASELINES": "polyinv.data.measured",
}
"""Dictionaries beside those that ``polyinv`` itself lists, and the module of each."""
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
    return {name: f"polyinv.{polyinv._HOMES[name]}" for name in polyinv.__all__} | DICTIONARIES | BEHIND


def _index() -> str:
    public = {name: home for name, home in homes().items() if name in polyinv.__all__}
    functions = {name: home for name, home in public.items() if not isinstance(_value(name, home), dict)}
    dictionaries = {name: home for name, home in homes().items() if isinstance(_value(name, home), dict)}
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
            "\n## What these take and return\n",
            *_list(BEHIND),
        ]
    )


def _list(names: dict[str, str]) -> Iterator[str]:
    for name, home in names.items():
        value = _value(name, home)
        said = (
            ", ".join(f"`{key}`" for key in value) or "empty: for your own" if isinstance(value, dict) else _line(value)
        )
        yield f"[`{name}`]({name}.md)\n:   {said}\n"


def _page(name: str, home: str) -> str:
    value = _value(name, home)
    source = "polyinv" if name in polyinv.__all__ else home
    head = f"# {name}\n\n```python\nfrom {source} import {name}\n```\n"
    if not isinstance(value, dict):
        return f"{head}\n::: {value.__module__}.{name}\n"
    return "\n".join([head, f"::: {home}.{name}\n    options:\n      show_attribute_values: false\n", *_entries(value)])


def _entries(dictionary: dict[Any, Any]) -> Iterator[str]:
    for key, value in dictionary.items():
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
    """Say a value in a few words."""
    if isinstance(value, tuple):
        shown = value if len(value) < 10 else (value[0], "…", value[-1])
        return ", ".join(f"`{each}`" for each in shown)
    if callable(value):
        return _line(value) or f"`{value.__module__}.{value.__qualname__}`"
    if isinstance(value, str | int | dict):
        return str(value) if isinstance(value, str) else f"`{value}`"
    described = [getattr(value, name, "") for name in ("note",)]
    function = getattr(value, "function", None)
    return _line(function) if function else ". ".join(filter(None, described)) + "."


def _line(value: Any) -> str:
    return (value.__doc__ or "").strip().partition("\n\n")[0].replace("\n", " ")


def _value(name: str, home: str) -> Any:
    return getattr(import_module(home), name)
