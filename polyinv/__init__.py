"""Inverse engineering of polymerizations: which recipe made this molar mass distribution?

What a researcher imports is listed here and loaded when it is first used: torch takes seconds to import, this package
does not.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from polyinv.data.bundled import load_bundled
    from polyinv.data.datamodule import RecipeDataModule
    from polyinv.data.features import FEATURES
    from polyinv.data.observations import Observations
    from polyinv.data.source import simulate_table
    from polyinv.data.splits import SPLITS, split_rows
    from polyinv.domain.assessment import assess
    from polyinv.errors import InputError
    from polyinv.evaluation.closed_loop import closed_loop
    from polyinv.models import CNN as CurveCNN
    from polyinv.models import MLP, MODELS
    from polyinv.models import Forest as RandomForest
    from polyinv.models import Trees as ExtraTrees
    from polyinv.models.training import RecipeModule
    from polyinv.predict.predictor import load

__version__ = "0.1.0"

__all__ = [
    "FEATURES",
    "MLP",
    "MODELS",
    "SPLITS",
    "CurveCNN",
    "ExtraTrees",
    "InputError",
    "Observations",
    "RandomForest",
    "RecipeDataModule",
    "RecipeModule",
    "assess",
    "closed_loop",
    "load",
    "load_bundled",
    "simulate_table",
    "split_rows",
]

_HOMES = {
    "FEATURES": "data.features",
    "MLP": "models",
    "MODELS": "models",
    "SPLITS": "data.splits",
    "CurveCNN": "models:CNN",
    "ExtraTrees": "models:Trees",
    "InputError": "errors",
    "Observations": "data.observations",
    "RandomForest": "models:Forest",
    "RecipeDataModule": "data.datamodule",
    "RecipeModule": "models.training",
    "assess": "domain.assessment",
    "closed_loop": "evaluation.closed_loop",
    "load": "predict.predictor",
    "load_bundled": "data.bundled",
    "simulate_table": "data.source",
    "split_rows": "data.splits",
}
"""The module of each public name, and behind a colon what it is called there if otherwise."""


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"polyinv has no {name!r}; known: {', '.join(sorted(__all__, key=str.lower))}")
    module, _, there = _HOMES[name].partition(":")
    globals()[name] = found = getattr(import_module(f"polyinv.{module}"), there or name)
    return found


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
