"""How much CPU time training takes: by polyinv, a bare torch loop, a plain Lightning loop, Keras, and another version.

python scripts/bench_training.py                                    # about ten minutes of one core
python scripts/bench_training.py --rounds 5 --shapes small
python scripts/bench_training.py --other ../polyinv-0.1.0           # a checkout of another version beside this one
pip install keras tensorflow-cpu && python scripts/bench_training.py # with Keras, which nothing else here needs

Two shapes. ``small``: the published network on the bundled grid, batches of 32. ``released``: the network of
configs/mlp.yaml on recipes simulated on the fly, batches of 512. Every way trains in a process of its own with one
thread and looks at the validation rows after each epoch; all but the bare loop log the loss and R² of each target. The
ways take turns, round after round, so that a machine that slows down slows all of them; a ratio is the median of the
ratios within a round. CPU seconds per 1000 optimizer steps and member, what is done once per process left out.
"""

import argparse
import importlib.util
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")
KERAS = {"TF_NUM_INTRAOP_THREADS": "1", "TF_NUM_INTEROP_THREADS": "1", "TF_CPP_MIN_LOG_LEVEL": "3"}
SHAPES: dict[str, dict[str, Any]] = {
    "small": {"rows": 3312, "batch": 32, "hidden": (256, 128, 64), "dropout": (0.2, 0.1, 0.0), "epochs": 20},
    "released": {"rows": 64_000, "batch": 512, "hidden": (256, 256, 128), "dropout": (0.0, 0.0, 0.0), "epochs": 4},
}
"""Rows of an epoch, rows of a batch, the network, and epochs of one measurement."""
BANK: dict[str, Any] = {"rows": 16_384, "epoch": 64_000, "validation": 8192}
"""Of recipes simulated on the fly."""

Fit = Callable[[int, Path], None]


def polyinv(shape: str, members: int, steps_per_call: int) -> Fit:
    """This version, or that of the checkout that the process was started in."""
    import torch

    from polyinv.models import MLP

    torch.set_num_threads(1)
    data = _rows(shape)

    def fit(epochs: int, folder: Path) -> None:
        given = SHAPES[shape]
        training: Any = {"max_epochs": epochs, "patience": epochs, "accelerator": "cpu", "batch_size": given["batch"]}
        if steps_per_call:
            training["steps_per_call"] = steps_per_call
        transform = "root_log" if shape == "released" else "plain"
        layers = {"hidden": given["hidden"], "dropout": given["dropout"]}
        MLP(members=members, transform=transform, training=training, **layers).fit(data, folder)

    return fit


def _rows(shape: str) -> Any:
    from polyinv.data import datamodule
    from polyinv.data.bundled import load_bundled
    from polyinv.data.splits import split_rows

    of_0_1_0: Any = datamodule  # there `RecipeData`
    kind: Any = getattr(datamodule, "RecipeDataModule", None) or of_0_1_0.RecipeData
    grid = load_bundled("grid")
    if shape == "small":
        return kind.from_table(grid, "composite", split_rows(grid, "by_recipe", 42))
    if kind is not getattr(datamodule, "RecipeData", None):
        data = kind("composite", source="simulated", simulated=BANK)
        data.setup()
        return data
    from polyinv.data.features import feature_columns
    from polyinv.data.source import SimulatedConfig

    simulated: Any = importlib.import_module("polyinv.data.simulated")
    test = of_0_1_0.rows_of(grid.head(10), feature_columns("composite"))
    return simulated.SimulatedData(SimulatedConfig(**BANK), "composite", test)


def bare_torch(shape: str) -> Fit:
    """A loop as short as it can be: no logging, no scores but the validation loss."""
    import torch
    from torch import nn

    torch.set_num_threads(1)
    given, data = SHAPES[shape], _rows("small")
    x, z = data.scaled(data.train)
    val = data.scaled(data.val)

    def fit(epochs: int, folder: Path) -> None:
        model = nn.Sequential(*_layers(nn, x.shape[1], given))
        optimizer = torch.optim.AdamW(model.parameters(), 1e-3, weight_decay=0.0, fused=True)
        for _ in range(epochs):
            model.train()
            for rows in torch.randperm(len(x)).split(given["batch"]):
                loss = nn.functional.mse_loss(model(x[rows]), z[rows])
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
            with torch.no_grad():
                nn.functional.mse_loss(model.eval()(val[0]), val[1]).item()

    return fit


