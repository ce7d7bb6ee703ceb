"""Command line: parse, call, print. ``polyinv COMMAND --help`` lists the options.

What takes seconds to import (torch, lightning, scikit-learn) is imported by what is called, after the arguments and
the input files have been refused or accepted.
"""

import io
import logging
import os
import sys
import tempfile
import threading
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import fields
from pathlib import Path
from typing import IO, Any, NoReturn

import numpy as np
import pandas as pd
from jsonargparse import Namespace

from polyinv import __version__
from polyinv.chemistry import DEFAULT, System, load_system
from polyinv.data.files.options import Options
from polyinv.data.source import DataConfig, check_seed, load_table, simulate_table
from polyinv.data.workbook import check_new_table, read_table, write_table
from polyinv.errors import InputError, naming, quoted, unknown
from polyinv.experiment.configuration import (
    ConfigFile,
    Parser,
    add_experiment,
    config_files,
    configs_first,
    data_config,
    experiment_of,
    parse,
)
from polyinv.reactions import MOST_ROWS, Shard, check_together, run_numbers
from polyinv.runtime.collection import uncollected_at_exit
from polyinv.runtime.door import DEBUG, REFUSED, refused, without_debug
from polyinv.runtime.engines import ENGINES, LOCAL, Places, Wanted
from polyinv.runtime.files import at_home
from polyinv.runtime.flags import bare
from polyinv.runtime.interrupts import interruptible
from polyinv.runtime.plugins import import_files, taken_out
from polyinv.runtime.progress import Advance, counted
from polyinv.runtime.resources import SEARCHES, STUDIES, shipped_or
from polyinv.runtime.slurm import PRINT, SUBMIT, Array, called_again, submit
from polyinv.runtime.threads import available_cores

INTERRUPTED = 130
MOST_STREAMED = 1_000_000_000
"""Bytes of standard input."""
LISTED = 50
"""Lines that a table on the terminal has at most."""
SYSTEM_HELP = "what is polymerized: a system by its name or its monomer's symbol (MMA), or the file of one"

