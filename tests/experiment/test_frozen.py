"""A run folder that polyinv 0.1.0 wrote, of what was then called the feature set ``partial``."""

import re
import shutil
from pathlib import Path

import pandas as pd
import pytest
import torch

import polyinv
from polyinv.cli import main
from polyinv.data.bundled import load_bundled
from polyinv.data.workbook import checksum
from polyinv.experiment.run_folder import SCORES

FROZEN = Path(__file__).parents[1] / "data" / "frozen" / "run"
ANSWERS = [[1.14351, 0.01202372, 1759.408], [1.785027, 0.01144942, 1949.357], [2.36506, 0.01025247, 2184.154]]
"""What 0.1.0 answered for the first three bundled off-grid rows when it was given all but these three columns."""


@pytest.fixture
def run(tmp_path):
    return Path(shutil.copytree(FROZEN, tmp_path / "run"))


def test_its_model_answers_the_same():
    asked = ["cBA_0", "cAIBN_0", "time"]
    answers = polyinv.load(FROZEN).predict(pd.read_csv(FROZEN.parent / "rows.csv").drop(columns=asked))
    assert answers[asked].to_numpy() == pytest.approx(pd.DataFrame(ANSWERS).to_numpy(), rel=1e-5)
    assert answers["verdict"].tolist() == answers["applicability"].tolist()  # the old name stays for a release


def test_it_is_finished_and_read_as_such(run, capsys):
    config = ["--model.name", "mlp", "--model.hidden", "[8]", "--model.dropout", "[0.0]", "--model.members", "2"]
    config += ["--model.training.max_epochs", "3", "--model.training.batch_size", "256"]
    before = (run / SCORES).read_bytes()
    for features in ("partial", "conditional"):
        assert main(["train", "--output", str(run), "--resume", "--features", features, *config]) == 0
    assert (run / SCORES).read_bytes() == before
    assert main(["train", "--output", str(run), "--resume", "--features", "mmd", *config]) == 2
    assert "was made with features conditional, not mmd" in capsys.readouterr().err


def test_it_is_evaluated(run, tmp_path):
    few = load_bundled("off_grid").head(20)
    few.to_csv(tmp_path / "few.csv", index=False)
    command = ["evaluate", str(run), "--data", str(tmp_path / "few.csv"), "--given", "mmd+temp"]
    assert main([*command, "--output", str(tmp_path / "report")]) == 0
    assert "R² by epoch" in (tmp_path / "report" / "report.html").read_text(encoding="utf-8")  # its events are read


def test_an_unfinished_one_of_its_data_set_is_not_gone_on_with(run, capsys):
    (run / SCORES).unlink()
    config = ["--model.name", "mlp", "--model.hidden", "[8]", "--model.dropout", "[0.0]", "--model.members", "2"]
    config += ["--model.training.max_epochs", "3", "--model.training.batch_size", "256", "--features", "conditional"]
    assert main(["train", "--output", str(run), "--resume", *config]) == 2
    assert "was made of the bundled data set of polyinv 0.1.0" in capsys.readouterr().err


@pytest.mark.parametrize("version", ["0.1.0", polyinv.__version__])
def test_what_is_unfinished_is_of_its_version_or_starts_over_with_a_word(run, caplog, capsys, version):
    written = (run / "config.yaml").read_text(encoding="utf-8")
    of_today = re.sub("sha256: .*", f"sha256: {checksum(load_bundled('grid'))}", written)
    (run / "config.yaml").write_text(re.sub("polyinv: .*", f"polyinv: {version}", of_today), encoding="utf-8")
    shutil.rmtree(run / "model")
    (run / SCORES).unlink()
    (run / "checkpoints").mkdir()
    torch.save({"state_dict": {"pace": torch.ones(2)}, "epoch": 1}, run / "checkpoints" / "last.ckpt")
    config = ["--model.name", "mlp", "--model.hidden", "[8]", "--model.dropout", "[0.0]", "--model.members", "2"]
    config += ["--model.training.max_epochs", "3", "--model.training.batch_size", "256", "--features", "conditional"]
    before = sorted(run.rglob("*"))
    assert main(["train", "--output", str(run), "--resume", *config]) == (2 if version == "0.1.0" else 0)
    if version == "0.1.0":
        assert "was begun by polyinv 0.1.0, not" in capsys.readouterr().err
        assert sorted(run.rglob("*")) == before
        return
    assert "was written by another version of polyinv; the training starts over" in caplog.text
