"""A model that somebody else puts into ``MODELS`` works in every command, with nothing but the interface."""

import numpy as np
import pandas as pd
import pytest
import torch
import yaml

from polyinv.cli import main
from polyinv.data.bundled import load_bundled
from polyinv.data.workbook import write_table
from polyinv.models import MODELS, InverseModel


class Ridge(InverseModel):
    """Linear regression with a penalty on standardized inputs.

    Args:
        alpha: Of the penalty.
    """

    name = "ridge"

    def __init__(self, *, alpha: float = 1.0) -> None:
        self.alpha = alpha

    def fit(self, data, folder=None):
        self.columns, rows = data.columns, data.training_and_validation()
        self.center, self.scale = rows.x.mean(0), rows.x.std(0) + 1e-12
        x, self.offset = self._standardized(rows.x), rows.y.mean(0)
        self.weights = torch.linalg.solve(x.T @ x + self.alpha * torch.eye(x.shape[1]), x.T @ (rows.y - self.offset))

    def predict_members(self, x):
        return (self._standardized(self._checked(x)) @ self.weights + self.offset)[None]

    def _standardized(self, x):
        return (x.double() - self.center) / self.scale

    def _save(self, folder):
        np.savez(folder / "ridge.npz", **{name: getattr(self, name).numpy() for name in self._kept})

    def _load(self, folder):
        with np.load(folder / "ridge.npz") as kept:
            vars(self).update({name: torch.from_numpy(kept[name]) for name in self._kept})

    _kept = ("center", "scale", "offset", "weights")


@pytest.fixture(autouse=True)
def _registered(monkeypatch):
    monkeypatch.setitem(MODELS, "ridge", Ridge)


@pytest.fixture
def table(small, tmp_path):
    write_table(small, tmp_path / "table.npz")
    return tmp_path / "table.npz"


@pytest.fixture
def trained(table, tmp_path):
    options = ["--model.name", "ridge", "--model.alpha", "0.1", "--data.path", str(table)]
    assert main(["train", *options, "--output", str(tmp_path / "run")]) == 0
    return tmp_path / "run"


def test_it_is_trained_evaluated_and_asked(trained, tmp_path, capsys):
    scores = pd.read_csv(trained / "scores.csv").set_index(["subset", "target", "metric"])["value"]
    assert scores["test", "cBA_0", "r2"] > 0.5
    assert yaml.safe_load((trained / "config.yaml").read_text())["model"] == {"name": "ridge", "alpha": 0.1}
    write_table(load_bundled("off_grid").head(40), tmp_path / "few.csv")
    few = ["--data", str(tmp_path / "few.csv")]
    assert main(["evaluate", str(trained), *few, "--output", str(tmp_path / "report")]) == 0
    assert "ridge from composite" in (tmp_path / "report" / "report.html").read_text()
    answers = tmp_path / "answers.csv"
    assert main(["predict", str(trained), str(tmp_path / "few.csv"), "--out", str(answers)]) == 0
    assert len(pd.read_csv(answers)) == 40
    capsys.readouterr()


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--features", "conditional"], "a ridge needs every input; the features 'conditional' go with mlp, cnn"),
        (["--init", "{run}/model"], "a ridge cannot go on learning"),
        (["--model.name", "ridge", "--model.beta", "2"], "nearest: "),
    ],
)
def test_what_it_does_not_say_it_can_is_refused(trained, tmp_path, capsys, options, said):
    arguments = ["--model.name", "ridge", "--data.path", str(tmp_path / "table.npz"), "--output", str(tmp_path / "b")]
    assert main(["train", *arguments, *(option.format(run=trained) for option in options)]) == 2
    assert said in capsys.readouterr().err
    assert not (tmp_path / "b").exists()


@pytest.fixture
def study(table, tmp_path):
    base = {"model": {"name": "ridge"}, "data": {"path": str(table)}}
    (tmp_path / "base.yaml").write_text(yaml.safe_dump(base))
    network = {"model.name": "mlp", "model.training.max_epochs": 1}
    axes = {"model": {"stiff": {"model.alpha": 100.0}, "soft": {}, "MLP": network}}
    content = {"base": "base.yaml", "axes": axes, "seeds": [1, 3], "members": 2, "also_seeded": ["model.seed"]}
    (tmp_path / "study.yaml").write_text(yaml.safe_dump(content, sort_keys=False))
    return tmp_path / "study.yaml"


@pytest.mark.usefixtures("here")  # other processes import a file of one's own: tests/experiment/test_trainer.py
def test_it_takes_part_in_a_study(study, tmp_path, capsys):
    out = tmp_path / "out"
    assert main(["ablate", str(study), "--output", str(out), "--dry-run"]) == 0
    assert capsys.readouterr().out.count("not known") == 2  # nobody knows how long a stranger takes
    assert main(["ablate", str(study), "--output", str(out), "--workers", "1"]) == 0
    table = pd.read_csv(out / "table.csv", dtype={"member": str})
    assert table.groupby(["axis.model", "seed"]).ngroups == 6
    assert set(table.loc[table["axis.model"] == "soft", "member"]) == {"all"}
    config = yaml.safe_load((out / "cells" / "soft-3" / "config.yaml").read_text())
    assert config["model"] == {"name": "ridge", "alpha": 1.0}  # neither members nor threads nor a seed
    assert yaml.safe_load((out / "cells" / "MLP-3" / "config.yaml").read_text())["model"]["members"] == 2
    assert "| soft" in (out / "summary.md").read_text()


def test_a_seed_that_no_model_has_is_refused(study, capsys):
    content = yaml.safe_load(study.read_text())
    study.write_text(yaml.safe_dump(content | {"axes": {"model.alpha": [1.0, 2.0]}}))
    assert main(["ablate", str(study), "--dry-run"]) == 2
    assert "also_seeded has model.seed, which decides nothing: no model has a seed" in capsys.readouterr().err
