"""Smooth error of a curve: what is wrong with it over many nodes, and no calibration or baseline explains."""

import torch
from torch import Tensor

from polyinv.mmd import LOG_M

LENGTH = 0.25
"""Over which it hangs together, in decades."""
FOOT = 0.3
"""Of the peak, by which it does not vanish at the feet of a curve: these are a matter of the baseline."""
OF_MEANS = 0.5
"""Its effect on ln Mn and ln Mw, where there is no curve."""


def smooth_covariance(w: Tensor, nodes: Tensor, sd: Tensor | float) -> Tensor:
    """Covariance (B, N, N) of smooth errors.

    Args:
        w: Curves at N nodes, (B, N), in any unit.
        nodes: Their numbers, (N,).
        sd: Relative to the height of the curve, and of its foot.
    """
    log_m = torch.from_numpy(LOG_M)[nodes]
    apart = 3**0.5 * (log_m[:, None] - log_m).abs() / LENGTH
    alike = (1 + apart) * torch.exp(-apart)  # Matérn, 3/2: bends, but has kinks where an end was cut off
    if not len(nodes):
        return w.new_zeros(len(w), 0, 0)
    size = sd * (w + FOOT * w.amax(-1, keepdim=True))
    return size[:, :, None] * alike * size[:, None, :]
