"""Blocks of rows: what is worked on at once, so that memory does not grow with the rows."""

import math
from collections.abc import Iterator

from polyinv.runtime.progress import counted


def blocks(count: int, size: int, what: str) -> Iterator[slice]:
    """Cut rows into even blocks, with progress where there are several.

    Args:
        count: Rows.
        size: Rows of a block at most.
        what: The work, such as "answering".

    Example:
        >>> [(rows.start, rows.stop) for rows in blocks(5, 8, "counting")]
        [(0, 5)]
    """
    if count <= size:
        yield slice(0, count)
        return
    even = math.ceil(count / math.ceil(count / size))
    with counted(what, "rows", count) as advance:
        for start in range(0, count, even):
            rows = slice(start, min(start + even, count))
            yield rows
            advance(rows.stop - rows.start)
