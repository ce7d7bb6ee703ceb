"""What a Lightning user does with the DataModule, and with the module, as with any other."""

import lightning.pytorch as L
import numpy as np
import pandas as pd
import pytest
import torch
import torchmetrics
from lightning.pytorch.callbacks import EarlyStopping, LearningRateFinder, LearningRateMonitor, ModelCheckpoint
from lightning.pytorch.loggers import CSVLogger, TensorBoardLogger
from torch import nn

from polyinv.chemistry.butyl_acrylate import TARGETS
from polyinv.data.datamodule import RecipeDataModule
from polyinv.errors import InputError
from polyinv.models import MLP, RandomForest
from polyinv.models.module import RecipeModule
from polyinv.models.networks import NETWORKS, Stacked, built
from polyinv.models.options import Training

SIMULATED = {"rows": 200, "epoch": 640, "validation": 64}
SMALL = {"hidden": [16], "dropout": [0.1]}

pytestmark = [
    # Raised by Lightning itself: a small table, and one machine.
    pytest.mark.filterwarnings("ignore:The number of training batches"),
    pytest.mark.filterwarnings("ignore:.*LeafSpec.*"),
    pytest.mark.filterwarnings("ignore:You requested to overfit"),
    pytest.mark.filterwarnings("ignore:Checkpoint directory"),
]


class Own(L.LightningModule):
    """A stranger's module, with layers and metrics that care for shapes."""

    def __init__(self, width: int = 103, lr: float = 1e-3):
        super().__init__()
        self.save_hyperparameters()
        self.conv = nn.Sequential(nn.Conv1d(1, 4, 5, padding=2), nn.BatchNorm1d(4), nn.ReLU(), nn.Flatten())
        self.head = nn.Linear(4 * width, 4)
        self.r2 = torchmetrics.R2Score(multioutput="raw_values")
        self.sums = []

    def forward(self, x):
        return self.head(self.conv(x[:, None]))

    def training_step(self, batch, index):
        x, z = batch
        if index == 0:
            self.sums.append(x.sum().item())
        loss = nn.functional.mse_loss(self(x), z)
        self.log("train/loss", loss)
        return loss

    def validation_step(self, batch, index):
        x, z = batch
        self.log("val/loss", nn.functional.mse_loss(self(x), z))

    def test_step(self, batch, index):
        x, z = batch
        self.r2.update(self(x), z)
        self.log("test/loss", nn.functional.mse_loss(self(x), z))

    def on_test_epoch_end(self):
        self.log("test/r2", self.r2.compute().mean())

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters(), self.hparams.lr)


@pytest.fixture
def trainer(tmp_path):
    """Makes a stranger's Trainer."""

    def make(**options):
        usual = {"max_epochs": 3, "accelerator": "cpu", "default_root_dir": tmp_path, "logger": False}
        quiet = {"enable_progress_bar": False, "enable_model_summary": False, "enable_checkpointing": False}
        if any(isinstance(callback, ModelCheckpoint) for callback in options.get("callbacks", [])):
            quiet.pop("enable_checkpointing")
        return L.Trainer(**usual | quiet | options)

    return make


@pytest.fixture
def table(small):
    return lambda **options: RecipeDataModule("composite", batch_size=64, table=small, **options)


@pytest.fixture
def simulated(monkeypatch):
    monkeypatch.setattr("polyinv.data.bank.BLOCK", 128)
    return lambda **options: RecipeDataModule(
        "composite", batch_size=64, source="simulated", simulated=SIMULATED, **options
    )


@pytest.fixture(params=["table", "simulated"])
def data(request):
    return request.getfixturevalue(request.param)


def module(**options):
    return RecipeModule(network_options=SMALL, **{"training": {"learning_rate": 3e-3}} | options)


def test_a_strangers_module_fits_and_tests_on_it(data, trainer):
    own, its = Own(), trainer()
    its.fit(own, datamodule=data())
    scores = its.test(own, datamodule=data(), verbose=False)[0]
    assert scores["test/loss"] < 5
    assert scores["test/r2"] < 1
    assert its.global_step == 3 * len(data().train_dataloader())


