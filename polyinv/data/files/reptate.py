"""RepTate's .gpc: a line of averages, then M in g/mol against w(log M)."""

import re
from pathlib import Path

from polyinv.data.files.distribution import MeasuredCurve
from polyinv.runtime.files import check_new, written

_FIRST = re.compile(r"\s*(?:[A-Za-z]\w*\s*=\s*[^;=\n]*;?\s*)*M[nw]\s*=\s*[^;=\n]+;[^\n]*")
NAMES = "M (g/mol)\tw(log M)"


def is_gpc(text: str) -> bool:
    """Whether a text begins as RepTate's files do: ``Mn=40.8;Mw=88.3;PDI=2.16``, and has numbers below."""
    first, _, rest = text.lstrip().partition("\n")
    below = rest.lstrip().partition("\n")[0].split()
    return (
        _FIRST.fullmatch(first.strip()) is not None and len(below) == 2 and all(re.match(r"[-+.\d]", x) for x in below)
    )


def with_names(text: str) -> str:
    """Put the names of the columns below the first line; rows keep their numbers by the order of lines only."""
    first, _, rest = text.lstrip().partition("\n")
    lines = [re.sub(r"\s+", "\t", line.strip()) for line in rest.splitlines()]
    return "\n".join([f"# {first.strip()}", NAMES, *lines])


def write_gpc(curve: MeasuredCurve, path: Path | str) -> None:
    """Write a curve as RepTate reads it, with Mn and Mw in kg/mol.

    Raises:
        InputError: The file is there.
    """
    path = Path(path)
    check_new(path)
    head = f"Mn={curve.Mn / 1e3:.6g};Mw={curve.Mw / 1e3:.6g};PDI={curve.Mw / curve.Mn:.6g};"
    lines = [f"{10**x:.8g}\t{y:.6g}" for x, y in zip(curve.log_m, curve.raw, strict=True)]
    with written(path) as passing:
        passing.write_text("\n".join([head, *lines]) + "\n", encoding="utf-8", newline="\n")
