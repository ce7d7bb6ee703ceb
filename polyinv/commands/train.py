"""Train one model."""

from polyinv.commands.options import command_parser
from polyinv.experiment.arguments import configs_first
from polyinv.experiment.configuration import add_experiment, experiment_of, parse


def train(arguments: list[str]) -> None:
    """Train and evaluate one model; everything is kept in a run folder."""
    arguments = configs_first(arguments)
    parser = command_parser("train", train)
    parser.add_argument("--output", type=str, required=True, help="new run folder")
    parser.add_argument("--resume", action="store_true", help="go on with an unfinished run folder")
    add_experiment(parser, arguments)
    config = parse(parser, arguments)
    experiment = experiment_of(config)

    from polyinv.experiment.run import run

    scores = run(experiment, config.output, resume=config.resume)

    from polyinv.report.tables import score_table

    for (subset, given), part in scores.groupby(["subset", "features"], sort=False):
        pattern = "" if given == experiment.features else f" from {given}"
        print(f"{experiment.title}{pattern}, {subset} rows of {experiment.data}\n\n{score_table(part)}\n")
    print(f"kept in {config.output}")
