import math

import pytest
import torch

from polyinv.data.datamodule import RecipeData
from polyinv.data.splits import Split, split_rows
from polyinv.errors import InputError
from polyinv.models import MLP
from polyinv.models import training as training_module
from polyinv.models.training import CHECKPOINTS, Regression

TINY = {"hidden": (32, 16), "dropout": (0.2, 0.1), "learning_rate": 3e-3}


@pytest.fixture
def data(small):
    return RecipeData(small, "composite", split_rows(small, "by_recipe", 0))


def scalars(folder):
    """The events of a run folder: {tag: {step: value}}."""
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(str(folder)).Reload()
    return {tag: {event.step: event.value for event in events.Scalars(tag)} for tag in events.Tags()["scalars"]}


def test_the_loss_is_the_weighted_mean_square():
    module = Regression(torch.nn.Identity(), (1.0, 1.0, 2.0, 0.0), 1e-3, seed=0)
    guess = torch.tensor([[1.0, 2.0, 3.0, 9.0], [1.0, 0.0, 3.0, 9.0]])
    assert module.loss(guess, torch.zeros(2, 4)).item() == pytest.approx((1 + 2 + 2 * 9) / 4)


def test_a_small_set_is_memorized(small):
    rows = torch.arange(64).numpy() * 6
    data = RecipeData(small, "composite", Split(rows, rows, rows))
    model = MLP(hidden=(128, 128), dropout=(0.0, 0.0), learning_rate=3e-3, max_epochs=400, patience=400)
    model.fit(data)
    error = data.y_scaling(model.predict(data.train.x)) - data.y_scaling(data.train.y)
    assert error.square().mean() < 0.02  # of the variance


def test_every_parameter_gets_a_gradient(data):
    model = MLP(**TINY)
    model.columns = data.columns
    network = model.network()
    x, z = data.scaled(data.train)
    (network(x) - z).square().mean().backward()
    for name, parameter in network.named_parameters():
        assert parameter.grad.abs().sum() > 0, name


def test_the_best_epoch_is_kept(data, tmp_path):
    model = MLP(**TINY, max_epochs=60, patience=60)
    model.fit(data, tmp_path)
    losses = scalars(tmp_path)["val/loss"]
    z = data.y_scaling(model.predict(data.val.x)) - data.y_scaling(data.val.y)
    assert z.square().mean().item() == pytest.approx(min(losses.values()), rel=1e-4)
    assert min(losses.values()) < losses[max(losses)]  # the last epoch was not the best


def test_training_stops_when_patience_is_over(data, tmp_path):
    MLP(**TINY, max_epochs=500, patience=4).fit(data, tmp_path)
    losses = list(scalars(tmp_path)["val/loss"].values())
    assert len(losses) < 500
    assert losses.index(min(losses)) == len(losses) - 1 - 4


def test_scores_of_each_epoch_are_logged(data, tmp_path):
    model = MLP(**TINY, max_epochs=2)
    model.fit(data, tmp_path)
    logged = scalars(tmp_path)
    for tag in (
        "train/loss",
        "val/loss",
        "val/r2/global",
        *(f"val/r2/{name}" for name in ("cBA_0", "cAIBN_0", "temp", "time")),
    ):
        assert list(logged[tag]) == [0, 1], tag
    assert not (tmp_path / "hparams.yaml").exists()


def test_a_killed_training_ends_where_the_uninterrupted_one_does(data, tmp_path, monkeypatch):
    monkeypatch.setattr(training_module, "LAST_EVERY", 3)
    options = TINY | {"max_epochs": 14, "patience": 14}
    whole = MLP(**options)
    whole.fit(data, tmp_path / "whole")

    class Killed(Exception):
        pass

    def die_in_epoch_8(module):
        if module.current_epoch == 8:
            raise Killed

    with monkeypatch.context() as patch, pytest.raises(Killed):
        patch.setattr(Regression, "on_validation_epoch_end", die_in_epoch_8)
        MLP(**options).fit(data, tmp_path / "killed")
    assert (tmp_path / "killed" / CHECKPOINTS / "last.ckpt").is_file()
    resumed = MLP(**options)
    epochs = []
    original = Regression.on_train_epoch_start
    monkeypatch.setattr(
        Regression, "on_train_epoch_start", lambda module: epochs.append(module.current_epoch) or original(module)
    )
    resumed.fit(data, tmp_path / "killed")
    assert epochs == [6, 7, 8, 9, 10, 11, 12, 13]
    assert torch.equal(resumed.predict(data.test.x), whole.predict(data.test.x))


def test_training_does_not_touch_the_global_random_numbers(data):
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    MLP(**TINY, max_epochs=1).fit(data)
    assert torch.equal(torch.rand(3), expected)


def test_weights_of_a_saved_model_are_read_without_pickle(data, tmp_path):
    model = MLP(**TINY, max_epochs=1)
    model.fit(data)
    model.save(tmp_path / "model")
    state = torch.load(tmp_path / "model" / "weights.pt", weights_only=True)
    assert {"x_scaling.mean", "y_scaling.std", "network.layers.0.weight"} <= set(state)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"hidden": (8,), "dropout": (0.1, 0.2)}, r"model\.dropout has 2 rates for 1 hidden layers"),
        ({"max_epochs": 0}, r"model\.max_epochs is 0; needs 1 or more"),
        ({"batch_size": 0}, r"model\.batch_size is 0; needs 1 or more"),
        ({"patience": -1}, r"model\.patience is -1; needs 1 or more"),
        ({"learning_rate": 0.0}, r"model\.learning_rate is 0\.0; needs"),
        ({"dropout": (0.2, 0.1, 1.5)}, r"model\.dropout is 1\.5; needs"),
        ({"loss_weights": (1.0, 1.0, -1.0, 1.0)}, r"model\.loss_weights is -1\.0; needs"),
        ({"loss_weights": (0.0, 0.0, 0.0, 0.0)}, r"model\.loss_weights are all zero"),
        ({"seed": -1}, r"model\.seed is -1; needs 0 to"),
        ({"accelerator": "abacus"}, "no accelerator 'abacus'; known: auto, cpu, gpu"),
        ({"hidden": (8, 0, 8)}, r"model\.hidden is 0; needs 1 or more"),
    ],
)
def test_options_that_cannot_work_are_refused(options, said):
    with pytest.raises(InputError, match=said):
        MLP(**options)


def test_a_loss_that_is_not_finite_stops_the_training(data):
    model = MLP(hidden=(8,), dropout=(0.0,), learning_rate=1e30, max_epochs=20)
    with pytest.raises(InputError, match="not finite"):
        model.fit(data)
    assert math.isfinite(data.train.x.sum())
