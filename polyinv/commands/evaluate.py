"""Evaluate a saved model."""

from pathlib import Path

from polyinv.commands.options import SYSTEM_HELP, command_parser
from polyinv.experiment.configuration import parse


def evaluate(arguments: list[str]) -> None:
    """Evaluate a saved model on rows it has not learned from: scores, figures, closed loop, applicability, as HTML."""
    parser = command_parser("evaluate", evaluate)
    parser.add_argument("path", metavar="FOLDER", help="run folder of an experiment, or folder of a saved model")
    parser.add_argument("--output", type=str, required=True, help="new folder for report.html, figures and numbers")
    parser.add_argument("--system", type=str | None, help=f"{SYSTEM_HELP}; that of the model, or it is refused")
    parser.add_argument("--data", type=str | None, help="table to evaluate on; by default rows it has not learned from")
    parser.add_argument(
        "--given", type=str | None, help="what a conditional model is given: mmd+temp, ...; composite by default"
    )
    parser.add_argument(
        "--errors",
        type=str | None,
        help="measure the rows first, with the errors of a laboratory: exact, good, ordinary or rough; a model that "
        "takes errors is told them. By default the rows are taken as they are",
    )
    parser.add_argument(
        "--method", default="sampled", help="simulator of the closed loop: sampled, deterministic or kmc"
    )
    config = parse(parser, arguments)

    from polyinv.data.patterns import inputs_of
    from polyinv.models.card import read_card, system_of
    from polyinv.models.released import model_folder

    system = system_of(read_card(model_folder(config.path, config.system)))
    if config.given is not None:
        inputs_of(config.given, system)

    from polyinv.experiment.evaluate import evaluate as evaluate_model
    from polyinv.report.tables import score_table

    options = {name: config[name] for name in ("data", "given", "method", "errors")}
    scores = evaluate_model(config.path, config.output, **options)
    for subset, part in scores.groupby("subset", sort=False):
        print(f"{subset}\n\n{score_table(part)}\n")
    print(f"report in {Path(config.output, 'report.html')}")
