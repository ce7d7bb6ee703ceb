"""What the parsers of all commands share."""

from collections.abc import Callable

from polyinv.experiment.configuration import Parser
from polyinv.runtime.door import DEBUG

SYSTEM_HELP = "what is polymerized: a system by its name or its monomer's symbol (MMA), or the file of one"


def command_parser(name: str, command: Callable) -> Parser:
    parser = Parser(prog=f"polyinv {name}", description=first_line(command), exit_on_error=False, allow_abbrev=False)
    # Taken out of the arguments before: what a file adds, a parser has to know.
    parser.add_argument(
        "--import", metavar="FILE", help="Python file that adds a network, a model or a split of your own"
    )
    parser.add_argument(DEBUG, action="store_true", help="show where an error comes from")
    return parser


def first_line(command: Callable) -> str:
    return (command.__doc__ or "").partition("\n")[0]


def say(line: str) -> None:
    print(line, flush=True)
