r"""Noise of an observation: the covariance of its numbers about what a recipe is expected to show.

Part of it is that of counted chains, which falls with their number (`polyinv.evaluation.information`) and goes through
the instrument like the curve itself. The rest is stated: the noise of the detector, which moves the curve and with it
Mn and Mw, and the errors that Mn and Mw have of their own.

Independent numbers of unit variance are made of the observed ones. Left out is what has no Gaussian noise, or none at
all: of the nodes at either end that a few chains fill, only the sum counts; nodes whose variance is negligible do not,
nor does the area of a curve, which is one.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from polyinv.instrument.expected import CURVE, MN, MW
from polyinv.mmd import LOG_M, STEP
from polyinv.quantities import N_NODES
from polyinv.simulate.observed import OBSERVED

FEW = 25.0
"""Chains that a node of the curve has to hold to count on its own."""
NEGLIGIBLE = 1e-7
"""Variance of a node, as a share of the largest, below which it does not count."""
NO_NOISE = 1e-5
"""Variance of a combination of standardized numbers, as a share of the largest, below which it does not count."""
ANY_CHAINS = torch.logspace(3.5, 7.5, 41, dtype=torch.float64)
"""Numbers of chains that a curve is credited with where nobody states one; equally probable a priori."""
USUAL = 3e5
"""Chains in the middle of them, where there is no curve to tell."""
IN_CURVE = torch.arange(len(OBSERVED)) >= CURVE.start
"""Which of the observed numbers are nodes of the curve, (103,)."""


@dataclass(frozen=True, eq=False)
class Noise:
    """Noise of the observed numbers of one observation.

    Args:
        expected: What a recipe is expected to show, measured, (103,).
        chain: Covariance of the noise of one counted chain, (103, 103); of N chains it is an N-th of that.
        stated: Covariance of all other noise, (103, 103).
    """

    expected: Tensor
    chain: Tensor
    stated: Tensor

    def combinations(self, given: Tensor, chains: float) -> Tensor:
        """Combinations (103, C) of the given numbers (103,) whose noise is Gaussian, nodes of few chains summed up."""
        nodes, counted, places = given & IN_CURVE, self.chain / chains, torch.arange(len(given))
        alone = self._alone(given, chains)
        few, peak = nodes & self._few(chains), torch.where(nodes, self.expected, -torch.inf).argmax()
        ends = [(few & side).to(counted) for side in (places < peak, places > peak)]
        filled = [end for end in ends if end @ counted @ end * FEW < (end @ self.expected) ** 2]
        single = torch.eye(len(given), dtype=counted.dtype)
        return torch.stack([*single[alone], *filled], -1) if alone.any() or filled else single[:, :0]

    def _few(self, chains: float) -> Tensor:
        """Nodes that hold too few of so many chains to count on their own, (103,)."""
        return IN_CURVE & (self.chain.diagonal() / chains * FEW > self.expected.square())

    def _alone(self, given: Tensor, chains: float) -> Tensor:
        """Which of the given numbers (103,) count on their own."""
        variance = torch.where(given & IN_CURVE, (self.chain / chains + self.stated).diagonal(), 0.0)
        negligible = IN_CURVE & (variance <= NEGLIGIBLE * variance.amax())
        return given & ~negligible & ~self._few(chains)

    def white(self, combinations: Tensor, chains: float, others: Tensor) -> tuple[Tensor, Tensor]:
        """Combinations (103, D) with independent noise of unit variance, and the share that is not of chains, (D,).

        Args:
            combinations: That they are made of, (103, C).
            chains: Their number.
            others: Covariance of what is unknown besides, (103, 103).
        """
        stated = combinations.T @ (self.stated + others) @ combinations
        noise = combinations.T @ self.chain @ combinations / chains + stated
        scale = noise.diagonal().rsqrt()
        sizes, directions = torch.linalg.eigh(noise * scale[:, None] * scale)
        kept = sizes > NO_NOISE * sizes.amax() if len(sizes) else sizes > 0
        white = scale[:, None] * directions[:, kept] * sizes[kept].rsqrt()
        # Turned so that noise of chains and other noise are both independent, whatever the number of chains.
        shares, turned = torch.linalg.eigh(white.T @ stated @ white)
        return combinations @ white @ turned, shares.clamp(0, 1)

    def chains(self, deviation: Tensor, given: Tensor) -> float:
        """Number of chains that the roughness of a curve tells: its deviation from node to node, (103,).

        What is smooth is not noise: the second differences alone count.

        Args:
            deviation: Of the observed numbers, (103,).
            given: Which of them are given, (103,).
        """
        found = USUAL
        for _ in range(2):  # the number tells which nodes count
            single = torch.eye(len(OBSERVED), dtype=deviation.dtype)[self._alone(given, found) & IN_CURVE]
            if len(single) < 3:
                return found
            scaled = single * (single @ (self.chain / found + self.stated).diagonal()).rsqrt()[:, None]
            second = (scaled[:-2] - 2 * scaled[1:-1] + scaled[2:]).T
            white, share = self.white(second, found, torch.zeros_like(self.stated))
            variance = spread(share, found, ANY_CHAINS)
            likelihood = -0.5 * ((deviation @ white).square() / variance + variance.log()).sum(-1)
            found = (torch.softmax(likelihood, 0) @ ANY_CHAINS.log()).exp().item()
        return found


def spread(share: Tensor, reference: float, chains: Tensor) -> Tensor:
    """Variances (G, D) for numbers of chains (G,) of what has unit variance at a reference, a share of it stated."""
    return share + (1 - share) * reference / chains[:, None]


def stated_noise(expected: Tensor, nodes: Tensor, detector: float, of_means: tuple[float, float]) -> Tensor:
    """Covariance (103, 103) of noise that is no noise of chains.

    Args:
        expected: Observed numbers, expected ones, (103,).
        nodes: Between which the curve is measured, (100,).
        detector: Standard deviation of the noise of the detector, as a share of the peak.
        of_means: Standard deviations of ln Mn and ln Mw of their own.
    """
    curve = expected[CURVE]
    measured, molar_mass = curve * nodes, 10 ** torch.from_numpy(LOG_M)
    mass, inverse, times = measured.sum(), measured / molar_mass, measured * molar_mass
    effect = torch.zeros(len(OBSERVED), N_NODES, dtype=curve.dtype)  # of a disturbance of each node
    effect[MN] = 1 / mass - 1 / molar_mass / inverse.sum()
    effect[MW] = molar_mass / times.sum() - 1 / mass
    effect[CURVE] = torch.eye(N_NODES, dtype=curve.dtype) - STEP * curve[:, None]
    effect = effect * nodes * detector * curve.amax()
    own = torch.zeros(len(OBSERVED), dtype=curve.dtype)
    own[[MN, MW]] = torch.tensor(of_means, dtype=curve.dtype).square()
    return effect @ effect.T + torch.diag(own)
