"""Calibrate a system on your own runs."""

import logging
from pathlib import Path

from polyinv.chemistry import DEFAULT, load_system
from polyinv.commands.options import SYSTEM_HELP, check_new_page, command_parser
from polyinv.errors import InputError
from polyinv.experiment.configuration import parse
from polyinv.runtime.files import at_home, check_new, has_ending, written
from polyinv.runtime.progress import counted

log = logging.getLogger("polyinv")


def calibrate(arguments: list[str]) -> None:
    """Calibrate a system's coefficients and your instrument on a few own runs whose recipes you know."""
    parser = command_parser("calibrate", calibrate)
    parser.add_argument(
        "runs",
        nargs="+",
        metavar="RUNS",
        help="table or tables of samples: the recipe of the system in each row, run (name of the reaction; by default "
        "rows of the same conditions are one), and any of conversion or residual monomer, Mn, Mw, and a curve (MMD1 … "
        "MMD100, points in columns such as w_at_4.35, or curve_file with the name of its file); columns such as "
        "temp_error or conversion_error state errors; a cell may be empty",
    )
    parser.add_argument("--system", default=DEFAULT, help=f"{SYSTEM_HELP}; its uncertainties are the prior")
    parser.add_argument("--out", type=str, required=True, help="new file of the calibrated system, .yaml")
    parser.add_argument("--report", type=str | None, help="new .html: fit, errors left out run by run, next run")
    parser.add_argument(
        "--errors", default="ordinary", help="how well all is known of which nothing is stated: good, ordinary or rough"
    )
    config = parse(parser, arguments)

    from polyinv.instrument.errors import measurement_errors

    system, out = load_system(config.system), Path(config.out)
    if not has_ending(out, (".yaml", ".yml")):
        raise InputError(f"--out is {out}; needs the name of a new .yaml file")
    check_new(out)
    check_new_page(config.report)
    measurement_errors(config.errors)

    from polyinv.calibrate.calibrate import calibrate as calibrate_system
    from polyinv.calibrate.calibrate import check_uncalibrated, fits_of
    from polyinv.calibrate.reading import read_own_runs
    from polyinv.calibrate.result import write_system
    from polyinv.report.laboratory import lines, page

    check_uncalibrated(system)
    runs = read_own_runs([at_home(each) for each in config.runs], system, config.errors)
    with counted("calibrating", "fits", fits_of(runs)) as advance:
        found = calibrate_system(runs, system, config.errors, advance)
    calibrated = write_system(found.fit, config.system, out)
    if config.report is not None:
        with written(config.report) as passing:
            passing.write_text(page(found, system, calibrated), encoding="utf-8")
    for line in lines(found, calibrated):
        print(line)
    for warning in found.warnings():
        log.warning("%s", warning)
    print(f"\nwritten to {out}; use it as --system {out}")
