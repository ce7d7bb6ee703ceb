"""Statistics among samples: rows and columns that sum up the others, by their names and by their numbers."""

import itertools
import re
import unicodedata
from collections.abc import Callable, Collection, Mapping, Sequence

import numpy as np

from polyinv.data.files.cells import said
from polyinv.data.files.numbers import Cell, is_missing, is_number
from polyinv.data.files.plus_minus import part_of, parted

LONGEST = 60
"""Characters of the name of a statistic."""
AGREES = 5e-3
"""Relative difference up to which numbers are the statistic of those above them."""
MOST_OPEN = 50
"""Rows whose names may be those of statistics, up to which their numbers are compared."""
MOST_COUNTED = 1000
"""Of measurements that a row counts."""
_ERRORS = (
    "sd|std|stdev|stddev|dev|deviation|standarddeviation|sem|error|err|uncertainty|stabw|stdabw|abw|abweichung|"
    "(standard|gesamt)?(abweichung|fehler)(en)?|streuung|unsicherheit|desviacion|desv|desvest|ecart|ecarttype|incertidumbre|"
    "incertitude|rsd|cv|confidence|±|σ"
)
_OTHERS = (
    "(geo)?means?|averages?|averaged|avg|(gesamt)?mittel(werte?)?|durchschnitt(swert)?|promedio|media|moyennes?|moy|"
    "median[ea]?|max|maximum|maximal(wert)?|maximo|min|minimum|minimal(wert)?|minimo|sum|summe|suma|somme|total|gesamt|"
    "variance|varianza?|variation|range|spannweite|rango|etendue|count|anzahl|平均値?|标准差|標準偏差|标准偏差|平均值|"
    "中央値|中位数|最大値?|最小値?|最大值|最小值|合計"
)
_STATISTIC = re.compile(f"{_ERRORS}|{_OTHERS}")
_ERROR = re.compile(_ERRORS)
_BESIDE = re.compile(
    "grand|overall|arithmetic|arithm|geometric|harmonic|pooled|rel|relative?r?|relativa|values?|werte?|valor|valeur|"
    "standard|stand|st|est|estandar|type|typ|tipica|coefficient|koeffizient|interval|percent|%|n"
)
"""Words that go with those of a statistic."""
_OF = re.compile("of|from|over|for|aus|von|der|des|d|de|del|du|la|los|las|les|all|alle[rn]?|todos|tous|n")
_SHORT = re.compile("n|s|x|u|se|ds|de|av|var|q[13]|ci|µ|δ|mw|diff|difference")
"""Names of statistics that a sample may have as well."""
_FOLDED = {"x̄": " mean ", "x̅": " mean ", "ø": " mean ", "Ø": " mean ", "+/-": "±", "+-": "±"}


def words_of(name: str) -> list[str]:
    """Words of a name in small letters, without accents, points and hyphens.

    Example:
        >>> words_of("Écart-type"), words_of("S.D."), words_of("Mean ± SD"), words_of("Mittelwert aus 3")
        (['ecart', 'type'], ['sd'], ['mean', '±', 'sd'], ['mittelwert', 'aus', '3'])
    """
    text = unicodedata.normalize("NFC", name)
    for sign, word in _FOLDED.items():
        text = text.replace(unicodedata.normalize("NFC", sign), word)
    text = unicodedata.normalize("NFKD", unicodedata.normalize("NFKC", text).lower())
    text = unicodedata.normalize("NFC", re.sub("[\\u0300-\\u036f]", "", text))
    text = re.sub(r"\b([a-z])\.\s?(?=[a-z]\b(?!\w))", r"\1", text).replace("μ", "µ")
    return re.findall(r"[^\W\d_]+\d*|\d+|[±%]", text)


def statistic(name: str, others: Collection[str] = ()) -> str | None:
    """Whether a name is ``sure`` to be that of a statistic, or ``open``: a sample may be called so; None for others.

    Args:
        name: As it stands.
        others: Words of the names of the samples.

    Example:
        >>> [statistic(name) for name in ("Grand mean", "% RSD", "Avg. of A and B", "Mean-1", "n", "30 min", "Maxi")]
        ['sure', 'sure', 'sure', 'open', 'open', None, None]
    """
    if len(name) >= LONGEST:
        return None
    words = words_of(re.sub(r"\(.*\)|\[.*\]", " ", name)) or words_of(name)
    if len(words) == 1 and _SHORT.fullmatch(words[0]):
        return "open"
    behind = [*words]
    if re.match(r"\s*\d+\s*%", name):
        behind = behind[1:]
    while len(behind) > 1 and not _STATISTIC.fullmatch(behind[0]) and _BESIDE.fullmatch(behind[0]):
        behind = behind[1:]
    behind = behind[1:] if len(behind) > 1 and _OF.fullmatch(behind[0]) else behind
    if behind and _STATISTIC.fullmatch(behind[0]):
        return "sure" if _goes_with(behind[1:], others) else "open"
    ends = len(words) > 1 and not words[-2].isdigit() and words[-1] not in ("min", "max", "std")
    return "open" if ends and _STATISTIC.fullmatch(words[-1]) else None


