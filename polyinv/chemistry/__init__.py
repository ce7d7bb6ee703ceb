"""Rate coefficients of polymerizations, with their sources; ``CHEMISTRIES`` lists the systems polyinv knows."""

from polyinv.chemistry.butyl_acrylate import BUTYL_ACRYLATE
from polyinv.chemistry.kinetics import Arrhenius, Chemistry, RateCoefficients

CHEMISTRIES = {"butyl_acrylate": BUTYL_ACRYLATE}

__all__ = ["BUTYL_ACRYLATE", "CHEMISTRIES", "Arrhenius", "Chemistry", "RateCoefficients"]
