"""The bundled data sets are what their card says."""

import numpy as np
import pandas as pd
import pytest

from polyinv.chemistry.butyl_acrylate import COLUMNS, CONDITIONS, RECIPE, TARGETS
from polyinv.data import bundled
from polyinv.data.bundled import card, load_bundled
from polyinv.errors import InputError
from polyinv.mmd import area, mean_molar_masses
from polyinv.quantities import MMD
from polyinv.simulate.recipes import published_grid


@pytest.mark.parametrize("name", ["grid", "off_grid"])
def test_contract(name):
    table = load_bundled(name)
    assert list(table.columns) == list(COLUMNS)
    assert len(table) == card()[name]["rows"]
    for key in ("what", "command", "seed", "chains", "version", "sha256", "is_not"):
        assert card()[name][key]
    curves = table[list(MMD)].to_numpy()
    np.testing.assert_allclose(area(curves), 1, atol=1e-9)
    np.testing.assert_allclose(mean_molar_masses(curves), table[["Mn", "Mw"]].T, rtol=0.01)
    for quantity in RECIPE:
        assert table[quantity.name].between(quantity.low, quantity.high).all()


def test_the_grid_is_the_published_one_in_its_order():
    pd.testing.assert_frame_equal(load_bundled("grid")[list(TARGETS)], published_grid())


def test_the_last_test_shares_no_run_with_the_grid():
    off_grid = load_bundled("off_grid")[list(TARGETS)]
    assert len(off_grid.drop_duplicates(list(CONDITIONS))) == 1000
    assert off_grid.merge(published_grid(), on=list(CONDITIONS)).empty


def test_another_file_in_its_place_is_refused(monkeypatch):
    monkeypatch.setattr(bundled, "card", lambda: {"grid": {"sha256": "0"}})
    with pytest.raises(InputError, match=r"is not the file that its card\.yaml describes"):
        load_bundled("grid")
    with pytest.raises(InputError, match="no bundled data set 'gird'; known: grid"):
        load_bundled("gird")
