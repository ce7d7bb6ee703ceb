"""Importance: what an ignored block, the only block, and shared blocks have to show."""

import numpy as np
import pytest
import torch

from polyinv.chemistry.butyl_acrylate import SCALARS, SYSTEM, TARGETS
from polyinv.data.datamodule import RecipeDataModule
from polyinv.data.features import FEATURES, errors_of, feature_columns
from polyinv.data.observations import Observations
from polyinv.data.splits import split_rows
from polyinv.errors import InputError
from polyinv.evaluation.importance import (
    WHOLE_CURVE,
    blocks,
    importance_table,
    impurity_importance,
    missing_importance,
    permutation_importance,
    with_whole_curve,
)
from polyinv.models import MLP, ExtraTrees, RandomForest
from polyinv.models.base import InverseModel
from polyinv.quantities import MMD

COMPOSITE, CONDITIONAL = feature_columns("composite", SYSTEM), feature_columns("conditional", SYSTEM)


class Linear(InverseModel):
    """Answers every target with a weighted sum of its inputs; what is given comes back."""

    name = "linear"

    def __init__(self, columns=COMPOSITE, members=1, **weights):
        self.columns, self.members = columns, members
        self.weight = torch.zeros(len(columns), dtype=torch.float64)
        for name, weight in weights.items():
            self.weight[columns.index(name)] = weight

    def fit(self, data, folder=None): ...

    def predict_members(self, x):
        x = self._checked(x)
        answer = (x.nan_to_num() @ self.weight)[:, None].expand(-1, 4)
        if self.conditional:
            given = x[:, [self.columns.index(name) for name in TARGETS]]
            answer = torch.where(given.isnan(), answer, given)
        return torch.stack([answer * (1 + 0.01 * k) for k in range(self.members)])

    def _save(self, folder): ...

    def _load(self, folder): ...


@pytest.fixture
def x():
    """500 observations whose columns know nothing of each other, (500, 103)."""
    return torch.rand(500, len(COMPOSITE), dtype=torch.float64)


@pytest.fixture
def observations(x):
    return Observations.from_tensor(x, COMPOSITE)


def drops(importance):
    return importance.set_index(["block", "target"])["drop"]


@pytest.mark.parametrize("features", FEATURES)
@pytest.mark.parametrize("pieces", [1, 8, 100, 300])
def test_blocks_hold_every_column_once(features, pieces, grid):
    columns = feature_columns(features, SYSTEM)
    cut = blocks(columns, Observations.from_table(grid), pieces)
    columns = tuple(name for name in columns if name not in errors_of(SYSTEM))
    assert sorted(column for block in cut.values() for column in block) == sorted(columns)
    places = [[columns.index(column) for column in block] for block in cut.values()]
    assert all(np.diff(block).tolist() == [1] * (len(block) - 1) for block in places)
    singles = [name for name in cut if not name.startswith("log M")]
    assert singles == [name for name in columns if name not in MMD]
    assert with_whole_curve(cut).get(WHOLE_CURVE, []) == [name for name in columns if name in MMD]


def test_the_curve_is_cut_where_there_is_polymer(grid):
    """On the published grid between 10^3.2 and 10^5.9 g/mol; the ends take the empty nodes."""
    found = blocks(MMD, Observations.from_table(grid))
    cut = list(found.values())
    assert len(cut) == 8
    assert len(cut[0]) > 40
    assert len(cut[-1]) > 25
    assert {len(block) for block in cut[1:-1]} <= {4, 5}
    edges = [name.split()[-1].split("–")[-1] for name in found]
    assert 3.2 < float(edges[0]) < 4.0
    assert 5.2 < float(edges[-1]) < 5.9


