"""R²: the textbook number, also where values are small, not asked for, or all the same."""

import numpy as np
import pytest
import torch
from sklearn.metrics import r2_score

from polyinv.r2 import r2


@pytest.fixture
def y(recipes):
    return recipes


def test_it_is_the_number_of_scikit_learn(y):
    """Initiator in mol/L among the values: its squares sum to less than 1e-4 on rows this few."""
    y = y[:20]
    predicted = y * (1 + 0.1 * torch.randn(20, 4, dtype=torch.float64))
    expected = r2_score(y.numpy(), predicted.numpy(), multioutput="raw_values")
    np.testing.assert_allclose(r2(y, predicted), expected, rtol=1e-12)


def test_members_are_scored_one_by_one(y):
    members = y + 0.1 * torch.randn(3, len(y), 4, dtype=torch.float64)
    torch.testing.assert_close(r2(y, members), torch.stack([r2(y, member) for member in members]), rtol=1e-14, atol=0)


def test_the_mean_scores_zero_and_the_truth_one(y):
    torch.testing.assert_close(r2(y, y.mean(0).expand(len(y), -1)), torch.zeros(4).double(), rtol=0, atol=1e-12)
    assert torch.equal(r2(y, y), torch.ones(4).double())


def test_what_is_not_asked_for_does_not_count(y):
    asked, predicted = y.clone(), y + 0.1
    asked[::2, 2] = torch.nan
    asked[:, 0] = torch.nan
    found, whole = r2(asked, predicted), r2(y, predicted)
    assert found[0].isnan()
    torch.testing.assert_close(found[2], r2(y[1::2], predicted[1::2])[2])
    assert torch.equal(found[[1, 3]], whole[[1, 3]])


def test_a_value_that_does_not_vary_has_none(y):
    """0.1 in float64: the sum of squares about its mean is not exactly zero."""
    y[:, 1] = 0.1
    assert r2(y, y + 1.0).isnan().tolist() == [False, True, False, False]


def test_single_precision_is_accumulated_in_double(y):
    far = y.float() + torch.tensor([0.0, 0.0, 1e4, 0.0])
    predicted = far + 0.1
    assert r2(far, predicted).dtype == torch.float64
    torch.testing.assert_close(r2(far, predicted), r2(far.double(), predicted.double()), rtol=0, atol=0)
