"""Curves as instruments export them keep their mass and their place; a share of simulated rows looks like that."""

import pytest
import torch

from polyinv.chemistry.butyl_acrylate import SYSTEM
from polyinv.data import bank as bank_module
from polyinv.data.bank import load_bank
from polyinv.data.features import feature_columns
from polyinv.data.simulated import Source
from polyinv.data.source import SimulatedConfig
from polyinv.errors import InputError
from polyinv.instrument.exports import CUT, SPACING, _ways, exported
from polyinv.mmd import LOG_M, OLIGOMERS, STEP


@pytest.fixture
def bells():
    m = torch.linspace(3.6, 5.2, 2000, dtype=torch.float64)[:, None]
    w = torch.exp(-(((torch.from_numpy(LOG_M) - m) / 0.35) ** 2))
    return w / (w.sum(-1, keepdim=True) * STEP)


def moments(w):
    at = torch.from_numpy(LOG_M)
    mean = (w * at).sum(-1) * STEP
    return mean, (w * (at - mean[:, None]) ** 2).sum(-1) * STEP


def test_exports_keep_area_and_move_little(bells):
    seen = exported(bells, torch.Generator().manual_seed(0))
    torch.testing.assert_close(seen.sum(-1) * STEP, torch.ones(len(bells), dtype=seen.dtype))
    assert (seen >= 0).all()
    # The most that a cut at 5 % of the peak takes from one end of a bell is erfc(sqrt(ln 20)) / 2 = 0.7 % of its mass.
    (mean, width), (of_seen, wide) = moments(bells), moments(seen)
    assert (mean - of_seen).abs().max() < 0.01
    # A straight line over the spacing h and once more over a step adds a quarter of h² + step² at most.
    assert (wide - width).max() < (SPACING[1] ** 2 + STEP**2) / 4


def test_no_export_shows_single_oligomers(bells):
    seen = exported(bells, torch.Generator().manual_seed(1))
    assert (seen[:, LOG_M < OLIGOMERS] == 0).all()


def test_half_of_the_ends_are_cut_off_and_never_above_the_stated_share(bells):
    seen = exported(bells, torch.Generator().manual_seed(1))
    far = seen[:, LOG_M > 5.2 + 1.3]  # there these bells hold less than 1e-6 of their peak
    whole = (far > 0).any(-1).double().mean().item()
    assert whole == pytest.approx(0.5, abs=4 * (0.25 / len(bells)) ** 0.5)
    last = len(LOG_M) - 1 - (seen > 0).flip(-1).double().argmax(-1)
    cut = ~(far > 0).any(-1)
    height = seen[cut, last[cut]] / seen[cut].amax(-1)
    assert height.max() < 3 * CUT[1]  # the last node above the share


def test_some_curves_stay_as_they_are_and_random_numbers_decide(bells):
    bells = bells * (torch.from_numpy(LOG_M) >= OLIGOMERS)
    bells = bells / (bells.sum(-1, keepdim=True) * STEP)
    seen, same, other = (exported(bells, torch.Generator().manual_seed(seed)) for seed in (2, 2, 3))
    torch.testing.assert_close(seen, same, rtol=0, atol=0)
    assert not torch.equal(seen, other)
    untouched = torch.isclose(seen, bells, rtol=1e-9, atol=0).all(-1).double().mean().item()
    # A quarter of the ways leaves the nodes, a quarter of the rows keeps both ends, and some have nothing there to cut.
    assert 1 / 16 - 4 * (1 / 16 / len(bells)) ** 0.5 < untouched < 1 / 8


@pytest.mark.parametrize("way", [40, 80, 127])
def test_reading_off_elsewhere_keeps_the_mass(bells, way):
    """It keeps the area, and moves less than 2 % of the mass."""
    matrix = _ways(torch.float64)[way]
    assert ((bells @ matrix.T).sum(-1) * STEP - 1).abs().max() < 1e-3
    moved = ((bells @ matrix.T - bells).abs().sum(-1) * STEP / 2).max()
    assert moved < 0.02


def test_the_stated_share_of_simulated_rows_is_exported(monkeypatch):
    monkeypatch.setattr(bank_module, "BLOCK", 128)
    bank = load_bank(128, 5, SYSTEM, 3600.0)
    whole, half = (
        Source(SimulatedConfig(rows=128, exported=share), feature_columns("composite", SYSTEM), bank, SYSTEM)
        .rows(torch.Generator().manual_seed(0))
        .x
        for share in (0.0, 0.5)
    )
    changed = (whole != half).any(-1)
    assert changed[:64].double().mean() > 0.85
    assert not changed[64:].any()
    assert torch.equal(whole[:, :3], half[:, :3])  # residual monomer, Mn and Mw stay


def test_a_share_is_a_share():
    with pytest.raises(InputError, match=r"data.simulated.exported is 2; needs a share, 0 to 1"):
        SimulatedConfig(exported=2)
