"""Two comparisons of docs/explanation/findings.md that the summary of a study does not hold, from its finished cells.

    python scripts/findings.py             # after polyinv ablate of fingerprint and time_cut

- fingerprint: what random_rows gains on by_recipe with some noise, less what it gains without any.
- time_cut: models of one side of the cut against models of all rows, judged on the very same rows of the other side,
  and the share of their answers that lie on the other side.
"""

import argparse
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from polyinv.ablation.summary import mean_interval
from polyinv.chemistry.butyl_acrylate import SYSTEM, TARGETS
from polyinv.data.splits import EARLY
from polyinv.evaluation import ENSEMBLE
from polyinv.evaluation.metrics import score
from polyinv.report.tables import markdown

SEEDS = (42, 43, 44, 45, 46)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--studies", type=Path, default=Path("runs/ablations"), help="folder of the studies")
    studies = parser.parse_args().studies
    print(markdown(gains(studies / "fingerprint")), end="\n\n")
    print(markdown(other_side(studies / "time_cut")))


def gains(folder: Path) -> pd.DataFrame:
    """The gain of random_rows with noise less that without, seed by seed."""
    table = pd.read_csv(folder / "table.csv", dtype={"member": str})
    r2 = table[(table["member"] == ENSEMBLE) & (table["metric"] == "r2") & (table["subset"] == "test")]
    keys = ["axis.model", "axis.noise", "seed", "target"]
    of_split = r2.pivot_table(index=keys, columns="axis.split.name", values="value", sort=False)
    gain = (of_split["random_rows"] - of_split["by_recipe"]).unstack("seed")
    lines = []
    for model, noise, target in gain.index:
        if noise != "none" and target in ("cAIBN_0", "global"):
            more = gain.loc[(model, noise, target)] - gain.loc[(model, "none", target)]
            lines.append({"model": model, "noise": noise, "R² of": target, "gain less that without noise": _said(more)})
    return pd.DataFrame(lines)


def other_side(folder: Path) -> pd.DataFrame:
    """R² on the other side of the cut, of those who have learned it and of those who have not."""
    lines = []
    for model in ("forest", "MLP"):
        for cut in ("early", "late", "low_conversion"):
            pairs = [_pair(folder / "cells", cut, model, seed) for seed in SEEDS]
            learned, not_learned = (pd.DataFrame([_r2(pair[at]) for pair in pairs]) for at in range(2))
            late = np.mean([is_late(pair[1]["time_predicted"]).mean() for pair in pairs])
            crossed = {"early": late, "late": 1 - late}.get(cut)
            for target in TARGETS:
                means = {"all rows": f"{learned[target].mean():.3f}", "one side": f"{not_learned[target].mean():.3f}"}
                said = {"model": model, "learned from": cut, "R² of": target, **means}
                said["difference"] = _said(not_learned[target] - learned[target])
                said["on the other side"] = f"{crossed:.0%}" if target == "time" and crossed is not None else ""
                lines.append(said)
    return pd.DataFrame(lines)


def is_late(time: pd.Series) -> pd.Series:
    """Whether times, in s, lie after the cut of ``early`` and ``late``."""
    return time > EARLY * SYSTEM.horizon


def _pair(cells: Path, cut: str, model: str, seed: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Predictions for the same rows: by the model of all rows, and by that of one side."""
    whole, side = (pd.read_csv(cells / f"{name}_{model}-{seed}" / "predictions.csv") for name in ("by_recipe", cut))
    side = side[side["subset"] == "test"]
    whole = whole[(whole["subset"] == "test") & whole["row"].isin(side["row"])]
    return whole, side


def _r2(predictions: pd.DataFrame) -> dict[str, float]:
    columns = [list(TARGETS), [f"{name}_predicted" for name in TARGETS]]
    y, predicted = (torch.tensor(predictions[names].to_numpy(copy=True)) for names in columns)
    scores = score(y, predicted)
    return scores[scores["metric"] == "r2"].set_index("target")["value"].reindex([*TARGETS, "global"]).to_dict()


def _said(values: pd.Series) -> str:
    mean, half = mean_interval(values.to_numpy())
    return f"{mean:+.3f} ± {half:.3f}"


if __name__ == "__main__":
    main()
