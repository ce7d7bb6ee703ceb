"""Tables of scores, published numbers beside ours, as Markdown."""

import re
from collections.abc import Iterable, Mapping

import pandas as pd

from polyinv.chemistry import DEFAULT, load_system
from polyinv.errors import one_line
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
"""Decimals of an error in the unit of its target."""
MARKUP = re.compile(r"[\\|]|<(?=[A-Za-z/!?])|\](?=\()")
"""What text of others must not begin in a cell of Markdown."""
LONGEST = 200
"""Characters of a cell."""
_GLOBALS = {"r2": [("global", "r2"), ("global", "mse")], "r2_box": [("global", "r2_box")]}


def reproduction_table(
    scores: pd.DataFrame,
    published: Mapping[tuple[str, str], Mapping[tuple[str, str], float]],
    metric: str,
    baselines: Iterable[tuple[str, str]] = (),
) -> pd.DataFrame:
    """Tabulate the published models and ours, a line for each model and protocol.

    Args:
        scores: Tidy scores with the columns of a ``scores.csv``, any number of split seeds.
        published: `polyinv.evaluation.published.PUBLISHED`.
        metric: ``r2``, ``r2_box``, ``rmse``, ``mae`` or ``relative_mae``; with ``r2``, the global MSE stands beside it.
            The study gives neither RMSE nor MAE in units.
        baselines: Further models and features.

    Returns:
        Cells as text, the mean over the trainings ± a standard deviation, see `by_chance`.
    """
    wanted = [(name, metric) for name in STUDIED.targets] + _GLOBALS.get(metric, [])
    rows, scores = [], _with_rmse(scores)
    for model, features in [*published, *baselines]:
        numbers = published.get((model, features), {})
        if set(wanted) <= numbers.keys():
            cells = {_heading(key): _cell(numbers[key], float("nan"), key) for key in wanted}
            rows.append({"model": model, "features": features, "numbers": "published", **cells})
        of_model = scores[(scores["model"] == model) & (scores["features"] == features)]
        for label, (split, subset) in PROTOCOLS.items():
            of_line = of_model[(of_model["split"] == split) & (of_model["subset"] == subset)]
            found = dict(iter(of_line.groupby(["target", "metric"])))
            if found:
                cells = {_heading(key): _cell_of(found[key], key) for key in wanted}
                rows.append({"model": model, "features": features, "numbers": label, **cells})
    return pd.DataFrame(rows)


def by_chance(lines: pd.DataFrame) -> float:
    """Standard deviation by chance of the scores of some trainings on one subset, on one split or on several.

    It has the scatter of the trainings in it, and the choice of the test reactions: where they are other ones for each
    split, their choice is in that scatter; where they are the same ones, it comes on top. NaN where neither is known.
    """
    others_each_time = (lines["subset"] != "off_grid").all() and lines["seed"].nunique() > 1
    by_test = lines["sd"].dropna() if "sd" in lines and not others_each_time else pd.Series(dtype=float)
    if len(lines) < 2 and by_test.empty:
        return float("nan")
    trainings = lines["value"].var() if len(lines) > 1 else 0.0
    return float((trainings + (0.0 if by_test.empty else by_test.pow(2).mean())) ** 0.5)


def _cell_of(lines: pd.DataFrame, key: tuple[str, str]) -> str:
    return _cell(lines["value"].mean(), by_chance(lines), key)


def score_table(scores: pd.DataFrame) -> str:
    """Format a `score_frame` as Markdown."""
    return markdown(score_frame(scores))


def score_frame(scores: pd.DataFrame) -> pd.DataFrame:
    """Format the scores of one experiment on one subset: a line for each target and one for the global means.

    Of several members, the score of their mean answer, and mean ± standard deviation over the members. The interval of
    R² is that by the choice of the test reactions. ``r2_local``, if it is among the metrics, is the local estimate.
    """
    scores = _with_rmse(scores)
    members, whole = scores[scores["member"] != ENSEMBLE], scores[scores["member"] == ENSEMBLE]
    targets = [name for name in scores["target"].unique() if name != "global"]
    wide = whole.pivot(index="target", columns="metric", values="value").reindex([*targets, "global"])
    wide = wide.join(_interval(whole)) if "low" in whole else wide
    table = pd.DataFrame({"target": wide.index})
    for metric, heading, form in (
        ("r2", "R²", "{:.4f}"),
        ("interval", "95 % interval", "{}"),
        ("r2_box", "R² by the variance of the box", "{:.4f}"),
        ("r2_local", "local estimate", "{:.3f}"),
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


def _interval(whole: pd.DataFrame) -> pd.Series:
    """Interval of R² of each target, as text; nothing where it is not known."""
    r2 = whole[(whole["metric"] == "r2") & whole["low"].notna()].set_index("target")
    return (r2["low"].map("{:.3f}".format) + " to " + r2["high"].map("{:.3f}".format)).rename("interval")


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
    cells = [[_cell_text(cell) for cell in row] for row in (table.columns, *table.astype(str).to_numpy())]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    lines = [
        "| " + " | ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)) + " |" for row in cells
    ]
    return "\n".join([lines[0], "|" + "|".join("-" * (width + 2) for width in widths) + "|", *lines[1:]])


def _cell_text(cell: object) -> str:
    r"""Text of a cell, in one line, which neither ends the cell nor begins a tag or a link.

    Example:
        >>> print(_cell_text("a|b\\ <script> D<2.4\n[x](y)"))
        a\|b\\ \<script> D<2.4 [x\](y)
    """
    return MARKUP.sub(r"\\\g<0>", one_line(cell, LONGEST))


def _with_rmse(scores: pd.DataFrame) -> pd.DataFrame:
    """Add the root of the mean square error of each target, in its own unit."""
    squares = scores[(scores["metric"] == "mse") & (scores["target"] != "global")]
    root = squares["value"] ** 0.5
    roots = squares.assign(metric="rmse", value=root)
    if "sd" in squares:
        roots = roots.assign(sd=squares["sd"] / (2 * root), **{end: squares[end] ** 0.5 for end in ("low", "high")})
    return pd.concat([scores, roots], ignore_index=True)


def _heading(key: tuple[str, str]) -> str:
    target, metric = key
    if metric in ("rmse", "mae"):
        return f"{target} / {UNITS[target]}"
    return target if target != "global" else {"mse": "global MSE"}.get(metric, "global R²")


def _cell(value: float, sd: float, key: tuple[str, str]) -> str:
    """Format a score ± its standard deviation by chance, if that is known, by target and metric.

    Example:
        >>> _cell(0.55, 0.0707, ("temp", "r2")), _cell(0.1234, 0.004, ("temp", "relative_mae"))
        ('0.550 ± 0.071', '12.3 ± 0.4 %')
        >>> _cell(1.2, float("nan"), ("temp", "rmse"))
        '1.20'
    """
    target, metric = key
    in_units = (1, RMSE_DIGITS[target], "")
    forms = {"relative_mae": (100, 1, " %"), "mse": (1, 0, ""), "rmse": in_units, "mae": in_units}
    factor, digits, unit = forms.get(metric, (1, 3, ""))
    spread = "" if pd.isna(sd) else f" ± {factor * sd:.{digits}f}"
    return f"{factor * value:.{digits}f}{spread}{unit}"
