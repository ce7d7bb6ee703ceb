"""Scores of densities against what they are of mixtures with a known answer."""

import pytest
import torch

from polyinv.chemistry.butyl_acrylate import SYSTEM
from polyinv.data.laboratory import random_observations
from polyinv.evaluation.densities import score_densities
from polyinv.models import Posterior
from polyinv.models.options import Training
from polyinv.simulate.recipes import box


class Flat:
    """A posterior that says nothing: uniform in the box, with the temperature known exactly."""

    def __init__(self, y):
        self.system, self.names, self.y = SYSTEM, SYSTEM.targets, y
        self.exactly = torch.tensor([False, False, True, False]).expand(y.shape)

    def __getitem__(self, rows):
        return Flat(self.y[rows])

    def marginal(self, name):
        low, high = (end[self.names.index(name)].item() for end in box(SYSTEM))
        return torch.distributions.Uniform(low, high)

    @property
    def log_volume(self):
        low, high = box(SYSTEM)
        return ((high - low).log() * ~self.exactly).sum(-1)

    def log_prob(self, y):
        return -self.log_volume


def test_what_says_nothing_has_no_density_beyond_that_of_the_box():
    low, high = box(SYSTEM)
    y = low + (high - low) * torch.rand(4000, 4, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    found = score_densities(y, Flat(y)).set_index(["target", "metric"])["value"]
    assert "temp" not in found.index.get_level_values("target")
    assert found.xs("nll", level="metric").abs().max() < 1e-9
    # Of 4000 rows a share of 0.9 scatters by 0.005; five times that.
    assert (found.xs("coverage_90", level="metric") - 0.9).abs().max() < 0.025


def test_scores_are_those_of_the_distribution_itself():
    recipes, observations = random_observations(20, "ordinary", 1e6, 1, SYSTEM)
    options = {"rows": 64, "epoch": 64, "validation": 16}
    from polyinv.data.datamodule import RecipeDataModule

    data = RecipeDataModule("conditional+errors+chains", source="simulated", simulated=options)
    model = Posterior(hidden=(8,), training=Training(loss="density", max_epochs=1, batch_size=32))
    model.fit(data)
    posterior = model.posterior(observations.masked("composite"))
    found = score_densities(recipes, posterior).set_index(["target", "metric"])["value"]
    low, high = box(SYSTEM)
    width = (high - low).log()
    assert found["global", "nll"] == pytest.approx(-(posterior.log_prob(recipes) + width.sum()).mean().item())
    one = -(posterior.marginal("time").log_prob(recipes[:, 3]) + width[3]).mean().item()
    assert found["time", "nll"] == pytest.approx(one)
    covered = found.xs("coverage_90", level="metric")
    assert covered["global"] == pytest.approx(covered.drop("global").mean(), rel=1e-5)