def test_an_ignored_block_drops_nothing_and_the_only_one_twice_its_r2(x, observations):
    told = x[:, [COMPOSITE.index("Mw")]]
    noise = 0.2 * torch.randn(len(x), 4, dtype=torch.float64)
    known = torch.cat([torch.ones_like(told), told], 1)
    noise -= known @ torch.linalg.lstsq(known, noise).solution  # the model is the best one on these rows
    y = told + noise
    r2 = 1 - (noise.square().mean(0) / y.var(0, correction=0))
    found = permutation_importance(Linear(Mw=1.0), observations, y, repeats=20, bounded=False)
    drop = drops(found)
    assert (drop[drop.index.get_level_values(0) != "Mw"] == 0).all()
    # 20 shuffles of 500 rows still correlate with y by 1/sqrt(10 000), of which a drop has twice sqrt(R²).
    assert drop["Mw"][list(TARGETS)].to_numpy() == pytest.approx(2 * r2.numpy(), abs=5 * 2 / 100)
    assert (found[found["block"] == "Mw"]["spread"] > 0).all()


def test_two_halves_of_the_curve_are_shuffled_together(x, observations):
    """A sum over the curve drops by twice its R² only if the curve is shuffled as a whole."""
    model = Linear(**dict.fromkeys(MMD, 1.0))
    y = x[:, 3:].sum(1, keepdim=True).expand(-1, 4)
    drop = drops(permutation_importance(model, observations, y, repeats=20))
    assert drop[WHOLE_CURVE, "temp"] == pytest.approx(2, abs=0.1)
    stretches = [name for name in drop.index.unique(0) if name.startswith("log M")]
    # Independent nodes: each stretch has its share of the variance.
    assert sum(drop[name, "temp"] for name in stretches) == pytest.approx(2, abs=0.2)
    assert all(drop[name, "temp"] == 0 for name in SCALARS)


def test_answers_beyond_the_true_values_are_moved_to_them(x):
    """Two inputs that tell the same, and a model that is right as long as they do."""
    x[:, 2] = x[:, 1]
    y = x[:, [1]].expand(-1, 4)
    model, observations = Linear(Mn=1 - 1e6, Mw=1e6), Observations.from_tensor(x, COMPOSITE)
    bounded, free = (
        drops(permutation_importance(model, observations, y, repeats=2, bounded=bounded))["Mw", "temp"]
        for bounded in (True, False)
    )
    # All answers at the far end of a uniform distribution miss by less than its width, whose square is 12 variances.
    assert 0 < bounded < 12.5
    assert free > 1e6


def test_it_depends_on_the_seed_alone(x, observations):
    model, y = Linear(Mn=1.0), x[:, :4]
    first, again, other = (permutation_importance(model, observations, y, seed=seed) for seed in (1, 1, 2))
    assert first.equals(again)
    assert not first.equals(other)
    with pytest.raises(InputError, match="needs two or more"):
        permutation_importance(model, observations, y, repeats=1)


def test_a_target_that_never_varies_has_no_number(x, observations):
    y = x[:, :4].clone()
    y[:, 1] = 0.02
    drop = drops(permutation_importance(Linear(Mn=1.0), observations, y, repeats=2))
    assert drop["Mn", "cAIBN_0"] != drop["Mn", "cAIBN_0"]
    assert np.isfinite(drop["Mn", "temp"])


def test_gaps_stay_where_they_are_and_what_is_given_is_not_asked_for():
    x = torch.rand(300, len(CONDITIONAL), dtype=torch.float64)
    y = x[:, [CONDITIONAL.index("temp")]].expand(-1, 4).clone()
    x[:100, CONDITIONAL.index("temp")] = torch.nan  # a third of the rows lacks it
    observations = Observations.from_tensor(x, CONDITIONAL).masked("mmd+temp")
    x, seen = observations.x(CONDITIONAL), []
    model = Linear(CONDITIONAL, temp=1.0)
    answer = model.predict_members
    model.predict_members = lambda x: seen.append(x.isnan()) or answer(x)
    found = permutation_importance(model, observations, y, repeats=2)
    assert set(found["block"]) == {"temp", WHOLE_CURVE, *(name for name in found["block"] if name.startswith("log M"))}
    assert all(torch.equal(gaps, x.isnan()) for gaps in seen)
    assert drops(found)["temp", "time"] > 0.5
    everywhere = observations[100:], y[100:]
    assert set(permutation_importance(model, *everywhere, repeats=2)["target"]) == {"cBA_0", "cAIBN_0", "time"}


