"""Reference of the commands' options and the configuration's keys, from the parsers themselves."""

from argparse import Action
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest.mock import patch

from jsonargparse import ArgumentParser

from polyinv import cli
from polyinv.experiment.configuration import Parser, add_experiment
from polyinv.models import MODELS
from polyinv.models.options import SAID_ELSEWHERE, TRAINER_OPTIONS
from polyinv.runtime.resources import CONFIGS

SECTIONS = {
    "split": "Which rows are learned from, and which are kept apart for the test.",
    "data": "Where the rows come from.",
    "data.simulated": "Recipes simulated on the fly, with `data.source: simulated`.",
    "data.grid": "The published grid, simulated on the spot, with `data.source: grid`.",
}
TRAINING = "model.training"


class _Reached(Exception):
    """Stops a command where it would parse its arguments."""


def parser_of(command: str) -> ArgumentParser:
    """Get the parser of a command, which the command makes only when it is called."""
    reached: list[ArgumentParser] = []

    def stop(parser: ArgumentParser, *arguments: Any, **options: Any) -> None:
        reached.append(parser)
        raise _Reached

    try:
        with patch.object(Parser, "parse_args", stop):
            cli.COMMANDS[command]([])
    except _Reached:
        return reached[0]
    raise RuntimeError(f"polyinv {command} parses nothing")


def commands() -> str:
    """Make the page of all commands with their options."""
    head = [
        "# Commands\n",
        "One program, `polyinv`, with a command for each task. `polyinv COMMAND --help` prints what stands here.\n",
        "Exit code 0 is success; 2 is input that cannot be used, with one line on standard error that says why; 130 is "
        "an interrupt (Ctrl-C). Progress and warnings go to standard error, answers to standard output.\n",
        "`polyinv --version`\n:   Print the version.\n",
        "`polyinv --help`\n:   List the commands.\n",
    ]
    return "\n".join([*head, *(line for name in cli.COMMANDS for line in _command(name))])


def _command(name: str) -> Iterator[str]:
    parser = parser_of(name)
    actions = [action for action in parser._actions if action.dest != "help"]
    own = [action for action in actions if not _is_section(action)]
    yield f"## {name}\n\n{parser.description}\n"
    yield f"```text\n{_usage(parser, own)}\n```\n"
    for action in own:
        yield from _item(action, f"`{_spelled(action)}`")
    others = [action.option_strings[0] for action in actions if action not in own]
    if others:
        yield "Every key of a [configuration](config-keys.md) is an option, too, here those of the default model:\n"
        yield ", ".join(f"`{option}`" for option in others) + ".\n"
        yield "`--system` is short for `--data.system`.\n"


def _spelled(action: Action) -> str:
    """Spell an option as it is typed, with what follows it."""
    if not action.option_strings:
        return str(action.metavar)
    value = "" if action.nargs == 0 else f" {action.metavar or action.dest.upper()}"
    return f"{action.option_strings[0]}{value}"


def _is_section(action: Action) -> bool:
    return "." in action.dest or action.dest in ("model", *SECTIONS)


def _usage(parser: ArgumentParser, own: list[Action]) -> str:
    places = [str(action.metavar) for action in own if not action.option_strings]
    required = [f"{action.option_strings[-1]} {action.dest.upper()}" for action in own if _required(action)]
    return " ".join([parser.prog, *places, *required, "[options]"])


def keys() -> str:
    """Make the page of all keys of a configuration."""
    by_model = {name: list(_config_parser(name)) for name in MODELS}
    common = by_model["mlp"]
    return "\n".join(
        [
            "# Configuration keys\n",
            "A training is described by a YAML file, `polyinv train --config FILE`. Of several files later ones win. "
            "An option on the command line wins over all: `--split.seed 44` for the key `seed` of section `split`.\n",
            "## The training as a whole\n",
            *(_items([action for action in common if "." not in action.dest and action.dest != "model"], common)),
            *_trainer(),
            *_models(by_model),
            f"\n## {TRAINING}\n\nHow a network is trained; the same keys for every network.\n",
            *_items(_below(common, TRAINING), common),
            *(line for section in SECTIONS for line in _section(section, common)),
            *_shipped(),
        ]
    )


