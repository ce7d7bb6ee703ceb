"""Formats that polyinv reads: a valid instance of each, the command that reads it, and how it may be mutated."""

import logging
import math
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.ablation.studies import work_here
from tests.fuzz.mutations import ARCHIVE, ARRAYS, JSON, TEXT, YAML, Mutation

CLONE = Path(__file__).parents[2]
FILES = CLONE / "examples" / "files"
CONFIG = """\
model: {name: forest, n_estimators: 2, max_depth: 3, jobs: 1}
features: composite
split: {name: by_recipe, seed: 1}
data: {source: table, path: TABLE}
"""
SMALL = "--data.path table.npz"
"""For a file that ends before it says so: the published model is trained on the whole grid for a minute."""
STUDY = """\
base: config.yaml
axes: {features: [mmd, composite], model.max_depth: [2, 3]}
seeds: [1, 2]
"""


NETWORK = """\
model: {name: mlp, hidden: [4], dropout: [0.0], members: 1, training: {max_epochs: 2, batch_size: 4}}
features: composite
split: {name: by_recipe, seed: 1}
data: {source: table, path: TABLE}
"""
TRIALS = """\
base: network.yaml
axes: {model.training.learning_rate: {from: 0.001, to: 0.01, scale: log}}
trials: 1
"""
PRICED = """\
wishes: [Mn=25000±5%]
minimize: [cost, time]
prices: {monomer: 0.3, initiator: 20, time: 1e-4}
"""
WISHES = """\
wishes: [Mn=25000±5%, D<2.6]
minimize: time
"""
SEARCH = """\
base: MLP
axes: {model.training.learning_rate: {from: 0.001, to: 0.01, scale: log}}
trials: 3
"""


@dataclass(frozen=True)
class Format:
    """Format of a file or folder.

    Args:
        files: That may be mutated, in the folder of the instance; the first is named in refusals.
        command: That reads it; ``{out}`` is a new name.
        mutations: That its files may suffer, by ending, or of all by ``""``.
        sealed: Whether a changed file has to be refused.
    """

    files: tuple[str, ...]
    command: str
    mutations: tuple[Mutation, ...]
    sealed: bool = False

    @property
    def words(self) -> Sequence[str]:
        """The command, word by word."""
        return self.command.split()


