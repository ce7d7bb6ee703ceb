import numpy as np
import pytest
import torch

from polyinv.data.datamodule import Batches, RecipeData
from polyinv.data.features import BLOCKS, FEATURES, feature_columns
from polyinv.data.splits import Split, split_rows
from polyinv.errors import InputError
from polyinv.quantities import TARGETS


@pytest.fixture
def data(small):
    return RecipeData(small, "composite", split_rows(small, "by_recipe", 0))


@pytest.mark.parametrize("name", FEATURES)
def test_feature_sets_are_made_of_blocks(name):
    columns = feature_columns(name)
    assert len(columns) == {"mmd": 100, "composite": 103}[name]
    assert set(columns) <= {column for block in BLOCKS.values() for column in block}
    assert not set(columns) & set(TARGETS)


def test_scalings_know_the_training_rows_only(small, data):
    other = small.copy()
    judged = np.concatenate([data.split.val, data.split.test])
    other.loc[judged, ["Mn", "cBA_0"]] *= 7
    changed = RecipeData(other, "composite", data.split)
    assert torch.equal(changed.x_scaling.mean, data.x_scaling.mean)
    assert torch.equal(changed.y_scaling.std, data.y_scaling.std)


def test_rows_are_those_of_the_table_in_physical_units(small, data):
    row = data.split.test[5]
    assert data.test.y[5].tolist() == small.loc[row, list(TARGETS)].tolist()
    assert data.test.x[5].tolist() == small.loc[row, list(data.columns)].tolist()


def test_dataloaders_serve_standardized_batches(data):
    x, z = next(iter(data.train_dataloader()))
    assert (x.shape, z.shape, x.dtype) == ((32, 103), (32, 4), torch.float32)
    (x, z) = next(iter(data.test_dataloader()))
    torch.testing.assert_close(data.y_scaling.inverse(z), data.test.y, rtol=1e-5, atol=1e-7)


def test_a_pass_visits_every_row_once_and_each_pass_in_its_own_order():
    x = torch.arange(10.0)[:, None]
    batches = Batches(x, x, size=4, seed=1)

    def one_pass(epoch: int) -> list[float]:
        batches.set_epoch(epoch)
        return torch.cat([rows for rows, _ in batches]).flatten().tolist()

    assert len(batches) == 3
    assert sorted(one_pass(0)) == sorted(one_pass(1)) == list(range(10))
    assert one_pass(0) != one_pass(1)
    assert one_pass(1) == one_pass(1)


def test_an_empty_part_is_refused(small):
    everything = np.arange(len(small))
    with pytest.raises(InputError, match="the test part of the split has no rows"):
        RecipeData(small, "mmd", Split(everything[:-5], everything[-5:], everything[:0]))


def test_an_unknown_feature_set_is_refused():
    with pytest.raises(InputError, match="no feature set 'mdm'; known: composite, mmd"):
        feature_columns("mdm")
