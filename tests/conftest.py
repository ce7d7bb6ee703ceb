"""Data and random numbers that many tests share."""

import logging
import os
import sys
from pathlib import Path

import hypothesis
import numpy as np
import pandas as pd
import pytest
import torch
from filelock import FileLock

from polyinv.chemistry.butyl_acrylate import RECIPE
from polyinv.data.source import simulate_table
from polyinv.simulate.recipes import published_grid
from tests.warm import cold_commands, warm_commands

hypothesis.settings.register_profile("polyinv", deadline=None)  # seconds are the machine's, which may be busy
hypothesis.settings.load_profile("polyinv")


def pytest_collection_modifyitems(items):
    for item in items:
        if sys.platform != "linux" and item.get_closest_marker("linux"):
            item.add_marker(pytest.mark.skip(reason="signals, process groups or /proc are as on Linux"))


@pytest.fixture(autouse=True)
def seeded():
    torch.manual_seed(0)


@pytest.fixture(scope="session")
def shared(tmp_path_factory) -> Path:
    """Folder of this run of the tests, the same for all processes that share it."""
    own = tmp_path_factory.getbasetemp()
    folder = (own.parent if "PYTEST_XDIST_WORKER" in os.environ else own) / "shared"
    folder.mkdir(exist_ok=True)
    return folder


@pytest.fixture(autouse=True, scope="session")
def _own_cache(tmp_path_factory):
    """Tests neither read nor fill the user's cache."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(scope="session")
def warm(tmp_path_factory):
    """Folder with the commands ``polyinv`` and ``run-script``, in processes that have imported everything already.

    Elsewhere than on Linux they cannot be forked, and import everything.
    """
    if sys.platform != "linux":
        yield cold_commands(tmp_path_factory.mktemp("cold"))
        return
    with warm_commands(tmp_path_factory.mktemp("warm")) as place:
        yield place


@pytest.fixture
def here(monkeypatch):
    """Cells and trainings run in this process, one after the other: a process of its own imports for six seconds."""
    from tests.ablation.studies import work_here

    for module in ("polyinv.runtime.engines", "polyinv.experiment.reproduce"):
        monkeypatch.setattr(f"{module}.work", work_here)
    yield
    logging.basicConfig(force=True)


@pytest.fixture(scope="session")
def grid(shared) -> pd.DataFrame:
    """The published grid with the noise of 1e6 chains."""
    path = shared / "grid.pkl"
    with FileLock(f"{path}.lock"):
        if not path.is_file():
            simulate_table(published_grid(), method="sampled", chains=1e6, seed=1).to_pickle(path)
    return pd.read_pickle(path)


@pytest.fixture(scope="session")
def small(grid) -> pd.DataFrame:
    """The 96 runs of the grid at two temperatures, four snapshots each."""
    return grid[grid["temp"].isin([60.0, 70.0]) & grid["time"].isin([300.0, 900.0, 1800.0, 3600.0])].reset_index(
        drop=True
    )


@pytest.fixture
def recipes() -> torch.Tensor:
    """64 random recipes of the box, (64, 4)."""
    low, high = (torch.tensor([getattr(quantity, end) for quantity in RECIPE]).double() for end in ("low", "high"))
    return low + (high - low) * torch.rand(64, 4, dtype=torch.float64)


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(0)
