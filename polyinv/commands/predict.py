"""Predict the recipes of measured polymers."""

from dataclasses import fields
from pathlib import Path

from polyinv.chemistry import load_system
from polyinv.commands.options import SYSTEM_HELP, command_parser
from polyinv.commands.standard_input import files_or_standard_input
from polyinv.data.files.options import Options
from polyinv.errors import naming
from polyinv.experiment.configuration import parse


def predict(arguments: list[str]) -> None:
    """Predict the recipes of measured polymers, with missing inputs and known values."""
    parser = command_parser("predict", predict)
    parser.add_argument(
        "paths",
        nargs="+",
        metavar="[MODEL] FILE",
        help="folder of a saved model, by default the released posterior model; then one file or several, as an "
        "instrument or a person writes them: measured curves (log10 M or M against w(log M), w(M) or a signal; text, "
        "report, workbook, JCAMP-DX, .gpc), or a table with any of Mn, Mw, the residual monomer, MMD1 … MMD100 and, "
        "where known, the recipe: cBA_0, cAIBN_0, temp, time (a cell may be empty; other systems have columns of their "
        "own); - is standard input",
    )
    parser.add_argument("--system", type=str | None, help=f"{SYSTEM_HELP}; by default that of the model")
    parser.add_argument(
        "--known", action="append", default=[], help="values that hold for all rows: temp=70,time=3600 or temp=70±0.5"
    )
    parser.add_argument(
        "--ask", action="append", default=[], help="values to predict even where the file has them: cAIBN_0"
    )
    parser.add_argument(
        "--errors",
        default="ordinary",
        help="how well all is known of which nothing is stated: exact (simulated), good, ordinary or rough; a column "
        "temp_error or --known temp=70±0.5 states one",
    )
    parser.add_argument("--normalize", action="store_true", help="divide each distribution by its area")
    parser.add_argument(
        "--signal",
        type=str | None,
        help="ordinate of a curve: auto, w_log (w(log M)), w_m (w(M)), n_log, n_m (of numbers), sec (a signal)",
    )
    parser.add_argument(
        "--unit", type=str | None, help="unit of M, Mn and Mw where a file names none: g/mol, the default, or kg/mol"
    )
    parser.add_argument(
        "--baseline", type=str | None, help="taken off a curve: none, the default, or linear (through both ends)"
    )
    parser.add_argument(
        "--sheet", type=str | None, help="sheet of a workbook; by default the first with a curve or table"
    )
    parser.add_argument("--x", type=str | None, help="column with M, log M or the elution, by its name or number")
    parser.add_argument("--y", type=str | None, help="column with the ordinate, by its name or number")
    parser.add_argument("--sample", type=str | None, help="the only one to take of several curves, by name or number")
    parser.add_argument(
        "--decimal", type=str | None, help="decimal sign of a text, '.' or ','; by default by its numbers"
    )
    parser.add_argument(
        "--calibration",
        type=str | None,
        help="for a chromatogram: file of standards, or of a polynomial's coefficients",
    )
    parser.add_argument(
        "--interval", default="90%", help="share of the recipes that fit which an interval holds: 90%% or 0.9"
    )
    parser.add_argument(
        "--sharpen",
        action="store_true",
        help="correct the recipes that fit by simulating them, half a second a row; a single row is, anyway",
    )
    parser.add_argument("--no-sharpen", action="store_true", help="not even those of a single row")
    parser.add_argument("--samples", type=int | None, help="so many recipes that fit each row, in --out-samples")
    parser.add_argument("--out-samples", type=str | None, help="new file of these, .csv or .xlsx")
    parser.add_argument(
        "--alternatives",
        type=int | None,
        help="print so many recipes that fit and lie far apart, each simulated, instead of the answers",
    )
    parser.add_argument(
        "--advise", action="store_true", help="print what to measure next, and how much it would tell, instead"
    )
    parser.add_argument("--ridge", type=str | None, help="new .png: all the recipes that fit one polymer")
    parser.add_argument("--plot", type=str | None, help="new .png: observed curves and those of the answered recipes")
    parser.add_argument("--out", default="-", help="new file, .csv or .xlsx; - prints CSV")
    config = parse(parser, arguments)

    from polyinv.instrument.errors import measurement_errors
    from polyinv.models.card import read_card, system_of
    from polyinv.models.released import model_folder
    from polyinv.predict.all_recipes import check_rows, check_wanted, found_of, show
    from polyinv.predict.known import all_stated, errors_of, values_of
    from polyinv.predict.predictor import load
    from polyinv.predict.rows import read_rows
    from polyinv.predict.writing import check_new_answers, plot_answers, write_answers

    model, files = _model_and_files([str(path) for path in config.paths])
    folder = model_folder(model, config.system)
    system = system_of(read_card(folder)) if config.system is None else load_system(config.system)
    out = None if config.out == "-" else config.out
    check_new_answers(out, config.plot)
    wanted = check_wanted(config.as_dict(), read_card(folder)["model"])
    measurement_errors(config.errors)  # refused before a file is read
    known = all_stated(config.known, system)
    asked = [name.strip() for each in config.ask for name in each.split(",")]
    options = {name: config[name] for name in ("normalize", *(each.name for each in fields(Options)))}
    with files_or_standard_input(files) as paths:
        options |= {"called": "standard input" if files == ["-"] else None, "system": system}
        with naming(files):
            rows = read_rows(paths, **options)  # before a model is loaded, which takes seconds
            check_rows(wanted, len(rows[0]))
        with naming([folder]):
            predictor = load(folder)
        with naming(files):
            observations = predictor.prepared(rows[0], values_of(known), asked, errors_of(known), config.errors)
            found = found_of(predictor.model, observations, wanted)
            answers = predictor.answers(observations, rows[1], found, wanted.interval)
            if config.plot is not None:
                plot_answers(rows[0], answers, config.plot)
            if found is not None:
                answers = show(found, answers, wanted, rows[1])
        write_answers(answers, out)


def _model_and_files(paths: list[str]) -> tuple[str | None, list[str]]:
    """Part the arguments of predict: a model comes first, if it is there, and is a folder."""
    if len(paths) > 1 and paths[0] != "-" and not Path(paths[0]).is_file():
        return paths[0], paths[1:]
    return None, paths
