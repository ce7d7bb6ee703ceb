"""Effects of an instrument on a curve: identities of means and masses, and gradients."""

import math

import pytest
import torch

from polyinv import mmd
from polyinv.instrument.curve import (
    BASELINE,
    PIVOT,
    add_baseline,
    add_noise,
    broaden,
    cut_ends,
    ends_at,
    mean_molar_masses,
    miscalibrate,
    unit_area,
)
from polyinv.mmd import BIN_EDGES, LOG_M, OLIGOMERS, STEP

NODES = torch.from_numpy(LOG_M)


def bells(middles, width=0.3):
    """Log-normal curves of unit area: Gaussian in log10 M, of this standard deviation."""
    middles = torch.as_tensor(middles, dtype=torch.float64)[..., None]
    return unit_area(torch.exp(-0.5 * ((NODES - middles) / width) ** 2))


def area(w):
    return w.sum(-1) * STEP


def moments(w):
    mean = (w * NODES).sum(-1) * STEP
    return mean, (w * (NODES - mean[..., None]) ** 2).sum(-1) * STEP


@pytest.fixture
def w():
    return bells(torch.linspace(3.8, 5.2, 15))


@pytest.mark.parametrize("sigma", [0.005, 0.03, 0.045, 0.06, 0.12])
def test_broadening_multiplies_Mw_and_divides_Mn_by_the_textbook_factor(w, sigma):
    factor = math.exp(0.5 * (sigma * math.log(10)) ** 2)
    (Mn, Mw), (Mn_broad, Mw_broad) = mean_molar_masses(w), mean_molar_masses(broaden(w, sigma))
    # the discrete kernel takes cosh(step ln 10) for its parabola: 0.3 % of the exponent
    close = torch.tensor(0.003 * math.log(factor) + 1e-9).expm1().item()
    torch.testing.assert_close(Mw_broad / Mw, torch.full_like(Mw, factor), rtol=close, atol=0)
    torch.testing.assert_close(Mn / Mn_broad, torch.full_like(Mn, factor), rtol=close, atol=0)


def test_broadening_keeps_mass_and_mean_and_adds_its_variance(w):
    sigma = torch.linspace(0.0, 0.1, len(w), dtype=torch.float64)
    broad = broaden(w, sigma)
    (mean, variance), (mean_broad, variance_broad) = moments(w), moments(broad)
    torch.testing.assert_close(area(broad), area(w))
    torch.testing.assert_close(mean_broad, mean)
    torch.testing.assert_close(variance_broad, variance + sigma**2)
    assert (broad >= -1e-14).all()  # rounding


def test_two_broadenings_are_one(w):
    torch.testing.assert_close(broaden(broaden(w, 0.03), 0.04), broaden(w, 0.05))


def test_no_broadening_changes_nothing_and_mass_at_the_end_of_the_grid_stays():
    w = torch.zeros(2, 100, dtype=torch.float64)
    w[0, 0] = w[1, -1] = 1 / STEP
    torch.testing.assert_close(broaden(w, 0.0), w)
    torch.testing.assert_close(area(broaden(w, 0.1)), torch.ones(2, dtype=torch.float64))


def test_a_broadened_bell_is_the_wider_bell():
    # The fourth cumulant that the kernel has too much, step² sigma², times the fourth derivative of the bell over 24:
    wider = bells(4.5, 0.5)
    error = 1.02 * (STEP * 0.4) ** 2 / 24 * 3 / 0.5**4 * wider.max().item()  # 2 %: orders beyond
    torch.testing.assert_close(broaden(bells(4.5, 0.3), 0.4), wider, rtol=0, atol=error)


@pytest.mark.parametrize("offset", [0.0, 0.0086, -0.03, STEP, 0.5])
def test_an_offset_shifts_and_adds_no_width(w, offset):
    (mean, variance), (mean_off, variance_off) = moments(w), moments(miscalibrate(w, offset))
    torch.testing.assert_close(mean_off, mean + offset)
    torch.testing.assert_close(variance_off, variance, rtol=1e-6, atol=0)
    factor = 10**offset
    for true, shown in zip(mean_molar_masses(w), mean_molar_masses(miscalibrate(w, offset)), strict=True):
        torch.testing.assert_close(shown, true * factor, rtol=2e-4, atol=0)


def test_a_whole_step_moves_the_nodes_themselves(w):
    shifted = miscalibrate(w, 2 * STEP)
    torch.testing.assert_close(shifted[:, 2:], w[:, :-2], rtol=0, atol=1e-12)


def test_a_slope_stretches_about_the_pivot(w):
    (mean, variance), (mean_off, variance_off) = moments(w), moments(miscalibrate(w, 0.0, 0.02))
    torch.testing.assert_close(area(miscalibrate(w, 0.01, 0.02)), area(w))
    torch.testing.assert_close(mean_off - PIVOT, (mean - PIVOT) * 1.02, rtol=1e-4, atol=1e-6)
    torch.testing.assert_close(variance_off, variance * 1.02**2, rtol=1e-3, atol=0)
    torch.testing.assert_close(miscalibrate(w), w, rtol=0, atol=1e-12)


