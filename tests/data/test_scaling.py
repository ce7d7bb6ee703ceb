import logging

import pytest
import torch

from polyinv.chemistry.butyl_acrylate import SYSTEM, TARGETS
from polyinv.data.features import feature_columns
from polyinv.data.scaling import LIMIT, Scaling, fit_features, fit_targets
from polyinv.data.transforms import TRANSFORMS, Transform
from polyinv.errors import InputError


@pytest.fixture
def x(grid):
    return torch.from_numpy(grid[list(feature_columns("composite", SYSTEM))].to_numpy(copy=True))


def plain_scaling(x):
    transform = Transform("plain", feature_columns("composite", SYSTEM), SYSTEM)
    return fit_features(transform(x), transform.names, transform.curve)


def test_kept_features_have_mean_zero_and_standard_deviation_one(x):
    scaling = plain_scaling(x)
    z = (x - scaling.mean) / scaling.std * scaling.kept
    kept = scaling.kept.bool()
    torch.testing.assert_close(z.mean(0)[kept], torch.zeros(int(kept.sum())).double(), rtol=0, atol=1e-9)
    torch.testing.assert_close(z.std(0, correction=0)[kept], torch.ones(int(kept.sum())).double(), rtol=1e-9, atol=0)


def test_the_guard_holds_where_a_plain_scaler_fails(x):
    plain = (x - x.mean(0)) / x.std(0, correction=0)
    assert plain.nan_to_num().abs().max() > 25  # nearly empty tails of the curve
    assert plain_scaling(x)(x).abs().max() <= LIMIT


def test_empty_nodes_are_dropped_aloud_and_informative_ones_are_not(x, caplog):
    with caplog.at_level(logging.INFO):
        scaling = plain_scaling(x)
    kept = dict(zip(feature_columns("composite", SYSTEM), scaling.kept.bool().tolist(), strict=True))
    assert all(kept[name] for name in ("cBA_time", "Mn", "Mw", *(f"MMD{k}" for k in range(40, 75))))
    assert not any(kept[f"MMD{k}"] for k in [*range(1, 26), *range(82, 101)])
    assert "dropped (MMD1–MMD2" in caplog.text


def test_a_feature_off_the_training_range_is_clipped_and_dropped_ones_stay_silent(x):
    scaling = plain_scaling(x)
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
        plain_scaling(x[:1].expand(5, -1))


def test_roots_and_logarithms_are_taken_of_the_columns_they_belong_to(x):
    columns = feature_columns("composite", SYSTEM)
    transform = Transform("root_log", columns, SYSTEM)
    seen = dict(zip(transform.names, transform(x).T, strict=True))
    assert torch.equal(seen["cBA_time"], x[:, 0])
    for name, column in (("ln cBA_time", 0), ("ln Mn", 1), ("ln Mw", 2)):
        torch.testing.assert_close(seen[name].exp(), x[:, column])
    for node in ("MMD1", "MMD58", "MMD100"):
        torch.testing.assert_close(seen[f"√{node}"] ** 2, x[:, columns.index(node)])
    assert [transform.names[at] for at in transform.curve] == [f"√MMD{k}" for k in range(1, 101)]


@pytest.mark.parametrize("name", TRANSFORMS)
def test_a_transform_is_finite_where_nothing_is(name):
    transform = Transform(name, feature_columns("composite", SYSTEM), SYSTEM)
    assert transform(torch.zeros(2, 103)).isfinite().all()
    assert transform(torch.full((2, 103), -1e-9)).isfinite().all()  # a baseline may lie below zero


def test_a_scaling_comes_back_from_its_state(x, grid):
    y = torch.from_numpy(grid[list(TARGETS)].to_numpy(copy=True))
    scaling = Scaling.fit(x, y, feature_columns("composite", SYSTEM), "root_log")
    again = Scaling(feature_columns("composite", SYSTEM), "root_log")
    again.load_state_dict(scaling.state_dict())
    assert torch.equal(again(x), scaling(x))
    assert torch.equal(again.targets(y), scaling.targets(y))


def test_an_unknown_transform_is_refused():
    with pytest.raises(InputError, match="no transform 'logs'; known: moments, plain, root_log"):
        Transform("logs", ("Mn",), SYSTEM)
