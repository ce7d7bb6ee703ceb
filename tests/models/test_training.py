import math

import numpy as np
import pytest
import torch
from torch import nn

from polyinv.data.datamodule import RecipeDataModule
from polyinv.data.rows import Rows
from polyinv.data.splits import Split, split_rows
from polyinv.errors import InputError
from polyinv.models import MLP, CurveCNN, Network, Posterior, callbacks, networks
from polyinv.models.loggers import logger_of
from polyinv.models.module import RecipeModule
from polyinv.models.optimizer import clip_members, cosine
from polyinv.models.options import Training
from polyinv.models.scaled import ScaledNetwork
from polyinv.models.training import CHECKPOINTS

TINY = {"hidden": (32, 16), "dropout": (0.2, 0.1)}
FAST = {"learning_rate": 3e-3, "max_epochs": 6}
NETWORKS = {"mlp": (MLP, TINY), "cnn": (CurveCNN, TINY | {"channels": (4, 8)})}


@pytest.fixture
def data(small):
    return RecipeDataModule.from_table(small, "composite", split_rows(small, "by_recipe", 0))


@pytest.fixture(params=NETWORKS)
def network(request):
    """Makes models of each architecture."""
    kind, options = NETWORKS[request.param]
    return lambda training=FAST, **more: kind(**options | more, training=Training(**training))


def scalars(folder):
    """The events of a run folder: {tag: {step: value}}."""
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(str(folder)).Reload()
    return {tag: {event.step: event.value for event in events.Scalars(tag)} for tag in events.Tags()["scalars"]}


def standard_error(model, rows, data):
    scaling = data.fit_scaling()
    return scaling.targets(model.predict(rows.x)) - scaling.targets(rows.y)


def test_a_small_set_is_memorized(small, network):
    rows = torch.arange(64).numpy() * 6
    four_times = np.tile(rows, 4)  # in each epoch, most of whose time goes elsewhere
    data = RecipeDataModule.from_table(small, "composite", Split(four_times, rows, rows))
    training = {"learning_rate": 5e-3, "batch_size": 16, "max_epochs": 100, "patience": 100, "schedule": "cosine"}
    model = network(training, hidden=(128, 128), dropout=(0.0, 0.0), transform="root_log", activation="relu")
    model.fit(data)
    assert standard_error(model, data.train, data).square().mean() < 0.02  # of the variance


@pytest.mark.parametrize("loss", ["mse", "huber", "nll"])
def test_every_parameter_gets_a_gradient(data, network, loss):
    model = network(FAST | {"loss": loss}, members=2)
    scaling = data.fit_scaling("root_log")
    options = {"network_options": model.network_options, "training": model.training}
    module = RecipeModule(model.name, "composite", "root_log", 2, **options)
    x, z = scaling(data.train.x), scaling.targets(data.train.y)
    module.eval()
    losses = module.criterion.of_targets(module.network(x), z)
    losses.sum().backward()
    for name, parameter in module.network.named_parameters():
        assert (parameter.grad.flatten(1).abs().sum(1) > 0).all(), name  # of each member


def test_a_member_is_what_it_is_alone(data, network):
    options = {"clip": 0.5, "weight_decay": 0.01, "max_epochs": 12, "patience": 4, "schedule": "plateau", "plateau": 2}
    together = network(FAST | options, members=3, seed=5)
    together.fit(data)
    members = together.predict_members(data.test.x)
    assert members.shape == (3, len(data.test), 4)
    assert torch.equal(together.predict(data.test.x), members.mean(0))
    for k, member in enumerate(members):
        alone = network(FAST | options, members=1, seed=5 + k)
        alone.fit(data)
        # Products of several matrices at once round differently in the last bit, which training then carries on.
        torch.testing.assert_close(alone.predict(data.test.x), member, rtol=2e-3, atol=1e-4)
    assert not torch.allclose(members[0], members[1], rtol=2e-3)


