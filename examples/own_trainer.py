"""polyinv's LightningModule under a Trainer of your own, with callbacks and loggers of Lightning.

python examples/own_trainer.py                  # some minutes of one core; --epochs 2 for a first look
tensorboard --logdir runs/own_trainer
"""

import argparse

import lightning.pytorch as L
import torch
from lightning.pytorch.callbacks import EarlyStopping, LearningRateMonitor, ModelCheckpoint
from lightning.pytorch.loggers import CSVLogger, TensorBoardLogger

import polyinv


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--members", type=int, default=None, help="networks trained at once; one by default")
    parser.add_argument("--rows", type=int, default=20_000, help="recipes that are simulated to learn from")
    parser.add_argument("--output", default="runs/own_trainer")
    given = parser.parse_args()
    torch.set_num_threads(1)  # networks this small are slower on more
    data = polyinv.RecipeDataModule(
        "composite",
        batch_size=512,
        source="simulated",
        members=given.members,
        transform="root_log",
        simulated={"rows": given.rows, "epoch": 64 * given.rows // 20, "validation": 2048},
    )
    module = polyinv.RecipeModule(
        "mlp",
        features="composite",
        transform="root_log",
        members=given.members,
        network_options={"hidden": [256, 256, 128], "dropout": [0.0, 0.0, 0.0]},
        training={"learning_rate": 2e-3, "schedule": "cosine", "weight_decay": 0.01},
    )
    best = ModelCheckpoint(monitor="val/r2/global", mode="max")
    trainer = L.Trainer(
        max_epochs=given.epochs,
        gradient_clip_val=1.0,
        logger=[TensorBoardLogger(given.output, name="tensorboard"), CSVLogger(given.output, name="csv")],
        callbacks=[EarlyStopping("val/loss", patience=5), best, LearningRateMonitor()],
    )
    trainer.fit(module, datamodule=data)
    trainer.test(ckpt_path="best", datamodule=data)
    again = polyinv.RecipeModule.load_from_checkpoint(best.best_model_path)
    recipes = torch.cat(trainer.predict(again, datamodule=data))  # in physical units
    print("first test row, predicted and true:", recipes[..., 0, :].tolist(), data.test.y[0].tolist(), sep="\n")


if __name__ == "__main__":
    main()
