"""Inverse models: from an observation of a polymer to the recipe that made it. ``MODELS`` lists them."""

from pathlib import Path

from polyinv.errors import InputError, unknown
from polyinv.models.base import InverseModel
from polyinv.models.card import read_card
from polyinv.models.forest import ExtraTrees, RandomForest
from polyinv.models.neural import MLP, CurveCNN, Network
from polyinv.models.polynomial import PolynomialRidge
from polyinv.models.posterior import Posterior

MODELS: dict[str, type[InverseModel]] = {
    "forest": RandomForest,
    "trees": ExtraTrees,
    "polynomial": PolynomialRidge,
    "mlp": MLP,
    "cnn": CurveCNN,
    "network": Network,
    "posterior": Posterior,
}


def check_goes_on(name: str) -> None:
    """Refuse a model that cannot be fine-tuned from a saved one.

    Raises:
        InputError: It cannot, or is unknown.
    """
    if not MODELS.get(name, InverseModel).can_start_from:
        raise InputError(f"--init starts a network from a saved one; a {name} cannot go on learning")


def check_takes_gaps(name: str) -> None:
    """Refuse a model that needs every input.

    Raises:
        InputError: It does, or is unknown.
    """
    if not MODELS.get(name, InverseModel).takes_missing_inputs:
        others = ", ".join(name for name, kind in MODELS.items() if kind.takes_missing_inputs)
        raise InputError(f"a {name} needs every input; the features 'conditional' go with {others}")


def load_model(folder: Path | str) -> InverseModel:
    """Load a saved model of any kind.

    Raises:
        InputError: The folder holds no model, or one that this version cannot use.
    """
    name = read_card(folder)["model"]
    if name not in MODELS:
        raise unknown("model", name, MODELS)
    return MODELS[name].load(folder)


__all__ = [
    "MLP",
    "MODELS",
    "CurveCNN",
    "ExtraTrees",
    "InverseModel",
    "Network",
    "PolynomialRidge",
    "Posterior",
    "RandomForest",
    "check_goes_on",
    "check_takes_gaps",
    "load_model",
]
