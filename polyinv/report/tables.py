"""Tables of scores, published numbers beside ours, as Markdown."""

import pandas as pd

from polyinv.chemistry import DEFAULT, load_system
from polyinv.evaluation import ENSEMBLE

PROTOCOLS = {
    "ours, random_rows (published split)": ("random_rows", "test"),
    "ours, by_recipe (reactions never seen)": ("by_recipe", "test"),
    "ours, random_rows, off the grid": ("random_rows", "off_grid"),
    "ours, by_recipe, off the grid": ("by_recipe", "off_grid"),
}
"""Split that a model was trained with and subset that it is evaluated on, by the name of the line."""
STUDIED = load_system(DEFAULT)
"""What the published study is of."""
UNITS = {quantity.name: quantity.unit for quantity in STUDIED.recipe}
RMSE_DIGITS = dict(zip((*STUDIED.targets, "global"), (3, 5, 2, 0, 0), strict=True))
"""Decimals of a root mean square error."""


def reproduction_table(
    scores: pd.DataFrame, published: dict[tuple[str, str], dict[tuple[str, str], float]], metric: str
) -> pd.DataFrame:
    """Tabulate the published models and ours, a line for each model and protocol.

    Args:
        scores: Tidy scores with the columns of a ``scores.csv``, any number of split seeds.
        published: `polyinv.evaluation.published.PUBLISHED`.
        metric: ``r2``, ``rmse`` or ``relative_mae``; with ``r2``, the global MSE stands beside it. The study gives no
            RMSE.

    Returns:
        Cells as text, mean ± standard deviation over the split seeds where there are several.
    """
    wanted = [(name, metric) for name in STUDIED.targets] + (
        [("global", "r2"), ("global", "mse")] if metric == "r2" else []
    )
    rows, scores = [], _with_rmse(scores)
    for (model, features), numbers in published.items():
        if set(wanted) <= numbers.keys():
            cells = {_heading(key): _cell([numbers[key]], key) for key in wanted}
            rows.append({"model": model, "features": features, "numbers": "published", **cells})
        of_model = scores[(scores["model"] == model) & (scores["features"] == features)]
        for label, (split, subset) in PROTOCOLS.items():
            of_line = of_model[(of_model["split"] == split) & (of_model["subset"] == subset)]
            values = {key: group.tolist() for key, group in of_line.groupby(["target", "metric"])["value"]}
            if values:
                cells = {_heading(key): _cell(values[key], key) for key in wanted}
                rows.append({"model": model, "features": features, "numbers": label, **cells})
    return pd.DataFrame(rows)


def score_table(scores: pd.DataFrame) -> str:
    """Format a `score_frame` as Markdown."""
    return markdown(score_frame(scores))


def score_frame(scores: pd.DataFrame) -> pd.DataFrame:
    """Format the scores of one experiment on one subset: a line for each target and one for the global means.

    Of several members, the score of their mean answer, and mean ± standard deviation over the members. ``r2_limit``,
    if it is among the metrics, is the information limit.
    """
    scores = _with_rmse(scores)
    members = scores[scores["member"] != ENSEMBLE]
    wide = scores[scores["member"] == ENSEMBLE].pivot(index="target", columns="metric", values="value")
    wide = wide.reindex([name for name in scores["target"].unique() if name != "global"] + ["global"])
    table = pd.DataFrame({"target": wide.index})
    for metric, heading, form in (
        ("r2", "R²", "{:.4f}"),
        ("r2_limit", "information limit", "{:.3f}"),
        ("rmse", "RMSE", "{:.4g}"),
        ("mae", "MAE", "{:.4g}"),
        ("relative_mae", "relative MAE", "{:.2%}"),
    ):
        if metric in wide:
            table[heading] = ["" if pd.isna(value) else form.format(value) for value in wide[metric]]
    if len(members):
        r2 = members[members["metric"] == "r2"].groupby("target")["value"]
        spread = r2.mean().map("{:.4f}".format) + " ± " + r2.std().map("{:.4f}".format)
        table[f"R² of {members['member'].nunique()} members"] = spread.reindex(table["target"]).to_numpy()
    return table


def global_r2(scores: pd.DataFrame) -> str:
    """Format the global R² of one experiment on each subset.

    Example:
        >>> row = {"member": "all", "target": "global", "metric": "r2", "features": "mmd"}
        >>> global_r2(pd.DataFrame([row | {"subset": "test", "value": 0.5}, row | {"subset": "off_grid", "value": 1}]))
        'global R² 0.500 (test), 1.000 (off_grid)'
    """
    whole = scores[(scores["target"] == "global") & (scores["metric"] == "r2") & (scores["member"] == ENSEMBLE)]
    patterns = whole["features"].nunique() > 1
    said = [f"{row.subset}, {row.features}" if patterns else row.subset for row in whole.itertuples()]
    return "global R² " + ", ".join(f"{value:.3f} ({of})" for value, of in zip(whole["value"], said, strict=True))


def markdown(table: pd.DataFrame) -> str:
    """Format a table of text as Markdown, columns padded so that it reads as plain text too.

    Example:
        >>> print(markdown(pd.DataFrame({"model": ["forest"], "R²": ["0.57"]})))
        | model  | R²   |
        |--------|------|
        | forest | 0.57 |
    """
    cells = [list(table.columns), *table.astype(str).to_numpy().tolist()]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    lines = [
        "| " + " | ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)) + " |" for row in cells
    ]
    return "\n".join([lines[0], "|" + "|".join("-" * (width + 2) for width in widths) + "|", *lines[1:]])


def _with_rmse(scores: pd.DataFrame) -> pd.DataFrame:
    """Add the root of the mean square error of each target, in its own unit."""
    squares = scores[(scores["metric"] == "mse") & (scores["target"] != "global")]
    return pd.concat([scores, squares.assign(metric="rmse", value=squares["value"] ** 0.5)], ignore_index=True)


def _heading(key: tuple[str, str]) -> str:
    target, metric = key
    if metric == "rmse":
        return f"{target} / {UNITS[target]}"
    return target if target != "global" else {"r2": "global R²", "mse": "global MSE"}[metric]


def _cell(values: list[float], key: tuple[str, str]) -> str:
    """Format mean ± standard deviation.

    Example:
        >>> _cell([0.5, 0.6], ("temp", "r2")), _cell([0.1234], ("temp", "relative_mae")), _cell([1.2], ("temp", "rmse"))
        ('0.550 ± 0.071', '12.3 %', '1.20')
    """
    target, metric = key
    forms = {"r2": (1, 3, ""), "relative_mae": (100, 1, " %"), "mse": (1, 0, ""), "rmse": (1, RMSE_DIGITS[target], "")}
    factor, digits, unit = forms[metric]
    series = factor * pd.Series(values)
    spread = f" ± {series.std():.{digits}f}" if len(series) > 1 else ""
    return f"{series.mean():.{digits}f}{spread}{unit}"
