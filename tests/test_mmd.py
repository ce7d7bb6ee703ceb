import numpy as np
import pytest

from polyinv.mmd import BIN_EDGES, LOG_M, area, mean_molar_masses, unit_area


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
