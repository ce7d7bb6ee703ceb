"""A LightningModule of your own on polyinv's data, under a plain Trainer.

python examples/own_module.py                   # a minute of one core; --epochs 3 for a first look
tensorboard --logdir runs/own_module
"""

import argparse

import lightning.pytorch as L
import torch
from lightning.pytorch.callbacks import EarlyStopping, ModelCheckpoint
from lightning.pytorch.loggers import CSVLogger, TensorBoardLogger
from torch import nn

import polyinv


class Own(L.LightningModule):
    def __init__(self, inputs: int, lr: float = 1e-3) -> None:
        super().__init__()
        self.save_hyperparameters()
        self.network = nn.Sequential(nn.Linear(inputs, 128), nn.BatchNorm1d(128), nn.SiLU(), nn.Linear(128, 4))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.network(x)  # standardized observations (B, F) to standardized recipes (B, 4)

    def loss(self, batch: tuple[torch.Tensor, torch.Tensor], part: str) -> torch.Tensor:
        x, z = batch
        loss = nn.functional.mse_loss(self(x), z)
        self.log(f"{part}/loss", loss, on_epoch=True, on_step=False)
        return loss

    def training_step(self, batch: tuple[torch.Tensor, torch.Tensor], index: int) -> torch.Tensor:
        return self.loss(batch, "train")

    def validation_step(self, batch: tuple[torch.Tensor, torch.Tensor], index: int) -> None:
        self.loss(batch, "val")

    def test_step(self, batch: tuple[torch.Tensor, torch.Tensor], index: int) -> None:
        self.loss(batch, "test")

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.AdamW(self.parameters(), self.hparams.lr)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--epochs", type=int, default=100)
    parser.add_argument("--output", default="runs/own_module")
    given = parser.parse_args()
    torch.set_num_threads(1)  # networks this small are slower on more
    L.seed_everything(1)
    data = polyinv.RecipeDataModule("composite", split="by_recipe", batch_size=64, transform="root_log")
    trainer = L.Trainer(
        max_epochs=given.epochs,
        logger=[TensorBoardLogger(given.output, name="tensorboard"), CSVLogger(given.output, name="csv")],
        callbacks=[EarlyStopping("val/loss", patience=15), ModelCheckpoint(monitor="val/loss")],
    )
    trainer.fit(Own(data.width), datamodule=data)
    trainer.test(ckpt_path="best", datamodule=data)
    predicted = torch.cat(trainer.predict(ckpt_path="best", datamodule=data))
    recipes = data.scaling.y.inverse(predicted)  # mol/L, mol/L, °C, s
    print("first test row, predicted and true:", recipes[0].tolist(), data.test.y[0].tolist(), sep="\n")


if __name__ == "__main__":
    main()