def test_each_member_keeps_its_own_best_epoch(data, tmp_path):
    model = MLP(**TINY, members=3, training=Training(learning_rate=1e-2, max_epochs=40, patience=40))
    seen = []
    original = callbacks.BestOfEachMember.on_validation_end

    def look(callback, trainer, module):
        original(callback, trainer, module)
        seen.append(module.validation_loss.clone())

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(callbacks.BestOfEachMember, "on_validation_end", look)
        model.fit(data, tmp_path)
    losses = torch.stack(seen)
    z = data.scaling.targets(data.val.y)
    kept = (data.scaling.targets(model.predict_members(data.val.x)) - z).square().mean((1, 2))
    torch.testing.assert_close(kept, losses.min(0).values, rtol=1e-4, atol=0)
    assert (losses.min(0).values < losses[-1]).any()  # the last epoch was not the best of all
    assert len(set(losses.argmin(0).tolist())) > 1  # nor was the best epoch that of all


def test_training_stops_when_the_last_member_has_run_out_of_patience(data, tmp_path):
    model = MLP(**TINY, members=2, training=Training(learning_rate=3e-3, max_epochs=500, patience=3))
    seen = []
    original = callbacks.BestOfEachMember.on_validation_end

    def look(callback, trainer, module):
        original(callback, trainer, module)
        seen.append((module.validation_loss.clone(), callback.stopped.clone()))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(callbacks.BestOfEachMember, "on_validation_end", look)
        model.fit(data, tmp_path)
    losses = torch.stack([loss for loss, _ in seen])
    assert 3 < len(losses) < 500
    assert seen[-1][1].all()
    assert not seen[-2][1].all()
    ends = []
    for member in losses.T.tolist():
        best = 0
        for epoch, loss in enumerate(member):
            best = epoch if loss < member[best] else best
            if epoch - best >= 3:
                ends.append(epoch)
                break
    assert max(ends) == len(losses) - 1


def test_scores_of_each_epoch_are_logged_with_their_band(data, tmp_path, network):
    network(FAST | {"max_epochs": 2}, members=2).fit(data, tmp_path)
    logged = scalars(tmp_path)
    for part in ("train", "val"):
        for name in ("cBA_0", "cAIBN_0", "temp", "time", "global"):
            tag = f"{part}/r2/{name}"
            assert list(logged[tag]) == [0, 1], tag
            for step, value in logged[tag].items():
                assert logged[f"{tag}/low"][step] <= value <= logged[f"{tag}/high"][step]
    for tag in ("train/loss", "val/loss", "learning_rate"):
        assert list(logged[tag]) == [0, 1], tag
    assert not (tmp_path / "hparams.yaml").exists()


def test_logged_r2_is_that_of_the_members(data, tmp_path):
    from polyinv.evaluation.metrics import score

    model = MLP(**TINY, members=2, training=Training(max_epochs=1))
    model.fit(data, tmp_path)
    logged = scalars(tmp_path)
    each = [
        score(data.val.y, predicted).set_index(["target", "metric"])["value"]
        for predicted in model.predict_members(data.val.x)
    ]
    expected = sum(values["temp", "r2"] for values in each) / 2
    assert logged["val/r2/temp"][0] == pytest.approx(expected, rel=1e-4)
    spread = abs(each[0]["temp", "r2"] - each[1]["temp", "r2"]) / 2**0.5
    assert logged["val/r2/temp/high"][0] - logged["val/r2/temp"][0] == pytest.approx(spread, rel=1e-3)


