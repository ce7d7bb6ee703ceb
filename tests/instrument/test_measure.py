"""Measurements with errors: each error alone has the size that is stated, and exact ones change nothing."""

from dataclasses import asdict, fields

import pytest
import torch

from polyinv.chemistry import BUTYL_ACRYLATE
from polyinv.chemistry.butyl_acrylate import RECIPE
from polyinv.chemistry.system import load_system
from polyinv.instrument.curve import mean_molar_masses
from polyinv.instrument.errors import LEAST, LEVELS, MOST, MeasurementErrors, error_columns, measurement_errors
from polyinv.instrument.measure import draw_errors, observe
from polyinv.mmd import LOG_M, STEP, without_oligomers
from polyinv.simulate.observed import observe as simulate

ROWS = 20_000
NAMES = [quantity.name for quantity in RECIPE]


@pytest.fixture(scope="module")
def polymer():
    """Recipe (4,), residual monomer, curve (100,) of one polymer."""
    recipe = torch.tensor([[1.5, 0.008, 70.0, 1800.0]]).double()
    seen = simulate(recipe, BUTYL_ACRYLATE)[0]
    return recipe[0], seen[0].exp(), seen[3:]


def measured(polymer, errors, rows=ROWS, seed=0, dtype=torch.float64):
    recipe, residual, w = (part.to(dtype) for part in polymer)
    generator = torch.Generator().manual_seed(seed)
    true = recipe.expand(rows, -1), residual.expand(rows), w.expand(rows, -1)
    return observe(*true, errors, generator, quantities=RECIPE, residual_name="cBA_time")


def only(**errors):
    return measurement_errors({"level": "exact", **errors})


def test_exact_measurements_are_true(polymer):
    recipe, residual, w = polymer
    found = measured(polymer, LEVELS["exact"], rows=3)
    torch.testing.assert_close(found.recipe, recipe.expand(3, -1))
    torch.testing.assert_close(found.residual, residual.expand(3))
    torch.testing.assert_close(found.mmd, w.expand(3, -1), rtol=1e-9, atol=1e-12)
    for ours, theirs in zip((found.Mn, found.Mw), mean_molar_masses(w), strict=True):
        torch.testing.assert_close(ours, theirs.expand(3), rtol=1e-6, atol=0)
    assert all((value == 0).all() for value in found.errors.values())


def test_nothing_is_measured_below_the_lower_limit(polymer):
    _, _, w = polymer
    found = measured(polymer, only(lower_limit=1000.0), rows=3)
    expected = torch.from_numpy(without_oligomers(w.numpy()))
    torch.testing.assert_close(found.mmd, expected.expand(3, -1), rtol=1e-9, atol=1e-12)
    for ours, theirs in zip((found.Mn, found.Mw), mean_molar_masses(expected), strict=True):
        torch.testing.assert_close(ours, theirs.expand(3), rtol=1e-6, atol=0)


def test_means_that_are_known_better_than_the_bins_tell_keep_that(polymer):
    true = torch.tensor([17_345.0]), torch.tensor([46_789.0])
    draw = torch.Generator().manual_seed(0)
    given = [part[None] for part in polymer]
    exact = observe(*given, LEVELS["exact"], draw, quantities=RECIPE, residual_name="cBA_time", means=true)
    torch.testing.assert_close(torch.stack([exact.Mn, exact.Mw]), torch.stack(true).double(), rtol=1e-6, atol=0)
    cut = observe(*given, only(lower_limit=5e3), draw, quantities=RECIPE, residual_name="cBA_time", means=true)
    plain = observe(*given, only(lower_limit=5e3), draw, quantities=RECIPE, residual_name="cBA_time")
    blurred = mean_molar_masses(polymer[2])
    torch.testing.assert_close(cut.Mn / true[0], plain.Mn / blurred[0], rtol=1e-6, atol=0)


