"""The notebooks run from top to bottom, and what is stored in them is of such a run."""

import re
import shutil
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

EXAMPLES = Path(__file__).parents[1] / "examples"
NOTEBOOKS = sorted(EXAMPLES.glob("*.ipynb"))
SECONDS = 900
"""For one cell, on a machine that does other things as well."""
FEW = ("EPOCHS = 60", "EPOCHS = 3")
"""What is stored is of so many epochs; that the cells run does not need them."""
MACHINE = re.compile(r"/(home|root|work|tmp|Users)/|[A-Z]:\\\\")


def name(path):
    return path.stem


@pytest.mark.parametrize("path", NOTEBOOKS, ids=name)
@pytest.mark.filterwarnings("default")  # of the client, which is not ours
def test_a_notebook_runs(path, tmp_path, monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    shutil.copytree(EXAMPLES, tmp_path / "examples")
    book = nbformat.read(tmp_path / "examples" / path.name, 4)
    for cell in book.cells:
        cell.source = cell.source.replace(*FEW)
    resources = {"metadata": {"path": str(tmp_path / "examples")}}
    NotebookClient(book, timeout=SECONDS, kernel_name="python3", resources=resources).execute()
    for cell in book.cells:
        assert cell.cell_type != "code" or cell.outputs or "print" not in cell.source


@pytest.mark.parametrize("path", NOTEBOOKS, ids=name)
def test_a_notebook_is_stored_as_it_ran(path):
    book = nbformat.read(path, 4)
    cells = [cell for cell in book.cells if cell.cell_type == "code"]
    assert [cell.execution_count for cell in cells] == list(range(1, len(cells) + 1))
    assert all(output.output_type != "error" for cell in cells for output in cell.outputs)
    assert not MACHINE.search(path.read_text(encoding="utf-8"))
    assert path.stat().st_size < 400_000
