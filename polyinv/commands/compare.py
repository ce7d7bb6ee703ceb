"""Compare your own reactions with what a system predicts."""

import logging

from polyinv.chemistry import DEFAULT, load_system
from polyinv.commands.options import SYSTEM_HELP, command_parser
from polyinv.errors import naming
from polyinv.experiment.configuration import parse

LISTED = 50
"""Lines that a table on the terminal has at most."""
log = logging.getLogger("polyinv")


def compare(arguments: list[str]) -> None:
    """Compare your own reactions, whose recipes you know, with what a system predicts for them; nothing is adjusted."""
    parser = command_parser("compare", compare)
    parser.add_argument(
        "file",
        metavar="FILE",
        help=".csv with the recipe of the system in each row and any of conversion or residual monomer, Mn, Mw, and a "
        "curve (MMD1 … MMD100, or points in columns such as w_at_4.35); a cell may be empty",
    )
    parser.add_argument("--system", default=DEFAULT, help=SYSTEM_HELP)
    parser.add_argument("--out", type=str | None, help="new .csv: a line for each row, measured and predicted")
    config = parse(parser, arguments)

    from polyinv.data.runs_file import read_runs
    from polyinv.predict.writing import check_new_answers, write_answers

    system = load_system(config.system)
    check_new_answers(config.out)
    with naming([config.file]):
        measured = read_runs(config.file, system)

    from polyinv.evaluation.compare import agreement
    from polyinv.evaluation.compare import compare as compare_runs
    from polyinv.report.tables import markdown

    lines = compare_runs(measured, system)
    summary = agreement(lines)
    if len(summary) > LISTED:  # reactions, and all of them together
        log.info("%d reactions; a line for each row goes to --out", len(summary) - 1)
        summary = summary.tail(1)
    print(f"{config.file}, predicted as {system.name}; rms and mean of predicted less measured\n")
    print(
        markdown(
            summary.assign(
                **summary.select_dtypes("float").map("{:.3f}".format).replace({"nan": "", "-0.000": "0.000"})
            )
        )
    )
    print(f"\n{system.name}: {system.chemistry.note}")
    if config.out is not None:
        write_answers(lines, config.out)