def test_a_missing_input_costs_what_it_told():
    x = torch.rand(300, len(CONDITIONAL), dtype=torch.float64)
    x[:, [CONDITIONAL.index(name) for name in TARGETS]] = torch.nan
    x[:, CONDITIONAL.index("cBA_time")] -= 0.5
    y = x[:, [CONDITIONAL.index("cBA_time")]].expand(-1, 4)
    observations = Observations.from_tensor(x, CONDITIONAL)
    found = missing_importance(Linear(CONDITIONAL, members=2, cBA_time=1.0), observations, y)
    drop = drops(found)
    assert list(drop.index.unique(0)) == [WHOLE_CURVE, "cBA_time", "Mn and Mw"]
    # Without it the answer is 0 for all, as good as the mean but for the chance of 300 rows.
    assert drop["cBA_time", "time"] == pytest.approx(1, abs=0.05)
    assert drop["Mn and Mw", "time"] == 0
    assert (found["spread"] >= 0).all()
    bare = observations.masked("mmd+cBA_time")  # without the curve nothing would show a polymer
    assert set(missing_importance(Linear(CONDITIONAL, cBA_time=1.0), bare, y)["block"]) == {"cBA_time"}
    with pytest.raises(InputError, match="needs all of its inputs"):
        missing_importance(Linear(Mn=1.0), observations, y)


def test_a_network_that_takes_gaps_can_be_asked(small):
    data = RecipeDataModule.from_table(small, "conditional", split_rows(small, "by_recipe", 0))
    model = MLP(hidden=(16,), dropout=(0.0,), members=2, transform="root_log", training={"max_epochs": 2})
    model.fit(data)
    observations = Observations.from_tensor(data.test.x, CONDITIONAL).masked("composite+temp")
    shuffled, missing = (
        permutation_importance(model, observations, data.test.y, repeats=2),
        missing_importance(model, observations, data.test.y),
    )
    for found in (shuffled, missing):
        assert set(found["target"]) == {"cBA_0", "cAIBN_0", "time"}
        assert "temp" in set(found["block"])
        assert np.isfinite(found[["drop", "spread"]]).all(axis=None)


@pytest.mark.parametrize("kind", [RandomForest, ExtraTrees])
def test_the_shares_of_a_forest_sum_to_one_and_outlive_a_save(kind, small, tmp_path):
    data = RecipeDataModule.from_table(small, "composite", split_rows(small, "by_recipe", 0))
    model = kind(n_estimators=5, jobs=1)
    model.fit(data)
    of_columns = model.impurity_importance()
    assert of_columns.index.tolist() == list(COMPOSITE)
    cut = blocks(COMPOSITE, Observations.from_tensor(data.test.x, COMPOSITE))
    shares = impurity_importance(model, cut).set_index("block")["share"]
    assert shares.sum() == pytest.approx(1)
    assert shares["cBA_time"] == of_columns["cBA_time"]
    # Empty nodes are never split on.
    assert of_columns[["MMD1", "MMD100"]].sum() == 0
    model.save(tmp_path / "model")
    assert kind.load(tmp_path / "model").impurity_importance().equals(of_columns)


def test_the_table_has_a_line_for_each_block_in_their_order(x, observations):
    found = permutation_importance(Linear(Mn=1.0), observations, x[:, :4], repeats=2)
    table = importance_table(found)
    assert table.columns.tolist() == ["block", *TARGETS]
    assert table["block"].tolist() == found["block"].unique().tolist()
    assert table.loc[0, "temp"] == "0.000 ± 0.000"