def _goes_with(rest: Sequence[str], others: Collection[str]) -> bool:
    """Whether the words behind a statistic say no more of it than what it is of."""
    if not rest or _OF.fullmatch(rest[0]) or (len(rest) > 1 and set(rest) <= {*others, "and", "und", "y", "et", "to"}):
        return True
    return all(any(known.fullmatch(word) for known in (_STATISTIC, _BESIDE, _OF)) for word in rest)


def is_error(name: str) -> bool:
    """Whether the name of a statistic is that of an error, all of it.

    Example:
        >>> [is_error(name) for name in ("SD", "+/-", "Std. error", "Écart-type", "Mean", "SD of A")]
        [True, True, True, True, False, False]
    """
    words = words_of(name)
    errors = [word for word in words if _ERROR.fullmatch(word)]
    return bool(errors) and all(word in errors or _BESIDE.fullmatch(word) for word in words)


def statistics_among(
    names: Mapping[int, str], cells: Mapping[int, Sequence[Cell]]
) -> tuple[dict[int, str], dict[int, str]]:
    """Rows that sum up the others, and rows of which that is not clear, with their names.

    Args:
        names: Of the rows, in order.
        cells: Those of each row that are numbers, missing ones too.
    """
    kinds = {row: statistic(name) for row, name in names.items()}
    some = any(kinds.values())
    words = {word for row, name in names.items() if some and kinds[row] is None for word in words_of(name)}
    kinds |= {row: statistic(names[row], words) for row, kind in kinds.items() if kind}
    open_ = [row for row, kind in kinds.items() if kind == "open"]
    sure = {row: names[row] for row, kind in kinds.items() if kind == "sure"}
    if not open_ or len(open_) > MOST_OPEN:
        return sure, {row: names[row] for row in open_}
    values = {row: np.array([_value(cell) for cell in line]) for row, line in cells.items()}
    found: dict[int, str] = {}
    group: list[int] = []
    above: list[int] = []
    for row, kind in kinds.items():
        if kind == "sure" or (kind == "open" and _sums_up(row, values, (group, above))):
            found[row] = names[row]
        elif kind is None:
            group = [row] if _has_since(found, group) else [*group, row]
            above.append(row)
    tail = [*itertools.takewhile(lambda row: row in found or _is_short(names[row]), reversed([*names]))][::-1]
    found |= {row: names[row] for row in itertools.dropwhile(lambda row: row not in found, tail)}
    return found, {row: names[row] for row in open_ if row not in found}


def _sums_up(row: int, values: Mapping[int, np.ndarray], above: Sequence[Sequence[int]]) -> bool:
    return _counts(values[row]) or any(_is_of(values[row], values, rows) for rows in above)


def _has_since(found: Collection[int], group: Sequence[int]) -> bool:
    """Whether a statistic stands below a group of rows."""
    return bool(group) and max(found, default=0) > group[-1]


def _is_short(name: str) -> bool:
    words = words_of(name)
    return len(words) == 1 and _SHORT.fullmatch(words[0]) is not None


def name_of(cells: Sequence[Cell], numbers_at: Collection[int]) -> str:
    """The name of a row: its first text; where numbers belong, only that of a statistic is one.

    ``S.D.`` says that there is no value where a number belongs, and names a statistic elsewhere.
    """
    for at, cell in enumerate(cells):
        if is_number(cell) or not said(cell):
            continue
        named, summed = not is_missing(cell), statistic(said(cell)) == "sure"
        if (named and summed) if at in numbers_at else (named or summed):
            return said(cell)
    return ""


def _value(cell: Cell) -> float:
    text, _ = parted(cell)
    values = (part_of(text, sign).value for sign in ".,")
    return next((value for value in values if value is not None), np.nan)


def _counts(values: np.ndarray) -> bool:
    """Whether the numbers of a row are one small whole number."""
    there = values[~np.isnan(values)]
    return len(there) > 1 and bool((there == there[0]).all()) and there[0] in range(1, MOST_COUNTED)


_BY_NUMBERS: tuple[Callable[[np.ndarray], np.ndarray], ...] = (
    lambda x: x.mean(0),
    lambda x: np.median(x, 0),
    lambda x: x.std(0, ddof=1),
    lambda x: x.std(0),
    lambda x: x.std(0, ddof=1) / len(x) ** 0.5,
    lambda x: 100 * x.std(0, ddof=1) / x.mean(0),
    lambda x: x.std(0, ddof=1) / x.mean(0),
    lambda x: x.sum(0),
    lambda x: np.ptp(x, 0),
)


def _is_of(values: np.ndarray, others: Mapping[int, np.ndarray], rows: Sequence[int]) -> bool:
    """Whether numbers are a statistic of those of other rows."""
    if len(rows) < 2:
        return False
    table = np.array([others[row] for row in rows])
    kept = ~np.isnan(values) & ~np.isnan(table).any(0)
    if not kept.any():
        return False
    with np.errstate(all="ignore"):
        return any(np.allclose(values[kept], each(table[:, kept]), rtol=AGREES, atol=0) for each in _BY_NUMBERS)
