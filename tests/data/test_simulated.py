"""Recipes simulated on the fly: in the box, with the noise of their chains, never the same, and reproducible."""

import logging

import pytest
import torch

from polyinv.chemistry import BUTYL_ACRYLATE
from polyinv.chemistry.butyl_acrylate import RECIPE, SYSTEM
from polyinv.data import bank as bank_module
from polyinv.data.bank import CurveBank, load_bank
from polyinv.data.bundled import load_bundled
from polyinv.data.datamodule import RecipeDataModule
from polyinv.data.features import feature_columns
from polyinv.data.rows import rows_of
from polyinv.data.source import SimulatedConfig
from polyinv.errors import InputError
from polyinv.models import MLP, RandomForest
from polyinv.models.options import Training
from polyinv.quantities import MMD
from polyinv.simulate import solvers
from polyinv.simulate.recipes import random_recipes


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch):
    monkeypatch.setattr(bank_module, "BLOCK", 128)


def simulated(features="composite", **options):
    options = {"rows": 100, "epoch": 300, "validation": 64} | options
    return RecipeDataModule(features, source="simulated", simulated=SimulatedConfig(**options))


@pytest.fixture(scope="module")
def off_grid():
    """The entries of the bundled off-grid recipes, and what the kinetic Monte Carlo made of them (N, 103)."""
    rows = rows_of(load_bundled("off_grid"), feature_columns("composite", SYSTEM))
    return CurveBank.simulate(rows.y, BUTYL_ACRYLATE, 3600.0), rows.x


def test_recipes_fill_the_box():
    recipes = random_recipes(20_000, torch.Generator().manual_seed(0), SYSTEM)
    for quantity, column in zip(RECIPE, recipes.T, strict=True):
        assert quantity.low <= column.min() < quantity.low + 0.01 * (quantity.high - quantity.low)
        assert quantity.high >= column.max() > quantity.high - 0.01 * (quantity.high - quantity.low)
    # Correlations of 20 000 independent pairs: 5 standard errors.
    assert (torch.corrcoef(recipes.T) - torch.eye(4)).abs().max() < 5 / 20_000**0.5


def test_drawn_observations_scatter_about_the_kinetic_monte_carlo_as_it_scatters_itself(off_grid):
    entries, measured = off_grid
    generator = torch.Generator().manual_seed(0)
    drawn = torch.stack([entries.observe(BUTYL_ACRYLATE, torch.full((1000,), 1e6), generator) for _ in range(100)])
    columns = [*SYSTEM.scalars, *MMD]
    order = [columns.index(name) for name in feature_columns("composite", SYSTEM)]
    drawn = drawn[..., order].double()
    z = (measured - drawn.mean(0)) / drawn.std(0)
    # 1000 rows, each a chi square of one degree: a mean known to sqrt(2 / 1000) = 0.045; five times that. Mn scatters
    # by up to a third more than counted chains do (docs/explanation/simulators.md).
    most = {"cBA_time": 1.25, "Mn": 1.6, "Mw": 1.25, "MMD50": 1.25, "MMD58": 1.25, "MMD66": 1.25}
    for name, limit in most.items():
        assert 0.75 < z[:, feature_columns("composite", SYSTEM).index(name)].square().mean() < limit, name


def test_without_noise_a_bank_is_the_deterministic_solution():
    bank = load_bank(50, 1, SYSTEM, 3600.0)
    smooth = solvers.simulate(bank.recipes[:, :3], bank.recipes[:, 3:], BUTYL_ACRYLATE)
    seen = bank.observe(BUTYL_ACRYLATE, torch.full((50,), 1e14), torch.Generator().manual_seed(0)).double()
    # The step of the bank is twice as long: a tenth of the noise of 1e6 chains.
    torch.testing.assert_close(seen[:, 1], smooth.Mn[:, 0], rtol=1e-3, atol=0)
    torch.testing.assert_close(seen[:, 3:], smooth.mmd[:, 0], rtol=0, atol=1e-3)


def test_a_bank_is_kept_and_grows_without_changing(monkeypatch, caplog):
    few = load_bank(100, 5, SYSTEM, 3600.0)
    with monkeypatch.context() as patch:
        patch.setattr(CurveBank, "simulate", None)  # nothing is computed again
        again = load_bank(120, 5, SYSTEM, 3600.0)
    more = load_bank(200, 5, SYSTEM, 3600.0)
    assert (len(few), len(again), len(more)) == (100, 120, 200)
    for other in (again, more):
        assert torch.equal(other.recipes[:100], few.recipes)
        assert torch.equal(other.growth.units[:100], few.growth.units)
    assert not torch.equal(load_bank(100, 6, SYSTEM, 3600.0).recipes, few.recipes)
    assert load_bank(100, 5, SYSTEM, 7200.0).dead_chains[0] > few.dead_chains[0]

    for block in (bank_module.cache_folder() / "bank").glob("*-5/0.npz"):
        block.write_bytes(block.read_bytes()[:1000])
    with caplog.at_level(logging.WARNING):
        mended = load_bank(100, 5, SYSTEM, 3600.0)
    assert "cannot be read and is made again" in caplog.text
    assert torch.equal(mended.growth.units, few.growth.units)
    monkeypatch.setattr(bank_module, "BLOCK", 64)  # blocks of another size are no blocks of this one
    assert len(load_bank(100, 5, SYSTEM, 3600.0)) == 100