def test_every_epoch_is_another_one_and_the_seed_repeats_them(data, trainer):
    def sums(**options):
        own = Own()
        trainer().fit(own, datamodule=data(**options))
        return own.sums

    first = sums()
    assert len(set(first)) == 3
    assert sums() == first
    assert sums(batch_seed=7)[0] != first[0]


def test_a_plain_loop_sees_other_passes_too(data):
    loader = data().train_dataloader()
    passes = [torch.cat([z for _, z in loader]) for _ in range(3)]
    assert not torch.equal(passes[0], passes[1])
    again = data().train_dataloader()
    assert all(torch.equal(torch.cat([z for _, z in again]), one) for one in passes)


def test_a_resumed_epoch_is_the_one_that_was_to_come(table, trainer, tmp_path):
    whole, part, rest = Own(), Own(), Own()
    trainer().fit(whole, datamodule=table())
    its = trainer(max_epochs=2)
    its.fit(part, datamodule=table())
    its.save_checkpoint(tmp_path / "part.ckpt")
    trainer().fit(rest, datamodule=table(), ckpt_path=tmp_path / "part.ckpt")
    assert part.sums + rest.sums == whole.sums


def test_predict_serves_observations_in_their_order(table, trainer):
    own, data = Own(), table()
    its = trainer(max_epochs=1)
    its.fit(own, datamodule=data)
    predicted = torch.cat(its.predict(own, datamodule=data))
    own.eval()
    torch.testing.assert_close(predicted, own(data.scaling(data.test.x)).detach())


def test_options_are_kept_and_setup_reads(small, tmp_path):
    data = RecipeDataModule("mmd", split="random_rows", seed=7, batch_size=16, table=small, members=2)
    assert data.hparams["features"] == "mmd"
    assert (data.hparams["split"], data.hparams["seed"], data.hparams["members"]) == ("random_rows", 7, 2)
    data.prepare_data()
    for stage in ("fit", "validate", "test", "predict"):
        data.setup(stage)
    assert len(data.train) + len(data.val) + len(data.test) == len(small)
    x, z = next(iter(data.train_dataloader()))
    assert (x.shape, z.shape, x.dtype) == ((2, 16, 100), (2, 16, 4), torch.float32)
    assert next(iter(data.predict_dataloader())).shape == (len(data.test), 100)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"features": "mdm"}, "no feature set 'mdm'"),
        ({"split": "by_recepie"}, "no split 'by_recepie'"),
        ({"source": "tabel"}, "no data source 'tabel'"),
        ({"batch_size": 0}, "batch_size is 0; needs 1 or more"),
        ({"members": 0}, "members is 0; needs 1 or more"),
        ({"transform": "log"}, "no transform 'log'"),
        ({"source": "simulated", "simulated": {"row": 3}}, "SimulatedConfig has no option 'row'; known: rows"),
        (
            {"patterns": {"mmd": 1}},
            r"patterns go with the features conditional or conditional\+errors or conditional\+errors\+chains, not",
        ),
    ],
)
def test_options_that_cannot_be_are_refused_at_once(options, said):
    with pytest.raises(InputError, match=said):
        RecipeDataModule(**options)


@pytest.mark.parametrize("members", [None, 3])
def test_the_module_trains_under_a_plain_trainer(data, trainer, members):
    its, own = trainer(max_epochs=8), module(members=members)
    its.fit(own, datamodule=data(members=members))
    assert its.callback_metrics["val/loss"] < 1
    assert its.global_step == 8 * len(data().train_dataloader())
    assert {f"{part}/r2/{name}" for part in ("train", "val") for name in (*TARGETS, "global")} <= set(
        its.callback_metrics
    )
    assert ("val/r2/temp/low" in its.callback_metrics) == (members is not None)


