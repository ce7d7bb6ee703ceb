"""Result of a calibration: the system of a laboratory, and its file."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import yaml

from polyinv.calibrate.fit import Fit
from polyinv.calibrate.model import BROADENING
from polyinv.chemistry import System, load_system
from polyinv.chemistry.coefficients_file import units_of
from polyinv.chemistry.coordinates import ENERGY, Coordinates
from polyinv.chemistry.laboratory import INSTRUMENT, SCATTER, Laboratory
from polyinv.chemistry.system import Uncertainty
from polyinv.chemistry.system_file import system_file
from polyinv.runtime.files import written
from polyinv.runtime.yaml_files import read_mapping

DIGITS = 8
"""Of numbers in the file."""
LONGEST = 1900
"""Characters of a source or a note."""


def laboratory_of(fit: Fit) -> Laboratory:
    """What a fit says of its laboratory."""
    model, coordinates = fit.model, fit.model.coordinates
    kept = len(coordinates.names) + len(INSTRUMENT)
    errors = model.runs.observations.instrument_errors()
    broadening, offset = errors["broadening"].mean().item(), errors["offset"].mean().item()
    moved = model.instrument(fit.theta)
    prior = (*coordinates.sd, BROADENING, max(offset, 1e-6))
    covariance = fit.covariance[:kept, :kept].tolist()
    scatter = fit.scatter_in_units
    return Laboratory(
        len(model.runs.names),
        len(model.runs),
        (*coordinates.names, *INSTRUMENT),
        tuple(float(f"{sd:.{DIGITS}g}") for sd in prior),
        tuple(tuple(float(f"{value:.{DIGITS}g}") for value in row[: at + 1]) for at, row in enumerate(covariance)),
        float(f"{broadening * (BROADENING * moved[0]).exp().item():.{DIGITS}g}"),
        float(f"{offset * moved[1].item():.{DIGITS}g}"),
        {name: float(f"{scatter[name]:.{DIGITS}g}") for name in SCATTER},
    )


def system_of(fit: Fit) -> System:
    """System of the laboratory that was fitted: its coefficients, their uncertainty, and what was learned besides."""
    system, laboratory = fit.model.coordinates.system, laboratory_of(fit)
    chemistry = replace(fit.model.chemistry(fit.theta), note=_note(system, laboratory))
    sd, uncertainty = laboratory.sd, dict(system.uncertainty)
    coordinates = Coordinates(system)
    for name in coordinates.laws:
        uncertainty[name] = Uncertainty(sd[name], sd[name + ENERGY])
    for name in coordinates.fractions:
        uncertainty[name] = Uncertainty(sd[name] * (1 - chemistry.f) if name == "f" else sd[name])
    return replace(system, chemistry=chemistry, uncertainty=uncertainty, bundled=(), laboratory=laboratory)


def _note(system: System, laboratory: Laboratory) -> str:
    runs = f"{laboratory.runs} run{'s' if laboratory.runs > 1 else ''}, {laboratory.samples} samples"
    return (
        f"calibrated on own runs ({runs}); what these left open is in the covariance. Before: {system.chemistry.note}"
    )


def write_system(fit: Fit, source: str | Path, out: str | Path) -> System:
    """Write the file of the laboratory's system: that of the system it came from, with what the fit says.

    Args:
        fit: Of the runs.
        source: Name or file of the system whose coefficients were the prior.
        out: New file, .yaml.

    Returns:
        The system, as the file has it.
    """
    system = system_of(fit)
    whole = read_mapping(system_file(source), "system")
    assert system.laboratory is not None
    whole |= {
        "coefficients": _coefficients(system),
        "fractions": _fractions(system),
        "note": system.chemistry.note[:LONGEST],
        "laboratory": system.laboratory.as_dict(),
    }
    whole.pop("bundled", None)
    text = yaml.safe_dump(whole, allow_unicode=True, sort_keys=False, width=200, default_flow_style=None)
    with written(out) as passing:
        passing.write_text(f"# Written by polyinv calibrate.\n{text}", encoding="utf-8")
        return load_system(passing)  # what cannot be read is not written


def _coefficients(system: System) -> dict[str, Any]:
    found, in_recipe = {}, system.chemistry.solvent is not None
    for name in Coordinates(system).laws:
        law, sd = getattr(system.chemistry, name), system.uncertainty[name]
        assert sd.sd is not None
        assert sd.sd_E_a is not None
        found[name] = {
            "A": f"{law.A!r} {next(iter(units_of(name, in_recipe)))}",
            "E_a": f"{law.E_a / 1000!r} kJ/mol",
            "sd_ln_k": float(f"{sd.sd:.4g}"),
            "sd_E_a": f"{sd.sd_E_a / 1000:.4g} kJ/mol",
            "source": f"own runs; prior: {law.source}"[:LONGEST],
        }
        if law.measured is not None:
            found[name]["measured"] = f"{law.measured[0]:g} to {law.measured[1]:g} °C"
    return found


def _fractions(system: System) -> dict[str, Any]:
    names = Coordinates(system).fractions
    found = {}
    for name in names:
        sd = system.uncertainty[name].sd
        assert sd is not None
        value = float(getattr(system.chemistry, name))
        source = f"own runs; prior: {system.sources.get(name, 'not stated')}"[:LONGEST]
        found[name] = {"value": value, "sd": float(f"{sd:.4g}"), "source": source}
    return found
