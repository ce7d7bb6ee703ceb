import numpy as np
import pytest
from scipy.interpolate import PchipInterpolator

from polyinv.mmd import BIN_EDGES, LOG_M, STEP, area, mean_molar_masses, resample, unit_area


def test_nodes_are_the_middles_of_the_bins():
    assert LOG_M[[0, 99]] == pytest.approx([0.08, 8.0])
    np.testing.assert_allclose((BIN_EDGES[:-1] + BIN_EDGES[1:]) / 2, LOG_M)


def test_scaling_a_curve_leaves_its_means():
    curve = np.exp(-((LOG_M - 4.5) ** 2) / 0.1)
    assert area(unit_area(7 * curve)) == pytest.approx(1)
    assert mean_molar_masses(7 * curve) == pytest.approx(mean_molar_masses(curve))


def test_means_of_a_log_normal_distribution():
    # w(log M) normal around m with standard deviation s decades: Mw = 10^m·exp((s ln 10)²/2), Mn its mirror image.
    m, s = 4.6, 0.25
    Mn, Mw = mean_molar_masses(np.exp(-(((LOG_M - m) / s) ** 2) / 2))
    spread = np.exp((s * np.log(10)) ** 2 / 2)
    assert [Mn, Mw] == pytest.approx([10**m / spread, 10**m * spread], rel=1e-6)


def bell(log_m):
    return np.exp(-(((log_m - 4.5) / 0.3) ** 2))


def test_resampling_takes_the_means_over_the_bins():
    fine = np.linspace(2, 7, 20_001)
    means = [np.trapezoid(bell(part), part) / STEP for part in np.linspace(BIN_EDGES[:-1], BIN_EDGES[1:], 201).T]
    np.testing.assert_allclose(resample(fine, bell(fine)), means, atol=1e-6)


def test_resampling_is_exact_for_straight_lines(rng):
    # a line through all bins: its mean over a bin is its value in the middle, wherever the points stand
    points = np.sort(np.concatenate([[0.0, 8.5], rng.uniform(0, 8.5, 37)]))
    np.testing.assert_allclose(resample(points, 3 - 0.2 * points), 3 - 0.2 * LOG_M, rtol=1e-12)


@pytest.mark.parametrize("shift", [0.0, 0.01, 0.04])
def test_resampling_loses_a_fraction_of_what_straight_lines_lose(shift):
    exact = resample(np.linspace(0, 9, 90_001), bell(np.linspace(0, 9, 90_001)))
    lost = []
    for spacing in (0.1, 0.05):
        x = np.arange(shift, 8.5, spacing)
        fine = np.linspace(0, 8.5, 90_001)
        lines = resample(fine, np.interp(fine, x, bell(x)))
        lost.append([np.abs(means - exact).sum() for means in (lines, resample(x, bell(x)))])
    assert all(smooth < straight / 3 for straight, smooth in lost)
    assert lost[0][1] > 4 * lost[1][1]  # at least the square of the spacing


def test_the_nodes_of_the_grid_stand_as_they_are(rng):
    w = rng.random(100)
    np.testing.assert_array_equal(resample(LOG_M, w), w)
    np.testing.assert_array_equal(resample(np.log10(np.round(10**LOG_M, 2)), w), w)  # 10^0.08 as 1.20
    np.testing.assert_array_equal(resample(LOG_M[30:60], w[30:60]), np.where((LOG_M > 2.45) & (LOG_M < 4.85), w, 0))
    beyond = STEP * np.arange(-2, 110)
    np.testing.assert_array_equal(resample(beyond, np.pad(w, (3, 9), constant_values=1.0)), w)


def test_what_lies_outside_of_the_grid_is_left_out():
    x = np.linspace(7, 9, 5)
    assert area(resample(x, np.ones(5))) == pytest.approx(BIN_EDGES[-1] - 7)
    assert not resample(x + 2, np.ones(5)).any()


def test_monotone_pieces_are_those_of_scipy():
    generator = np.random.default_rng(0)
    for points in (2, 3, 4, 40, 400):
        for _ in range(20):
            x = np.cumsum(generator.uniform(0.01, 0.3, points)) + 2.0
            y = np.maximum(generator.normal(0.5, 1.0, points), 0.0)  # peaks, plateaus and zeros
            smooth = PchipInterpolator(x, y).antiderivative()
            expected = np.diff(smooth(np.clip(BIN_EDGES, x[0], x[-1]))) / STEP
            np.testing.assert_allclose(resample(x, y), np.maximum(expected, 0.0), atol=1e-12 * points)