def _layers(nn: Any, width: int, given: dict[str, Any]) -> list[Any]:
    layers = []
    for units, rate in zip(given["hidden"], given["dropout"], strict=True):
        layers += [nn.Linear(width, units), nn.ReLU(), *([nn.Dropout(rate)] if rate else [])]
        width = units
    return [*layers, nn.Linear(width, 4)]


def plain_lightning(shape: str) -> Fit:
    """The network as a tutorial would write it, with DataLoaders and torchmetrics."""
    import lightning.pytorch as L
    import torch
    from lightning.pytorch.loggers import TensorBoardLogger
    from torch import nn
    from torch.utils.data import DataLoader, TensorDataset
    from torchmetrics import R2Score

    torch.set_num_threads(1)
    given, data = SHAPES[shape], _rows("small")

    class Plain(L.LightningModule):
        def __init__(self) -> None:
            super().__init__()
            self.layers = nn.Sequential(*_layers(nn, len(data.columns), given))
            self.r2: Any = nn.ModuleDict({f"{part}_": R2Score(multioutput="raw_values") for part in ("train", "val")})

        def _step(self, batch: list[torch.Tensor], part: str) -> torch.Tensor:
            x, z = batch
            predicted = self.layers(x)
            loss = nn.functional.mse_loss(predicted, z)
            self.r2[f"{part}_"].update(predicted.detach(), z)
            self.log(f"{part}/loss", loss, on_step=False, on_epoch=True, batch_size=len(x))
            return loss

        def training_step(self, batch: list[torch.Tensor]) -> torch.Tensor:
            return self._step(batch, "train")

        def validation_step(self, batch: list[torch.Tensor]) -> None:
            self._step(batch, "val")

        def _log_r2(self, part: str) -> None:
            for target, value in enumerate(self.r2[f"{part}_"].compute()):
                self.log(f"{part}/r2/{target}", value)
            self.r2[f"{part}_"].reset()

        def on_train_epoch_end(self) -> None:
            self._log_r2("train")

        def on_validation_epoch_end(self) -> None:
            self._log_r2("val")

        def configure_optimizers(self) -> torch.optim.Optimizer:
            return torch.optim.Adam(self.parameters(), lr=1e-3)

    def fit(epochs: int, folder: Path) -> None:
        parts = [TensorDataset(*data.scaled(rows)) for rows in (data.train, data.val)]
        quiet: dict[str, Any] = {
            "enable_checkpointing": False,
            "enable_progress_bar": False,
            "enable_model_summary": False,
        }
        trainer = L.Trainer(max_epochs=epochs, accelerator="cpu", logger=TensorBoardLogger(folder), **quiet)
        loaders = DataLoader(parts[0], batch_size=given["batch"], shuffle=True), DataLoader(parts[1], batch_size=256)
        trainer.fit(Plain(), *loaders)

    return fit


def keras(shape: str, steps_per_execution: int) -> Fit:
    """Keras, with several steps in one call of its graph."""
    import keras

    given, data, layers = SHAPES[shape], _rows("small"), importlib.import_module("keras").layers
    x, z = (part.numpy() for part in data.scaled(data.train))
    val = tuple(part.numpy() for part in data.scaled(data.val))

    def fit(epochs: int, folder: Path) -> None:
        stack = [layers.Input((len(data.columns),))]
        for units, rate in zip(given["hidden"], given["dropout"], strict=True):
            stack += [layers.Dense(units, "relu"), *([layers.Dropout(rate)] if rate else [])]
        model = keras.Sequential([*stack, layers.Dense(4)])
        scores = [keras.metrics.R2Score()]
        model.compile(keras.optimizers.Adam(1e-3), "mse", metrics=scores, steps_per_execution=steps_per_execution)
        options = {"batch_size": given["batch"], "epochs": epochs, "validation_data": val, "verbose": 0}
        model.fit(x, z, callbacks=[keras.callbacks.TensorBoard(folder)], **options)

    return fit


