"""Intervals that hold the truth as often as they say."""

import pytest
import torch

from polyinv.chemistry import load_system
from polyinv.data.features import errors_of, feature_columns
from polyinv.data.masks import InputPatterns, given_inputs
from polyinv.models.coverage import NORMAL, SHARES, Coverage, masked_rows

SYSTEM = load_system()
ROWS = 20_000


def rows(seed: int, columns: tuple[str, ...]) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Observations, spreads and errors of a network too sure where errors are large, and too modest elsewhere."""
    generator = torch.Generator().manual_seed(seed)
    x = torch.rand(ROWS, len(columns), generator=generator, dtype=torch.float64) + 0.5
    told = [columns.index(column) for column in columns if column in errors_of(SYSTEM)]
    level = torch.rand(ROWS, generator=generator, dtype=torch.float64)
    x[:, told] = (1e-4 * 1e4**level)[:, None]
    spread = torch.exp(-4 * torch.rand(ROWS, 4, generator=generator, dtype=torch.float64))
    factor = (0.5 + level[:, None]) * spread.sqrt() if told else spread.sqrt()
    error = torch.randn(ROWS, 4, generator=generator, dtype=torch.float64).abs() * factor * spread
    return x, spread, error


@pytest.mark.parametrize("features", ["mmd", "conditional+errors"])
def test_intervals_hold_their_share_of_new_rows_at_every_spread_and_level_of_errors(features):
    columns = feature_columns(features, SYSTEM)
    coverage = Coverage(SYSTEM, columns)
    coverage.fit(*rows(1, columns))
    x, spread, error = rows(2, columns)
    inside = error <= coverage.half_widths(x, spread)
    for by in (spread[:, 0], x[:, -1]):
        for part in by.argsort().chunk(5):
            held = inside[:, part].double().mean(1)
            torch.testing.assert_close(
                held, torch.tensor(SHARES, dtype=torch.float64)[:, None].expand(2, 4), rtol=0, atol=0.035
            )


def test_before_it_is_fitted_and_without_rows_to_go_by_errors_are_normal():
    columns = feature_columns("conditional+errors", SYSTEM)
    coverage = Coverage(SYSTEM, columns)
    x, spread, error = rows(1, columns)
    normal = torch.tensor(NORMAL, dtype=torch.float64)[:, None, None] * spread
    torch.testing.assert_close(coverage.half_widths(x, spread), normal)
    coverage.fit(x[:20], spread[:20], error[:20])
    torch.testing.assert_close(coverage.half_widths(x, spread), normal)


@pytest.mark.parametrize("damage", ["levels", "spreads", "exchanged", "huge"])
def test_factors_that_no_fit_makes_are_refused(damage):
    coverage = Coverage(SYSTEM, feature_columns("conditional+errors", SYSTEM))
    coverage.check()
    if damage == "levels":
        coverage.levels.fill_(1.0)
    elif damage == "spreads":
        coverage.spreads.copy_(coverage.spreads.flip(-1))
    elif damage == "exchanged":
        coverage.factors.copy_(coverage.factors.flip(0))
    else:
        coverage.factors[1] = 1e300
    with pytest.raises(ValueError, match="are none"):
        coverage.check()


def test_what_is_given_has_no_interval_and_nothing_is_divided_by_zero():
    columns = feature_columns("conditional+errors", SYSTEM)
    coverage = Coverage(SYSTEM, columns)
    x, spread, error = rows(1, columns)
    spread[:, 2] = 0.0
    spread[::2, 1] = 0.0
    coverage.fit(x, spread, error)
    widths = coverage.half_widths(x, spread)
    assert widths.isfinite().all()
    assert (widths[:, :, 2] == 0).all()
    assert (widths[0] <= widths[1]).all()


def test_masked_rows_have_every_pattern_as_often_as_it_is_trained_on():
    columns = feature_columns("conditional", SYSTEM)
    patterns = InputPatterns.of({"mmd": 3, "composite+temp": 1}, SYSTEM)
    x, y = torch.rand(100_000, len(columns), dtype=torch.float64), torch.rand(100_000, 4, dtype=torch.float64)
    masked, recipes = masked_rows(x, y, columns, patterns, SYSTEM)
    given = given_inputs(masked, columns, SYSTEM)
    assert given[:, list(SYSTEM.inputs).index("temp")].double().mean().item() == pytest.approx(0.25)
    assert len(recipes) == len(masked) == 100_000