log = logging.getLogger("polyinv")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code.

    It is 0, 2 for input that cannot be used, 1 for a fault of polyinv's own, 130 if interrupted
    (`docs/reference/errors.md`). Errors end in one line; ``--debug`` prints the traceback before.
    """
    arguments, debug = without_debug(list(sys.argv[1:] if arguments is None else arguments))
    try:
        arguments, imported = taken_out(arguments)
        if not arguments or arguments[0] in ("-h", "--help"):
            print(_usage())
            return 0 if arguments else REFUSED
        if arguments[0] == "--version":
            print(f"polyinv {__version__}")
            return 0
        name, *rest = arguments
        if name not in COMMANDS:
            raise unknown("command", name, COMMANDS)
        with _speaking(), interruptible():
            import_files(imported)
            with naming(config_files(rest)):
                COMMANDS[name](list(bare(rest, FLAGS.get(name, ()))))
            if sys.stdout:
                sys.stdout.flush()  # here, where a full disk gets its line
    except BrokenPipeError:  # who reads has read enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except KeyboardInterrupt:
        print("polyinv: interrupted", file=sys.stderr)
        return INTERRUPTED
    except Exception as error:
        return refused(error, debug)
    return 0


def simulate(arguments: list[str]) -> None:
    """Simulate a list of recipes, random ones, or the grid of a system, and write a table."""
    parser = _parser("simulate", simulate)
    parser.add_argument("--method", default="sampled", help="deterministic, sampled, sampled_per_row or kmc")
    parser.add_argument("--chains", type=float, default=1e6, help="dead chains of each reaction at its horizon")
    parser.add_argument("--seed", type=int, default=1, help="seed of the random numbers")
    parser.add_argument(
        "--recipes", type=str | None, help="table of recipes: cBA_0, cAIBN_0, temp, time, or those of the system"
    )
    parser.add_argument(
        "--random", type=int | None, help="simulate that many random recipes of the system's box, by --seed"
    )
    parser.add_argument("--replicates", type=int, default=1, help="independent simulations of each recipe")
    parser.add_argument("--system", default=DEFAULT, help=SYSTEM_HELP)
    parser.add_argument("--shard", type=str | None, metavar="I/N", help="only the I-th of N parts of the reactions")
    parser.add_argument("--out", type=str, required=True, help="new file, .xlsx, .csv or .npz")
    parser.add_argument(
        "--horizon",
        type=float | None,
        help="time in s that --chains refers to; the last snapshot of each reaction by default",
    )
    parser.add_argument("--workers", type=int | None, help="kmc, or --engine dask: how many at once")
    _add_engine(parser)
    parser.add_argument("--allow-few", action="store_true", help="kmc: simulate volumes with too few radicals, too")
    config = parse(parser, arguments)
    out = check_new_table(config.out)
    if config.recipes is not None and config.random is not None:
        raise InputError("--recipes and --random both say what to simulate; give one of them")
    if config.random is not None and not 1 <= config.random <= MOST_ROWS:
        raise InputError(f"--random is {config.random}; needs 1 to {MOST_ROWS}")
    if not 1 <= config.replicates <= MOST_ROWS:
        raise InputError(f"--replicates is {config.replicates}; needs 1 to {MOST_ROWS}")
    engine = Wanted(config.engine, config.scheduler)
    shard = None if config.shard is None else Shard.parse(config.shard)
    if shard is not None and engine != LOCAL:
        raise InputError("--shard and --engine both divide the reactions; give one of them")
    system = load_system(config.system)
    recipes = _recipes(config, system)
    run = run_numbers(recipes, system)
    total = (run.max() + 1) * config.replicates
    if shard is not None:
        check_together(run)
    reactions = shard.of(total) if shard else range(total)
    rows = len(recipes) / (run.max() + 1) * len(reactions)
    if rows > MOST_ROWS:
        raise InputError(f"{rows:.3g} rows; needs {MOST_ROWS:g} at most in one table: --shard I/N makes parts")
    options = _options_of_method(config)
    options |= {"method": config.method, "chains": config.chains, "seed": config.seed, "replicates": config.replicates}

    from polyinv.simulate.recipes import part_to_simulate

    simulated = len(part_to_simulate(config.method, reactions, total))
    with _finished_runs(out, config.method, engine) as store, counted("simulating", "reactions", simulated) as advance:
        if engine == LOCAL:
            table = simulate_table(recipes, system=system, shard=shard, progress=advance, **options | store)
        else:
            table = _simulated_on(
                engine, recipes, store["store"], config.workers, advance, options | {"system": system}
            )
        log.info("writing %d rows of %d reactions to %s", len(table), len(reactions), out)
        write_table(table, out, system)


def _simulated_on(
    engine: Wanted, recipes: pd.DataFrame, store: Path, workers: int | None, advance: Advance, options: dict[str, Any]
) -> pd.DataFrame:
    """Simulate on an engine that is not this process."""
    from polyinv.data.in_parts import simulate_in_parts

    options.pop("workers", None)
    with engine.start(Places(workers or available_cores()), [store]) as started:
        log.info("%s", started.said)
        return simulate_in_parts(recipes, started, store, progress=advance, **options)


def _recipes(config: Namespace, system: System) -> pd.DataFrame:
    if config.recipes is not None:
        return read_table(config.recipes, system.targets, system=system)

    import torch

    from polyinv.simulate.recipes import grid, random_recipes

    if config.random is None:
        return grid(system)
    check_seed(config.seed)
    # Not the numbers of the noise: torch takes the low 32 bits of a seed only, so that arithmetic does not do.
    apart = int(np.random.SeedSequence([config.seed, 1]).generate_state(1)[0])
    generator = torch.Generator().manual_seed(apart)
    return pd.DataFrame(random_recipes(config.random, generator, system).numpy(), columns=list(system.targets))


def _options_of_method(config: Namespace) -> dict[str, Any]:
    known = {"deterministic": (), "kmc": ("horizon", "workers", "allow_few")}
    if config.engine != LOCAL.name:
        known = {method: (*known.get(method, ("horizon",)), "workers") for method in (*known, config.method)}
    options = {name: config[name] for name in ("horizon", "workers") if config[name] is not None}
    options |= {"allow_few": True} if config.allow_few else {}
    for name in options:
        if name not in known.get(config.method, ("horizon",)):
            raise InputError(f"--{name.replace('_', '-')} does not go with --method {config.method}")
    return options


@contextmanager
def _finished_runs(out: Path, method: str, engine: Wanted) -> Iterator[dict[str, Path]]:
    """Folder that keeps finished kinetic Monte Carlo reactions, or parts, until the table is written."""
    if method != "kmc" and engine == LOCAL:
        yield {}
        return

    from polyinv.simulate.run_store import kept_until_written

    with kept_until_written(out) as folder:
        yield {"store": folder}


def train(arguments: list[str]) -> None:
    """Train and evaluate one model; everything is kept in a run folder."""
    arguments = configs_first(arguments)
    parser = _parser("train", train)
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


def reproduce(arguments: list[str]) -> None:
    """Train the published models and a baseline on the published and on an honest split; tables and figures."""
    parser = _parser("reproduce", reproduce)
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

    reproduce_study(config.output, data=data, seeds=config.seeds, workers=config.workers, say=_say)


def ablate(arguments: list[str]) -> None:
    """Run an ablation study: every combination of a few axes with every split seed; tables and a figure."""
    parser = _parser("ablate", ablate)
    parser.add_argument(
        "study",
        nargs="?",
        type=str | None,
        metavar="STUDY",
        help="file, or one that comes along (features.yaml): base, axes, seeds; each combination is compared, split "
        "by split, with that which has the first value of the first axis",
    )
    parser.add_argument("--output", type=str | None, help="folder, runs/ablations/NAME by default; finished cells stay")
    _add_workers(parser, "cells")
    _add_engine(parser)
    _add_slurm(parser)
    parser.add_argument("--retry", action="store_true", help="run the cells again that failed before")
    parser.add_argument("--dry-run", action="store_true", help="print the plan and an estimate of the time")
    parser.add_argument("--summarize", type=str | None, metavar="DIR", help="only summarize what DIR holds so far")
    config = parse(parser, arguments)
    if (config.study is None) == (config.summarize is None):
        raise InputError("ablate takes a study file, configs/ablations/NAME.yaml, or --summarize with its folder")
    at_once = _at_once(config, "cells")
    engine, array = Wanted(config.engine, config.scheduler), _array(config)

    from polyinv.ablation.ablate import ablate as run_study
    from polyinv.ablation.folder import check_same_study
    from polyinv.ablation.inputs import check_inputs_of
    from polyinv.ablation.study import read_study
    from polyinv.ablation.tables import summarize

    if config.summarize is not None:
        summarize(config.summarize, say=_say)
        return
    study = read_study(shipped_or(config.study, STUDIES))
    check_inputs_of(study)
    output = Path(config.output or Path("runs", "ablations", study.name))
    if config.dry_run:
        from polyinv.ablation.estimate import plan

        check_same_study(study, output)
        _say(plan(study, output, **at_once))
        return
    if array is not None:
        check_same_study(study, output)
        _send(array, ["ablate", *arguments], study.name, config.slurm)
        return
    run_study(study, output, **at_once, engine=engine, retry=config.retry, say=_say)


def search(arguments: list[str]) -> None:
    """Search for the hyper-parameters of a network by their loss on validation rows; test rows are not looked at."""
    parser = _parser("search", search)
    parser.add_argument(
        "search",
        type=str,
        metavar="SEARCH",
        help="file, or one that comes along (mlp.yaml): base, axes with ranges or values, trials",
    )
    parser.add_argument("--output", type=str | None, help="folder, runs/searches/NAME by default; its trials stay")
    parser.add_argument("--trials", type=int | None, help="how many in all, instead of what the file says")
    _add_workers(parser, "trials")
    _add_engine(parser)
    _add_slurm(parser)
    parser.add_argument("--dry-run", action="store_true", help="print the plan and an estimate of the time")
    config = parse(parser, arguments)
    at_once = _at_once(config, "trials")
    engine, array = Wanted(config.engine, config.scheduler), _array(config)

    from polyinv.search.search import search as run_search
    from polyinv.search.spec import read_search

    wanted = read_search(shipped_or(config.search, SEARCHES), config.trials)
    output = Path(config.output or Path("runs", "searches", wanted.name))
    if config.dry_run:
        from polyinv.search.plan import plan

        _say(plan(wanted, output, **at_once))
        return
    if array is not None:
        _send(array, ["search", *arguments], wanted.name, config.slurm)
        return
    run_search(wanted, output, **at_once, engine=engine, say=_say)


def _add_workers(parser: Parser, what: str) -> None:
    parser.add_argument(
        "--workers", type=int | None, help=f"{what} at once; by default one per GPU, or without GPUs one per core"
    )
    parser.add_argument("--workers-per-device", type=int | None, help=f"{what} at once on each GPU; 1 by default")


def _at_once(config: Namespace, what: str) -> dict[str, Any]:
    """How many jobs run at once, as the options of `_add_workers` say."""
    for option in ("workers", "workers_per_device"):
        if config[option] is not None and config[option] < 1:
            raise InputError(f"--{option.replace('_', '-')} is {config[option]}; needs 1 or more")
    if config.workers is not None and config.workers_per_device is not None:
        raise InputError(f"--workers and --workers-per-device both say how many {what} run at once; give one of them")
    return {"workers": config.workers, "per_device": config.workers_per_device or 1}


def _add_engine(parser: Parser) -> None:
    parser.add_argument("--engine", default=LOCAL.name, help=f"what runs the jobs: {' or '.join(ENGINES)}")
    parser.add_argument(
        "--scheduler",
        type=str | None,
        metavar="ADDRESS",
        help="of a Dask cluster, tcp://head:8786, with --engine dask; by default it starts one on this machine",
    )


def _add_slurm(parser: Parser) -> None:
    parser.add_argument(
        "--slurm",
        type=str | None,
        nargs="?",
        const=PRINT,
        metavar="submit",
        help="print the script of a SLURM array whose tasks make this call, or with submit send it",
    )
    parser.add_argument("--tasks", type=int, default=Array.tasks, help="with --slurm: tasks of the array")
    parser.add_argument("--time", default=Array.time, help="with --slurm: time limit of a task, which goes on after it")


def _array(config: Namespace) -> Array | None:
    """Array that the options of `_add_slurm` ask for."""
    if config.slurm is None:
        return None
    if config.slurm not in (PRINT, SUBMIT):
        raise InputError(f"--slurm is {config.slurm!r}; needs nothing behind it, or {SUBMIT}")
    if config.engine != LOCAL.name:
        raise InputError("--slurm and --engine both say what runs the jobs; give one of them")
    return Array(config.tasks, config.time, config.workers or 1)


def _send(array: Array, arguments: Sequence[str], name: str, what: str) -> None:
    script = array.script(called_again(arguments), name)
    _say(submit(script) if what == SUBMIT else script.rstrip())


def predict(arguments: list[str]) -> None:
    """Predict the recipes of measured polymers, with missing inputs and known values."""
    parser = _parser("predict", predict)
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
    from polyinv.predict.all_recipes import check_wanted, found_of, show
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
    with _files_or_standard_input(files) as paths:
        options |= {"called": "standard input" if files == ["-"] else None, "system": system}
        with naming(files):
            rows = read_rows(paths, **options)  # before a model is loaded, which takes seconds
            predictor = load(folder)
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


@contextmanager
def _files_or_standard_input(files: list[str]) -> Iterator[list[Path]]:
    """Paths of files, or of copies of standard input for ``-``, and of pipes, which can be read once only."""
    if not any(file == "-" or Path(file).is_fifo() for file in files):
        yield [Path(file) for file in files]
        return
    with tempfile.TemporaryDirectory() as folder:
        paths, called = [], {}
        for at, file in enumerate(files):
            if file != "-" and not Path(file).is_fifo():
                paths.append(Path(file))
                continue
            paths.append(Path(folder, "input.csv" if file == "-" else f"{at}.csv"))
            called[str(paths[-1])] = "standard input" if file == "-" else file
            with nullcontext(sys.stdin.buffer) if file == "-" else Path(file).open("rb") as stream:
                _copy(stream, paths[-1], called[str(paths[-1])])
        try:
            yield paths
        except InputError as error:
            said = str(error)
            for path, name in called.items():
                said = said.replace(path, name)
            raise InputError(said) from None


def _copy(stream: IO[bytes], path: Path, name: str) -> None:
    """Copy what a stream holds, if it ends."""
    left = MOST_STREAMED
    with path.open("wb") as copy:
        while part := stream.read(1 << 20):
            left -= len(part)
            if left < 0:
                raise InputError(f"{name} does not end within {MOST_STREAMED / 1e9:g} GB; needs a file")
            copy.write(part)


def evaluate(arguments: list[str]) -> None:
    """Evaluate a saved model on rows it has not learned from: scores, figures, closed loop, applicability, as HTML."""
    parser = _parser("evaluate", evaluate)
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


def compare(arguments: list[str]) -> None:
    """Compare your own reactions, whose recipes you know, with what a system predicts for them; nothing is adjusted."""
    parser = _parser("compare", compare)
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


def calibrate(arguments: list[str]) -> None:
    """Calibrate a system's coefficients and your instrument on a few own runs whose recipes you know."""
    parser = _parser("calibrate", calibrate)
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
    from polyinv.runtime.files import check_new, written

    system, out = load_system(config.system), Path(config.out)
    if out.suffix not in (".yaml", ".yml"):
        raise InputError(f"--out is {out}; needs the name of a new .yaml file")
    check_new(out)
    if config.report is not None:
        if Path(config.report).suffix != ".html":
            raise InputError(f"--report is {config.report}; needs the name of a new .html file")
        check_new(config.report)
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


