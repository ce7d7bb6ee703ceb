"""Layers and losses: what R networks at once have to be, beside R networks alone."""

import pytest
import torch
from torch import nn

from polyinv.data.transforms import TRANSFORMS
from polyinv.models import losses, neural, options
from polyinv.models.layers import Convolution, Dense, Dropout, DropoutKeys
from polyinv.models.module import RecipeModule
from polyinv.models.networks import ACTIVATIONS, CurveNetwork, FullyConnected, member_streams

SEEDS = (3, 4, 5)


def test_a_dense_layer_is_torchs_for_each_member():
    layer = Dense(5, 7, member_streams(SEEDS))
    x = torch.randn(3, 11, 5)
    for k, out in enumerate(layer(x)):
        torch.testing.assert_close(out, nn.functional.linear(x[k], layer.weight[k].T, layer.bias[k, 0]))


@pytest.mark.parametrize("length", [8, 9])
def test_a_convolution_is_torchs_for_each_member(length):
    layer = Convolution(2, 4, kernel=5, stride=2, generator=member_streams(SEEDS))
    nn.init.normal_(layer.bias)
    x = torch.randn(6, 3, 2, length)
    seen = layer(x.flatten(1, 2)).unflatten(1, (3, 4))
    assert seen.shape == (6, 3, 4, -(-length // 2))
    for k in range(3):
        expected = nn.functional.conv1d(x[:, k], layer.weight[k], layer.bias[k], stride=2, padding=2)
        torch.testing.assert_close(seen[:, k], expected)


def networks(seeds):
    generator = member_streams
    yield FullyConnected(10, (8, 6), (0.5, 0.0), "relu", 4, generator(seeds))
    yield CurveNetwork(range(2, 10), range(2), (3, 5), 3, (8,), (0.5,), "silu", 4, generator(seeds))


@pytest.mark.parametrize("which", [0, 1])
def test_a_member_of_several_is_the_member_alone(which):
    together = list(networks(SEEDS))[which]
    x = torch.randn(3, 16, 10)
    DropoutKeys(together, SEEDS)(7)
    seen = together(x)
    for k, seed in enumerate(SEEDS):
        alone = list(networks((seed,)))[which]
        DropoutKeys(alone, (seed,))(7)
        torch.testing.assert_close(alone(x[k][None])[0], seen[k])


@pytest.mark.parametrize("which", [0, 1])
def test_rows_that_all_members_share_need_not_be_repeated(which):
    network = list(networks(SEEDS))[which].eval()
    x = torch.randn(16, 10)
    torch.testing.assert_close(network(x), network(x.expand(3, 16, 10)))


def test_dropout_masks_are_independent_and_of_the_right_rate():
    class Two(nn.Module):
        def __init__(self):
            super().__init__()
            self.first, self.second = Dropout(0.2), Dropout(0.2)

    layers, x, masks = Two(), torch.ones(3, 32, 64), []
    for step in range(100):
        DropoutKeys(layers, (42, 43, 44))(step)
        masks.append(torch.stack([layers.first(x) > 0, layers.second(x) > 0]))
    kept = torch.stack(masks).double()  # step, layer, member, row, unit
    # 5 standard errors throughout.
    assert abs(kept.mean() - 0.8) < 5 * 0.4 / kept.numel() ** 0.5
    for dim in range(5):
        others = tuple(d for d in range(5) if d != dim)
        means = kept.mean(others)
        assert ((means - 0.8).abs() < 5 * 0.4 / (kept.numel() / len(means)) ** 0.5).all()
        z = (kept - 0.8) / 0.4
        size = kept.shape[dim]
        neighbours = z.narrow(dim, 1, size - 1) * z.narrow(dim, 0, size - 1)
        assert abs(neighbours.mean()) < 5 / neighbours.numel() ** 0.5
    units = z.flatten(0, 3)
    correlation = units.T @ units / len(units)
    assert (correlation - torch.diag(correlation.diag())).abs().max() < 5 / len(units) ** 0.5


def test_dropout_keeps_the_mean_and_is_silent_when_judging():
    layer, x = Dropout(0.3), torch.ones(1, 1000, 100)
    DropoutKeys(layer, (1,))(0)
    assert layer(x).mean().item() == pytest.approx(1.0, abs=5 * (0.3 / 0.7 / x.numel()) ** 0.5)
    assert torch.equal(layer.eval()(x), x)


def test_large_seeds_have_masks_of_their_own():
    layer, x = Dropout(0.5), torch.ones(2, 10, 10)
    DropoutKeys(layer, (2**32 - 1, 2**31))(2**31 + 5)
    masks = layer(x)
    assert not torch.equal(masks[0], masks[1])


def test_losses_are_the_textbooks():
    z = torch.tensor([[0.0, 1.0, 2.0, -1.0], [1.0, 1.0, 1.0, 1.0]])
    predicted = z + torch.tensor([[0.5, -0.5, 3.0, 0.0], [0.5, 0.5, -3.0, 0.0]])
    mse = losses.LOSSES["mse"].of_targets(predicted, z)
    torch.testing.assert_close(mse, torch.tensor([0.25, 0.25, 9.0, 0.0]))
    huber = losses.LOSSES["huber"].of_targets(predicted, z)
    torch.testing.assert_close(huber, torch.tensor([0.125, 0.125, 2.5, 0.0]))
    raw = torch.randn(2, 4)
    output = torch.cat([predicted, raw], -1)
    law = torch.distributions.Normal(predicted, losses.variance(output, 4).sqrt())
    constant = 0.5 * torch.log(torch.tensor(2 * torch.pi))
    nll = losses.LOSSES["nll"].of_targets(output, z)
    torch.testing.assert_close(nll, (-law.log_prob(z) - constant).mean(0))
    assert torch.equal(losses.mean(output, 4), predicted)


def test_the_loss_weighs_the_targets():
    module = RecipeModule(members=2, training={"loss_weights": [1.0, 1.0, 2.0, 0.0]})
    output = torch.tensor([[1.0, 2.0, 3.0, 9.0], [0.0, 0.0, 0.0, 5.0]])[:, None]
    expected = torch.tensor([(1 + 4 + 2 * 9) / 4, 0.0])
    torch.testing.assert_close(module._losses(output, torch.zeros(1, 4), module.criterion), expected)


def test_choices_named_for_the_command_line_are_those_there_are():
    assert tuple(losses.LOSSES) == options.LOSSES
    assert tuple(ACTIVATIONS) == neural.ACTIVATIONS
    assert tuple(TRANSFORMS) == neural.TRANSFORMS
