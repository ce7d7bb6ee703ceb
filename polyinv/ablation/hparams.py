"""TensorBoard's table of hyper-parameters: a row for each combination of a study, a column for each axis and score."""

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from polyinv.ablation.summary import GIVEN, text
from polyinv.runtime.files import folder_name


def write_hparams(found: pd.DataFrame, axes: Sequence[str], folder: Path) -> None:
    """Write an entry of TensorBoard's HPARAMS for each combination.

    Numbers stay numbers, so that the view of parallel coordinates has an axis to put them on; the domain of each axis
    is what its values are. Scores are means over the seeds, under ``SUBSET/r2/TARGET``.

    Args:
        found: `polyinv.ablation.summary.summary`.
        axes: Columns of the axes.
        folder: New; a folder for each combination is made in it.
    """
    from torch.utils.tensorboard import SummaryWriter
    from torch.utils.tensorboard.summary import hparams as tell

    keys = [*axes, GIVEN] if found[GIVEN].any() else list(axes)
    plain = found.assign(**{key: of_one_type(found[key]) for key in keys})
    domains = {_name(key): list(dict.fromkeys(plain[key].tolist())) for key in keys}
    # TensorBoard takes the list of scores from any run: all of them list all, defined or not. The first five are shown.
    order = found.sort_values("target", key=lambda target: target != "global", kind="stable")
    tags = dict.fromkeys(order["subset"] + "/r2/" + order["target"], 0.0)
    for combination, part in plain.groupby(keys, sort=False):
        hparams = {_name(key): value for key, value in zip(keys, combination, strict=True)}
        known = part[part["mean"].notna()]
        with SummaryWriter(folder / _folder(combination)) as writer:
            for summary in tell(hparams, tags, domains):
                writer.file_writer.add_summary(summary)
            for row in known.itertuples():
                writer.add_scalar(f"{row.subset}/r2/{row.target}", found.at[row.Index, "mean"])


def of_one_type(values: pd.Series) -> pd.Series:
    """Numbers if all are numbers, else text: a column of TensorBoard has one type."""
    if pd.api.types.is_numeric_dtype(values):
        return values.astype(float)
    return values.map(text)


def _name(key: str) -> str:
    return key.removeprefix("axis.")


def _folder(combination: Sequence) -> str:
    name = "_".join(folder_name(text(value)) for value in combination if text(value))
    return name if name.strip(".") else f"{name}_"  # dots alone are other folders