def design(arguments: list[str]) -> None:
    """Find recipes that make the polymer you want, what they tolerate, and what no recipe makes."""
    parser = _parser("design", design)
    parser.add_argument("--config", action=ConfigFile, help="YAML file of these options: wishes, minimize, count, …")
    parser.add_argument(
        "typed",
        nargs="*",
        metavar="WISH",
        help="for the polymer (Mn, Mw, D, Mp, conversion) and its recipe: Mn=25000±5%%, 'D<2.4', 'conversion>=90%%', "
        "'Mw=40 to 60 kg/mol', 'temp<=75', 'time<=1 h', cAIBN_0=0.01; < and > need quotes in a shell",
    )
    parser.add_argument(
        "--curve", type=str | None, metavar="FILE", help="MMD that is to be made, as predict reads a measured one"
    )
    parser.add_argument("--system", default=DEFAULT, help=SYSTEM_HELP)
    parser.add_argument("--count", type=int, default=5, help="distinct recipes, at most")
    parser.add_argument(
        "--minimize",
        action="append",
        default=[],
        metavar="NAME",
        help="prefer recipes with less of a property or a value: time, initiator, temp, D, mmd_distance (from "
        "--curve), cost (by --prices); two or three give their trade-off",
    )
    parser.add_argument(
        "--maximize", action="append", default=[], metavar="NAME", help="prefer those with more: conversion"
    )
    parser.add_argument(
        "--prices",
        type=dict[str, float] | str | None,
        metavar="NAME=PRICE,…",
        help="of a mol of each substance, and of a second of a litre: monomer=0.3,initiator=20,time=1e-4",
    )
    parser.add_argument(
        "--robust",
        action="store_true",
        help="prefer recipes whose polymer changes least with small errors of the recipe",
    )
    parser.add_argument(
        "--chains",
        type=float | None,
        metavar="N",
        help="simulate each recipe by kinetic Monte Carlo as well, with so many chains: 1e6",
    )
    parser.add_argument("--out", type=str | None, help="new .csv or .xlsx for the recipes; by default they are printed")
    parser.add_argument("--report", type=str | None, help="new .html: recipes, curves, trade-off and tolerances")
    parser.add_argument("--wishes", type=list[str] | str | None, default=[], help="more of them: for config files")
    config = parse(parser, configs_first(arguments))

    from polyinv.predict.writing import check_new_answers, write_answers
    from polyinv.runtime.files import check_new, written

    system = load_system(config.system)
    check_new_answers(config.out)
    if config.report is not None:
        if Path(config.report).suffix != ".html":
            raise InputError(f"{config.report}: a report is written as .html")
        check_new(Path(config.report))

    from polyinv.design.command import curve_of, page_of, simulated_again
    from polyinv.design.designs import design as design_recipes

    wanted = None if config.curve is None else curve_of(config.curve, system)
    for name in ("minimize", "maximize", "wishes"):
        config[name] = _listed(name, config[name])
    options = {name: config[name] for name in ("count", "minimize", "maximize", "robust", "prices")}
    found = design_recipes([*config.wishes, *config.typed], system, curve=wanted, **options)
    table = found.table()
    if config.chains is not None:
        table = simulated_again(table, found, config.chains)
    for line in found.warnings:
        log.warning("%s", line)
    for line in found.notes:
        log.info("%s", line)
    if config.report is not None:
        with written(Path(config.report)) as passing:
            passing.write_text(page_of(found, table), encoding="utf-8")
        log.info("report in %s", config.report)
    write_answers(table, config.out)
    if found.found is None:
        raise InputError("no recipe meets these wishes; what comes nearest stands in the table")


