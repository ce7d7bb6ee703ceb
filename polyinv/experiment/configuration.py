"""Configurations: YAML files and dotted values, merged and checked by one typed parser, into an `Experiment`.

The parser knows the options of the model that the arguments name, and refuses every other with the names it knows. What
takes seconds to import waits until the names have been accepted.
"""

import argparse
import itertools
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, replace
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

import yaml
from jsonargparse import ActionConfigFile, ArgumentParser, Namespace, get_loader, set_dumper, set_loader

from polyinv.data.source import DataConfig, GridConfig, SimulatedConfig
from polyinv.errors import InputError, choices, quoted, unknown
from polyinv.experiment.arguments import config_files, given, stated
from polyinv.runtime.files import at_home
from polyinv.runtime.nested import dotted
from polyinv.runtime.resources import CONFIGS, shipped_or
from polyinv.runtime.yaml_files import EachKeyOnce, read_mapping

if TYPE_CHECKING:
    from polyinv.experiment.experiment import Experiment

PATHS = ("out", "output", "recipes", "data.path", "init", "study", "summarize")
NEEDED = {bool: "true or false", str: "text"}
"""What an option without a stated type has to be, by the type of its default."""
OF_THE_LINE = ("import", "debug")
"""Options that are taken from the command line before the rest is parsed: no file can say them."""
NO_KEYS = ("config", "print_config", "help")
"""Options of the parser itself, which are no values."""
TYPES = {
    "float": "a number",
    "int": "a whole number",
    "bool": "true or false",
    "str": "text",
    "dict": "keys with values",
    "list": "a list",
    "tuple": "a list",
    "NoneType": "nothing",
}
"""What an option needs, by the types that the parser names."""
MODEL = "forest"
"""Where nobody names one."""


CHECKED = "checked"
"""Name, for jsonargparse, of YAML as it is read here."""


def _load(text: str) -> Any:
    """Load YAML as jsonargparse does, after a check that it ends, and has each key once and plain numbers."""
    _check(text)
    return get_loader("yaml")(text)


@lru_cache(maxsize=1024)
def _check(text: str) -> None:
    yaml.load(text, EachKeyOnce)


set_loader(CHECKED, _load, (yaml.YAMLError,))
set_dumper(CHECKED, yaml.safe_dump)


class Parser(ArgumentParser):
    """Argument parser that reads config files as UTF-8, whatever the system's own encoding is."""

    def __init__(self, *options: Any, **named: Any) -> None:
        super().__init__(*options, **named, parser_mode=CHECKED)

    def parse_path(self, path: Path | str, *options: Any, **named: Any) -> Namespace:
        """See `ArgumentParser.parse_path`."""
        path = Path(path)
        content = read_yaml(path)
        if all(value is None for value in content.values()):  # which jsonargparse would take for text
            raise InputError(f"{path} is no configuration: none of its keys has a value")
        if "config" in content:
            raise InputError(f"{path}: config is no key of a configuration; needs --config on the command line")
        self.check_sections(dotted(content))
        return self.parse_string(path.read_text(encoding="utf-8"), path.name, *options, **named)

    def print_help(self, file: Any = None) -> None:
        """See `ArgumentParser.print_help`, which is silent where the help cannot be written."""
        print(self.format_help(), end="", file=file)

    def check_sections(self, given: Iterable[tuple[str, Any]]) -> None:
        """Refuse what jsonargparse takes for more than values: a class, and text for a section, as the path of a file.

        Raises:
            InputError: Names the first.
        """
        keys = [action.dest for action in self._actions if not isinstance(action, ActionConfigFile)]
        for section, value in given:
            above, _, key = section.rpartition(".")
            if key == "class_path" and any(each.startswith(f"{above}.") for each in keys):
                raise unknown("key", section, known_keys(self))
            first = next((each for each in keys if each.startswith(f"{section}.")), None)
            if first and isinstance(value, str):
                raise InputError(
                    f"{section} is {quoted(value) or 'a section'}; needs keys with values, such as {first}"
                )


class ConfigFile(ActionConfigFile):
    """Option for a config file, or the bare name of one that comes with polyinv."""

    def __call__(self, parser: Any, cfg: Any, values: Any, option_string: str | None = None) -> None:
        super().__call__(parser, cfg, str(shipped_or(values, CONFIGS)), option_string)


def read_experiment(files: Sequence[Path | str] = (), values: Mapping[str, Any] | None = None) -> "Experiment":
    """Read an experiment from config files, later ones on top, and values on top of them.

    Args:
        files: YAML files as `polyinv train --config` takes them.
        values: Values by their dotted key, such as ``model.training.max_epochs``; nested ones are taken, too.

    A file, or the values, that name another model than the files before take nothing over from their section ``model``.

    Raises:
        InputError: A file that cannot be read, or a key or a value that `polyinv train` would refuse.
    """
    on_top = dict(dotted(values or {}))
    for key in NO_KEYS:
        if key in on_top:
            raise InputError(f"{key} is no key of a configuration")
    arguments = [*_of_files([Path(file) for file in files], on_top.get("model.name"))]
    arguments += [f"--{key}={_text(value)}" for key, value in on_top.items()]
    parser = Parser(prog="configuration", exit_on_error=False, allow_abbrev=False)
    add_experiment(parser, arguments)
    return experiment_of(parse(parser, arguments))


