"""List and show systems."""

from polyinv.chemistry import load_system
from polyinv.commands.options import SYSTEM_HELP, command_parser
from polyinv.errors import InputError, unknown
from polyinv.experiment.configuration import parse


def systems(arguments: list[str]) -> None:
    """List the systems that come with polyinv, or show one with its coefficients, their sources and uncertainty."""
    parser = command_parser("systems", systems)
    parser.add_argument(
        "action", nargs="?", default="list", metavar="ACTION", help="list, which is the default, or show"
    )
    parser.add_argument("system", nargs="?", type=str | None, metavar="NAME_OR_FILE", help=f"with show: {SYSTEM_HELP}")
    config = parse(parser, arguments)
    if config.action not in ("list", "show"):
        raise unknown("action of systems", config.action, ("list", "show"))
    if (config.system is None) == (config.action == "show"):
        raise InputError("polyinv systems takes nothing, or show with a NAME_OR_FILE")

    from polyinv.report.systems import console, listed, shown

    console().print(listed() if config.system is None else shown(load_system(config.system)))
