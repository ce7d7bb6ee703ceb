"""Checks of a posterior, on closed-form ones that are right, too wide, too narrow, shifted, or right in part."""

from dataclasses import dataclass

import pandas as pd
import pytest
import torch
from torch import Tensor

from polyinv.errors import InputError
from polyinv.posterior.calibration import JOINT, columns_of, diagnose
from polyinv.posterior.comparison import c2st, mean_differences, predictive_distance, width_ratios
from polyinv.posterior.ranks import (
    LEVELS,
    binomial_p,
    central_coverage,
    density_ranks,
    region_coverage,
    sbc_ranks,
    tarp_ranks,
    uniformity,
)

ROWS, SAMPLES = 2000, 200
WIDTH, RIDGE = 0.05, 0.95
"""Standard deviation of each value, and their correlation."""
NORMAL = torch.distributions.Normal(torch.tensor(0.0).double(), 1.0)
NOMINAL = torch.tensor(LEVELS, dtype=torch.float64)
HALF_WIDTHS = NORMAL.icdf((1 + NOMINAL) / 2)


@dataclass(frozen=True)
class Ridge:
    """Posterior of two values, normal about centers (N, 2) and truncated to the unit box: exact draws and density.

    The second is drawn given the first, so that far from the walls both have the same width, and this correlation.
    """

    centers: Tensor
    width: float = WIDTH
    correlation: float = 0.0

    def draw(self, count: int, generator: torch.Generator) -> Tensor:
        first = self._draw(self.centers[:, 0].expand(count, -1), self.width, generator)
        return torch.stack([first, self._draw(*self._second(first), generator)], -1)

    def log_density(self, values: Tensor) -> Tensor:
        first, second = values.unbind(-1)
        return self._log_density(first, self.centers[:, 0], self.width) + self._log_density(
            second, *self._second(first)
        )

    def _second(self, first: Tensor) -> tuple[Tensor, float]:
        mean = self.centers[:, 1] + self.correlation * (first - self.centers[:, 0])
        return mean, self.width * (1 - self.correlation**2) ** 0.5

    @staticmethod
    def _draw(mean: Tensor, width: float, generator: torch.Generator) -> Tensor:
        low, high = NORMAL.cdf(-mean / width), NORMAL.cdf((1 - mean) / width)
        drawn = torch.rand(mean.shape, generator=generator, dtype=torch.float64)
        return (mean + width * NORMAL.icdf(low + drawn * (high - low))).clamp(0, 1)

    @staticmethod
    def _log_density(values: Tensor, mean: Tensor, width: float) -> Tensor:
        mass = NORMAL.cdf((1 - mean) / width) - NORMAL.cdf(-mean / width)
        return NORMAL.log_prob((values - mean) / width) - (width * mass).log()


def centers(margin: float, seed: int = 0) -> tuple[Tensor, torch.Generator]:
    """Random centers so far from the walls of the box."""
    generator = torch.Generator().manual_seed(seed)
    return margin + (1 - 2 * margin) * torch.rand(ROWS, 2, generator=generator, dtype=torch.float64), generator


def table(true: Ridge, claimed: Ridge, generator: torch.Generator, **options) -> pd.DataFrame:
    """What is said of a claimed posterior, by check and target."""
    truths, samples = true.draw(1, generator)[0], claimed.draw(SAMPLES, generator)
    densities = claimed.log_density(samples), claimed.log_density(truths)
    found = diagnose(samples, truths, ["temp", "time"], log_densities=densities, **options)
    return found.set_index(["check", "target"])


def standard_errors(line: pd.Series) -> Tensor:
    return torch.tensor([line[f"standard_error_{100 * level:g}"] for level in LEVELS])


def coverages(line: pd.Series) -> Tensor:
    return torch.tensor([line[f"coverage_{100 * level:g}"] for level in LEVELS])


def close(found: Tensor, expected: Tensor) -> None:
    """Within 4 standard errors, and what 200 samples blur wrong levels by: less than 1 %."""
    error = (expected * (1 - expected) / ROWS).sqrt()
    assert ((found - expected).abs() < 4 * error + 0.01).all(), (found, expected)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize(("margin", "width"), [(0.3, 0.05), (0.0, 0.05), (0.0, 0.5)])
def test_a_right_posterior_is_called_right_also_at_the_walls(margin, width, seed):
    middle, generator = centers(margin, seed)
    right = Ridge(middle, width, RIDGE)
    found = table(right, right, generator)
    assert (found["verdict"] == "").all()
    assert (found["rows"] == ROWS).all()
    for _, line in found.iterrows():
        # 4 standard errors: a right posterior fails once in 16 000 numbers
        assert ((coverages(line) - NOMINAL).abs() < 4 * standard_errors(line)).all()
        assert abs(line["mean_rank"] - 0.5) < 4 * (12 * ROWS) ** -0.5
        assert line["p_value"] > 6e-5