@pytest.mark.parametrize(("name", "at"), [("temperature", 2), ("time", 3)])
def test_temperature_and_time_scatter_by_what_is_stated(polymer, name, at):
    found = measured(polymer, only(**{name: 2.0}))
    assert found.recipe[:, at].std().item() == pytest.approx(2.0, rel=5 / (2 * ROWS) ** 0.5)
    assert found.recipe[:, at].mean().item() == pytest.approx(polymer[0][at].item(), abs=5 * 2.0 / ROWS**0.5)
    others = [k for k in range(4) if k != at]
    torch.testing.assert_close(found.recipe[:, others], polymer[0][others].expand(ROWS, -1))
    assert (found.errors[f"{NAMES[at]}_error"] == 2.0).all()


@pytest.mark.parametrize("at", [0, 1])
def test_concentrations_scatter_relatively(polymer, at):
    found = measured(polymer, only(concentration=0.02))
    ratio = found.recipe[:, at] / polymer[0][at]
    assert ratio.log().std().item() == pytest.approx(0.02, rel=5 / (2 * ROWS) ** 0.5)
    # stated as a share of what was measured: the true value does not show in it
    torch.testing.assert_close(found.errors[f"{NAMES[at]}_error"], 0.02 * found.recipe[:, at])


def test_an_error_of_the_conversion_is_one_of_the_monomer_charged(polymer):
    found = measured(polymer, only(conversion=0.015))
    conversion = 1 - found.residual / polymer[0][0]
    assert conversion.std().item() == pytest.approx(0.015, rel=5 / (2 * ROWS) ** 0.5)
    assert (found.errors["conversion_error"] == 0.015).all()
    relative = measured(polymer, only(residual=0.05))
    assert (relative.residual / polymer[1]).log().std().item() == pytest.approx(0.05, rel=5 / (2 * ROWS) ** 0.5)


def test_no_measured_value_is_impossible(polymer):
    errors = measurement_errors(MOST | {"level": "rough", "lower_limit": 1000.0})
    found = measured(polymer, errors, rows=2000)
    assert (found.recipe[:, [0, 1, 3]] > 0).all()
    assert (found.residual > 0).all()
    assert (found.mmd >= 0).all()
    assert (found.Mw >= found.Mn).all()
    for values in (found.recipe, found.residual, found.Mn, found.Mw, found.mmd, *found.errors.values()):
        assert values.isfinite().all()


def test_an_offset_moves_all_molar_masses_alike(polymer):
    found = measured(polymer, only(offset=0.02))
    exact = measured(polymer, LEVELS["exact"], rows=1)
    ratio = found.Mw / exact.Mw
    assert ratio.log().std().item() == pytest.approx(0.02, rel=0.03)
    assert torch.corrcoef(torch.stack([found.Mn, found.Mw]))[0, 1] > 0.99
    means = measured(polymer, only(molar_mass=0.02))
    assert abs(torch.corrcoef(torch.stack([means.Mn, means.Mw]))[0, 1]) < 5 / ROWS**0.5
    torch.testing.assert_close(means.mmd, exact.mmd.expand(ROWS, -1))


def test_broadening_is_the_same_in_every_row_and_no_random_number(polymer):
    found = measured(polymer, only(broadening=0.06), rows=2)
    assert torch.equal(found.mmd[0], found.mmd[1])
    exact = measured(polymer, LEVELS["exact"], rows=1)
    assert found.Mw[0] / found.Mn[0] > exact.Mw[0] / exact.Mn[0]


@pytest.mark.parametrize("level", LEVELS)
def test_curves_have_unit_area_and_nothing_below_the_lower_limit(polymer, level):
    found = measured(polymer, LEVELS[level], rows=200)
    torch.testing.assert_close(found.mmd.sum(-1) * STEP, torch.ones(200).double())
    if LEVELS[level].lower_limit:
        assert (found.mmd[:, LOG_M < 3] == 0).all()
    distance = 0.5 * (found.mmd - measured(polymer, LEVELS["exact"], rows=1).mmd).abs().sum(-1) * STEP
    assert distance.max() < {"exact": 1e-9, "good": 0.05, "ordinary": 0.09, "rough": 0.25}[level]


def test_both_ends_are_cut_where_it_is_said(polymer):
    found = measured(polymer, only(cut_high=0.3), rows=1)
    exact = measured(polymer, LEVELS["exact"], rows=1).mmd[0]
    last = int((found.mmd[0] > 0).nonzero().max())
    assert exact[last] >= 0.3 * exact.max() > exact[last + 1]
    assert found.Mw[0] < measured(polymer, LEVELS["exact"], rows=1).Mw[0]


