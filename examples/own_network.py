"""A network of your own, trained, evaluated and used by polyinv's commands.

polyinv train --import examples/own_network.py --model.name network --model.network wide --output runs/wide
polyinv evaluate --import examples/own_network.py runs/wide --output runs/wide-report
"""

from torch import nn

from polyinv.models.networks import NETWORKS


def wide(inputs: int, outputs: int) -> nn.Module:
    """One hidden layer; from standardized observations (B, inputs) to (B, outputs)."""
    return nn.Sequential(nn.Linear(inputs, 512), nn.LayerNorm(512), nn.GELU(), nn.Linear(512, outputs))


NETWORKS["wide"] = wide
