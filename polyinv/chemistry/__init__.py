"""Rate coefficients of polymerizations, with their sources; systems, which are chemistries with names and a recipe box.

Names are loaded when they are first used. Nothing here imports torch, which takes seconds.
"""

from typing import TYPE_CHECKING

from polyinv.runtime.lazy import lazily

if TYPE_CHECKING:
    from polyinv.chemistry.butyl_acrylate import BUTYL_ACRYLATE
    from polyinv.chemistry.kinetics import Arrhenius, Chemistry, RateCoefficients
    from polyinv.chemistry.system import DEFAULT, SYSTEMS, AnySystem, System, load_system

__all__ = [
    "BUTYL_ACRYLATE",
    "DEFAULT",
    "SYSTEMS",
    "AnySystem",
    "Arrhenius",
    "Chemistry",
    "RateCoefficients",
    "System",
    "load_system",
]

_HOMES = {
    "BUTYL_ACRYLATE": "butyl_acrylate",
    "DEFAULT": "system",
    "SYSTEMS": "system",
    "AnySystem": "system",
    "Arrhenius": "kinetics",
    "Chemistry": "kinetics",
    "RateCoefficients": "kinetics",
    "System": "system",
    "load_system": "system",
}
"""The module of each name."""


__getattr__ = lazily(__name__, _HOMES)
