"""TensorBoard's table of hyper-parameters: a row for each combination of a study, a column for each axis and score."""

import re
from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from polyinv.evaluation.summary import GIVEN, text


def write_hparams(found: pd.DataFrame, axes: Sequence[str], folder: Path) -> None:
    """Write a run of TensorBoard for each combination.

    Numbers stay numbers, so that the view of parallel coordinates has an axis to put them on; the domain of each axis
    is what its values are. Scores are means over the split seeds, under ``SUBSET/r2/TARGET``.

    Args:
        found: `polyinv.evaluation.summary.summary`.
        axes: Columns of the axes.
        folder: New; a folder for each combination is made in it.
    """
    from torch.utils.tensorboard import SummaryWriter

    keys = [*axes, GIVEN] if found[GIVEN].any() else list(axes)
    plain = found.assign(**{key: _of_one_type(found[key]) for key in keys})
    domains = {_name(key): list(dict.fromkeys(plain[key].tolist())) for key in keys}
    for combination, part in plain.groupby(keys, sort=False):
        hparams = {_name(key): value for key, value in zip(keys, combination, strict=True)}
        known = part[part["mean"].notna()]
        scores = dict(zip(known["subset"] + "/r2/" + known["target"], known["mean"], strict=True))
        with SummaryWriter(folder / _folder(combination)) as writer:
            writer.add_hparams(hparams, scores, hparam_domain_discrete=domains, run_name=".")


def _of_one_type(values: pd.Series) -> pd.Series:
    """Numbers if all are numbers, else text: a column of TensorBoard has one type."""
    if pd.api.types.is_numeric_dtype(values):
        return values.astype(float)
    return values.map(text)


def _name(key: str) -> str:
    return key.removeprefix("axis.")


def _folder(combination: Sequence) -> str:
    return "_".join(re.sub(r"[^\w.+-]+", "-", text(value)) for value in combination if text(value))
