import logging

import pytest
import torch

from polyinv.data.features import feature_columns
from polyinv.data.scaling import LIMIT, fit_features, fit_targets
from polyinv.errors import InputError
from polyinv.quantities import TARGETS


@pytest.fixture
def x(grid):
    return torch.from_numpy(grid[list(feature_columns("composite"))].to_numpy(copy=True))


def test_kept_features_have_mean_zero_and_standard_deviation_one(x):
    scaling = fit_features(x, feature_columns("composite"))
    z = (x - scaling.mean) / scaling.std * scaling.kept
    kept = scaling.kept.bool()
    torch.testing.assert_close(z.mean(0)[kept], torch.zeros(int(kept.sum())).double(), rtol=0, atol=1e-9)
    torch.testing.assert_close(z.std(0, correction=0)[kept], torch.ones(int(kept.sum())).double(), rtol=1e-9, atol=0)


def test_the_guard_holds_where_a_plain_scaler_fails(x):
    plain = (x - x.mean(0)) / x.std(0, correction=0)
    assert plain.nan_to_num().abs().max() > 25  # nearly empty tails of the curve
    assert fit_features(x, feature_columns("composite"))(x).abs().max() <= LIMIT


def test_empty_nodes_are_dropped_aloud_and_informative_ones_are_not(x, caplog):
    with caplog.at_level(logging.INFO):
        scaling = fit_features(x, feature_columns("composite"))
    kept = dict(zip(feature_columns("composite"), scaling.kept.bool().tolist(), strict=True))
    assert all(kept[name] for name in ("cBA_time", "Mn", "Mw", *(f"MMD{k}" for k in range(40, 75))))
    assert not any(kept[f"MMD{k}"] for k in [*range(1, 26), *range(82, 101)])
    assert "dropped (MMD1–MMD25" in caplog.text


def test_a_feature_off_the_training_range_is_clipped_and_dropped_ones_stay_silent(x):
    scaling = fit_features(x, feature_columns("composite"))
    wild = x[:1].clone()
    wild[0, 1] *= 1e6
    wild[0, -1] = 1e6  # MMD100, which is dropped
    z = scaling(wild)
    assert z[0, 1] == LIMIT
    assert z[0, -1] == 0


def test_targets_come_back(grid):
    y = torch.from_numpy(grid[list(TARGETS)].to_numpy(copy=True))
    scaling = fit_targets(y)
    torch.testing.assert_close(scaling.inverse(scaling(y)), y, rtol=1e-12, atol=0)
    constant = fit_targets(y[:1].expand(5, 4))
    assert torch.equal(constant.inverse(constant(y[:1])), y[:1])


def test_nothing_to_learn_from_is_refused(x):
    with pytest.raises(InputError, match="none of the 103 features varies over the 5 training rows"):
        fit_features(x[:1].expand(5, -1), feature_columns("composite"))