def test_forests_and_networks_of_polyinv_learn_from_the_same_data(table):
    data = table()
    for model in (
        RandomForest(n_estimators=3, jobs=1),
        MLP(hidden=(8,), dropout=(0.0,), training=Training(max_epochs=1)),
    ):
        model.fit(data)
        assert model.predict(data.test.x).shape == data.test.y.shape
        model.fit(RecipeDataModule.from_rows("composite", data.train, data.val, data.test))


def test_a_model_that_has_learned_nothing_says_so(table):
    for model in (MLP(), RandomForest()):
        with pytest.raises(InputError, match=f"this {model.name} has learned nothing yet"):
            model.predict(table().test.x)


def test_a_learning_rate_is_found(small, trainer):
    finder, own = LearningRateFinder(num_training_steps=40), module()
    data = RecipeDataModule("composite", batch_size=4, table=small)
    trainer(max_epochs=1, callbacks=[finder], enable_checkpointing=True).fit(own, datamodule=data)
    assert own.learning_rate == pytest.approx(finder.optimal_lr.suggestion())


def test_answers_without_a_scaling_are_told(table, trainer, caplog):
    own, data = module(), table()
    loaders = data.train_dataloader(), data.val_dataloader()
    its = trainer(max_epochs=1)
    its.fit(own, *loaders)
    its.predict(own, data.predict_dataloader())
    assert "the module knows no scaling; it predicts standardized recipes" in caplog.text


def test_early_stopping_stops_it(table, trainer):
    its = trainer(max_epochs=50, callbacks=[EarlyStopping("val/loss", patience=1, min_delta=10.0)])
    its.fit(module(), datamodule=table())
    assert its.current_epoch == 2


def test_the_best_checkpoint_is_written_and_tested(table, trainer, tmp_path):
    checkpoint = ModelCheckpoint(tmp_path / "best", monitor="val/loss")
    its, own, data = trainer(callbacks=[checkpoint]), module(members=2), table(members=2)
    its.fit(own, datamodule=data)
    assert list((tmp_path / "best").glob("*.ckpt"))
    scores = its.test(datamodule=data, ckpt_path="best", verbose=False)[0]
    assert {"test/loss", "test/r2/cAIBN_0", "test/r2/global"} <= set(scores)
    loaded = RecipeModule.load_from_checkpoint(checkpoint.best_model_path)
    assert dict(loaded.hparams) == dict(own.hparams)
    assert torch.equal(loaded.scaling.y.mean, data.scaling.y.mean)
    x = data.scaling(data.test.x)
    expected = torch.load(checkpoint.best_model_path, weights_only=True)["state_dict"]["network.layers.0.weight"]
    assert torch.equal(loaded.network.layers[0].weight, expected)
    assert loaded.eval()(x).shape == (2, len(x), 4)


def test_two_loggers_both_get_the_score_of_each_target(table, trainer, tmp_path):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    loggers = [CSVLogger(tmp_path, "csv", ""), TensorBoardLogger(tmp_path, "board", "")]
    trainer(logger=loggers, log_every_n_steps=1, callbacks=[LearningRateMonitor()]).fit(module(), datamodule=table())
    columns = set(pd.read_csv(tmp_path / "csv" / "metrics.csv").columns)
    tags = set(EventAccumulator(str(tmp_path / "board")).Reload().Tags()["scalars"])
    wanted = {f"val/r2/{name}" for name in TARGETS} | {"train/loss", "val/loss"}
    assert wanted <= columns
    assert wanted <= tags


def test_forward_test_and_predict_answer(table, trainer):
    its, own, data = trainer(), module(), table()
    its.fit(own, datamodule=data)
    own.eval()
    x = data.scaling(data.test.x)
    assert own(x).shape == (len(x), 4)
    recipes = torch.cat(its.predict(own, datamodule=data))
    torch.testing.assert_close(recipes, data.scaling.y.inverse(own(x)).detach())  # physical units
    scores = its.test(own, datamodule=data, verbose=False)[0]
    left = (data.test.y - recipes).square().sum(0)
    r2 = 1 - left / (data.test.y - data.test.y.mean(0)).square().sum(0)
    assert [scores[f"test/r2/{name}"] for name in TARGETS] == pytest.approx(r2.tolist(), rel=1e-3)


