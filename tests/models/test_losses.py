"""Losses on standardized targets."""

import torch

from polyinv.models.losses import LOSSES, validating


def test_a_weighted_likelihood_is_validated_by_the_likelihood_since_it_rewards_too_large_a_spread():
    generator = torch.Generator().manual_seed(0)
    z = 0.1 * torch.randn(5000, 1, generator=generator)
    losses = {name: [] for name in ("beta_nll", "validated")}
    for sd in (0.1, 0.2):  # right, and twice as large
        output = torch.cat([torch.zeros(5000, 1), torch.full((5000, 1), sd**2).expm1().log()], dim=1)
        losses["beta_nll"].append(LOSSES["beta_nll"].of_targets(output, z).item())
        losses["validated"].append(validating("beta_nll").of_targets(output, z).item())
    assert losses["beta_nll"][1] < losses["beta_nll"][0]
    assert losses["validated"][0] < losses["validated"][1]
    assert validating("mse") is LOSSES["mse"]
