"""What an answer does not need is not imported: half of the time of a prediction would go into it."""

import subprocess
import sys
from pathlib import Path

from polyinv.cli import COMMANDS

EXAMPLE = Path(__file__).parents[2] / "examples" / "files" / "curve_gpc_tabs.txt"
TRAINING = (
    "lightning",
    "torchmetrics",
    "tensorboard",
    "sklearn",
    "scipy.stats",
    "scipy.interpolate",
    "scipy.linalg",
    "sympy",
    "rich",
    "matplotlib",
    "skops",
)
"""Libraries that train and draw, and what others import on the way."""
ANSWER = """
import polyinv
from polyinv.data.bundled import load_bundled

table = load_bundled("off_grid").head(2).drop(columns=["cBA_0", "cAIBN_0"])
predictor = polyinv.load({model!r})
predictor.predict(table)
predictor.model.predict(polyinv.Observations.from_table(table).x(predictor.model.columns))
"""
COMMAND = """
from polyinv.cli import main
from polyinv.data.bundled import load_bundled

load_bundled("off_grid").head(2).drop(columns="time").to_csv("rows.csv", index=False)
assert main(["predict", "rows.csv", "--out", "answers.csv"]) == 0
"""
CURVE = """
from polyinv.cli import main

assert main(["predict", {curve!r}, "--out", "answers_of_curve.csv"]) == 0
"""
HELP = """
import contextlib
from polyinv.cli import COMMANDS, main

for command in COMMANDS:
    with contextlib.suppress(SystemExit):
        main([command, "--help"])
"""


def imported(code: str, folder) -> set[str]:
    """Modules that a process of its own has imported in the end."""
    code += "\nimport sys\nprint('imported', *sys.modules)"
    ended = subprocess.run([sys.executable, "-c", code], cwd=folder, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr
    return set(ended.stdout.splitlines()[-1].split()[1:])


def test_an_answer_takes_no_library_for_training(tmp_path):
    """From Python, by the command, and from a curve: one process after the other would import torch three times."""
    code = "\n".join([ANSWER.format(model=None), COMMAND, CURVE.format(curve=str(EXAMPLE))])
    assert not imported(code, tmp_path) & set(TRAINING)


def test_help_takes_nothing_that_takes_seconds(tmp_path):
    assert len(COMMANDS) >= 6
    assert not imported(HELP, tmp_path) & {"torch", "numba", "scipy", *TRAINING}
