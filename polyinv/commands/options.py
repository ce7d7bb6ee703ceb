"""What the parsers of all commands share."""

from collections.abc import Callable

from polyinv.errors import InputError
from polyinv.experiment.configuration import Parser
from polyinv.runtime.door import DEBUG
from polyinv.runtime.files import check_new, has_ending

SYSTEM_HELP = "what is polymerized: a system by its name or its monomer's symbol (MMA), or the file of one"


def command_parser(name: str, command: Callable) -> Parser:
    parser = Parser(prog=f"polyinv {name}", description=first_line(command), exit_on_error=False, allow_abbrev=False)
    # Taken out of the arguments before: what a file adds, a parser has to know.
    parser.add_argument(
        "--import", metavar="FILE", help="Python file that adds a network, a model or a split of your own"
    )
    parser.add_argument(DEBUG, action="store_true", help="show where an error comes from")
    return parser


def check_new_page(report: str | None) -> None:
    """Check, before anything is computed, that a page can be written where ``--report`` says, if it says.

    Raises:
        InputError: It cannot.
    """
    if report is None:
        return
    if not has_ending(report, (".html",)):
        raise InputError(f"--report is {report}; needs the name of a new .html file")
    check_new(report)


def first_line(command: Callable) -> str:
    return (command.__doc__ or "").partition("\n")[0]


def say(line: str) -> None:
    print(line, flush=True)