def _config_parser(model: str) -> Iterator[Action]:
    parser = Parser(prog="configuration", exit_on_error=False, allow_abbrev=False)
    add_experiment(parser, [f"--model.name={model}"])
    yield from (action for action in parser._actions if action.dest not in ("help", "config", "print_config"))


def _models(by_model: dict[str, list[Action]]) -> Iterator[str]:
    yield "\n## model\n\nWhich model, and its options. `model.name` decides which other keys there are.\n"
    yield from _items([action for action in by_model["mlp"] if action.dest == "model.name"], [])
    for name, actions in by_model.items():
        yield f"\n### model.name: {name}\n\n[`{MODELS[name].__name__}`](api/{MODELS[name].__name__}.md)\n"
        yield from _items([action for action in _below(actions, "model") if action.dest != "model.name"], actions)
        if _below(actions, TRAINING):
            yield f"and the keys of [`{TRAINING}`](#modeltraining).\n"


def _section(name: str, actions: list[Action]) -> Iterator[str]:
    yield f"\n## {name}\n\n{SECTIONS[name]}\n"
    yield from _items(_below(actions, name), actions)


def _below(actions: list[Action], section: str) -> list[Action]:
    """Pick the keys right below a section."""
    return [action for action in actions if action.dest.rpartition(".")[0] == section]


def _items(actions: list[Action], all_actions: list[Action]) -> Iterator[str]:
    sections = {action.dest.rpartition(".")[0] for action in all_actions}
    for action in actions:
        if action.dest not in sections:
            yield from _item(action, f"`{action.dest}`")


def _item(action: Action, name: str) -> Iterator[str]:
    facts = [name, _type(action), "required" if _required(action) else _default(action)]
    yield f"{' · '.join(filter(None, facts))}\n:   {' '.join((action.help or '').split())}\n"


def _required(action: Action) -> bool:
    return bool(action.required and action.option_strings)


def _type(action: Action) -> str:
    kind = getattr(action, "_typehint", None) or action.type
    if kind is None:
        return ""
    name = kind.__name__ if isinstance(kind, type) and not getattr(kind, "__args__", ()) else str(kind)
    return f"*{name.replace('typing.', '').replace('NoneType', 'none').replace('None', 'none').replace(' | ', ' or ')}*"


def _default(action: Action) -> str:
    hidden = (
        action.default is None or action.default == "==SUPPRESS==" or action.nargs == 0 or not action.option_strings
    )
    return "" if hidden or action.default in ([], {}) else f"default `{_plain(action.default)}`"


def _plain(value: Any) -> str:
    return (
        f"[{', '.join(map(_plain, value))}]"
        if isinstance(value, tuple | list)
        else f"{value:g}"
        if _is_float(value)
        else str(value)
    )


def _is_float(value: Any) -> bool:
    return isinstance(value, float)


def _trainer() -> Iterator[str]:
    yield "### trainer\n\nOptions that are passed on to Lightning's Trainer as they are:\n"
    yield ", ".join(f"`{name}`" for name in TRAINER_OPTIONS) + ".\n"
    yield "Others have a key of their own here:\n"
    for name, key in SAID_ELSEWHERE.items():
        yield f"`trainer.{name}`\n:   {key}\n"


def _shipped() -> Iterator[str]:
    yield "\n## Configurations that come along\n"
    yield "A bare name that is no file where the command is called, such as `mlp.yaml`, is one of these.\n"
    for file in sorted(CONFIGS.glob("*.yaml")):
        yield f"### {file.name}\n\n```yaml\n{Path(file).read_text(encoding='utf-8').strip()}\n```\n"
