"""Losses on standardized targets, from the outputs of a network to one number for each target."""

from collections.abc import Callable
from dataclasses import dataclass

from torch import Tensor
from torch.nn import functional

LEAST_VARIANCE = 1e-6


@dataclass(frozen=True)
class Loss:
    """Loss of each target.

    Args:
        outputs: Numbers that it needs from the network for each target.
        function: From outputs (*, B, V * outputs) and standardized recipes (*, B, V) to losses (*, B, V).
    """

    outputs: int
    function: Callable[[Tensor, Tensor], Tensor]

    def of_targets(self, output: Tensor, z: Tensor, *, complete: bool = False) -> Tensor:
        """Mean over the rows: (*, V). A recipe value that is NaN is not asked for and costs nothing.

        Args:
            output: Of the network, (*, B, V * outputs).
            z: Standardized recipes, (*, B, V).
            complete: Nothing is NaN: a third of the time for small batches.
        """
        if complete:
            return self.function(output, z).mean(-2)
        asked = ~z.isnan()
        return (self.function(output, z.where(asked, 0.0)) * asked).mean(-2)


def _squared(output: Tensor, z: Tensor) -> Tensor:
    r"""Squared error :math:`(\hat z - z)^2`."""
    return (output - z).square()


def _huber(output: Tensor, z: Tensor) -> Tensor:
    r"""Huber's loss, :math:`e^2/2` for errors :math:`|e| \le 1` and :math:`|e| - 1/2` beyond [Huber 1964]."""
    return functional.huber_loss(output, z.expand_as(output), reduction="none")


def _gaussian(output: Tensor, z: Tensor) -> Tensor:
    r"""Negative log-likelihood :math:`\tfrac12(\ln\sigma^2 + (\hat z - z)^2/\sigma^2)` [Nix & Weigend 1994]."""
    predicted = mean(output, z.shape[-1])
    return functional.gaussian_nll_loss(
        predicted, z.expand_as(predicted), variance(output, z.shape[-1]), reduction="none"
    )


def _beta_gaussian(output: Tensor, z: Tensor) -> Tensor:
    r"""Negative log-likelihood times :math:`\sigma^{2\beta}`, :math:`\beta = 1/2` [Seitzer et al., ICLR 2022].

    Between the likelihood, which gives rows that are told well all the weight, and the squared error, which gives it to
    those that are not told at all.
    """
    spread = variance(output, z.shape[-1]).detach()
    return _gaussian(output, z) * spread.sqrt()


def mean(output: Tensor, targets: int) -> Tensor:
    """Prediction (*, V) of a network for V targets, whatever its loss: the first of its outputs."""
    return output[..., :targets]


def variance(output: Tensor, targets: int) -> Tensor:
    """Variance that a network trained with ``nll`` predicts, standardized, (*, V)."""
    return functional.softplus(output[..., targets:]) + LEAST_VARIANCE


LOSSES = {
    "mse": Loss(1, _squared),
    "huber": Loss(1, _huber),
    "nll": Loss(2, _gaussian),
    "beta_nll": Loss(2, _beta_gaussian),
}
VALIDATED_BY = {"beta_nll": "nll"}
"""Loss by which validation rows are judged, where it is not the one that is trained with: weights that come from the
network itself make no proper score, which a network could better by being less sure."""


def validating(loss: str) -> Loss:
    """Loss that the best epoch is chosen by."""
    return LOSSES[VALIDATED_BY.get(loss, loss)]
