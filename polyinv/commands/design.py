"""Find recipes that make the polymer you want."""

import logging
from pathlib import Path
from typing import Any

from polyinv.chemistry import DEFAULT, load_system
from polyinv.commands.options import SYSTEM_HELP, check_new_page, command_parser
from polyinv.errors import InputError, quoted
from polyinv.experiment.arguments import configs_first
from polyinv.experiment.configuration import ConfigFile, parse
from polyinv.runtime.files import written

log = logging.getLogger("polyinv")


def design(arguments: list[str]) -> None:
    """Find recipes that make the polymer you want, what they tolerate, and what no recipe makes."""
    parser = command_parser("design", design)
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

    system = load_system(config.system)
    check_new_answers(config.out)
    check_new_page(config.report)

    from polyinv.design.command import check_simulated, curve_of, page_of, simulated_again
    from polyinv.design.designs import check_count
    from polyinv.design.designs import design as design_recipes

    check_count(config.count)
    check_simulated(config.chains, config.count)
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
