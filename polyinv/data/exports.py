"""What exporting a measured curve does to it: read off at points elsewhere, and cut off at its ends.

A network that has seen only whole curves on the nodes of the grid takes a missing tail, a thousandth of the mass, for
chemistry (docs/domain.md).
"""

from functools import cache

import numpy as np
import torch
from torch import Tensor

from polyinv.mmd import BIN_EDGES, LOG_M, STEP

WAYS = 128
"""Ways of reading off, drawn once; the first quarter of them leaves the nodes as they are, as fine points do."""
SPACING = 0.01, 0.16
"""Of the points of an export in decades, drawn log-uniformly between."""
CUT = 1e-5, 5e-2
"""Share of the peak below which an end of a curve is cut off, drawn log-uniformly between."""
INSIDE = 16
"""Points in a bin that its mean is taken over."""


def exported(w: Tensor, random: torch.Generator) -> Tensor:
    """Curves (N, 100) as exports give them: each read off in some way, each end cut off or not, area one again."""
    ways, device = _ways(w.dtype).to(w.device), w.device
    way = torch.randint(len(ways), (len(w),), generator=random, device=device)
    read = torch.bmm(ways[way], w[:, :, None])[:, :, 0]
    low, high = (torch.tensor(end).log().item() for end in CUT)
    share = torch.exp(low + (high - low) * torch.rand(2, len(w), 1, generator=random, device=device))
    share = share * (torch.rand(2, len(w), 1, generator=random, device=device) < 0.5)
    from_left, from_right = (read >= share.to(read) * read.amax(-1, keepdim=True)).to(torch.int8)
    measured = from_left.cummax(-1).values & from_right.flip(-1).cummax(-1).values.flip(-1)
    kept = read * measured
    return kept / (kept.sum(-1, keepdim=True) * STEP)


@cache
def _ways(dtype: torch.dtype) -> Tensor:
    """Each way as a matrix from the nodes to the nodes, (WAYS, 100, 100): by straight lines to the points of the export
    and from them to means over the bins."""
    random = np.random.default_rng(0)
    middles = (np.arange(INSIDE * len(LOG_M)) + 0.5) * STEP / INSIDE + BIN_EDGES[0]
    found = [np.eye(len(LOG_M))] * (WAYS // 4)
    for spacing in np.exp(random.uniform(*np.log(SPACING), WAYS - len(found))):
        points = np.arange(LOG_M[0] - spacing * random.uniform(), LOG_M[-1] + spacing, spacing)
        read = [np.interp(middles, points, np.interp(points, LOG_M, node, 0, 0)) for node in np.eye(len(LOG_M))]
        found.append(np.stack(read, -1).reshape(len(LOG_M), INSIDE, -1).mean(1))
    return torch.from_numpy(np.stack(found)).to(dtype)