PREDICT = "predict --no-sharpen --out {out}.csv"
FORMATS = {
    "curve": Format(("curve.txt",), f"{PREDICT} --known temp=70 curve.txt", TEXT),
    "report": Format(("report.txt",), f"{PREDICT} report.txt", TEXT),
    "chromatogram": Format(
        ("chromatogram.csv", "calibration.csv"), f"{PREDICT} chromatogram.csv --calibration calibration.csv", TEXT
    ),
    "JCAMP-DX": Format(("curve.jdx",), f"{PREDICT} curve.jdx", TEXT),
    "results": Format(("polymers.csv",), f"{PREDICT} polymers.csv", TEXT),
    "short results": Format(("short.csv",), f"{PREDICT} short.csv", TEXT),
    "workbook": Format(("book.xlsx",), f"{PREDICT} book.xlsx", ARCHIVE),
    "table": Format(("table.npz",), f"{PREDICT} table.npz", ARRAYS),
    "own workbook": Format(("own.xlsx",), f"{PREDICT} own.xlsx", ARCHIVE),
    "recipes": Format(("recipes.csv",), "simulate --method deterministic --recipes recipes.csv --out {out}.csv", TEXT),
    "own runs": Format(("runs.csv",), "calibrate runs.csv --out {out}.yaml", TEXT),
    "comparison": Format(("runs.csv",), "compare runs.csv --out {out}.csv", TEXT),
    "configuration": Format(("config.yaml",), f"train --config config.yaml {SMALL} --output {{out}}", YAML),
    "study": Format(("study.yaml",), "ablate study.yaml --dry-run", YAML),
    "system": Format(("system.yaml",), "systems show system.yaml", YAML),
    "system that simulates": Format(
        ("system.yaml",),
        "simulate --method deterministic --recipes recipes.csv --system system.yaml --out {out}.csv",
        YAML,
    ),
    "laboratory": Format(("lab.yaml",), f"{PREDICT} --system lab.yaml short.csv", YAML),
    "measured errors": Format(("errors.csv",), f"{PREDICT} errors.csv", TEXT),
    "wanted curve": Format(("curve.txt",), "design --curve curve.txt --count 1 --out {out}.csv", TEXT),
    "prices": Format(("priced.yaml",), "design --config priced.yaml --count 2 --out {out}.csv", YAML),
    "runs with files of curves": Format(
        ("runs_with_files.csv", "curve.txt"), "compare runs_with_files.csv --out {out}.csv", TEXT
    ),
    "GPC": Format(("curve.gpc",), f"{PREDICT} curve.gpc", TEXT),
    "network": Format(("network.yaml", "network_study.yaml"), "ablate network_study.yaml --dry-run", YAML),
    "model to start from": Format(
        ("init/model.json", "init/weights.pt"),
        "train --init init --config network.yaml --model.training.max_epochs 1 --output {out}",
        (*JSON, *ARCHIVE),
        sealed=True,
    ),
    "unfinished training": Format(
        ("unfinished/checkpoints/last.ckpt", "unfinished/config.yaml"),
        "train --config network.yaml --output unfinished --resume",
        (*ARCHIVE, *YAML),
    ),
    "search that ran": Format(
        ("searched/journal.log", "searched/trials/0000/config.yaml", "searched/trials/0000/validation.csv"),
        "search trials.yaml --output searched",
        (*JSON, *TEXT),
    ),
    "posterior": Format(
        ("posterior/model.json", "posterior/weights.pt"),
        f"{PREDICT} posterior polymers_whole.csv",
        (*JSON, *ARCHIVE),
        sealed=True,
    ),
    "wishes": Format(("wishes.yaml",), "design --config wishes.yaml --count 2 --out {out}.csv", YAML),
    "search": Format(("search.yaml",), "search search.yaml --dry-run", YAML),
    "finished study": Format(
        (
            "kept/study.yaml",
            "kept/cells/composite-1/scores.csv",
            "kept/cells/composite-1/config.yaml",
            "kept/cells/composite-1/seconds.json",
        ),
        "ablate --summarize kept",
        (*JSON, *TEXT),
    ),
    "run to evaluate": Format(
        ("run/split.csv", "run/config.yaml", "run/model/model.json"),
        "evaluate run --data table.npz --output {out}",
        (*JSON, *TEXT),
    ),
    "model": Format(
        ("model/model.json", "model/weights.pt"), f"{PREDICT} model polymers_whole.csv", (*JSON, *ARCHIVE), sealed=True
    ),
    "run": Format(
        ("run/model/model.json", "run/model/forest.skops"), f"{PREDICT} run polymers_whole.csv", (*JSON, *ARCHIVE)
    ),
}


