"""Coefficient of determination R², the one implementation for all scores."""

import torch
from torch import Tensor


def r2(y: Tensor, predicted: Tensor) -> Tensor:
    r"""R² of each of K values over N rows, (K,), or (R, K) of R members; accumulated in float64.

    .. math::
        R^2 = 1 - \frac{\sum_n (y_n - \hat y_n)^2}{\sum_n (y_n - \bar y)^2}

    torchmetrics takes sums of squares below 1e-4 for zero, which those of cAIBN_0 in mol/L often are; so it is not
    used here.

    Args:
        y: True values (N, K); NaN where one is not asked for, and its row does not count.
        predicted: Answers to them, (N, K) or (R, N, K).

    Returns:
        NaN where y does not vary over the rows that count.

    Example:
        >>> y = torch.tensor([[0.01, 70.0], [0.02, 70.0], [0.03, 70.0]])
        >>> r2(y, torch.tensor([[0.01, 69.0], [0.02, 70.0], [0.02, 71.0]]))
        tensor([0.5000,    nan], dtype=torch.float64)
    """
    y, predicted = y.double(), predicted.double()
    asked = ~y.isnan()
    error, about_mean = (
        (other - y).where(asked, 0.0).square().sum(-2) for other in (predicted, y.nanmean(-2, keepdim=True))
    )
    varies = y.where(asked, -torch.inf).amax(-2) > y.where(asked, torch.inf).amin(-2)
    return torch.where(varies, 1 - error / about_mean, torch.nan)