@pytest.mark.parametrize("schedule", ["constant", "cosine", "plateau"])
def test_a_killed_training_ends_where_the_uninterrupted_one_does(data, tmp_path, monkeypatch, schedule):
    monkeypatch.setattr(callbacks, "SECONDS_BETWEEN_CHECKPOINTS", 0.0)
    training = Training(learning_rate=1e-2, max_epochs=12, patience=12, schedule=schedule, plateau=2)
    options = {**TINY, "members": 2, "training": training}
    whole = MLP(**options)
    whole.fit(data, tmp_path / "whole")

    class Killed(Exception):
        pass

    def die_in_epoch_7(module, block, at):
        if module.current_epoch == 7:
            raise Killed
        return original(module, block, at)

    original = RecipeModule.training_step
    with monkeypatch.context() as patch, pytest.raises(Killed):
        patch.setattr(RecipeModule, "training_step", die_in_epoch_7)
        MLP(**options).fit(data, tmp_path / "killed")
    assert (tmp_path / "killed" / CHECKPOINTS / "last.ckpt").is_file()
    resumed, epochs = MLP(**options), []
    start = RecipeModule.on_train_epoch_start
    monkeypatch.setattr(
        RecipeModule, "on_train_epoch_start", lambda module: epochs.append(module.current_epoch) or start(module)
    )
    resumed.fit(data, tmp_path / "killed")
    assert epochs == [7, 8, 9, 10, 11]
    assert torch.equal(resumed.predict_members(data.test.x), whole.predict_members(data.test.x))


def test_a_damaged_checkpoint_is_started_over(data, tmp_path, caplog):
    options = {**TINY, "training": Training(max_epochs=2)}
    whole = MLP(**options)
    whole.fit(data)
    (tmp_path / CHECKPOINTS).mkdir()
    (tmp_path / CHECKPOINTS / "last.ckpt").write_bytes(b"half a checkpoint")
    again = MLP(**options)
    again.fit(data, tmp_path)
    assert "is damaged; the training starts over" in caplog.text
    assert torch.equal(again.predict(data.test.x), whole.predict(data.test.x))


@pytest.fixture
def checkpoint(data, tmp_path, monkeypatch):
    """Checkpoint of the first epoch of two."""
    monkeypatch.setattr("polyinv.models.callbacks.SECONDS_BETWEEN_CHECKPOINTS", 0.0)
    MLP(**TINY, training=Training(max_epochs=1)).fit(data, tmp_path)
    return tmp_path / CHECKPOINTS / "last.ckpt"


@pytest.mark.parametrize("part", ["optimizer_states", "loops", "callbacks"])
def test_a_checkpoint_without_a_part_is_started_over(data, tmp_path, checkpoint, caplog, part):
    """Without the loops, the first epoch would be trained again, on weights that have had it."""
    kept = torch.load(checkpoint, weights_only=True)
    del kept[part]
    torch.save(kept, checkpoint)
    again, whole = (MLP(**TINY, training=Training(max_epochs=2)) for _ in range(2))
    again.fit(data, tmp_path)
    whole.fit(data)
    assert "is damaged; the training starts over" in caplog.text
    assert torch.equal(again.predict(data.test.x), whole.predict(data.test.x))


@pytest.mark.parametrize("part", ["weight", "moment"])
def test_a_checkpoint_that_cannot_be_gone_on_from_is_refused_and_stays(data, tmp_path, checkpoint, part):
    kept = torch.load(checkpoint, weights_only=True)
    if part == "weight":
        kept["state_dict"].popitem()
    else:
        kept["optimizer_states"][0]["state"][0]["exp_avg"] = torch.ones(7)
    torch.save(kept, checkpoint)
    with pytest.raises(InputError, match=r"last\.ckpt cannot be gone on from .*; remove it to start over"):
        MLP(**TINY, training=Training(max_epochs=2)).fit(data, tmp_path)
    assert checkpoint.is_file()


