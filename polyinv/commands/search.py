"""Search for hyper-parameters."""

from pathlib import Path

from polyinv.commands.jobs import add_engine, add_slurm, add_workers, array_of, engine_of, jobs_at_once, send
from polyinv.commands.options import command_parser, say
from polyinv.errors import naming
from polyinv.experiment.configuration import parse
from polyinv.runtime.resources import SEARCHES, shipped_or


def search(arguments: list[str]) -> None:
    """Search for the hyper-parameters of a network by their loss on validation rows; test rows are not looked at."""
    parser = command_parser("search", search)
    parser.add_argument(
        "search",
        type=str,
        metavar="SEARCH",
        help="file, or one that comes along (mlp.yaml): base, axes with ranges or values, trials",
    )
    parser.add_argument("--output", type=str | None, help="folder, runs/searches/NAME by default; its trials stay")
    parser.add_argument("--trials", type=int | None, help="how many in all, instead of what the file says")
    add_workers(parser, "trials")
    add_engine(parser)
    add_slurm(parser)
    parser.add_argument("--dry-run", action="store_true", help="print the plan and an estimate of the time")
    config = parse(parser, arguments)
    at_once = jobs_at_once(config, "trials")
    engine, array = engine_of(config), array_of(config)

    from polyinv.search.plan import kept_trials, plan
    from polyinv.search.search import search as run_search
    from polyinv.search.spec import check_inputs_of, read_search

    file = shipped_or(config.search, SEARCHES)
    with naming([file]):
        wanted = read_search(file, config.trials)
        check_inputs_of(wanted)
    output = Path(config.output or Path("runs", "searches", wanted.name))
    if config.dry_run:
        say(plan(wanted, output, **at_once))
        return
    if array is not None:
        kept_trials(wanted, output)  # refuses those of another search
        send(array, ["search", *arguments], wanted.name, config.slurm)
        return
    run_search(wanted, output, **at_once, engine=engine, say=say)
