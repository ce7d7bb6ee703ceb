"""Forward simulation: from a recipe to the polymer it makes.

``SIMULATORS`` lists the ways. Each takes ``conditions`` (B, 3), ``times`` (B, T) and a chemistry, the keywords
``chains``, ``seed`` and ``progress``, and returns `Snapshots`.
"""

from collections.abc import Callable
from functools import partial

from polyinv.simulate import montecarlo, sampling, solvers
from polyinv.simulate.snapshots import Growth, Snapshots

SIMULATORS: dict[str, Callable[..., Snapshots]] = {
    "deterministic": solvers.simulate,
    "sampled": sampling.simulate,
    "kmc": montecarlo.simulate,
    "sampled_per_row": partial(sampling.simulate, redraw=True),
}

DRAWN = ("sampled", "kmc", "sampled_per_row")
"""Those that draw random numbers. They take ``first``, the number of the first reaction in the whole table, which its
random stream is made of: a part of a table is simulated as the whole would be."""

__all__ = ["DRAWN", "SIMULATORS", "Growth", "Snapshots"]
