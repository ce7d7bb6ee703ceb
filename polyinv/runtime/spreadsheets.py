"""Text of others that is written for a spreadsheet, which takes some of it for a formula and executes it."""

import contextlib

import pandas as pd
from pandas.api.types import is_object_dtype, is_string_dtype

EXECUTED = ("=", "+", "-", "@", "\t", "\r", "\n")
"""What a cell begins with that spreadsheets execute [OWASP, CSV injection]."""
QUOTE = "'"
"""What makes text of it."""


def harmless(text: object) -> object:
    """Put a quote before text that a spreadsheet would execute; numbers stay, and so does what is no text.

    Example:
        >>> harmless("=1+1"), harmless("-3.5"), harmless("BA-01")
        ("'=1+1", '-3.5', 'BA-01')
    """
    if not isinstance(text, str):
        return text
    text = text.replace("\r\n", "\n").replace("\r", "\n")  # a writer of CSV does not quote the old Mac's end of a line
    if not text.lstrip(" ").startswith(EXECUTED):
        return text
    with contextlib.suppress(ValueError):
        float(text)
        return text
    return QUOTE + text


def harmless_table(table: pd.DataFrame) -> pd.DataFrame:
    """Make all text of a table harmless, the names of its columns among it."""
    table = table.rename(columns=harmless)
    of_text = [at for at, kind in enumerate(table.dtypes) if is_object_dtype(kind) or is_string_dtype(kind)]
    if not of_text:
        return table
    table = table.copy(deep=False)
    for at in of_text:
        table.isetitem(at, table.iloc[:, at].map(harmless))
    return table