@pytest.mark.parametrize(("scale", "verdict"), [(1.4, "too wide"), (0.7, "too narrow")])
def test_a_wrong_width_is_found_by_every_check(scale, verdict):
    middle, generator = centers(0.3)
    found = table(Ridge(middle, WIDTH, RIDGE), Ridge(middle, scale * WIDTH, RIDGE), generator)
    assert found["verdict"].str.startswith(verdict).all()
    assert found.loc["marginal", "verdict"].tolist() == [verdict] * 2
    for _, line in found.loc["marginal"].iterrows():
        close(coverages(line), 2 * NORMAL.cdf(scale * HALF_WIDTHS) - 1)
    # A region of highest density is an ellipse, its mass that of chi square with two degrees of freedom.
    close(coverages(found.loc["highest density", JOINT]), 1 - (1 - NOMINAL) ** (scale**2))


@pytest.mark.parametrize("shift", [-1.0, 0.5])
def test_a_shift_is_found_and_not_called_a_wrong_width(shift):
    middle, generator = centers(0.3)
    found = table(Ridge(middle, WIDTH), Ridge(middle - shift * WIDTH, WIDTH), generator)
    assert found.loc["marginal", "verdict"].tolist() == ["shifted"] * 2
    assert found["verdict"].str.contains("shifted").all()  # of all values together: or too narrow
    for _, line in found.loc["marginal"].iterrows():
        expected = NORMAL.cdf(torch.tensor(shift / 2**0.5)).item()
        assert line["mean_rank"] == pytest.approx(expected, abs=4 * (12 * ROWS) ** -0.5)
        close(coverages(line), NORMAL.cdf(HALF_WIDTHS - shift) - NORMAL.cdf(-HALF_WIDTHS - shift))


def test_a_shift_with_a_wrong_width_is_both():
    middle, generator = centers(0.3)
    moved = middle + 0.5 * WIDTH
    for scale, said in ((0.7, "shifted and too narrow"), (1.6, "shifted and too wide")):
        found = table(Ridge(middle, WIDTH), Ridge(moved, scale * WIDTH), generator)
        assert found.loc["marginal", "verdict"].tolist() == [said] * 2


@pytest.mark.parametrize("seed", range(3))
def test_right_marginals_of_a_ridge_that_is_lost_are_found_by_the_joint_checks(seed):
    middle, generator = centers(0.3, seed)
    found = table(Ridge(middle, WIDTH, RIDGE), Ridge(middle, WIDTH, 0.0), generator)
    assert found.loc["marginal", "verdict"].tolist() == ["", ""]
    assert (found.loc["marginal", "p_value"] > 1e-3).all()
    density = found.loc["highest density", JOINT]
    assert density["verdict"] == "wrong shape"
    # 0.61 of the truths in the region of one half: 9 standard errors; 0.92 in that of 0.95
    assert density["coverage_50"] > 0.5 + 6 * density["standard_error_50"]
    assert density["coverage_95"] < 0.95 - 4 * density["standard_error_95"]
    # TARP sees the directions one by one, of which some look too wide and others too narrow: at 0.9 they cancel.
    tarp = found.loc["TARP", JOINT]
    assert tarp["verdict"] != ""
    assert abs(tarp["coverage_90"] - 0.9) < 4 * tarp["standard_error_90"]


