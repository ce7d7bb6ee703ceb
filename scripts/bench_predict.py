"""Measure what `polyinv predict` takes: CPU seconds and peak memory of its process, by the number of rows.

    python scripts/bench_predict.py --rows 1 1000 10000
    python scripts/bench_predict.py --other ../before    # a worktree of another version, in the same run

Rows are those of the bundled grid, the curve and the temperature of each, as a CSV file. Every process runs on one
core, after one that has filled the caches; ``import`` is one that only imports torch and pandas, for scale. The answers
of both versions are compared, with the released model of this one.
"""

import argparse
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pandas as pd

from polyinv.data.bundled import load_bundled
from polyinv.quantities import MMD
from polyinv.report.tables import markdown
from polyinv.runtime.resources import RELEASED

HERE = Path(__file__).resolve().parents[1]
SAME = ("cBA_0", "cAIBN_0", "time", "cBA_0_spread", "cAIBN_0_spread", "time_spread", "distance")
"""Numbers of an answer that every version has."""


def measured(code: str, arguments: list[str], root: Path) -> tuple[float, float, int]:
    """CPU seconds, peak memory in MB and exit code of a Python process with the package of a clone."""
    environment = os.environ | {"PYTHONPATH": str(root), "OMP_NUM_THREADS": "1"}
    child = subprocess.Popen(
        [sys.executable, "-c", code, *arguments], env=environment, cwd=root, stderr=subprocess.DEVNULL
    )
    _, status, used = os.wait4(child.pid, 0)
    return used.ru_utime + used.ru_stime, used.ru_maxrss / 1024, os.waitstatus_to_exitcode(status)


def rows_of_grid(count: int) -> pd.DataFrame:
    """Curves and temperatures of the bundled grid, again and again."""
    grid = load_bundled("grid")[["temp", *MMD]]
    return pd.concat([grid] * -(-count // len(grid)), ignore_index=True).head(count)


def predicted(root: Path, count: int, folder: Path) -> tuple[float, float, pd.DataFrame]:
    """CPU seconds, peak memory in MB, and the answers of a clone to so many rows."""
    file, out = folder / f"{count}.csv", folder / f"{count}-{root.name}.csv"
    if not file.is_file():
        rows_of_grid(count).to_csv(file, index=False, float_format="%.8g")
    code = "from polyinv.cli import entry; entry()"
    seconds, peak, ended = measured(code, ["predict", str(RELEASED), str(file), "--out", str(out)], root)
    if ended:
        raise SystemExit(f"predict of {count} rows in {root} ended with {ended}")
    answers = pd.read_csv(out)
    out.unlink()
    return seconds, peak, answers


def deviation(answers: pd.DataFrame, others: pd.DataFrame) -> float:
    """Largest relative difference of two sets of answers."""
    ours, theirs = answers[list(SAME)], others[list(SAME)]
    return float(((ours - theirs).abs() / theirs.abs().clip(lower=1e-12)).max().max())


def main() -> None:
    """Print a table of both versions."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, nargs="+", default=[1, 1000, 10_000])
    parser.add_argument("--other", type=Path, help="clone of another version, measured beside this one")
    parser.add_argument("--other-most", type=int, default=10_000, help="most rows that it is given")
    given = parser.parse_args()
    other = given.other.resolve() if given.other else None
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    lines = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        seconds, peak, _ = measured("import pandas, torch", [], HERE)
        lines.append({"rows": "import", "CPU s": f"{seconds:.2f}", "peak MB": f"{peak:.0f}"})
        for root in filter(None, (HERE, other)):
            predicted(root, 1, folder)
        for count in given.rows:
            seconds, peak, answers = predicted(HERE, count, folder)
            line = {"rows": str(count), "CPU s": f"{seconds:.2f}", "peak MB": f"{peak:.0f}"}
            if other and count <= given.other_most:
                before, peak, others = predicted(other, count, folder)
                line |= {"other: CPU s": f"{before:.2f}", "other: peak MB": f"{peak:.0f}"}
                line |= {"ratio": f"{before / seconds:.1f}", "difference": f"{deviation(answers, others):.1e}"}
            lines.append(line)
            print(f"{count} rows: {line}", file=sys.stderr, flush=True)
    print(markdown(pd.DataFrame(lines).fillna("")))


if __name__ == "__main__":
    main()
