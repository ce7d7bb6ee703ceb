"""Whatever form a file has, its curve comes back or it is refused: a wrong answer never."""

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings

from polyinv.chemistry import load_system
from polyinv.data.files.options import Options
from polyinv.data.files.reading import read_book
from polyinv.data.files.recognise import recognise
from polyinv.data.files.results import read_results
from polyinv.data.measured import curves_found
from polyinv.errors import InputError
from tests.data.written_files import MN, MW, Written, files

SYSTEM = load_system()


def check(written: Written, folder: Path) -> None:
    """Read a file; its means are within 1 %, or it is refused in one line."""
    path, options = folder / "curve.txt", Options()
    path.write_bytes(written.content)
    try:
        book = read_book(path)
        found = recognise(book, options, SYSTEM)
        if found.table is not None:  # a chromatogram in a report that states the averages
            table, _, _ = read_results(found.table, options, SYSTEM)
            assert written.refused, written.text[:800]
            assert table.iloc[0][["Mn", "Mw"]].tolist() == pytest.approx([MN, MW], rel=0.01)
            return
        curves = curves_found(book, found, options)
    except InputError:
        return
    assert not written.refused, written.text[:800]
    assert [[each.Mn, each.Mw] for each in curves] == [pytest.approx([MN, MW], rel=0.01)], (
        curves[0].notes,
        written.text[:800],
    )


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("written")


SETTINGS = {"deadline": None, "suppress_health_check": [HealthCheck.too_slow, HealthCheck.data_too_large]}


@settings(max_examples=100, derandomize=True, **SETTINGS)
@given(files())
def test_a_known_curve_comes_back_or_is_refused(folder, written):
    check(written, folder)


@pytest.mark.slow
@settings(max_examples=2000, **SETTINGS)
@given(files())
def test_two_thousand_files_have_no_silent_error(folder, written):
    check(written, folder)