def test_fine_tuning_goes_on_from_a_saved_model(data, small, tmp_path):
    model = MLP(**TINY, members=2, transform="root_log", training=Training(**FAST))
    model.fit(data)
    model.save(tmp_path / "model")
    other = RecipeDataModule.from_table(small, "composite", split_rows(small, "by_recipe", 3))
    tuned = MLP(**model.options | {"training": Training(learning_rate=1e-9, max_epochs=1)})
    tuned.start_from(tmp_path / "model")
    tuned.fit(other)
    assert torch.equal(tuned._module.scaling.x.mean, model._module.scaling.x.mean)  # its scaling, not a new one
    torch.testing.assert_close(tuned.predict(data.test.x), model.predict(data.test.x), rtol=1e-4, atol=1e-6)
    farther = MLP(**model.options | {"training": Training(max_epochs=20)})
    farther.start_from(tmp_path / "model")
    farther.fit(data)
    once = farther.predict(data.test.x)
    farther.fit(data)  # from the saved model again
    assert torch.equal(farther.predict(data.test.x), once)
    before, after = (standard_error(each, data.val, data).square().mean() for each in (model, farther))
    assert after < before


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"hidden": (32, 8)}, r"has model\.hidden \(32, 16\), not \(32, 8\)"),
        ({"members": 3}, r"has model\.members 2, not 3"),
        ({"training": Training(loss="nll")}, "was trained with loss mse"),
    ],
)
def test_fine_tuning_another_architecture_is_refused(data, tmp_path, options, said):
    model = MLP(**TINY, members=2, training=Training(max_epochs=1))
    model.fit(data)
    model.save(tmp_path / "model")
    with pytest.raises(InputError, match=said):
        MLP(**model.options | options).start_from(tmp_path / "model")


def test_training_does_not_touch_the_global_state(data):
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    MLP(**TINY, training=Training(max_epochs=1, deterministic=True)).fit(data)
    assert torch.equal(torch.rand(3), expected)
    assert not torch.are_deterministic_algorithms_enabled()


def test_weights_of_a_saved_model_are_read_without_pickle(data, tmp_path, network):
    model = network(FAST | {"max_epochs": 1})
    model.fit(data)
    model.save(tmp_path / "model")
    state = torch.load(tmp_path / "model" / "weights.pt", weights_only=True)
    assert {"scaling.x.mean", "scaling.y.std"} <= set(state)


def test_only_the_gradient_that_is_too_long_is_clipped():
    module = RecipeModule(members=2, network_options={"hidden": (8,), "dropout": (0.0,)})
    scale = torch.tensor([0.01, 100.0])
    for parameter in module.parameters():
        parameter.grad = torch.ones_like(parameter) * scale.view(-1, *[1] * (parameter.ndim - 1))
    before = [parameter.grad.clone() for parameter in module.parameters()]
    clip_members(module.parameters(), 1.0)
    gradients = [parameter.grad for parameter in module.parameters()]
    assert all(torch.equal(new[0], old[0]) for new, old in zip(gradients, before, strict=True))
    norm = sum(gradient[1].square().sum() for gradient in gradients).sqrt()
    assert norm.item() == pytest.approx(1.0, rel=1e-5)


def test_the_cosine_rises_and_falls_to_nothing():
    rates = [cosine(1000)(step) for step in range(1000)]
    assert rates.index(max(rates)) in (49, 50)
    assert max(rates) == pytest.approx(1.0, abs=1e-6)
    assert rates[-1] < 1e-4
    assert rates[0] == pytest.approx(1 / 50)


def test_mixed_precision_learns_the_same(data):
    whole, mixed = (MLP(**TINY, training=Training(**FAST, precision=precision)) for precision in ("32", "bf16-mixed"))
    whole.fit(data)
    mixed.fit(data)
    errors = [standard_error(each, data.val, data).square().mean() for each in (whole, mixed)]
    torch.testing.assert_close(errors[1], errors[0], rtol=0.1, atol=0)


def test_rows_are_scaled_where_they_are_whatever_device_the_module_goes_to(data, network, monkeypatch):
    def fit(trainer, module, data, resumed):
        assert data.scaling is not module.scaling
        assert data.scaling.state_dict().keys() == module.scaling.state_dict().keys()
        module.scaling.to("meta")  # as it goes to a GPU
        assert all(part.device.type == "cpu" for part in data.scaled(data.val))
        raise RuntimeError("seen")

    monkeypatch.setattr("polyinv.models.training._fit", fit)
    with pytest.raises(RuntimeError, match="seen"):
        network(FAST).fit(data)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize("fresh", [False, True])
