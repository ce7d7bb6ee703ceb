"""Exports of measured curves: read off at other points, and cut off at their ends.

A network that has seen only whole curves on the nodes of the grid takes a missing tail, a thousandth of the mass, for
chemistry, and so it does the single oligomers below 1000 g/mol, which no instrument separates
(docs/explanation/domain.md).
"""

from functools import cache

import numpy as np
import torch
from torch import Tensor

from polyinv.mmd import BIN_EDGES, LOG_M, OLIGOMERS, STEP

WAYS = 128
"""Ways of reading off, drawn once: a quarter leaves the nodes as they are, as fine points do, a quarter goes by
straight lines from point to point, the others smoothly."""
SPACING = 0.01, 0.16
"""Of the points of an export in decades, drawn log-uniformly between."""
CUT = 1e-5, 5e-2
"""Share of the peak below which an end of a curve is cut off, drawn log-uniformly between."""
INSIDE = 16
"""Points in a bin that its mean is taken over."""


def exported(w: Tensor, generator: torch.Generator) -> Tensor:
    """Export curves (N, 100) and read them back as `polyinv.predict.rows.read_rows` does.

    Each is read off in some way and ends at ``OLIGOMERS``; each end is cut off further in half of the cases. Area one.
    """
    device = w.device
    read = read_off(w, generator)
    read = read * (torch.from_numpy(LOG_M) >= OLIGOMERS).to(read)
    low, high = (torch.tensor(end).log().item() for end in CUT)
    share = torch.exp(low + (high - low) * torch.rand(2, len(w), 1, generator=generator, device=device))
    share = share * (torch.rand(2, len(w), 1, generator=generator, device=device) < 0.5)
    high_enough = read >= share.to(read) * read.amax(-1, keepdim=True)
    kept = read * span(*high_enough)
    return kept / (kept.sum(-1, keepdim=True) * STEP)


def read_off(w: Tensor, generator: torch.Generator) -> Tensor:
    """Read curves (N, 100) off at other points and back, each in some way; not negative, of about the same area."""
    ways = _ways(w.dtype).to(w.device)
    way = torch.randint(len(ways), (len(w),), generator=generator, device=w.device)
    return torch.bmm(ways[way], w[:, :, None])[:, :, 0].clamp(min=0)


def span(left: Tensor, right: Tensor) -> Tensor:
    """Whether nodes lie between the first true one of ``left`` and the last one of ``right``, all (*, N).

    Example:
        >>> there = torch.tensor([False, True, False, True, False])
        >>> span(there, there).tolist()
        [False, True, True, True, False]
    """
    begun = left.to(torch.int8).cummax(-1).values
    not_ended = right.to(torch.int8).flip(-1).cummax(-1).values.flip(-1)
    return (begun & not_ended).bool()


@cache
def _ways(dtype: torch.dtype) -> Tensor:
    """Ways of exporting as matrices from the nodes to the nodes, (WAYS, 100, 100)."""
    generator = np.random.default_rng(0)
    found = [np.eye(len(LOG_M))] * (WAYS // 4)
    for number in range(WAYS - len(found)):
        spacing = np.exp(generator.uniform(*np.log(SPACING)))
        points = np.arange(LOG_M[0] - spacing * generator.uniform(), LOG_M[-1] + spacing, spacing)
        found.append((_by_lines if number < WAYS // 4 else _smoothly)(points))
    return torch.from_numpy(np.stack(found)).to(dtype)


def _by_lines(points: np.ndarray) -> np.ndarray:
    """Straight lines to the points of an export, and from them to means over the bins, (100, 100)."""
    middles = (np.arange(INSIDE * len(LOG_M)) + 0.5) * STEP / INSIDE + BIN_EDGES[0]
    read = [np.interp(middles, points, np.interp(points, LOG_M, node, 0, 0)) for node in np.eye(len(LOG_M))]
    return np.stack(read, -1).reshape(len(LOG_M), INSIDE, -1).mean(1)


def _smoothly(points: np.ndarray) -> np.ndarray:
    """Smooth curves instead: their slope at the points, and the area under a smooth curve through these, (100, 100)."""
    from scipy.interpolate import CubicSpline  # takes half a second: not on the way to an answer

    up_to = np.concatenate([np.zeros((1, len(LOG_M))), np.tril(np.ones((len(LOG_M),) * 2)) * STEP])
    points = points[(points > BIN_EDGES[0]) & (points < BIN_EDGES[-1])]
    read = CubicSpline(points, CubicSpline(BIN_EDGES, up_to)(points, 1)).antiderivative()
    return np.diff(read(np.clip(BIN_EDGES, points[0], points[-1])), axis=0) / STEP