def _of_files(files: Sequence[Path], model: str | None) -> Iterator[str]:
    contents = [read_yaml(file) if file.is_file() else {} for file in files]
    names = [*(_within(each, "model", "name") for each in contents), model]
    named = [(at, name) for at, name in enumerate(names) if name]
    changes = [at for (_, before), (at, name) in itertools.pairwise(named) if name != before]
    for at, (file, content) in enumerate(zip(files, contents, strict=True)):
        if at < max(changes, default=0):
            others = {key: value for key, value in content.items() if key != "model"}
            yield from (f"--{key}={_text(value)}" for key, value in dotted(others))
        else:
            yield from ("--config", str(file))


def _within(config: Any, *keys: str) -> Any:
    for key in keys:
        config = config.get(key) if isinstance(config, dict) else None
    return config


def _text(value: Any) -> str:
    try:
        return value if isinstance(value, str) else json.dumps(value)
    except (TypeError, ValueError):  # a date, a set, bytes, or what contains itself
        raise InputError(
            f"{type(value).__name__} is no value of a configuration; needs text, numbers or lists"
        ) from None


def add_experiment(parser: ArgumentParser, arguments: list[str]) -> None:
    """Give a parser the options of an experiment with the model that the arguments name.

    Raises:
        InputError: The model is unknown, or the one to start from is none.
    """
    from polyinv.data.features import FEATURES
    from polyinv.experiment.experiment import SplitConfig
    from polyinv.models import MODELS, check_goes_on
    from polyinv.models.card import model_of_run, read_card

    init = stated(arguments, "init") or _in_configs(arguments, "init")
    init = None if init is None else str(model_of_run(at_home(init)))
    card = None if init is None else read_card(init)
    if card is not None:
        check_goes_on(card["model"])
    # The model decides which other options there are.
    named = stated(arguments, "model.name") or _in_configs(arguments, "model", "name")
    name = named or (MODEL if card is None else card["model"])
    if name not in MODELS:
        raise unknown("model", name, MODELS)
    parser.add_argument(
        "--config", action=ConfigFile, help="YAML file with any of the values below, or one that comes along: mlp.yaml"
    )
    parser.add_argument("--features", default="composite", help=f"one of {', '.join(FEATURES)}")
    parser.add_argument("--model.name", default=MODEL, help=f"one of {', '.join(MODELS)}; it decides the other values")
    parser.add_argument(
        "--trainer", type=dict[str, Any], default={}, help="options of Lightning's Trainer: max_time, ..."
    )
    parser.add_argument(
        "--logger",
        type=dict[str, Any] | list[Any] | str,
        default="tensorboard",
        help="tensorboard, csv, mlflow, wandb, a class of Lightning's with class_path and init_args, or a list of such",
    )
    parser.add_argument("--init", type=str | None, help="folder of a saved network to go on from (fine-tuning)")
    parser.add_class_arguments(MODELS[name], "model")
    parser.add_class_arguments(SplitConfig, "split")
    parser.add_class_arguments(DataConfig, "data")
    if card is not None and init is not None and card["model"] == name:
        _take_over(parser, card, init)


def _take_over(parser: ArgumentParser, card: dict[str, Any], init: str) -> None:
    """Take the defaults from the model to start from, but for the device, which is that of another machine."""
    from polyinv.data.features import features_of
    from polyinv.models.card import system_of

    system = system_of(card)
    features = features_of(card["columns"], system)
    try:
        options = {f"model.{key}": value for key, value in dotted(card["options"])}
        options.pop("model.training.accelerator", None)
        parser.set_defaults(options)
    except KeyError as error:
        raise InputError(f"{init} has an option that this version does not know: {error}") from None
    parser.set_defaults({"model.name": card["model"]} | ({"features": features} if features else {}))
    parser.set_defaults({"data.system": system.stored})


def parse(parser: ArgumentParser, arguments: list[str]) -> Namespace:
    """Parse arguments, with errors that name the known keys. ``--system`` stands for ``--data.system``.

    Raises:
        InputError: It refuses one; unknown keys are answered with the known ones.
    """
    if "data.system" in parser.get_defaults():
        arguments = [re.sub(r"^--system(?==|$)", "--data.system", each) for each in arguments]
    if isinstance(parser, Parser):
        parser.check_sections(given(arguments))
    try:
        config = parser.parse_args(arguments)
    except argparse.ArgumentError as error:
        text = " ".join(str(error).split())
        if any(sign in text for sign in ("not accept", "unrecognized", "not expected")):
            *_, asked = re.findall(r"(?:--|')([\w.-]+)", text) or [text]
            text += f"; {choices([asked], known_keys(parser))}"
        raise InputError(_plainly(text)) from None
    for action in parser._actions:
        _check_type(action, config.get(action.dest, action.default))
    for key in OF_THE_LINE:
        if config.get(key):
            raise InputError(f"{key} is no key of a configuration; needs --{key} on the command line")
    for key in PATHS:
        if config.get(key) is not None:
            config[key] = str(at_home(config[key]))
    return config