def test_training_and_validation_have_nothing_in_common():
    data = simulated()
    assert (len(data.train), len(data.val), data.rows_per_epoch) == (100, 64, 300)
    distance = torch.cdist(data.scaling.y(data.train.y), data.scaling.y(data.val.y))
    assert distance.min() > 0
    again = simulated()
    assert torch.equal(again.val.x, data.val.x)
    assert torch.equal(again.train.x, data.train.x)
    other = simulated(seed=2)
    assert not torch.equal(other.val.y, data.val.y)


def test_every_batch_has_noise_of_its_own_and_every_member_rows_of_its_own():
    data = simulated()
    data = data.serving(data.fit_scaling("root_log"), batch_size=100, members=2, batch_seed=1)
    loader = data.train_dataloader()
    first = [z for _, z in loader]
    assert len(first) == len(loader) == 3
    assert first[0].shape == (2, 100, 4)
    assert not torch.equal(first[0][0], first[0][1])
    assert not torch.equal(next(z for _, z in loader), first[0])  # each pass is another one
    loader.set_epoch(0)
    assert torch.equal([z for _, z in loader][2], first[2])  # the epoch decides
    alone = next(iter(data.serving(data.scaling, members=1, batch_seed=2).train_dataloader()))[1]
    assert torch.equal(alone[0], first[0][1])

    generator = torch.Generator().manual_seed(0)
    x, y = data.source.draw(500, generator)
    same = [(y == y[at]).all(1).nonzero()[:, 0] for at in range(500)]
    repeated = next(rows for rows in same if len(rows) > 1)
    assert not torch.equal(x[repeated[0]], x[repeated[1]])  # one recipe, drawn twice


def test_fixed_rows_stay_as_they_are():
    data = simulated(redraw=False)
    data = data.serving(data.fit_scaling(), batch_size=100)
    served = {tuple(row) for row in next(iter(data.train_dataloader()))[0].tolist()}
    assert served == {tuple(row) for row in data.scaling(data.train.x).tolist()}


def test_fresh_recipes_are_not_those_of_the_bank():
    data = simulated("mmd", fresh=True)
    data.setup()
    _, y = data.source.draw(16, torch.Generator().manual_seed(2 * 1_000_003))  # the stream that the bank came from
    assert torch.cdist(y / y.std(0), data.train.y / y.std(0)).min() > 0
    assert len(y.unique(dim=0)) == 16


def test_the_number_of_chains_is_drawn_between_its_ends():
    data = simulated(chains=(1e4, 1e8))
    few, many = (simulated(chains=(n, n)).train.x for n in (1e4, 1e8))
    mixed = (data.train.x - many)[:, 3:].square().mean(1).sqrt()
    noisy = (few - many)[:, 3:].square().mean(1).sqrt()
    assert mixed.median() < 0.5 * noisy.median()
    assert mixed.max() > 0.5 * noisy.median()


def test_networks_and_forests_learn_from_it(monkeypatch):
    monkeypatch.setattr(bank_module, "BLOCK", 1024)
    data = simulated(rows=2000, epoch=4000, validation=256)
    network = MLP(
        hidden=(64, 64),
        dropout=(0.0, 0.0),
        transform="root_log",
        activation="silu",
        training=Training(learning_rate=3e-3, batch_size=200, max_epochs=8, schedule="cosine"),
    )
    for model in (network, RandomForest(n_estimators=20, jobs=1)):
        model.fit(data)
        error = data.scaling.targets(model.predict(data.val.x)) - data.scaling.targets(data.val.y)
        # Half of the variance is what next to nothing learned leaves; most of what can be learned is.
        assert error.square().mean() < 0.5


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"rows": 1}, r"data\.simulated\.rows is 1; needs 2 to 100000000"),
        ({"validation": 0}, r"data\.simulated\.validation is 0"),
        ({"chains": (1e6, 1e5)}, r"data\.simulated\.chains is 1e\+06 to 100000; needs two ascending"),
        ({"chains": (0.0, 1e5)}, r"data\.simulated\.chains is 0"),
        ({"chains": (100.0, 1e5)}, r"data\.simulated\.chains starts at 100: an early snapshot would hold"),
        ({"seed": 2**31}, r"data\.simulated\.seed is 2147483648; needs 0 to 2147483647"),
        ({"fresh": True, "redraw": False}, r"fresh needs data\.simulated\.redraw"),
        ({"horizon": 1800.0}, r"data\.simulated\.horizon is 1800 s; needs 3600, the last time of the box"),
    ],
)
def test_what_cannot_be_simulated_is_refused(options, said):
    with pytest.raises(InputError, match=said):
        simulated(**options).setup()
