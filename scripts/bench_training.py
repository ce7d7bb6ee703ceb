"""How much CPU time training takes: the published network by a plain Lightning loop, by Keras, and by polyinv.

python scripts/bench_training.py                                    # a few minutes of one core
python scripts/bench_training.py --rounds 5 --members 1 4 16
pip install keras tensorflow-cpu && python scripts/bench_training.py # with Keras, which nothing else here needs

Every way trains on the same rows of the bundled grid with one thread, logs losses and R² of every epoch and looks at
the validation rows after each. All take turns, round after round, so that a machine that slows down slows all of them;
the ratio is that of the medians. CPU seconds per 100 epochs and member.
"""

import argparse
import importlib.util
import os
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

os.environ |= {"TF_NUM_INTRAOP_THREADS": "1", "TF_NUM_INTEROP_THREADS": "1", "TF_CPP_MIN_LOG_LEVEL": "3"}

import lightning.pytorch as L
import torch
from lightning.pytorch.loggers import TensorBoardLogger
from torch import nn
from torch.utils.data import DataLoader, TensorDataset
from torchmetrics import R2Score

from polyinv.data.bundled import load_bundled
from polyinv.data.datamodule import RecipeDataModule
from polyinv.data.splits import split_rows
from polyinv.models import MLP
from polyinv.models.options import Training

torch.set_num_threads(1)


class Plain(L.LightningModule):
    """The published network as a tutorial would write it."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            *[nn.Linear(width, 256), nn.ReLU(), nn.Dropout(0.2)],
            *[nn.Linear(256, 128), nn.ReLU(), nn.Dropout(0.1)],
            *[nn.Linear(128, 64), nn.ReLU(), nn.Linear(64, 4)],
        )
        self.train_r2, self.val_r2 = (R2Score(multioutput="raw_values") for _ in range(2))

    def _step(self, batch: list[torch.Tensor], part: str, r2: R2Score) -> torch.Tensor:
        x, z = batch
        predicted = self.layers(x)
        loss = nn.functional.mse_loss(predicted, z)
        r2.update(predicted.detach(), z)
        self.log(f"{part}/loss", loss, on_step=False, on_epoch=True, batch_size=len(x))
        return loss

    def training_step(self, batch: list[torch.Tensor]) -> torch.Tensor:
        return self._step(batch, "train", self.train_r2)

    def validation_step(self, batch: list[torch.Tensor]) -> None:
        self._step(batch, "val", self.val_r2)

    def _log_r2(self, part: str, r2: R2Score) -> None:
        for at, value in enumerate(r2.compute()):
            self.log(f"{part}/r2/{at}", value)
        r2.reset()

    def on_train_epoch_end(self) -> None:
        self._log_r2("train", self.train_r2)

    def on_validation_epoch_end(self) -> None:
        self._log_r2("val", self.val_r2)

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=1e-3)


def plain_lightning(data: RecipeDataModule, epochs: int, folder: Path) -> None:
    parts = [TensorDataset(*data.scaled(rows)) for rows in (data.train, data.val)]
    trainer = L.Trainer(
        max_epochs=epochs,
        accelerator="cpu",
        logger=TensorBoardLogger(folder),
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    )
    trainer.fit(
        Plain(len(data.columns)),
        DataLoader(parts[0], batch_size=32, shuffle=True),
        DataLoader(parts[1], batch_size=256),
    )


def polyinv(members: int) -> Callable[[RecipeDataModule, int, Path], None]:
    def fit(data: RecipeDataModule, epochs: int, folder: Path) -> None:
        training = Training(max_epochs=epochs, patience=epochs, accelerator="cpu")
        MLP(members=members, training=training).fit(data, folder)

    return fit


def keras(data: RecipeDataModule, epochs: int, folder: Path) -> None:
    import keras

    layers = keras.layers
    model = keras.Sequential(
        [
            layers.Input((len(data.columns),)),
            *[layers.Dense(256, "relu"), layers.Dropout(0.2), layers.Dense(128, "relu"), layers.Dropout(0.1)],
            *[layers.Dense(64, "relu"), layers.Dense(4)],
        ]
    )
    model.compile(keras.optimizers.Adam(1e-3), "mse", metrics=[keras.metrics.R2Score()])
    x, z = (part.numpy() for part in data.scaled(data.train))
    val = tuple(part.numpy() for part in data.scaled(data.val))
    model.fit(
        x,
        z,
        batch_size=32,
        epochs=epochs,
        validation_data=val,
        verbose=0,
        callbacks=[keras.callbacks.TensorBoard(folder)],
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--epochs", type=int, default=20, help="of each run; the first run of each way is not counted")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--members", type=int, nargs="+", default=[1, 4, 16])
    given = parser.parse_args()
    grid = load_bundled("grid")
    data = RecipeDataModule.from_table(grid, "composite", split_rows(grid, "by_recipe", 42))
    ways: dict[str, tuple[int, Callable[[RecipeDataModule, int, Path], None]]] = {
        "plain Lightning": (1, plain_lightning)
    }
    if importlib.util.find_spec("keras"):
        ways["Keras"] = (1, keras)
    ways |= {f"polyinv, R = {members}": (members, polyinv(members)) for members in given.members}
    spent: dict[str, list[float]] = {name: [] for name in ways}
    with tempfile.TemporaryDirectory() as folder:
        for round_ in range(-1, given.rounds):
            for name, (members, fit) in ways.items():
                place = Path(folder, f"{name} {round_}")
                place.mkdir()
                start = time.process_time()
                fit(data, given.epochs, place)
                if round_ >= 0:
                    spent[name].append((time.process_time() - start) * 100 / given.epochs / members)
    medians = {name: statistics.median(values) for name, values in spent.items()}
    others = [name for name in ("plain Lightning", "Keras") if name in ways]
    heads = "".join(f" {name} takes |" for name in others)
    print(f"{len(data.train)} training and {len(data.val)} validation rows, batches of 32, {given.rounds} rounds\n")
    print(f"| way | CPU s per 100 epochs and member | least to most |{heads}\n|---|---|---|{'---|' * len(others)}")
    for name, values in spent.items():
        ratios = "".join(f" {medians[other] / medians[name]:.1f} × |" for other in others)
        print(f"| {name} | {medians[name]:.2f} | {min(values):.2f} to {max(values):.2f} |{ratios}")


if __name__ == "__main__":
    main()
