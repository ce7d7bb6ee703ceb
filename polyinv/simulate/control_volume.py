r"""Control volume of a kinetic Monte Carlo reaction, and whether it holds enough radicals.

The volume is the one that would hold the wanted number of dead chains at the horizon, by the rate equations.

Radicals start and end in pairs. While a volume holds many of them that does not show; when it holds about one, a pair
meets again sooner than the rate law :math:`k c^2` says, and conversion comes out low: by 0.3 at 10⁴ chains on the
published grid. What counts is the number of live radicals, S and Q together. A radical turns from one kind into the
other and back many times between its birth and its meeting with another, so that even 0.8 S on average, as in some
reactions at 10⁶ chains, leave no bias beside 20 Q.
"""

import math
import warnings
from dataclasses import dataclass, fields

import torch
from torch import Tensor

from polyinv.chemistry import Chemistry, RateCoefficients
from polyinv.chemistry.kinetics import FRACTIONS
from polyinv.errors import InputError
from polyinv.simulate import deterministic, solvers
from polyinv.simulate.snapshots import check_runs, conditions_in_words

ENOUGH, TOO_FEW = 10.0, 2.0
"""Mean number of live radicals below which a reaction is warned of, and below which it is refused."""

MOST_MONOMERS = 1e15
"""Molecules of monomer in a volume; they are counted in doubles, which hold whole numbers up to 9e15."""

_NODES = torch.linspace(0, 1, 13, dtype=torch.float64)  # steps short enough for a reaction of seconds, too


class FewRadicals(UserWarning):
    """Warning of a control volume with so few radicals that its size shows in the result."""


@dataclass(frozen=True)
class Volumes:
    """Control volumes of B reactions, and what the rate equations expect in them; tensors of shape (B,).

    Args:
        per_molar: Molecules per mol/L.
        S: Mean number of chain-end radicals.
        Q: Mean number of mid-chain radicals.
        effort: Expected events, propagation excluded: what a reaction costs.
    """

    per_molar: Tensor
    S: Tensor
    Q: Tensor
    effort: Tensor


def control_volumes(
    conditions: Tensor, times: Tensor, chemistry: Chemistry, *, chains: float, horizon: float | None = None
) -> Volumes:
    """Choose the volumes that would hold ``chains`` dead chains at ``horizon`` s (None: the last time of each).

    Raises:
        InputError: A reaction or a number of chains that cannot be.
    """
    check_runs(conditions, times)
    if not (math.isfinite(chains) and chains > 0):
        raise InputError(f"chains is {chains:g}; a reaction needs a positive number of dead chains")
    if horizon is not None and not (math.isfinite(horizon) and horizon > 0):
        raise InputError(f"horizon is {horizon:g} s; it has to be later than the start of a reaction")
    conditions, end = conditions.detach().double().cpu(), times[:, -1:].detach().double().cpu()
    k = chemistry.under(conditions)
    _check_coefficients(chemistry, k, conditions)
    nodes = end * _NODES
    growth = solvers.grow(conditions, nodes[:, 1:], chemistry)
    dead = growth.chains.sum((-1, -2))
    at_horizon = dead
    if horizon is not None:
        until = (horizon * _NODES[1:]).expand(len(end), -1)
        at_horizon = solvers.grow(conditions, until, chemistry).chains.sum((-1, -2))
    # Six digits: the last bits of the solver depend on the number of threads, the run must not.
    per_molar = torch.tensor([float(f"{value:.5e}") for value in chains / at_horizon], dtype=torch.float64)
    S, Q = _mean_radicals(chemistry, conditions, nodes, growth.monomer)
    bad = ~torch.isfinite(per_molar * (dead + S + Q))
    if bad.any():
        run = int(bad.nonzero()[0])
        raise InputError(
            f"{_named(run, conditions)}: the rate equations give {at_horizon[run].item():g} mol/L of dead chains and "
            f"{(S + Q)[run].item():g} mol/L of radicals; no volume can be chosen for {chains:g} chains"
        )
    monomers = per_molar * conditions[:, 0]
    if monomers.max() > MOST_MONOMERS:
        run = int(monomers.argmax())
        raise InputError(
            f"{_named(run, conditions)}: a volume for {chains:g} chains holds {monomers[run].item():.2g} monomer "
            f"molecules, more than {MOST_MONOMERS:g}; ask for fewer chains or a later horizon"
        )
    effort = per_molar * (S * k.k_bb + Q * k.k_pt * growth.monomer.mean(-1)) * end[:, 0] + per_molar * dead
    return Volumes(per_molar, S * per_molar, Q * per_molar, effort)