def test_noise_lies_between_the_ends_alone(polymer):
    found = measured(polymer, only(noise=0.01, cut_low=0.01, cut_high=0.01), rows=50)
    assert ((found.mmd > 0).sum(-1) < 60).all()


def test_every_error_is_stated_by_its_column(polymer):
    generator = torch.Generator().manual_seed(0)
    errors = draw_errors(LEVELS["exact"], LEVELS["rough"], 64, generator)
    found = measured(polymer, errors, rows=64)
    columns = error_columns(RECIPE, "cBA_time")
    assert set(found.errors) == set(columns)
    for column, name in columns.items():
        assert found.errors[column].shape == (64,)
        if name not in ("concentration", "residual", "molar_mass"):
            torch.testing.assert_close(found.errors[column], errors[name])


def test_errors_are_drawn_log_uniformly_each_on_its_own():
    generator = torch.Generator().manual_seed(0)
    errors = draw_errors(LEVELS["exact"], LEVELS["rough"], 4000, generator)
    places = []
    for each in fields(MeasurementErrors):
        drawn, high = errors[each.name], getattr(LEVELS["rough"], each.name)
        low = max(getattr(LEVELS["exact"], each.name), LEAST[each.name])
        assert low * (1 - 1e-9) <= drawn.min()
        assert drawn.max() <= high * (1 + 1e-9)
        if low < high:
            places.append((drawn / low).log() / torch.tensor(high / low).log())
    places = torch.stack(places)
    assert (places.mean(-1) - 0.5).abs().max() < 5 / (12 * 4000) ** 0.5
    off_diagonal = torch.corrcoef(places) - torch.eye(len(places))
    assert off_diagonal.abs().max() < 5 / 4000**0.5


def test_a_range_of_one_level_is_that_level():
    drawn = draw_errors(LEVELS["exact"], LEVELS["exact"], 3, torch.Generator().manual_seed(0))
    assert {name: value.tolist() for name, value in drawn.items()} == {
        name: pytest.approx([value] * 3) for name, value in asdict(LEVELS["exact"]).items()
    }
    drawn = draw_errors(LEVELS["good"], LEVELS["good"], 2, torch.Generator().manual_seed(0))
    assert drawn["broadening"].tolist() == pytest.approx([0.03] * 2)


def test_the_seed_decides_and_single_precision_agrees(polymer):
    one, same, other = (measured(polymer, LEVELS["ordinary"], rows=8, seed=seed) for seed in (1, 1, 2))
    assert torch.equal(one.mmd, same.mmd)
    assert torch.equal(one.recipe, same.recipe)
    assert not torch.equal(one.recipe, other.recipe)
    single = measured(polymer, LEVELS["ordinary"], rows=8, seed=1, dtype=torch.float32)
    assert single.mmd.dtype == torch.float32
    torch.testing.assert_close(single.Mw.double(), one.Mw, rtol=1e-3, atol=0)


def test_gradients_go_from_the_measured_curve_to_the_true_one(polymer):
    recipe, residual, w = polymer
    w = w.clone().requires_grad_()
    found = measured((recipe, residual, w), LEVELS["ordinary"], rows=2)
    (slope,) = torch.autograd.grad(found.Mw.log().sum(), w)
    assert slope.isfinite().all()
    assert slope.abs().max() > 0


def test_every_system_can_be_measured():
    system = load_system("methyl_methacrylate")
    low = torch.tensor([quantity.low for quantity in system.recipe]).double().expand(5, -1)
    w = torch.exp(-(((torch.from_numpy(LOG_M) - 4.6) / 0.4) ** 2)).expand(5, -1)
    found = observe(
        low,
        low[:, 0] / 2,
        w,
        LEVELS["ordinary"],
        torch.Generator().manual_seed(0),
        quantities=system.recipe,
        residual_name=system.residual,
    )
    assert set(found.errors) == set(error_columns(system.recipe, system.residual))
    assert found.recipe.shape == low.shape
