"""Reproduce the published study."""

from polyinv.commands.options import command_parser, say
from polyinv.data.source import DataConfig, load_table
from polyinv.errors import InputError
from polyinv.experiment.configuration import data_config, parse


def reproduce(arguments: list[str]) -> None:
    """Train the published models and a baseline on the published and on an honest split; tables and figures."""
    parser = command_parser("reproduce", reproduce)
    parser.add_argument(
        "--output", type=str, default="runs/reproduce", help="folder; finished trainings in it are kept"
    )
    parser.add_argument("--seeds", type=int, default=5, help="number of by_recipe splits (reactions never seen)")
    parser.add_argument("--workers", type=int | None, help="trainings at once; one per core by default")
    parser.add_class_arguments(DataConfig, "data")
    config = parse(parser, arguments)
    for option in ("seeds", "workers"):
        if config[option] is not None and config[option] < 1:
            raise InputError(f"--{option} is {config[option]}; needs 1 or more")
    data = data_config(config.data)
    if data.source != "table":
        raise InputError("reproduce trains on a table, as the study did; --data.source goes with train")
    if data.path:
        load_table(data)

    from polyinv.experiment.reproduce import reproduce as reproduce_study

    reproduce_study(config.output, data=data, seeds=config.seeds, workers=config.workers, say=say)