def _mean_radicals(chemistry: Chemistry, conditions: Tensor, nodes: Tensor, monomer: Tensor) -> tuple[Tensor, Tensor]:
    """Time averages of S and Q in mol/L, from the monomer at all ``nodes`` (B, 13) but the first."""
    monomer = torch.cat([conditions[:, :1], monomer], -1)
    k = chemistry.at(conditions[:, 2:3].expand_as(nodes))
    initiation = 2 * chemistry.f * k.k_d * conditions[:, 1:2] * torch.exp(-k.k_d * nodes)
    S, Q = deterministic.radicals(k, monomer, initiation)
    return torch.trapezoid(S, dim=-1) / 12, torch.trapezoid(Q, dim=-1) / 12


def _check_coefficients(chemistry: Chemistry, k: RateCoefficients, conditions: Tensor) -> None:
    for field in fields(k):
        bad = ~(torch.isfinite(getattr(k, field.name)) & (getattr(k, field.name) >= 0))
        if bad.any():
            run = int(bad.nonzero()[0])
            raise InputError(
                f"{field.name} of {chemistry.name} is {getattr(k, field.name)[run].item():g} at "
                f"{conditions[run, 2].item():g} °C; rate coefficients have to be finite and not negative"
            )
    for name in FRACTIONS:
        if not 0 <= getattr(chemistry, name) <= 1:
            raise InputError(f"{name} of {chemistry.name} is {getattr(chemistry, name):g}; needs 0 to 1")


def _named(run: int, conditions: Tensor) -> str:
    return f"reaction {run + 1} ({conditions_in_words(conditions[run])})"


def guard(volumes: Volumes, conditions: Tensor, chains: float, *, allow_few: bool = False) -> None:
    """Warn of volumes in which the radicals are few, refuse those in which they are too few.

    Args:
        volumes: Of `control_volumes`.
        conditions: (B, 3), to name the reaction.
        chains: What the volumes were made for.
        allow_few: Warn even where one would refuse.

    Warns:
        FewRadicals: Less than 10 live radicals on average, or less than 2 and ``allow_few``.

    Raises:
        InputError: Less than 2 live radicals on average; always where a volume cannot hold one radical.
    """
    initiator = volumes.per_molar * conditions[:, 1].detach().double().cpu()
    worst = int(initiator.argmin())
    if initiator[worst] < 1:
        raise InputError(
            f"{_named(worst, conditions)}: a volume for {chains:g} chains holds {initiator[worst].item():.2g} "
            f"molecules of initiator and cannot hold one radical"
        )
    radicals = volumes.S + volumes.Q
    worst = int(radicals.argmin())
    number = radicals[worst].item()
    if number >= ENOUGH:
        return
    message = (
        f"{_named(worst, conditions)} has {number:.2g} live radicals on average (S {volumes.S[worst].item():.2g}, "
        f"Q {volumes.Q[worst].item():.2g}) at {chains:g} chains; {_rounded_up(chains * ENOUGH / number):g} chains "
        f"would give {ENOUGH:g} ({int((radicals < ENOUGH).sum())} of {len(radicals)} reactions have fewer)"
    )
    if number < TOO_FEW and not allow_few:
        raise InputError(message + "; --allow-few simulates it nevertheless")
    warnings.warn(message, FewRadicals, stacklevel=3)


def _rounded_up(number: float) -> float:
    """Round a number up to two digits."""
    unit = 10.0 ** (math.floor(math.log10(number)) - 1)
    return math.ceil(number / unit) * unit
