"""TensorBoard's table of hyper-parameters of a search: a row for each complete trial, with its validation loss."""

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from polyinv.ablation.hparams import of_one_type
from polyinv.search.trial import name_of

SCORE = "val/loss"


def write_hparams(table: pd.DataFrame, axes: Sequence[str], folder: Path) -> None:
    """Write an entry of TensorBoard's HPARAMS for each complete trial.

    Args:
        table: See `polyinv.search.result.table_of`.
        axes: Columns of the axes.
        folder: New; a folder for each trial is made in it.
    """
    from torch.utils.tensorboard import SummaryWriter
    from torch.utils.tensorboard.summary import hparams as tell

    complete = table[table["state"] == "complete"].reset_index(drop=True)
    plain = complete.assign(**{axis: of_one_type(complete[axis]) for axis in axes})
    for row in plain.to_dict("records"):
        with SummaryWriter(folder / name_of(row["trial"])) as writer:
            for summary in tell({axis: row[axis] for axis in axes}, {SCORE: 0.0}):
                writer.file_writer.add_summary(summary)
            writer.add_scalar(SCORE, row["value"])