@pytest.mark.parametrize("members", [None, 2])
def test_gradients_are_clipped_by_the_trainer(table, trainer, members):
    """AdamW's step does not depend on the length of a gradient: plain descent shows that it was shortened."""

    def moved(**options):
        own = module(members=members)
        own.configure_optimizers = lambda: torch.optim.SGD(own.parameters(), 1.0)
        before = [parameter.detach().clone() for parameter in own.network.parameters()]
        trainer(max_steps=1, max_epochs=1, **options).fit(own, datamodule=table(members=members))
        after = own.network.parameters()
        return sum((new - old).square().sum() for new, old in zip(after, before, strict=True)).sqrt().item()

    assert moved() > 0.2
    assert moved(gradient_clip_val=0.01) == pytest.approx(0.01 * (members or 1) ** 0.5, rel=1e-3)


@pytest.mark.parametrize("options", [{"fast_dev_run": True}, {"overfit_batches": 2}, {"precision": "bf16-mixed"}])
def test_usual_options_of_the_trainer_work(data, trainer, options):
    for own in (Own(), module()):
        trainer(**options).fit(own, datamodule=data())


def test_overfitting_serves_the_same_batches(table, trainer):
    own = Own()
    trainer(overfit_batches=2).fit(own, datamodule=table())
    assert len(own.sums) == 3
    assert len(set(own.sums)) == 1


def test_steps_by_the_block_change_nothing(table, trainer):
    found = {}
    for steps in (1, 4):
        own = module(
            members=2, steps_per_call=steps, training={"learning_rate": 3e-3, "schedule": "cosine", "clip": 1.0}
        )
        its = trainer()
        its.fit(own, datamodule=table(members=2, steps_per_call=steps))
        found[steps] = its.global_step, own.network.state_dict()
    assert found[1][0] == found[4][0] == 3 * len(table().train_dataloader())
    for name, value in found[1][1].items():
        assert torch.equal(value, found[4][1][name]), name


def test_blocks_are_refused_by_a_module_without_them(table, trainer):
    with pytest.raises(InputError, match="steps_per_call of the module is 1; the data module needs the same"):
        trainer().fit(module(), datamodule=table(steps_per_call=4))


def test_other_features_than_the_datas_are_refused(table, trainer):
    with pytest.raises(InputError, match="the data serve 103 features, the module takes 100"):
        trainer().fit(module(features="mmd"), datamodule=table())


def test_any_network_is_accepted(data, trainer):
    own = RecipeModule(
        nn.Sequential(nn.Linear(103, 16), nn.BatchNorm1d(16), nn.ReLU(), nn.Dropout(0.1), nn.Linear(16, 4))
    )
    its = trainer(max_epochs=5, gradient_clip_val=1.0)
    its.fit(own, datamodule=data())
    assert its.callback_metrics["val/loss"] < 1.5
    assert torch.cat(its.predict(own, datamodule=data())).shape[1] == 4


@pytest.mark.parametrize(
    ("network", "options", "said"),
    [
        (nn.Linear(103, 3), {}, r"the network gives \(2, 3\) for two observations \(2, 103\); needs \(2, 4\)"),
        (nn.Linear(100, 4), {}, r"the network cannot take observations \(2, 103\): RuntimeError"),
        (nn.Linear(103, 4), {"training": {"loss": "nll"}}, r"gives \(2, 4\).*needs \(2, 8\)"),
        (nn.Linear(103, 4), {"members": 3}, "members=3 needs as many networks side by side"),
        ("mpl", {}, "no network 'mpl'; known: cnn, mlp"),
    ],
)
def test_a_network_that_does_not_fit_is_refused_in_one_line(network, options, said):
    with pytest.raises(InputError, match=said) as refusal:
        RecipeModule(network, **options)
    assert "\n" not in str(refusal.value)