def _listed(name: str, given: Any) -> list[str]:
    """What an option names, which a config file may write as one text, a list of them, or leave empty."""
    names = [given] if isinstance(given, str) else given or []
    if not isinstance(names, list) or not all(isinstance(each, str) for each in names):
        raise InputError(f"{name} is {quoted(given)}; needs text, or a list of texts")
    return names


def systems(arguments: list[str]) -> None:
    """List the systems that come with polyinv, or show one with its coefficients, their sources and uncertainty."""
    parser = _parser("systems", systems)
    parser.add_argument(
        "action", nargs="?", default="list", metavar="ACTION", help="list, which is the default, or show"
    )
    parser.add_argument("system", nargs="?", type=str | None, metavar="NAME_OR_FILE", help=f"with show: {SYSTEM_HELP}")
    config = parse(parser, arguments)
    if config.action not in ("list", "show"):
        raise unknown("action of systems", config.action, ("list", "show"))
    if (config.system is None) == (config.action == "show"):
        raise InputError("polyinv systems takes nothing, or show with a NAME_OR_FILE")

    from polyinv.report.systems import console, listed, shown

    console().print(listed() if config.system is None else shown(load_system(config.system)))


COMMANDS: dict[str, Callable[[list[str]], None]] = {
    "simulate": simulate,
    "train": train,
    "evaluate": evaluate,
    "predict": predict,
    "compare": compare,
    "calibrate": calibrate,
    "design": design,
    "reproduce": reproduce,
    "ablate": ablate,
    "search": search,
    "systems": systems,
}
FLAGS = {
    "simulate": ("--allow-few",),
    "train": ("--resume",),
    "predict": ("--normalize", "--sharpen", "--no-sharpen", "--advise"),
    "ablate": ("--retry", "--dry-run"),
    "search": ("--dry-run",),
    "design": ("--robust",),
}
"""Options without a value, whose old spellings (``--resume true``) are still understood."""


