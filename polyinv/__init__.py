"""Inverse engineering of polymerizations: which recipe made this molar mass distribution?

What a researcher imports is listed here and loaded when it is first used: torch takes seconds to import, this package
does not.
"""

from typing import TYPE_CHECKING

from polyinv.runtime.lazy import lazily

if TYPE_CHECKING:
    from polyinv.chemistry.system import System, load_system
    from polyinv.data.bundled import load_bundled
    from polyinv.data.datamodule import RecipeDataModule
    from polyinv.data.features import FEATURES
    from polyinv.data.measure import measure
    from polyinv.data.observations import Observations
    from polyinv.data.source import simulate_table
    from polyinv.data.splits import SPLITS, split_rows
    from polyinv.domain.assessment import assess
    from polyinv.errors import InputError
    from polyinv.evaluation.closed_loop import closed_loop
    from polyinv.instrument.errors import MeasurementErrors
    from polyinv.models import MLP, MODELS, CurveCNN, ExtraTrees, PolynomialRidge, Posterior, RandomForest
    from polyinv.models.module import RecipeModule
    from polyinv.models.networks import NETWORKS
    from polyinv.predict.predictor import load

__version__ = "0.2.0"

__all__ = [
    "FEATURES",
    "MLP",
    "MODELS",
    "NETWORKS",
    "SPLITS",
    "CurveCNN",
    "ExtraTrees",
    "InputError",
    "MeasurementErrors",
    "Observations",
    "PolynomialRidge",
    "Posterior",
    "RandomForest",
    "RecipeDataModule",
    "RecipeModule",
    "System",
    "assess",
    "closed_loop",
    "load",
    "load_bundled",
    "load_system",
    "measure",
    "simulate_table",
    "split_rows",
]

_HOMES = {
    "FEATURES": "data.features",
    "MLP": "models",
    "MODELS": "models",
    "NETWORKS": "models.networks",
    "SPLITS": "data.splits",
    "CurveCNN": "models",
    "ExtraTrees": "models",
    "InputError": "errors",
    "MeasurementErrors": "instrument.errors",
    "Observations": "data.observations",
    "PolynomialRidge": "models",
    "Posterior": "models",
    "RandomForest": "models",
    "RecipeDataModule": "data.datamodule",
    "RecipeModule": "models.module",
    "System": "chemistry.system",
    "assess": "domain.assessment",
    "closed_loop": "evaluation.closed_loop",
    "load": "predict.predictor",
    "load_bundled": "data.bundled",
    "load_system": "chemistry.system",
    "measure": "data.measure",
    "simulate_table": "data.source",
    "split_rows": "data.splits",
}
"""The module of each public name."""


__getattr__ = lazily(__name__, _HOMES)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