def test_members_of_any_network_are_what_they_are_alone(table, trainer, monkeypatch):
    monkeypatch.setitem(NETWORKS, "own", lambda g, k: nn.Sequential(nn.Linear(g, 8), nn.SiLU(), nn.Linear(8, k)))
    together = RecipeModule("own", members=3, seed=5)
    trainer(max_epochs=2).fit(together, datamodule=table(members=3, batch_seed=5))
    x = table().scaling(table().test.x)
    together.eval()
    for member in range(3):
        alone = RecipeModule("own", members=1, seed=5 + member)
        trainer(max_epochs=2).fit(alone, datamodule=table(members=1, batch_seed=5 + member))
        alone.eval()
        torch.testing.assert_close(together(x)[member], alone(x)[0], rtol=1e-3, atol=1e-4)


def test_batch_statistics_of_members_are_their_own():
    networks = [nn.Sequential(nn.Linear(3, 2), nn.BatchNorm1d(2), nn.Linear(2, 4)) for _ in range(2)]
    stacked = Stacked(networks).train()
    x = torch.randn(2, 50, 3) + torch.tensor([0.0, 10.0]).view(2, 1, 1)
    for member, network in enumerate(networks):
        network.train()(x[member])
    stacked(x)
    stacked.eval()
    expected = torch.stack([network.eval()(rows) for network, rows in zip(networks, x, strict=True)])
    torch.testing.assert_close(stacked(x), expected, rtol=1e-4, atol=1e-5)


def test_a_network_that_cannot_be_members_is_refused(monkeypatch):
    class Asks(nn.Module):
        def __init__(self, inputs, outputs):
            super().__init__()
            self.linear = nn.Linear(inputs, outputs)

        def forward(self, x):
            return self.linear(x) if x.sum() > -1e9 else x

    monkeypatch.setitem(NETWORKS, "asks", Asks)
    with pytest.raises(InputError, match="network 'asks' cannot be trained as members at once"):
        built("asks", RecipeModule().scaling, 4, (1, 2))


def test_layers_of_a_strangers_network_stay_in_training_mode(table, trainer, monkeypatch):
    """Lightning sets the mode after a validation without calling `train`."""
    calls = []

    class Watched(nn.Linear):
        def forward(self, x):
            calls.append(self.training)
            return super().forward(x)

    monkeypatch.setitem(NETWORKS, "watched", Watched)
    own = RecipeModule("watched", members=2)
    calls.clear()
    trainer(max_epochs=2, num_sanity_val_steps=0).fit(own, datamodule=table(members=2))
    steps = len(table().train_dataloader())
    assert calls == 2 * (steps * [True] + [False])


def test_frozen_and_shared_parameters_of_members_stay_so(table, trainer, monkeypatch):
    def build(inputs, outputs):
        network = nn.Sequential(nn.Linear(inputs, 8), nn.Linear(8, 8), nn.Linear(8, 8), nn.Linear(8, outputs))
        network[0].requires_grad_(False)
        network[2].weight = network[1].weight
        return network

    monkeypatch.setitem(NETWORKS, "tied", build)
    own = RecipeModule("tied", members=2)
    before = {name: value.clone() for name, value in own.network.named_parameters()}
    trainer().fit(own, datamodule=table(members=2))
    moved = {name for name, value in own.network.named_parameters() if not torch.equal(value, before[name])}
    assert moved == {"1-weight", "1-bias", "2-bias", "3-weight", "3-bias"}


def test_lazy_layers_start_from_the_seed(monkeypatch):
    monkeypatch.setitem(NETWORKS, "lazy", lambda inputs, outputs: nn.Sequential(nn.LazyLinear(outputs)))
    one, other = (built("lazy", RecipeModule().scaling, 4, (7,)).state_dict()["0-weight"] for _ in range(2))
    assert torch.equal(one, other)


@pytest.mark.parametrize(
    ("build", "said"),
    [
        (lambda inputs: nn.Linear(inputs, 4), "network 'own' cannot be built for 103 inputs: TypeError"),
        (lambda inputs, outputs: None, "network 'own' is a NoneType; needs a torch.nn.Module"),
        (lambda inputs, outputs: nn.LSTM(inputs, outputs), "the network gives a tuple for two observations"),
    ],
)
def test_a_function_that_builds_no_network_is_refused(build, said, monkeypatch):
    monkeypatch.setitem(NETWORKS, "own", build)
    with pytest.raises(InputError, match=said):
        RecipeModule("own")