def test_what_is_right_on_average_over_noise_levels_is_found_at_each_of_them():
    """The exact posterior of whoever does not know the noise: a mixture of that of either level."""
    middle, generator = centers(0.3)
    levels = 0.02, 0.06
    told = [Ridge(middle, width) for width in levels]
    rows, halves = torch.arange(ROWS) % 2, torch.arange(SAMPLES) % 2
    draws = [each.draw(1, generator)[0] for each in told]
    truths = torch.where(rows[:, None] == 0, *draws)
    samples = torch.where(halves[:, None, None] == 0, *(each.draw(SAMPLES, generator) for each in told))
    densities = [
        torch.logsumexp(torch.stack([each.log_density(values) for each in told]), 0) for values in (samples, truths)
    ]
    options = {"targets": ["temp", "time"], "log_densities": tuple(densities)}
    assert (diagnose(samples, truths, **options)["verdict"] == "").all()
    groups = pd.DataFrame({"pattern": "mmd", "chains": [1e7 if row == 0 else 1e5 for row in rows.tolist()]})
    found = diagnose(samples, truths, groups=groups, **options)
    assert list(found.columns) == ["pattern", "chains", *columns_of()]
    of_level = {chains: part["verdict"] for chains, part in found.groupby("chains")}
    assert of_level[1e7].str.startswith("too wide").all()
    assert of_level[1e5].str.startswith("too narrow").all()
    assert (found["rows"] == ROWS // 2).all()


@pytest.mark.parametrize("samples", [1, 9])
def test_few_samples_blur_ranks_but_do_not_move_them(samples):
    middle, generator = centers(0.0)
    right = Ridge(middle, 0.2, RIDGE)
    truths, drawn = right.draw(1, generator)[0], right.draw(samples, generator)
    ranks = torch.stack([*sbc_ranks(drawn, truths).T, tarp_ranks(drawn, truths)], -1)
    found = central_coverage(ranks)
    assert ((found.coverage - NOMINAL[:, None]).abs() < 4 * found.standard_error).all()
    assert (uniformity(ranks).p_value > 6e-5).all()


def test_ties_are_broken_by_chance():
    """Values rounded to tenths, as a posterior on a grid has them: most samples equal the truth."""
    middle, generator = centers(0.3)
    right = Ridge(middle, WIDTH)
    samples, truths = (right.draw(count, generator).mul(10).round() / 10 for count in (SAMPLES, 1))
    ranks = sbc_ranks(samples, truths[0], known=torch.zeros(ROWS, 2))
    assert (uniformity(ranks).p_value > 6e-5).all()
    equal = density_ranks(torch.zeros(SAMPLES, ROWS), torch.zeros(ROWS))  # uniform in the box: all are as dense
    assert uniformity(equal).p_value > 6e-5


def test_known_values_are_left_out():
    middle, generator = centers(0.3)
    right = Ridge(middle, WIDTH)
    truths, samples = right.draw(1, generator)[0], right.draw(SAMPLES, generator)
    samples[:, ::2, 0] = truths[::2, 0]
    samples[:, :10] = truths[:10]
    ranks = sbc_ranks(samples, truths)
    assert torch.equal(ranks[:, 0].isnan(), (torch.arange(ROWS) % 2 == 0) | (torch.arange(ROWS) < 10))
    far = samples.clone()
    far[:, ::2, 0] = far[:, ::2, 0] / 2  # the same distance for samples and truth, wherever a known value lies
    moved = truths.clone()
    moved[::2, 0] /= 2
    torch.testing.assert_close(tarp_ranks(far, moved), tarp_ranks(samples, truths), equal_nan=True, rtol=0, atol=0)
    found = diagnose(samples, truths, ["temp", "time"]).set_index(["check", "target"])
    assert found["rows"].tolist() == [ROWS // 2 - 5, ROWS - 10, ROWS - 10]
    assert (found["verdict"] == "").all()
    assert "temp" not in diagnose(samples[:, ::2], truths[::2], ["temp", "time"])["target"].tolist()


def test_a_known_value_in_single_precision_is_known():
    truths = torch.tensor([[0.1, 0.7]], dtype=torch.float64)
    samples = torch.stack([torch.full((9, 1), 0.1), torch.rand(9, 1)], -1)
    assert sbc_ranks(samples, truths).isnan().tolist() == [[True, False]]


def test_a_posterior_of_one_wrong_point_is_not_taken_for_known():
    found = diagnose(torch.full((SAMPLES, ROWS, 1), 0.5), torch.rand(ROWS, 1), ["temp"])
    assert found["verdict"].tolist() == ["too narrow", "too narrow or shifted"]


def test_the_points_of_tarp_are_no_truths_of_the_same_seed():
    """Recipes are often drawn as the points are; the truth would be the closest of all."""
    generator = torch.Generator().manual_seed(0)
    truths = torch.rand(ROWS, 2, generator=generator, dtype=torch.float64)
    samples = Ridge(truths, WIDTH).draw(SAMPLES, generator)
    assert tarp_ranks(samples, truths).min() > 0
    assert tarp_ranks(samples, truths).median() > 0.1


def test_with_few_observations_nothing_is_said():
    middle, generator = centers(0.3)
    for scale in (1.0, 0.8):
        few = middle[:20]
        found = table(Ridge(few, WIDTH), Ridge(few, scale * WIDTH), generator)
        assert (found["verdict"] == "").all()
        assert (found["standard_error_90"] - (0.09 / 20) ** 0.5).abs().max() < 1e-9


def test_a_deviation_that_does_not_matter_is_not_named():
    middle, generator = centers(0.3)
    true, claimed = Ridge(middle, WIDTH), Ridge(middle, 0.7 * WIDTH)
    assert (table(true, claimed, generator)["verdict"] != "").all()
    assert (table(true, claimed, generator, tolerance=0.5)["verdict"] == "").all()


def test_probabilities_of_counts_are_those_of_the_binomial_distribution():
    p = binomial_p(torch.tensor([0, 5, 10]), torch.tensor(10), torch.tensor([0.5, 0.5, 0.9], dtype=torch.float64))
    torch.testing.assert_close(p, torch.tensor([2 / 1024, 1.0, 2 * 0.9**10], dtype=torch.float64))


def polymers(scale: float = 1.0, shift: float = 0.0) -> tuple[Tensor, Tensor]:
    """Distances (S, N) and (R, N) from curves of 30 nodes, whose height is the recipe, measured with unit noise."""
    generator, nodes, rows = torch.Generator().manual_seed(0), 30, 400

    def noise(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=generator)

    truths = noise(rows, 1)
    observed = truths + noise(rows, nodes)
    width = nodes**-0.5
    samples = observed.mean(-1, keepdim=True) + width * (shift + scale * noise(100, rows, 1))
    return (samples + noise(100, rows, nodes) - observed).abs().sum(-1), (
        truths + noise(50, rows, nodes) - observed
    ).abs().sum(-1)


def test_samples_of_a_right_posterior_are_as_far_as_replicates():
    found = predictive_distance(*polymers())
    assert ((found.coverage.coverage - NOMINAL).abs() < 4 * found.coverage.standard_error).all()
    # The median of 400 ratios of 10 % spread has a standard error of 0.6 %.
    assert found.ratio.median().item() == pytest.approx(1, abs=0.025)


@pytest.mark.parametrize(
    ("scale", "shift", "verdict"),
    [(1.0, 0.0, ""), (4.0, 0.0, "too wide or shifted"), (0.01, 0.0, "too narrow"), (1.0, 4.0, "too wide or shifted")],
)
def test_polymers_of_wrong_samples_are_too_far_or_too_close(scale, shift, verdict):
    uniform = torch.rand(SAMPLES, 400, 1), torch.rand(400, 1)
    found = diagnose(*uniform, ["temp"], distances=polymers(scale, shift)).set_index("check")
    assert found.loc["predictive distance", "verdict"] == verdict


def exact_pair(change=lambda samples: samples, correlation: float = RIDGE) -> tuple[Tensor, Tensor]:
    """Samples (400, 2, 2) of a ridge, changed, and others of the same ridge."""
    middle, generator = centers(0.4)
    right = Ridge(middle[:2], WIDTH, correlation)
    return change(right.draw(400, generator)), right.draw(400, generator)


def widened(samples: Tensor, scale: float) -> Tensor:
    return samples.mean(0) + scale * (samples - samples.mean(0))


def test_alike_samples_are_not_told_apart():
    samples, exact = exact_pair()
    # standard error of an accuracy: 0.5 / √800
    assert ((c2st(samples, exact) - 0.5).abs() < 4 * 0.5 / 800**0.5).all()
    # of the ratio of two standard deviations: 1 / √400; of the difference of two means: √(2 / 400)
    assert ((width_ratios(samples, exact) - 1).abs() < 4 / 20).all()
    assert (mean_differences(samples, exact).abs() < 4 * 200**-0.5).all()


@pytest.mark.parametrize("correlation", [0.0, RIDGE, 0.999])
def test_a_classifier_tells_samples_apart_about_as_well_as_can_be(correlation):
    shift = torch.tensor([0.0, WIDTH * (1 - correlation**2) ** 0.5]).double()  # a standard deviation across the ridge
    best = NORMAL.cdf(torch.tensor(0.5)).item()
    accuracy = c2st(*exact_pair(lambda samples: samples + shift, correlation))
    assert ((accuracy - best).abs() < 4 * 0.5 / 800**0.5).all()


def test_a_classifier_finds_that_a_ridge_is_lost():
    lost = c2st(*exact_pair(lambda samples: torch.stack([samples[..., 0], samples[..., 1].flip(0)], -1)))
    assert (lost > 0.7).all()


def test_copies_of_a_sample_do_not_give_it_away():
    """Resampling makes copies. A classifier that has learned one knows the others, and is right in 0.66 to 0.68."""
    samples, exact = exact_pair()
    copied = samples[torch.randint(100, (400,), generator=torch.Generator().manual_seed(0))]
    # 4 standard errors: of 400 samples one by one and 400 in groups of 4
    assert ((c2st(copied, exact) - 0.5).abs() < 4 * 0.5 * (400 + 4 * 400) ** 0.5 / 800).all()


def test_sets_of_different_size_and_known_values_are_compared():
    samples, exact = exact_pair()
    known = torch.full((400, 2, 1), 0.3)
    accuracy = c2st(torch.cat([samples, known], -1), torch.cat([exact, known.double() + 1e-9], -1)[:300])
    assert ((accuracy - 0.5).abs() < 4 * 0.5 / 600**0.5).all()
    assert c2st(known, known).isnan().all()
    assert width_ratios(known, known).isnan().all()


@pytest.mark.parametrize(
    ("change", "verdicts"),
    [
        (lambda samples: samples, ["", "", ""]),
        (lambda samples: widened(samples, 2.0), ["too wide", "too wide", "told apart"]),
        (lambda samples: widened(samples, 0.5), ["too narrow", "too narrow", "told apart"]),
        (lambda samples: samples + WIDTH, ["shifted", "shifted", "told apart"]),
    ],
)
def test_the_exact_sampler_finds_what_is_wrong(change, verdicts):
    samples, exact = exact_pair(change)
    found = diagnose(samples, exact[0], ["temp", "time"], exact=exact).set_index("check").loc["exact sampler"]
    assert found["target"].tolist() == ["temp", "time", JOINT]
    assert found["verdict"].tolist() == verdicts


def test_the_table_has_its_columns_plain_numbers_and_the_same_ones_again():
    samples, exact = exact_pair()
    options = {"targets": ["temp", "time"], "exact": exact, "levels": (0.5, 0.99)}
    found = diagnose(samples, exact[0], **options)
    assert list(found.columns) == columns_of((0.5, 0.99))
    assert found["check"].tolist() == [*["marginal"] * 2, "TARP", *["exact sampler"] * 3]
    assert found.drop(columns=["check", "target", "verdict"]).dtypes.map(lambda kind: kind.kind in "if").all()
    assert found.equals(diagnose(samples, exact[0], **options))


BOX = torch.full((5, 3, 2), 0.5)
NAN = torch.tensor([[0.5, 0.5], [float("nan"), 0.5], [0.5, 0.5]])


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: sbc_ranks(BOX, BOX[0, :2]), r"samples are \(5, 3, 2\) and truths \(2, 2\); needs \(S, N, V\) and"),
        (lambda: sbc_ranks(BOX, NAN), "truths hold NaN in 1 of 3 observations"),
        (lambda: sbc_ranks(BOX, BOX[0], BOX[0, 0] > 0), r"known is \(2,\); needs \(3, 2\)"),
        (lambda: tarp_ranks(3600 * BOX, BOX[0]), "run from 0.5 to 1800; needs the unit box, 0 to 1"),
        (lambda: density_ranks(BOX, BOX[0]), r"log densities of samples are \(5, 3, 2\)"),
        (lambda: density_ranks(BOX[..., 0], NAN[:, 0]), "log densities of truths hold NaN in 1 of 3"),
        (lambda: region_coverage(BOX[0], [90.0]), "a level is 90; needs a number between 0 and 1"),
        (lambda: predictive_distance(BOX[0], BOX[0, :, :1]), r"of samples are \(3, 2\) and of replicates \(3, 1\)"),
        (lambda: predictive_distance(BOX[0], 0 * BOX[0]), "replicates of 2 observations are at no distance"),
        (lambda: width_ratios(BOX, BOX[:, :2]), r"exact ones \(5, 2, 2\); needs \(S, N, V\) and \(T, N, V\)"),
        (lambda: c2st(BOX, BOX), "5 samples are too few for c2st; needs 20 of each"),
        (lambda: diagnose(BOX, BOX[0], ["temp"]), "number of targets is 1; needs 2"),
        (
            lambda: diagnose(BOX, BOX[0], ["temp", "time"], exact=BOX[:, :2]),
            "exact samples are of 2 observations; needs 3",
        ),
        (lambda: diagnose(BOX, BOX[0], ["a", "b"], groups=pd.DataFrame({"chains": [1]})), "groups have 1 rows"),
        (lambda: diagnose(BOX, BOX[0], ["a", "b"], groups=pd.DataFrame({"rows": [1] * 3})), "is called rows, as"),
    ],
)
def test_what_does_not_go_together_is_said_in_one_line(call, message):
    with pytest.raises(InputError, match=message) as raised:
        call()
    assert "\n" not in str(raised.value)
