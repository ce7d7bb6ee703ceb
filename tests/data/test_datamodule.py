import numpy as np
import pytest
import torch

from polyinv.chemistry.butyl_acrylate import SCALARS, SYSTEM, TARGETS
from polyinv.data.batches import Shard, TableBatches, member_generators
from polyinv.data.datamodule import RecipeDataModule
from polyinv.data.features import FEATURES, MISSING_INPUTS, errors_of, feature_columns
from polyinv.data.splits import Split, split_rows
from polyinv.errors import InputError
from polyinv.quantities import CHAINS, MMD


@pytest.fixture
def split(small):
    return split_rows(small, "by_recipe", 0)


@pytest.fixture
def data(small, split):
    return RecipeDataModule.from_table(small, "composite", split)


LENGTHS = {"mmd": 100, "composite": 103, "conditional": 107, "scalars": 3}
"""Of feature sets; those called ``mmd+SCALAR`` are the curve and one scalar."""


@pytest.mark.parametrize("name", FEATURES)
def test_feature_sets_are_made_of_blocks(name):
    columns = feature_columns(name, SYSTEM)
    assert len(columns) == LENGTHS.get(name, len(set(columns)))  # none twice
    if name.removeprefix("mmd+") in SCALARS:
        assert columns == (name.removeprefix("mmd+"), *MMD)
    assert set(columns) <= {*SYSTEM.columns, *errors_of(SYSTEM), CHAINS}
    assert (set(TARGETS) <= set(columns)) == (name in MISSING_INPUTS)  # what is to be answered is seen by no other


def test_scalings_know_the_training_rows_only(small, split, data):
    other = small.copy()
    judged = np.concatenate([split.val, split.test])
    other.loc[judged, ["Mn", "cBA_0"]] *= 7
    changed = RecipeDataModule.from_table(other, "composite", split).scaling
    assert torch.equal(changed.x.mean, data.scaling.x.mean)
    assert torch.equal(changed.y.std, data.scaling.y.std)


def test_rows_are_those_of_the_table_in_physical_units(small, split, data):
    row = split.test[5]
    assert data.test.y[5].tolist() == small.loc[row, list(TARGETS)].tolist()
    assert data.test.x[5].tolist() == small.loc[row, list(data.columns)].tolist()


def test_dataloaders_serve_standardized_batches(data):
    x, z = next(iter(data.train_dataloader()))
    assert (x.shape, z.shape, x.dtype, z.dtype) == ((32, 103), (32, 4), torch.float32, torch.float32)
    x, z = next(iter(data.serving(data.scaling, members=2).train_dataloader()))
    assert (x.shape, z.shape) == ((2, 32, 103), (2, 32, 4))
    (x, z) = next(iter(data.test_dataloader()))
    torch.testing.assert_close(data.scaling.y.inverse(z), data.test.y, rtol=1e-5, atol=1e-7)


def test_training_and_judging_scale_alike(data):
    scaling = data.fit_scaling("root_log")
    data = data.serving(scaling, batch_size=len(data.train), members=1, batch_seed=3)
    (served, _), _ = next(iter(data.train_dataloader())), None
    order = torch.randperm(len(data.train), generator=member_generators((3,), 0)[0])
    assert torch.equal(served[0], scaling(data.train.x)[order])


def test_a_batch_larger_than_the_data_is_refused(data):
    with pytest.raises(InputError, match=rf"a batch of 5000 rows is larger than the {len(data.train)} training rows"):
        data.serving(data.scaling, batch_size=5000)


def test_a_pass_visits_every_row_once_and_each_pass_in_its_own_order():
    x = torch.arange(10.0)[:, None]
    batches = TableBatches(x, x, size=4, seeds=(1, 2))

    def one_pass(epoch: int) -> torch.Tensor:
        batches.set_epoch(epoch)
        return torch.cat([rows for rows, _ in batches], dim=1)[..., 0]

    assert len(batches) == 3
    for epoch in (0, 1):
        assert torch.equal(one_pass(epoch).sort().values, x[:, 0].expand(2, 10))
    assert not torch.equal(one_pass(0), one_pass(1))
    assert torch.equal(one_pass(1), one_pass(1))
    first, second = one_pass(0)
    assert not torch.equal(first, second)  # each member has an order of its own
    batches.seeds = (2,)
    assert torch.equal(one_pass(0)[0], second)  # which it has alone, too


def test_processes_that_train_together_share_the_rows():
    x = torch.arange(11.0)[:, None]
    served = []
    for rank in range(2):
        batches = TableBatches(x, x, size=2, shard=Shard(rank, 2))
        served.append([rows[:, 0].tolist() for rows, _ in batches])
        assert len(served[rank]) == len(batches) == 3
    first, second = ({row for batch in part for row in batch} for part in served)
    assert not first & second
    assert len(first) == len(second) == 5  # equally many, or one would wait for the other
    alone, other = (member_generators((7,), 3, shard=shard)[0] for shard in (Shard(), Shard(1, 2)))
    assert not torch.equal(torch.rand(3, generator=alone), torch.rand(3, generator=other))


def test_an_empty_part_is_refused(small):
    everything = np.arange(len(small))
    with pytest.raises(InputError, match="the test part of the split has no rows"):
        RecipeDataModule.from_table(small, "mmd", Split(everything[:-5], everything[-5:], everything[:0]))


def test_an_unknown_feature_set_is_refused():
    with pytest.raises(InputError, match="no feature set 'mdm'; known: composite, conditional"):
        feature_columns("mdm", SYSTEM)