def _usage() -> str:
    lines = [f"  {name:10s} {_first_line(command)}" for name, command in COMMANDS.items()]
    head = "usage: polyinv COMMAND [options]\n\nWhich recipe made this molar mass distribution?\n\ncommands:"
    return "\n".join(
        [head, *lines, "", "`polyinv COMMAND --help` lists the options of a command; --version the version."]
    )


def _parser(name: str, command: Callable) -> Parser:
    parser = Parser(prog=f"polyinv {name}", description=_first_line(command), exit_on_error=False, allow_abbrev=False)
    # Taken out of the arguments before: what a file adds, a parser has to know.
    parser.add_argument(
        "--import", metavar="FILE", help="Python file that adds a network, a model or a split of your own"
    )
    parser.add_argument(DEBUG, action="store_true", help="show where an error comes from")
    return parser


def _first_line(command: Callable) -> str:
    return (command.__doc__ or "").partition("\n")[0]


class _Plain(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        mark = "polyinv: warning: " if record.levelno >= logging.WARNING else ""
        said = super().format(record)  # which may quote a file
        return mark + "".join(sign if sign.isprintable() or sign == "\n" else "?" for sign in said)


@contextmanager
def _speaking() -> Iterator[None]:
    """Send the package's log and Python's warnings, marked as such, to standard error."""
    handler = logging.StreamHandler()
    handler.setFormatter(_Plain("%(message)s"))
    level = log.level
    log.addHandler(handler)
    log.setLevel(logging.INFO)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("default")
            warnings.showwarning = lambda message, *where: log.warning("%s", message)
            yield
    finally:
        log.removeHandler(handler)
        log.setLevel(level)


def _say(line: str) -> None:
    print(line, flush=True)


def entry() -> NoReturn:
    """Run `main` and end the process with its exit code."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # there is none without a console
            # Windows' own encoding lacks half of what is printed: a pipe or file gets UTF-8, a terminal what it shows.
            stream.reconfigure(encoding=None if stream.isatty() else "utf-8", errors="backslashreplace")
    code = main()
    if code == INTERRUPTED and threading.active_count() > 1:
        os._exit(code)  # a compiled simulation under way in a thread would be waited for
    uncollected_at_exit()
    sys.exit(code)


if __name__ == "__main__":
    entry()