def known_keys(parser: ArgumentParser) -> list[str]:
    """Keys that a file may have: not what the command line alone says."""
    typed = {action.dest for action in parser._actions if not action.option_strings}
    return sorted({*parser.get_defaults().keys()} - {*NO_KEYS, *OF_THE_LINE} - typed)


def _plainly(text: str) -> str:
    """Say what a value of a wrong type is, and what it needs, instead of how the parser found out.

    Example:
        >>> _plainly("Parser key \\"chains\\": Expected a <class 'float'>. Got value: nan")
        'chains is nan; needs a number'
    """
    found = re.fullmatch(r'Parser key "(?P<key>[^"]+)":(?P<why>.*?) (?:Got|Given) value: (?P<value>.*)', text)
    types = dict.fromkeys(re.findall(r"Expected an? <class '(\w+)'>", found["why"])) if found else {}
    if not found or not types or not set(types) <= set(TYPES):
        return text
    value = found["value"].rpartition("Given value: ")[2]
    return f"{found['key']} is {quoted(value)}; needs {' or '.join(dict.fromkeys(TYPES[each] for each in types))}"


def _check_type(action: argparse.Action, given: Any) -> None:
    """Refuse what the parser lets pass: null where it is no value, and from a file any type where it knows of none.

    Raises:
        InputError: Names the option and what it needs.
    """
    if action.default is None or action.default == argparse.SUPPRESS:
        return
    hint = getattr(action, "_typehint", None)
    if given is None and hint is not Any and type(None) not in get_args(hint):
        raise InputError(f"{action.dest} is null; needs a value, such as {quoted(action.default)}")
    kind = type(action.default)
    if hint is None and kind in NEEDED and not isinstance(given, kind):
        raise InputError(f"{action.dest} is {quoted(given)}; needs {NEEDED[kind]}")


def experiment_of(config: Namespace) -> "Experiment":
    """Make the experiment that the parser of `add_experiment` has read."""
    from polyinv.data.features import current_name
    from polyinv.experiment.experiment import Experiment, SplitConfig

    for section in ("model", "split", "data", "data.simulated", "data.grid"):
        if not isinstance(config.get(section), Namespace | dict):
            raise InputError(f"{section} is {quoted(config.get(section))}; needs keys with values")
    options, data = config.model.as_dict(), data_config(config.data)
    return Experiment(
        options.pop("name"),
        options,
        current_name(config.features, data.of),
        SplitConfig(**config.split),
        data,
        config.init,
        config.trainer,
        config.logger,
    )


def data_config(given: Namespace) -> DataConfig:
    """Make the configuration of the section ``data``, whose own sections come as plain values."""
    values = given.as_dict()
    kinds = {"simulated": SimulatedConfig, "grid": GridConfig}
    return DataConfig(**values | {name: kind(**values[name]) for name, kind in kinds.items()})


def value_of(experiment: "Experiment", key: str) -> Any:
    """Get the value of an experiment under a dotted key, as a plain type.

    Example:
        >>> value_of(read_experiment(values={"split.seed": "7", "model.max_depth": None}), "split.seed")
        7
    """
    model = {"name": experiment.model, **experiment.options}
    value: Any = {**asdict(experiment), "model": model}
    for step in key.split("."):
        value = value[step]
    return list(value) if isinstance(value, tuple) else value


def with_value(experiment: "Experiment", key: str, value: Any) -> "Experiment":
    """Copy an experiment with another value under a dotted key, as typed as `value_of` gives it.

    Example:
        >>> value_of(with_value(read_experiment(), "data.grid.seed", 7), "data.grid.seed")
        7
    """
    section, _, option = key.partition(".")
    return _with(experiment, f"options.{option}" if section == "model" else key, value)


def _with(whole: Any, key: str, value: Any) -> Any:
    step, _, rest = key.partition(".")
    if isinstance(whole, Mapping):
        return {**whole, step: _with(whole.get(step, {}), rest, value) if rest else value}
    return replace(whole, **{step: _with(getattr(whole, step), rest, value) if rest else value})


def _in_configs(arguments: Sequence[str], *keys: str) -> str | None:
    """Find a value in the config files among the arguments; the last one that has it counts."""
    files = [shipped_or(config, CONFIGS) for config in config_files(arguments)]
    found = [_entry(file, *keys) for file in files if file.is_file()]
    return next((value for value in reversed(found) if value), None)


def _entry(path: Path, *keys: str) -> str | None:
    value = _within(read_yaml(path), *keys)
    if value is not None and not isinstance(value, str):
        raise InputError(f"{path}: {'.'.join(keys)} is {value}; needs a name")
    return value


def read_yaml(path: Path, sections: str = "model, features, split, data") -> dict[str, Any]:
    """Read the sections of a YAML file.

    Raises:
        InputError: It is none, or has no sections.
    """
    return read_mapping(path, f"configuration; it has to hold sections such as {sections}")
