"""What SECURITY.md promises: files run no code, nothing connects, and files are written where they are said to be."""

import json
import os
import pickle
import subprocess
import sys
from pathlib import Path
from shutil import copytree

import numpy as np
import pytest
import torch

import polyinv
from polyinv.cli import main
from polyinv.errors import InputError
from polyinv.models.card import seal
from polyinv.models.loggers import logger_of

CLONE = Path(__file__).parents[1]
FILES = CLONE / "examples" / "files"
WATCHED = """
import json, os, sys
seen = {"connected": [], "written": [], "started": []}

def watch(event, args):
    if event in ("socket.connect", "socket.getaddrinfo", "socket.bind"):
        seen["connected"].append(repr(args[1:]))
    elif event in ("subprocess.Popen", "os.system", "os.exec", "os.posix_spawn"):
        seen["started"].append(repr(args[0]))
    elif event == "open" and isinstance(args[0], (str, bytes)):
        path, mode, flags = args
        if flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT):
            seen["written"].append(os.path.abspath(os.fsdecode(path)))
    elif event in ("os.mkdir", "os.rename"):
        seen["written"].append(os.path.abspath(os.fsdecode(args[event == "os.rename"])))

sys.addaudithook(watch)
from polyinv.cli import main
codes = [main(command) for command in json.loads(sys.argv[1])]
with open(sys.argv[2], "w") as file:
    json.dump([codes, seen], file)
"""


class Poison:
    """Pickled, it makes a folder when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = str(path)

    def __reduce__(self):
        return os.mkdir, (self.path,)


@pytest.fixture
def trap(tmp_path):
    return tmp_path / "code-has-run"


def test_a_pickle_in_a_table_is_not_read(tmp_path, trap, capsys):
    content = np.empty(1, dtype=object)
    content[0] = Poison(trap)
    np.savez(tmp_path / "table.npz", columns=np.array(["Mn"]), values=content, rows=np.arange(1))
    assert main(["predict", str(tmp_path / "table.npz")]) == 2
    assert "is not a table written by polyinv" in capsys.readouterr().err
    assert not trap.exists()


@pytest.mark.filterwarnings("ignore:Detected pickle protocol")  # so torch says of the plain one
@pytest.mark.parametrize("way", ["by torch", "plain"])
def test_a_pickle_in_a_model_is_not_read(tmp_path, trap, way):
    copytree(CLONE / "checkpoints" / "mlp", tmp_path / "model")
    weights = tmp_path / "model" / "weights.pt"
    if way == "by torch":
        torch.save({"poison": Poison(trap)}, weights)
    else:
        weights.write_bytes(pickle.dumps(Poison(trap)))
    seal(tmp_path / "model")  # by whoever put it there
    with pytest.raises(InputError, match="holds no whole model"):
        polyinv.load(tmp_path / "model")
    assert not trap.exists()


def test_a_pickle_in_an_unfinished_training_is_thrown_away(tmp_path, trap, caplog):
    from polyinv.models.callbacks import KeepLast

    torch.save({"state_dict": Poison(trap)}, tmp_path / "last.ckpt")
    KeepLast(tmp_path / "last.ckpt").discard_damaged()
    assert "last.ckpt is damaged; the training starts over" in caplog.text
    assert not (tmp_path / "last.ckpt").exists()
    assert not trap.exists()


def test_a_configuration_cannot_have_an_object_made(tmp_path, trap, capsys):
    config = tmp_path / "config.yaml"
    config.write_text(f"model: !!python/object/apply:os.mkdir ['{trap}']\n")
    assert main(["train", "--config", str(config), "--output", str(tmp_path / "run")]) == 2
    assert "is not YAML" in capsys.readouterr().err
    assert not trap.exists()


@pytest.mark.parametrize("name", ["os.mkdir", "lightning.pytorch.loggers.csv_logs.os.mkdir"])
def test_a_configuration_names_loggers_only(tmp_path, trap, name):
    with pytest.raises(InputError, match="logger"):
        logger_of({"class_path": name, "init_args": {"path": str(trap)}}, tmp_path)
    assert not trap.exists()


def test_what_is_no_logger_is_refused_though_it_lies_beside_them(tmp_path):
    with pytest.raises(InputError, match=r"no logger 'lightning\.pytorch\.loggers\.csv_logs\.Namespace'"):
        logger_of({"class_path": "lightning.pytorch.loggers.csv_logs.Namespace"}, tmp_path)


@pytest.mark.linux
def test_nothing_connects_and_files_lie_where_they_are_said_to_be(tmp_path):
    work, cache, temporary = (tmp_path / name for name in ("work", "cache", "temporary"))
    for folder in (work, cache, temporary):
        folder.mkdir()
    options = {"name": "mlp", "hidden": [8], "dropout": [0], "training.max_epochs": 1}
    network = [f"--model.{name}={value}" for name, value in options.items()]
    commands = [
        ["predict", str(FILES / "curve_wingpc.txt"), "--out", "answers.csv", "--plot", "plot.png"],
        ["train", *network, "--data.path", str(FILES / "known_runs.csv"), "--output", "run"],
    ]
    environment = os.environ | {"XDG_CACHE_HOME": str(cache), "TMPDIR": str(temporary), "MPLCONFIGDIR": str(temporary)}
    environment.pop("TORCHINDUCTOR_CACHE_DIR", None)  # torch sets it where it is imported, as here
    call = [sys.executable, "-B", "-c", WATCHED, json.dumps(commands), str(tmp_path / "seen.json")]
    subprocess.run(call, cwd=work, env=environment, check=True, capture_output=True)
    codes, seen = json.loads((tmp_path / "seen.json").read_text())
    assert codes == [0, 0]
    assert seen["connected"] == []
    assert set(seen["started"]) <= {"'fc-list'"}  # by matplotlib, once
    allowed = (work, cache / "polyinv", temporary, tmp_path / "seen.json", Path("/dev"))
    outside = {path for path in map(Path, seen["written"]) if not any(path.is_relative_to(root) for root in allowed)}
    assert {path for path in outside if "__pycache__" not in path.parts} == set()  # compiled code, beside the package
    assert {path.name for path in work.iterdir()} == {"answers.csv", "plot.png", "run"}
