"""A network of a stranger, for the tests of all models."""

from torch import nn

from polyinv.models.networks import NETWORKS

NETWORKS["plain"] = lambda inputs, outputs: nn.Sequential(nn.Linear(inputs, 16), nn.SiLU(), nn.Linear(16, outputs))
