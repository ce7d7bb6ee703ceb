"""A study that nobody has disturbed."""

import logging

import pytest

import polyinv.runtime.engines
from polyinv.cli import main
from tests.ablation.studies import work_here, write_study


@pytest.fixture(scope="package")
def plain(small, tmp_path_factory):
    """A study of forests and its results, which nobody has disturbed, run in this process."""
    folder = tmp_path_factory.mktemp("plain")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(polyinv.runtime.engines, "work", work_here)
        path = write_study(folder / "study", small)
        assert main([str(each) for each in ("ablate", path, "--output", folder / "out", "--workers", 1)]) == 0
    logging.basicConfig(force=True)
    return path, folder / "out"