def measured(way: list[Any], epochs: int) -> float:
    """CPU seconds of that many epochs in this process: those of a training less those of a shorter one."""
    makers: dict[str, Callable[..., Fit]] = {
        "polyinv": polyinv,
        "bare": bare_torch,
        "plain": plain_lightning,
        "keras": keras,
    }
    fit = makers[way[0]](*way[1:])
    spent = []
    for number, length in enumerate((1, 2, 2 + epochs)):  # the first one loads what is loaded once
        with tempfile.TemporaryDirectory() as folder:
            start = time.process_time()
            fit(length, Path(folder, str(number)))
            spent.append(time.process_time() - start)
    return spent[2] - spent[1]


def ways_of(shape: str, members: list[int], other: Path | None) -> dict[str, tuple[list[Any], Path | None]]:
    """What takes turns: how to call it, and the checkout to call it in."""
    ways: dict[str, tuple[list[Any], Path | None]] = {}
    for count in members:
        if other is not None:
            ways[f"{other.name}, R = {count}"] = ["polyinv", shape, count, 0], other
        ways[f"polyinv, R = {count}"] = ["polyinv", shape, count, 1], None
        ways[f"polyinv, R = {count}, 32 steps per call"] = ["polyinv", shape, count, 32], None
    if shape == "small":
        ways["bare torch loop"] = ["bare", shape], None
        ways["plain Lightning"] = ["plain", shape], None
        if importlib.util.find_spec("keras"):
            ways |= {f"Keras, {steps} steps per execution": (["keras", shape, steps], None) for steps in (1, 32)}
    return ways


def run(way: list[Any], checkout: Path | None, epochs: int) -> float:
    """Measure in a process of its own."""
    environment = os.environ | ONE_THREAD | KERAS
    environment["PYTHONPATH"] = str((checkout or ROOT).resolve())
    command = [sys.executable, __file__, "--measure", json.dumps(way), "--epochs", str(epochs)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{way}: {done.stderr[-2000:]}")
    return float(done.stdout.splitlines()[-1])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--members", type=int, nargs="+", default=[1, 4, 16])
    parser.add_argument("--shapes", nargs="+", default=list(SHAPES), choices=SHAPES)
    parser.add_argument("--other", type=Path, help="checkout of another version")
    parser.add_argument("--epochs", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--measure", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.measure:
        print(measured(json.loads(given.measure), given.epochs))
        return
    for shape in given.shapes:
        show(shape, given)


def show(shape: str, given: argparse.Namespace) -> None:
    """Measure one shape and print its table."""
    ways, epochs = ways_of(shape, given.members, given.other), given.epochs or SHAPES[shape]["epochs"]
    steps = epochs * -(-SHAPES[shape]["rows"] // SHAPES[shape]["batch"])
    spent: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(given.rounds):
        for name, (way, checkout) in ways.items():
            members = way[2] if way[0] == "polyinv" else 1
            spent[name].append(run(way, checkout, epochs) * 1000 / steps / members)
    references = [name for name in ways if name == "bare torch loop" or "polyinv" not in name]
    print(f"\n{shape}: batches of {SHAPES[shape]['batch']}, {epochs} epochs, {given.rounds} rounds\n")
    heads = "".join(f" against {name} |" for name in references)
    print(f"| way | CPU s per 1000 steps and member | least to most |{heads}\n|---|---|---|{'---|' * len(references)}")
    for name, values in spent.items():
        ratios = [
            statistics.median(mine / theirs for mine, theirs in zip(values, spent[other], strict=True))
            for other in references
        ]
        cells = "".join(f" {ratio:.2f} × |" for ratio in ratios)
        middle = f"{statistics.median(values):.2f} | {min(values):.2f} to {max(values):.2f}"
        print(f"| {name} | {middle} |{cells}", flush=True)


if __name__ == "__main__":
    main()
