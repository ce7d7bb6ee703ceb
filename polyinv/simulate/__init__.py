"""Forward simulation: from a recipe to the polymer it makes.

``SIMULATORS`` lists the ways. Each takes ``conditions`` (B, 3), ``times`` (B, T) and a chemistry, the keywords
``chains``, ``seed`` and ``progress``, and returns `Snapshots`.
"""

from polyinv.simulate import deterministic, sampling
from polyinv.simulate.snapshots import Growth, Snapshots

SIMULATORS = {"deterministic": deterministic.simulate, "sampled": sampling.simulate}

__all__ = ["SIMULATORS", "Growth", "Snapshots"]
