import numpy as np
import pytest
import scipy.stats
import torch

from polyinv.models.mixtures import TruncatedLogistics

LOW, HIGH = -1.7, 1.8


def mixtures(count=20, components=8, seed=0):
    """Mixtures whose components lie inside and far outside, and are narrow and flat."""
    generator = torch.Generator().manual_seed(seed)

    def uniform(low, high):
        return low + (high - low) * torch.rand(count, components, generator=generator, dtype=torch.float64)

    ends = torch.full((count,), LOW, dtype=torch.float64), torch.full((count,), HIGH, dtype=torch.float64)
    return TruncatedLogistics(*ends, uniform(-2, 2), uniform(-5, 5), uniform(-6, 3).exp())


def test_one_component_is_scipys_logistic_cut_off():
    z = torch.linspace(LOW, HIGH, 11, dtype=torch.float64)
    one = TruncatedLogistics(
        *(
            torch.full((11, *extra), value, dtype=torch.float64)
            for value, extra in ((LOW, ()), (HIGH, ()), (0.0, (1,)), (0.4, (1,)), (0.3, (1,)))
        )
    )
    whole = scipy.stats.logistic(0.4, 0.3)
    inside = whole.cdf(HIGH) - whole.cdf(LOW)
    assert one.log_prob(z).numpy() == pytest.approx(np.log(whole.pdf(z) / inside), abs=1e-12)
    assert one.cdf(z).numpy() == pytest.approx((whole.cdf(z) - whole.cdf(LOW)) / inside, abs=1e-12)


def test_densities_integrate_to_one_and_to_their_distribution_and_moments():
    found = mixtures()
    z = torch.linspace(LOW, HIGH, 100_001, dtype=torch.float64)
    for at in range(len(found.low)):
        density = found[at : at + 1].repeated(len(z)).log_prob(z).exp()
        assert torch.trapezoid(density, z).item() == pytest.approx(1, abs=2e-4)
        mean = torch.trapezoid(density * z, z)
        variance = torch.trapezoid(density * (z - mean).square(), z)
        means, variances = found[at : at + 1].moments()
        assert means.item() == pytest.approx(mean.item(), abs=2e-4)
        assert variances.item() == pytest.approx(variance.item(), rel=2e-3)
        up_to = torch.cumulative_trapezoid(density, z)
        assert found[at : at + 1].repeated(len(z)).cdf(z)[1:].sub(up_to).abs().max() < 3e-4


def test_quantiles_invert_the_distribution():
    found = mixtures()
    for p in (0.0, 0.001, 0.05, 0.5, 0.95, 1.0):
        wanted = torch.full((len(found.low),), p, dtype=torch.float64)
        z = found.icdf(wanted)
        assert ((z >= LOW) & (z <= HIGH)).all()
        assert found.cdf(z).sub(wanted).abs().max() < 1e-6


def test_draws_follow_the_density_and_stay_inside():
    found = mixtures(count=6)
    generator = torch.Generator().manual_seed(1)
    choice, p = torch.rand(2, 6 * 20_000, generator=generator, dtype=torch.float64)
    drawn = found.repeated(20_000).drawn(choice, p)
    assert ((drawn >= LOW) & (drawn <= HIGH)).all()
    ranks = found.repeated(20_000).cdf(drawn).reshape(6, -1)
    for each in ranks:
        assert scipy.stats.kstest(each.numpy(), "uniform").pvalue > 1e-4


def test_components_far_beyond_the_ends_stay_finite():
    z = torch.tensor([LOW, 0.0, HIGH], dtype=torch.float64)
    for location, scale in ((1e4, 1e-4), (-1e4, 1e-4), (50.0, 0.01), (0.0, 1e3), (0.0, 1e-6)):
        ends = torch.full((3,), LOW, dtype=torch.float64), torch.full((3,), HIGH, dtype=torch.float64)
        whole = [torch.full((3, 1), value, dtype=torch.float64) for value in (0.0, location, scale)]
        found = TruncatedLogistics(*ends, *whole)
        assert not found.log_prob(z).isnan().any()
        assert not found.cdf(z).isnan().any()
        mean, variance = found.moments()
        assert ((mean >= LOW) & (mean <= HIGH)).all()
        assert (variance >= 0).all()
        drawn = found.drawn(torch.rand(3).double(), torch.tensor([0.0, 0.5, 1.0], dtype=torch.float64))
        assert ((drawn >= LOW) & (drawn <= HIGH)).all()


def test_flat_components_are_uniform():
    ends = torch.tensor([LOW], dtype=torch.float64), torch.tensor([HIGH], dtype=torch.float64)
    whole = [torch.tensor([[value]], dtype=torch.float64) for value in (0.0, 0.0, 1e4)]
    mean, variance = TruncatedLogistics(*ends, *whole).moments()
    assert mean.item() == pytest.approx((LOW + HIGH) / 2, abs=1e-3)
    assert variance.item() == pytest.approx((HIGH - LOW) ** 2 / 12, rel=1e-3)


def test_gradients_are_finite_beside_a_component_that_is_elsewhere():
    location = torch.tensor([[30.0, 0.0]], dtype=torch.float32, requires_grad=True)
    scale = torch.tensor([[1e-3, 0.1]], dtype=torch.float32, requires_grad=True)
    ends = torch.tensor([LOW]), torch.tensor([HIGH])
    TruncatedLogistics(*ends, torch.zeros(1, 2), location, scale).log_prob(torch.tensor([0.2])).sum().backward()
    assert location.grad.isfinite().all()
    assert scale.grad.isfinite().all()
