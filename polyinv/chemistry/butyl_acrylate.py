"""n-Butyl acrylate with AIBN in solution, 60 to 80 °C: the system of the published study, by name.

Coefficients marked *effective* were adjusted, starting from the literature, to the 432 yes-or-no labels "reaches 90 %
conversion within 3600 s" and to the one curve that the study of Ortube (2025) on the data of Fiosina et al. (2023)
prints. Those data determine about three directions of thirteen: the numbers fix predictions on the published grid
(posterior standard deviation of the conversion at 3600 s about 0.003), **not** the coefficients. Do not quote them as
measurements.
"""

from polyinv.chemistry.system import load_system

SYSTEM = load_system("butyl_acrylate")
BUTYL_ACRYLATE = SYSTEM.chemistry
RECIPE, TARGETS, CONDITIONS = SYSTEM.recipe, SYSTEM.targets, SYSTEM.conditions
SCALARS, COLUMNS = SYSTEM.scalars, SYSTEM.columns
