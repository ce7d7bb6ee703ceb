"""Patterns of known inputs: their names, how often they are drawn, and that what is hidden is hidden."""

import pytest
import torch

from polyinv.chemistry.butyl_acrylate import SYSTEM, TARGETS
from polyinv.data.datamodule import RecipeDataModule
from polyinv.data.features import feature_columns
from polyinv.data.masks import InputPatterns, given_inputs, masked_inputs
from polyinv.data.patterns import ANY, PRACTICAL, check_patterns, every_pattern, inputs_of, name_of
from polyinv.data.scaling import Scaling
from polyinv.data.source import DataConfig
from polyinv.data.splits import split_rows
from polyinv.errors import InputError

COLUMNS = feature_columns("conditional", SYSTEM)


@pytest.fixture(scope="module")
def data(small):
    return RecipeDataModule.from_table(small, "conditional", split_rows(small, "by_recipe", 0))


def test_every_pattern_shows_a_polymer_and_asks_for_something():
    patterns = every_pattern(SYSTEM)
    # three ways to show a polymer, with or without the monomer, and all but one of 16 sets of known values
    assert len(set(patterns)) == len(patterns) == 3 * 2 * 15
    assert all(name_of(inputs_of(pattern, SYSTEM), SYSTEM) == pattern for pattern in patterns)
    assert set(PRACTICAL) - {ANY} <= set(patterns)


@pytest.mark.parametrize(
    ("pattern", "said"),
    [
        ("mmd+tmep", "no input 'tmep'; known: cAIBN_0, cBA_0, cBA_time, composite, means, mmd, residual, temp, time"),
        ("temp+time", "the pattern 'temp\\+time' shows no polymer; needs mmd, or means"),
        ("mmd+cBA_0+cAIBN_0+temp+time", "leaves nothing of the recipe to answer"),
        ("", "no input ''"),
    ],
)
def test_a_pattern_that_cannot_be_is_refused(pattern, said):
    with pytest.raises(InputError, match=said):
        DataConfig(patterns={pattern: 1})


@pytest.mark.parametrize("weights", [{"mmd": -1}, {"mmd": float("nan")}, {"mmd": 0, "any": 0}])
def test_weights_that_are_no_shares_are_refused(weights):
    with pytest.raises(InputError, match=r"data\.patterns"):
        check_patterns(weights, SYSTEM)


def test_patterns_are_drawn_as_often_as_their_weights_say():
    masks = InputPatterns.of({"mmd+temp": 1, "temp+mmd": 1, "composite": 2, ANY: 4}, SYSTEM)
    drawn = masks.draw(100_000, torch.Generator().manual_seed(0))
    for pattern, share in {"mmd+temp": 2 / 8, "composite": 2 / 8, "means+time": 0.0}.items():
        expected = share + 4 / 8 / 90
        there = torch.tensor([name in inputs_of(pattern, SYSTEM) for name in SYSTEM.inputs])
        seen = (drawn == there).all(-1).double().mean().item()
        assert abs(seen - expected) < 5 * (expected * (1 - expected) / 100_000) ** 0.5
    assert drawn[:, :3:2].any(-1).all()  # the curve, or Mn and Mw
    assert not drawn[:, 3:].all(-1).any()


def test_an_input_with_a_gap_is_not_given(data):
    x = data.test.x[:4].clone()
    x[1, COLUMNS.index("MMD50")] = torch.nan
    x[2, COLUMNS.index("Mw")] = torch.nan
    x[3, COLUMNS.index("temp")] = torch.nan
    given = given_inputs(x, COLUMNS, SYSTEM)
    absent = [None, "mmd", "means", "temp"]
    assert [[name for name, there in zip(SYSTEM.inputs, row, strict=True) if not there] for row in given.tolist()] == [
        [name] if name else [] for name in absent
    ]


@pytest.mark.parametrize("transform", ["plain", "root_log"])
@pytest.mark.parametrize("pattern", ["mmd", "means+time", "composite+temp", "mmd+cBA_time+cBA_0+cAIBN_0"])
def test_what_is_masked_leaves_no_trace(data, transform, pattern):
    scaling = data.fit_scaling(transform)
    seen = scaling(masked_inputs(data.test.x, COLUMNS, pattern, SYSTEM))
    assert seen.shape == (len(data.test), scaling.width)
    assert seen.isfinite().all()
    torn = masked_inputs(data.test.x, COLUMNS, pattern, SYSTEM)
    # Half a curve, or Mn without Mw, is as good as nothing.
    for name in SYSTEM.inputs:
        if name not in inputs_of(pattern, SYSTEM) and len(SYSTEM.inputs[name]) > 1:
            at = COLUMNS.index(SYSTEM.inputs[name][0])
            torn[:, at] = 1.7 * data.test.x[:, at]
    assert torch.equal(scaling(torn), seen)
    # InputPatterns drawn in training do the same to rows that are whole.
    there = torch.tensor([name in inputs_of(pattern, SYSTEM) for name in SYSTEM.inputs])
    assert torch.equal(scaling.mask(scaling(data.test.x), there.expand(len(data.test), -1)), seen)
    assert torch.equal(seen[:, -len(SYSTEM.inputs) :].bool(), there.expand(len(data.test), -1))


def test_batches_hide_inputs_and_ask_for_the_rest_only(data):
    data = data.serving(data.fit_scaling("root_log"), members=2, batch_seed=1)
    batches = data.train_dataloader()
    x, z = next(iter(batches))
    assert (x.shape, z.shape) == ((2, 32, data.scaling.width), (2, 32, 4))
    given = x[..., -len(SYSTEM.inputs) :].bool()
    assert torch.equal(z.isnan(), given[..., -4:])
    assert len(given.flatten(0, 1).unique(dim=0)) > 5
    assert not torch.equal(given[0], given[1])
    alone = data.serving(data.scaling, members=1, batch_seed=2)
    for part, whole in zip(next(iter(alone.train_dataloader())), (x, z), strict=True):
        torch.testing.assert_close(part[0], whole[1], equal_nan=True, rtol=0, atol=0)
    first, second = (next(iter(data.val_dataloader())) for _ in range(2))
    torch.testing.assert_close(first, second, equal_nan=True, rtol=0, atol=0)


def test_simulated_batches_hide_inputs_too(monkeypatch, data):
    monkeypatch.setattr("polyinv.data.bank.BLOCK", 128)
    config = {"rows": 100, "epoch": 300, "validation": 64}
    simulated = RecipeDataModule("conditional", source="simulated", simulated=config, patterns={"mmd+temp": 1})
    simulated = simulated.serving(simulated.fit_scaling("root_log"), batch_size=50, members=2, batch_seed=1)
    for x, z in simulated.train_dataloader():
        assert torch.equal(x[..., -len(SYSTEM.inputs) :], torch.tensor([1.0, 0, 0, 0, 0, 1, 0]).expand(2, 50, -1))
        assert torch.equal(z.isnan(), torch.tensor([False, False, True, False]).expand(2, 50, -1))
    assert torch.equal(
        simulated.train.x[:, [COLUMNS.index(name) for name in TARGETS]], simulated.train.y.float().double()
    )


def test_known_values_are_scaled_as_the_rows_of_training(data):
    scaling = data.fit_scaling("root_log")
    seen = scaling(data.train.x)
    assert isinstance(scaling, Scaling)
    at = scaling.transform.names.index("temp")
    torch.testing.assert_close(seen[:, at].double().mean(), torch.tensor(0.0).double(), atol=1e-5, rtol=0)
