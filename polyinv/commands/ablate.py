"""Run an ablation study."""

from pathlib import Path

from polyinv.commands.jobs import add_engine, add_slurm, add_workers, array_of, engine_of, jobs_at_once, send
from polyinv.commands.options import command_parser, say
from polyinv.errors import InputError, naming
from polyinv.experiment.configuration import parse
from polyinv.runtime.resources import STUDIES, shipped_or


def ablate(arguments: list[str]) -> None:
    """Run an ablation study: every combination of a few axes with every split seed; tables and a figure."""
    parser = command_parser("ablate", ablate)
    parser.add_argument(
        "study",
        nargs="?",
        type=str | None,
        metavar="STUDY",
        help="file, or one that comes along (features.yaml): base, axes, seeds; each combination is compared, split "
        "by split, with that which has the first value of the first axis",
    )
    parser.add_argument("--output", type=str | None, help="folder, runs/ablations/NAME by default; finished cells stay")
    add_workers(parser, "cells")
    add_engine(parser)
    add_slurm(parser)
    parser.add_argument("--retry", action="store_true", help="run the cells again that failed before")
    parser.add_argument("--dry-run", action="store_true", help="print the plan and an estimate of the time")
    parser.add_argument("--summarize", type=str | None, metavar="DIR", help="only summarize what DIR holds so far")
    config = parse(parser, arguments)
    if (config.study is None) == (config.summarize is None):
        raise InputError("ablate takes a study file, configs/ablations/NAME.yaml, or --summarize with its folder")
    at_once = jobs_at_once(config, "cells")
    engine, array = engine_of(config), array_of(config)

    from polyinv.ablation.ablate import ablate as run_study
    from polyinv.ablation.folder import check_same_study
    from polyinv.ablation.inputs import check_inputs_of
    from polyinv.ablation.study import read_study
    from polyinv.ablation.tables import summarize

    if config.summarize is not None:
        summarize(config.summarize, say=say)
        return
    file = shipped_or(config.study, STUDIES)
    with naming([file]):
        study = read_study(file)
        check_inputs_of(study)
    output = Path(config.output or Path("runs", "ablations", study.name))
    if config.dry_run:
        from polyinv.ablation.estimate import plan

        check_same_study(study, output)
        say(plan(study, output, **at_once))
        return
    if array is not None:
        check_same_study(study, output)
        send(array, ["ablate", *arguments], study.name, config.slurm)
        return
    run_study(study, output, **at_once, engine=engine, retry=config.retry, say=say)