def test_a_posterior_is_trained_on_a_gpu(fresh):
    simulated = {"rows": 512, "epoch": 1024, "validation": 64, "known_exactly": 0.5, "exported": 0.3, "fresh": fresh}
    data = RecipeDataModule("conditional+errors+chains", source="simulated", simulated=simulated)
    model = Posterior(hidden=(32,), training=Training(accelerator="gpu", loss="density", batch_size=128, max_epochs=2))
    model.fit(data)
    assert model.posterior_of(data.test.x[:4]).sample((3,)).isfinite().all()


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_cpu_and_gpu_agree(data, network):
    on_cpu, on_gpu = (network(FAST | {"accelerator": where, "max_epochs": 2}, members=2) for where in ("cpu", "gpu"))
    on_cpu.fit(data)
    on_gpu.fit(data)
    torch.testing.assert_close(on_gpu.predict(data.test.x), on_cpu.predict(data.test.x), rtol=1e-2, atol=1e-3)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"hidden": (8,), "dropout": (0.1, 0.2)}, r"model\.dropout has 2 rates for 1 hidden layers"),
        ({"dropout": (0.2, 0.1, 1.5)}, r"model\.dropout is 1\.5; needs"),
        ({"hidden": (8, 0, 8)}, r"model\.hidden is 0; needs 1 to 100000"),
        ({"seed": 2**32 - 2, "members": 4}, r"model\.seed is 4294967294; with 4 members it needs 4294967292 or less"),
        ({"members": 0}, r"model\.members is 0; needs 1 to 1000"),
        ({"seed": -1}, r"model\.seed is -1; needs 0 to"),
        ({"activation": "step"}, "no activation 'step'; known: relu, silu"),
        ({"transform": "logs"}, "no transform 'logs'; known: moments, plain, root_log"),
        ({"training": {"max_epochs": 0}}, r"model\.training\.max_epochs is 0; needs 1 to 10000000"),
        ({"training": {"batch_size": 0}}, r"model\.training\.batch_size is 0; needs 1 to 10000000"),
        ({"training": {"patience": -1}}, r"model\.training\.patience is -1; needs 1 to 10000000"),
        ({"training": {"learning_rate": 0.0}}, r"model\.training\.learning_rate is 0\.0; needs"),
        ({"training": {"clip": -1.0}}, r"model\.training\.clip is -1\.0; needs"),
        ({"training": {"loss_weights": (1.0, 1.0, -1.0, 1.0)}}, r"model\.training\.loss_weights is -1\.0; needs"),
        ({"training": {"loss_weights": (0.0, 0.0, 0.0, 0.0)}}, r"model\.training\.loss_weights are all zero"),
        ({"training": {"accelerator": "abacus"}}, "no accelerator 'abacus'; known: auto, cpu, gpu"),
        ({"training": {"schedule": "warm"}}, "no schedule 'warm'; known: constant, cosine, plateau"),
        ({"training": {"loss": "l1"}}, "no loss 'l1'; known: beta_nll, density, huber, mse, nll"),
        ({"training": {"precision": "8"}}, "no precision '8'; known: 16-mixed, 32, bf16-mixed"),
    ],
)
def test_options_that_cannot_work_are_refused(options, said):
    with pytest.raises(InputError, match=said):
        MLP(**options)


def test_a_curve_network_without_curve_or_convolutions_is_refused():
    with pytest.raises(InputError, match=r"model\.kernel is 4; needs an odd number"):
        CurveCNN(kernel=4)
    with pytest.raises(InputError, match=r"model\.channels is empty"):
        CurveCNN(channels=())


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA device")
def test_a_gpu_that_is_not_there_is_refused(data):
    with pytest.raises(InputError, match="accelerator is gpu, but torch finds no CUDA device"):
        MLP(training=Training(accelerator="gpu")).fit(data)


def test_a_loss_that_is_not_finite_stops_the_training(data):
    model = MLP(hidden=(8,), dropout=(0.0,), members=2, training=Training(learning_rate=1e30, max_epochs=20))
    with pytest.raises(InputError, match=r"the validation loss of member \d is (nan|inf) in epoch \d+, not finite"):
        model.fit(data)
    assert math.isfinite(data.train.x.sum())


