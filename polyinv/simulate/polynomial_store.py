"""Polynomials of the forward model kept on disk: two seconds of simulation, once for all processes of a user."""

import hashlib
import logging
from pathlib import Path

import numpy as np
import torch

from polyinv.chemistry import Chemistry
from polyinv.mmd import LOG_M
from polyinv.quantities import RECIPE
from polyinv.runtime.files import cache_folder, written
from polyinv.simulate.polynomial import NEGLIGIBLE, NODES, OBSERVED, TIME_STEP, Polynomial

VERSION = 1
"""Counts up whenever a polynomial would come out differently."""

log = logging.getLogger(__name__)


def kept_polynomial(chemistry: Chemistry) -> Polynomial:
    """Read the polynomial of a chemistry from the cache, or interpolate it and keep it there.

    A file is named by what went into it, and holds a checksum of its numbers: a damaged one is made again.
    """
    file = _file(chemistry)
    polynomial = _read(file)
    if polynomial is None:
        polynomial = Polynomial.interpolate(chemistry)
        _keep(polynomial, file)
    return polynomial


def _file(chemistry: Chemistry) -> Path:
    grid = ",".join(f"{node:.12g}" for node in LOG_M)
    made_of = f"{VERSION} {chemistry!r} {RECIPE} {OBSERVED} {grid} {NODES} {TIME_STEP} {NEGLIGIBLE}"
    return cache_folder() / "polynomial" / f"{hashlib.sha256(made_of.encode()).hexdigest()[:16]}.npz"


def _read(file: Path) -> Polynomial | None:
    """Read a kept polynomial; None where there is none, or a damaged one."""
    try:
        with file.open("rb") as opened, np.load(opened, allow_pickle=False) as arrays:
            coefficients, mixing, checksum = arrays["coefficients"], arrays["mixing"], str(arrays["checksum"])
        if checksum != _checksum(coefficients, mixing):
            raise ValueError("its numbers are not those that were written")
        return Polynomial(torch.from_numpy(coefficients), torch.from_numpy(mixing))
    except FileNotFoundError:
        return None
    except Exception as error:  # numpy and zipfile raise many kinds for a damaged file
        log.warning("%s cannot be read and is made again: %s", file, error)
        return None


def _keep(polynomial: Polynomial, file: Path) -> None:
    coefficients, mixing = polynomial.coefficients.contiguous().numpy(), polynomial.mixing.contiguous().numpy()
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        with written(file, overwrite=True) as passing:
            checksum = np.array(_checksum(coefficients, mixing))
            np.savez(passing, coefficients=coefficients, mixing=mixing, checksum=checksum)
    except OSError as error:
        log.warning("the polynomial of %s is not kept: %s", file.name, error)


def _checksum(*arrays: np.ndarray) -> str:
    digest = hashlib.sha256()
    for array in arrays:
        digest.update(f"{array.dtype.str} {array.shape}".encode() + np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()