def test_a_network_of_a_name_that_is_taken_is_refused(monkeypatch):
    monkeypatch.setitem(NETWORKS, "mlp", nn.Linear)
    with pytest.raises(InputError, match="the name of one of polyinv's own"):
        RecipeModule("mlp")


def test_a_network_without_parameters_is_refused(table, trainer):
    with pytest.raises(InputError, match="no parameters to train"):
        trainer().fit(RecipeModule(nn.Linear(103, 4).requires_grad_(False)), datamodule=table())


def test_a_network_may_call_its_parts_members(table, trainer):
    class Averaged(nn.Module):
        def __init__(self):
            super().__init__()
            self.members = nn.ModuleList(nn.Linear(103, 4) for _ in range(3))

        def forward(self, x):
            return torch.stack([member(x) for member in self.members]).mean(0)

    its = trainer(gradient_clip_val=1.0)
    its.fit(RecipeModule(Averaged()), datamodule=table())
    assert its.callback_metrics["val/loss"] < 2


@pytest.mark.parametrize("members", [None, 2])
def test_other_members_than_the_datas_are_refused(table, trainer, members):
    with pytest.raises(InputError, match=f"served for members=3, the module has members={members}"):
        trainer().fit(module(members=members), datamodule=table(members=3))


@pytest.mark.filterwarnings("ignore:You're resuming from a checkpoint", "ignore:Be aware that when using `ckpt_path`")
@pytest.mark.filterwarnings("ignore:Be aware that when using `ckpt_path`")
def test_a_training_resumes_from_the_checkpoint_of_any_validation(table, trainer, tmp_path):
    kept = ModelCheckpoint(tmp_path, "{step}", monitor="val/loss", save_top_k=-1)
    its = trainer(max_epochs=2, callbacks=[kept], val_check_interval=0.5)
    its.fit(module(), datamodule=table())
    for path in tmp_path.glob("*.ckpt"):
        resumed = trainer(max_epochs=2, val_check_interval=0.5)
        resumed.fit(module(), datamodule=table(), ckpt_path=path)
        assert resumed.global_step == its.global_step


@pytest.mark.parametrize("options", [{"max_epochs": 50, "max_steps": 8}, {"max_epochs": 4, "limit_train_batches": 1}])
def test_the_cosine_ends_with_the_training_by_the_block_too(table, trainer, options):
    own = module(steps_per_call=2, training={"schedule": "cosine"})
    its = trainer(**options)
    its.fit(own, datamodule=table(steps_per_call=2))
    assert its.global_step == 8
    assert own.optimizers().param_groups[0]["lr"] == pytest.approx(0, abs=1e-9)


def test_half_precision_that_rounds_the_scaling_is_refused(table, trainer):
    with pytest.raises(InputError, match="take 16-mixed or bf16-mixed"):
        trainer(precision="bf16-true").fit(module(), datamodule=table())


def test_paths_and_numbers_of_numpy_can_be_read_back(small, trainer, tmp_path):
    small.to_csv(tmp_path / "own.csv", index=False)
    data = RecipeDataModule(path=tmp_path / "own.csv", seed=np.int64(3), batch_size=np.int64(32))
    own = module(seed=np.int64(5), training={"learning_rate": np.float64(1e-3)})
    its = trainer()
    its.fit(own, datamodule=data)
    its.save_checkpoint(tmp_path / "own.ckpt")
    assert RecipeModule.load_from_checkpoint(tmp_path / "own.ckpt").seed == 5
    assert RecipeDataModule.load_from_checkpoint(tmp_path / "own.ckpt").batch_size == 32


def test_a_table_without_a_column_is_refused(small):
    with pytest.raises(InputError, match="the table has no column 'Mn'"):
        RecipeDataModule(table=small.drop(columns="Mn")).setup()