def make_instances(folder: Path) -> None:
    """Write a valid instance of each format into a folder."""
    from polyinv.cli import main

    copied = {
        "curve.txt": "curve_gpc_tabs.txt",
        "report.txt": "formats/report_wingpc.txt",
        "chromatogram.csv": "formats/chromatogram.csv",
        "calibration.csv": "formats/calibration.csv",
        "curve.jdx": "formats/jcamp.jdx",
        "polymers.csv": "polymers.csv",
        "short.csv": "formats/results_units.csv",
        "book.xlsx": "formats/two_samples.xlsx",
        "recipes.csv": "recipes.csv",
        "errors.csv": "formats/results_errors.csv",
        "curve.gpc": "formats/reptate.gpc",
    }
    for name, file in copied.items():
        shutil.copy(FILES / file, folder / name)
    recipes = folder / "recipes.csv"
    _done(main(["simulate", "--method", "sampled", "--random", "12", "--out", str(folder / "table.npz")]))
    for name in ("own.xlsx", "polymers_whole.csv", "runs.csv"):
        _done(main(["simulate", "--method", "sampled", "--recipes", str(recipes), "--out", str(folder / name)]))
    bundled = (CLONE / "polyinv" / "chemistry" / "systems" / "butyl_acrylate.yaml").read_text(encoding="utf-8")
    own = "".join(line for line in bundled.splitlines(keepends=True) if not line.startswith("bundled:"))
    (folder / "system.yaml").write_text(own, encoding="utf-8")
    (folder / "wishes.yaml").write_text(WISHES, encoding="utf-8")
    (folder / "search.yaml").write_text(SEARCH.replace("MLP", str(CLONE / "configs" / "mlp.yaml")), encoding="utf-8")
    (folder / "config.yaml").write_text(CONFIG.replace("TABLE", str(folder / "table.npz")), encoding="utf-8")
    (folder / "study.yaml").write_text(STUDY.replace("TABLE", str(folder / "table.npz")), encoding="utf-8")
    _done(main(["calibrate", str(folder / "runs.csv"), "--out", str(folder / "lab.yaml")]))
    (folder / "priced.yaml").write_text(PRICED, encoding="utf-8")
    rows = recipes.read_text(encoding="utf-8").splitlines()[:3]
    with_files = [f"{row},{'Mn,curve_file' if at == 0 else '20000,curve.txt'}" for at, row in enumerate(rows)]
    (folder / "runs_with_files.csv").write_text("\n".join(with_files) + "\n", encoding="utf-8")
    shutil.copytree(CLONE / "checkpoints" / "mlp", folder / "model")
    shutil.copytree(CLONE / "checkpoints" / "posterior", folder / "posterior")
    _done(main(["train", "--config", str(folder / "config.yaml"), "--output", str(folder / "run")]))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("polyinv.runtime.engines.work", work_here)
        study = folder / "small.yaml"
        study.write_text("base: config.yaml\naxes: {features: [composite, scalars]}\nseeds: [1]\n", encoding="utf-8")
        _done(main(["ablate", str(study), "--output", str(folder / "kept"), "--workers", "1"]))
        _make_networks(folder)
    logging.basicConfig(force=True)


def _make_networks(folder: Path) -> None:
    """Write what a training that ended, one that ran out of time, and a search leave behind."""
    from polyinv.cli import INTERRUPTED, main
    from polyinv.models.callbacks import KeepLast

    network = folder / "network.yaml"
    network.write_text(NETWORK.replace("TABLE", str(folder / "table.npz")), encoding="utf-8")
    study = "base: network.yaml\naxes: {model.hidden: [[4], [8, 4]]}\nseeds: [1, 2]\n"
    (folder / "network_study.yaml").write_text(study, encoding="utf-8")
    (folder / "trials.yaml").write_text(TRIALS, encoding="utf-8")
    _done(main(["search", str(folder / "trials.yaml"), "--output", str(folder / "searched"), "--workers", "1"]))
    shutil.copytree(folder / "searched" / "best" / "model", folder / "init")
    with pytest.MonkeyPatch.context() as patch:
        keep = KeepLast.on_train_epoch_end
        patch.setattr(KeepLast, "on_train_epoch_end", lambda *whole: _interrupted_after(keep, *whole))
        assert main(["train", "--config", str(network), "--output", str(folder / "unfinished")]) == INTERRUPTED
    assert (folder / "unfinished" / "checkpoints" / "last.ckpt").is_file()


def _interrupted_after(keep: Callable, last: Any, *trained: Any) -> None:
    last.saved = -math.inf
    keep(last, *trained)
    raise KeyboardInterrupt


def _done(code: int) -> None:
    assert code == 0