def test_one_row_is_refused(data):
    one = Rows(data.train.x[:1], data.train.y[:1])
    with pytest.raises(InputError, match="none of the 103 features varies over the 1 training rows"):
        MLP(**TINY, training=Training(batch_size=1)).fit(
            RecipeDataModule.from_rows("composite", one, data.val, data.test)
        )
    with pytest.raises(InputError, match="a single validation row has no R²"):
        MLP(**TINY).fit(RecipeDataModule.from_rows("composite", data.train, one, data.test))


def test_the_ensemble_says_how_far_its_members_spread(data):
    model = MLP(**TINY, members=3, training=Training(max_epochs=2))
    model.fit(data)
    members = model.predict_members(data.test.x)
    torch.testing.assert_close(model.spread(data.test.x), members.std(0, correction=0))
    likely = MLP(**TINY, members=3, training=Training(max_epochs=2, loss="nll"))
    likely.fit(data)
    between = likely.predict_members(data.test.x).std(0, correction=0)
    assert (likely.spread(data.test.x) > between).all()
    assert isinstance(likely._module, ScaledNetwork)


def test_a_network_with_dropout_of_pytorch_ends_the_same_when_resumed(data, tmp_path, monkeypatch):
    build = lambda inputs, outputs: nn.Sequential(nn.Linear(inputs, 16), nn.Dropout(0.3), nn.Linear(16, outputs))  # noqa: E731
    monkeypatch.setitem(networks.NETWORKS, "dropped", build)
    monkeypatch.setattr(callbacks, "SECONDS_BETWEEN_CHECKPOINTS", 0.0)
    options = {"network": "dropped", "members": 2, "training": Training(max_epochs=6, patience=6)}
    whole, resumed = Network(**options), Network(**options)
    whole.fit(data)
    original = RecipeModule.training_step

    def interrupted(module, batch, at):
        if module.current_epoch == 3:
            raise InterruptedError
        return original(module, batch, at)

    with monkeypatch.context() as patch, pytest.raises(InterruptedError):
        patch.setattr(RecipeModule, "training_step", interrupted)
        Network(**options).fit(data, tmp_path)
    torch.rand(5)  # a new process has other random numbers
    resumed.fit(data, tmp_path)
    assert torch.equal(resumed.predict_members(data.test.x), whole.predict_members(data.test.x))


@pytest.mark.parametrize("options", [{"limit_val_batches": 0}, {"check_val_every_n_epoch": 9}])
def test_a_training_that_validates_nothing_is_refused(data, options):
    model = MLP(**TINY, training=Training(max_epochs=2))
    model.trainer = options
    with pytest.raises(InputError, match="no epoch was validated"):
        model.fit(data)


@pytest.mark.parametrize(
    ("options", "steps_per_call"),
    [({"val_check_interval": 500}, 1), ({"limit_train_batches": 0.001}, 1), ({"accumulate_grad_batches": 2}, 2)],
)
def test_what_lightning_refuses_in_fit_is_a_line(data, options, steps_per_call):
    model = MLP(**TINY, training=Training(max_epochs=2, steps_per_call=steps_per_call))
    model.trainer = options
    with pytest.raises(InputError, match="Lightning refuses the options of trainer"):
        model.fit(data)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"class_path": "tensorboard", "init_args": {"foo": 1}}, "tensorboard refuses its arguments: .*'foo'"),
        ({"class_path": "csv", "init_args": [1]}, r"init_args of the logger csv are \[1\]; needs names with values"),
    ],
)
def test_arguments_that_no_logger_takes_are_refused(given, said, tmp_path):
    with pytest.raises(InputError, match=said):
        logger_of(given, tmp_path)


def test_arguments_of_tensorboard_go_to_it(tmp_path):
    assert logger_of({"class_path": "tensorboard", "init_args": {"name": "own"}}, tmp_path).name == "own"