def test_mass_leaves_only_where_the_grid_ends():
    w = bells([0.5, 7.6], 0.1)
    assert area(miscalibrate(w, -1.0))[0] < 0.01
    assert area(miscalibrate(w, 1.0))[1] < 0.01
    torch.testing.assert_close(area(miscalibrate(w, 1.0))[0], torch.tensor(1.0).double())


def test_a_baseline_is_a_line_through_its_ends(w):
    low, high = torch.full((15,), -0.01).double(), torch.linspace(0, 0.02, 15).double()
    added = (add_baseline(w, low, high) - w) / w.amax(-1, keepdim=True)
    slope = (high - low) / (BASELINE[1] - BASELINE[0])
    between = (BASELINE[0] <= NODES) & (BASELINE[1] >= NODES)
    line = low[:, None] + slope[:, None] * (NODES - BASELINE[0])
    torch.testing.assert_close(added[:, between], line[:, between])
    assert (added[:, ~between] == 0).all()


def test_noise_has_its_share_of_the_peak():
    w = bells(torch.full((2000,), 4.5))
    noise = add_noise(w, torch.randn(2000, 100, dtype=torch.float64), 0.01) - w
    # 200 000 numbers: five standard errors
    assert noise.std().item() == pytest.approx(0.01 * w.max().item(), rel=5 / 400_000**0.5)


def test_a_cut_takes_the_mass_beyond_it(w):
    high = torch.linspace(4.5, 6.0, 15).double()
    above = 0.5 * torch.erfc((high - torch.linspace(3.8, 5.2, 15)) / (0.3 * 2**0.5))
    # within the bin that is cut through, mass is even: an eighth of the slope times step² at most
    torch.testing.assert_close(1 - area(cut_ends(w, high=high)), above, rtol=0, atol=0.125 * STEP**2 * 2.7)
    both = cut_ends(w, 4.0, 5.0)
    torch.testing.assert_close(cut_ends(cut_ends(w, low=4.0), high=5.0), both)
    assert (both[:, (LOG_M < 3.95) | (LOG_M > 5.05)] == 0).all()


def test_the_lower_limit_is_the_one_of_the_package(w):
    measured = unit_area(cut_ends(w, low=OLIGOMERS))
    torch.testing.assert_close(measured, torch.from_numpy(mmd.without_oligomers(w.numpy())), rtol=1e-9, atol=1e-12)


def test_ends_lie_where_the_curve_falls_below_a_share_of_its_peak():
    w = bells([4.5, 5.0], 0.3)
    low, high = ends_at(w, 0.1, torch.tensor([0.01, 0.5]).double())
    reach = [0.3 * (2 * math.log(1 / share)) ** 0.5 for share in (0.1, 0.01, 0.5)]
    for found, expected in ((low[0], 4.5 - reach[0]), (high[0], 4.5 + reach[1]), (high[1], 5.0 + reach[2])):
        assert abs(found - expected) <= STEP / 2 + 1e-9
    low, high = ends_at(w, 0.0, 0.0)
    assert (low == BIN_EDGES[0]).all()
    assert (high == BIN_EDGES[-1]).all()


def test_a_curve_ends_at_its_first_fall_from_the_peak_on():
    """What rises again beyond is another peak, or noise."""
    w = bells(4.5, 0.1) + 0.2 * bells(6.5, 0.1)
    _, high = ends_at(w, 0.05, 0.05)
    assert 4.5 < high < 5.5


def test_means_are_those_of_the_arrays(w):
    for ours, theirs in zip(mean_molar_masses(w), mmd.mean_molar_masses(w.numpy()), strict=True):
        torch.testing.assert_close(ours, torch.from_numpy(theirs))


def test_a_batch_is_its_rows_one_by_one(w):
    sigma, offset = torch.rand(15).double() * 0.1, torch.randn(15).double() * 0.05
    whole = cut_ends(miscalibrate(broaden(w, sigma), offset, offset), 3.0, 6.0 + offset)
    rows = [
        cut_ends(miscalibrate(broaden(one, s), o, o), 3.0, 6.0 + o) for one, s, o in zip(w, sigma, offset, strict=True)
    ]
    torch.testing.assert_close(torch.stack(rows), whole)
    torch.testing.assert_close(broaden(w.float(), sigma.float()).double(), broaden(w, sigma), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    "effect",
    [
        broaden,
        miscalibrate,
        lambda w, e: miscalibrate(w, 0.013, e),
        lambda w, e: add_baseline(w, e, -e),
        lambda w, e: add_noise(w, torch.linspace(-1, 1, 100).double(), e),
        lambda w, e: cut_ends(w, 4 + e, 5 + e),
        lambda w, e: torch.stack(mean_molar_masses(broaden(w, e))).log(),
    ],
    ids=["broaden", "offset", "slope", "baseline", "noise", "cut", "means"],
)
def test_gradients_are_those_of_finite_differences(effect):
    w, error = bells([4.2, 4.9]).requires_grad_(), torch.tensor([0.031, 0.047]).double().requires_grad_()
    assert torch.autograd.gradcheck(effect, (w, error))
