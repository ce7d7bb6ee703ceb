"""A search: its trials, their journal, and what is left at the end."""

import logging
import os
import random
import shutil
import signal
import subprocess
import sys
import time

import numpy as np
import pandas as pd
import pytest

import polyinv.runtime.engines
from polyinv.cli import main
from polyinv.data.datamodule import RecipeDataModule
from polyinv.data.splits import split_rows
from polyinv.errors import InputError
from polyinv.experiment import results
from tests.ablation.studies import work_here
from tests.search.searches import write_search

optuna = pytest.importorskip("optuna", reason="asks for the extra `search`")

from polyinv.search.journal import JOURNAL, Journal, Reports  # noqa: E402
from polyinv.search.search import search as run_search  # noqa: E402
from polyinv.search.spec import read_search  # noqa: E402


@pytest.fixture
def here(monkeypatch):
    """Trials are run in this process, one after the other."""
    monkeypatch.setattr(polyinv.runtime.engines, "work", work_here)
    yield
    logging.basicConfig(force=True)


@pytest.fixture(scope="module")
def plain(small, tmp_path_factory):
    """A search that nobody has disturbed, and whose processes could not look at test rows."""
    folder = tmp_path_factory.mktemp("plain")
    path = write_search(folder, small)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(polyinv.runtime.engines, "work", work_here)
        refused = property(lambda data: pytest.fail("somebody has looked at the test rows"))
        patch.setattr(RecipeDataModule, "test", refused)
        patch.setattr(results, "load_off_grid", lambda system: pytest.fail("or off the grid"))
        lines = []
        run_search(read_search(path), folder / "out", workers=1, say=lines.append)
    logging.basicConfig(force=True)
    return path, folder / "out", lines


def table_of(folder):
    return pd.read_csv(folder / "trials.csv")


def test_a_search_ends_with_a_table_a_figure_rows_for_tensorboard_and_the_best_model(plain):
    _, out, lines = plain
    table = table_of(out)
    assert table["trial"].tolist() == list(range(8))
    assert set(table["state"]) <= {"complete", "pruned"}
    assert table.loc[0, "model.hidden"] == "8"  # the base itself
    complete = table[table["state"] == "complete"]
    best = complete.loc[complete["value"].idxmin()]
    validation = pd.read_csv(out / "best" / "validation.csv")
    assert validation["loss"].mean() == best["value"]
    assert len(list((out / "tensorboard").glob("*/events.*"))) == len(complete)
    assert (out / "search.png").stat().st_size > 10_000
    progress = [line for line in lines if line.startswith("[")]
    assert len(progress) == 8
    assert f"best {best['value']:.5g} (trial {best['trial']})" in progress[-1]
    assert "that of the base" in "\n".join(lines)


def test_the_best_configuration_retrained_gives_the_stored_score(plain, tmp_path):
    _, out, _ = plain
    assert main(["train", "--config", str(out / "best.yaml"), "--output", str(tmp_path / "again")]) == 0
    assert (tmp_path / "again" / "validation.csv").read_bytes() == (out / "best" / "validation.csv").read_bytes()


def test_tensorboard_lists_the_axes_and_the_score_once(plain):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    for folder in (plain[1] / "tensorboard").iterdir():
        events = EventAccumulator(str(folder)).Reload()
        assert events.Tags()["scalars"] == ["val/loss"]
        plugins = events.summary_metadata
        assert {"_hparams_/experiment", "_hparams_/session_start_info"} <= plugins.keys()


def test_other_test_rows_change_no_trial(plain, small, tmp_path, here):
    """The curves and recipes of test rows are those of others: what a search finds is the same to the last digit."""
    poisoned = small.copy()
    test = split_rows(small, "by_recipe", 42).test
    poisoned.loc[test] = small.loc[np.roll(test, len(test) // 2)].to_numpy()
    conditions = ["cBA_0", "cAIBN_0", "temp", "time"]
    poisoned[conditions] = small[conditions]  # by which it is divided
    poisoned["cBA_time"] = poisoned["cBA_time"].clip(upper=poisoned["cBA_0"])  # no reactor has more
    path = write_search(tmp_path, poisoned, trials=3)
    run_search(read_search(path), tmp_path / "out", workers=1, say=lambda line: None)
    found, expected = (table_of(folder).drop(columns="cpu_seconds").head(3) for folder in (tmp_path / "out", plain[1]))
    pd.testing.assert_frame_equal(found, expected)


def test_a_call_that_is_repeated_reads_and_one_that_wants_more_goes_on(plain, tmp_path, here, capsys):
    path, out, _ = plain
    shutil.copytree(out, tmp_path / "out")
    command = ["search", str(path), "--output", str(tmp_path / "out"), "--workers", "1"]
    assert main(command) == 0
    assert "8 done, 0 to run" in capsys.readouterr().out
    assert main([*command, "--trials", "9"]) == 0
    assert "[9/9] trial 8" in capsys.readouterr().out
    before, after = table_of(out), table_of(tmp_path / "out")
    pd.testing.assert_frame_equal(after.head(8), before, check_dtype=False)
    assert main([*command, "--trials", "10", "--dry-run"]) == 0
    assert "1 of them not done, in 1 process on the CPU" in capsys.readouterr().out


def test_a_trial_that_was_left_behind_is_taken_over_with_its_number(plain, small, tmp_path, here):
    """A process that was killed has written down a trial, a report, and half a line."""
    path = plain[0]
    wanted, out = read_search(path, trials=2), tmp_path / "out"
    out.mkdir()
    trial = Journal(wanted, out).ask()
    assert not Reports(out, trial.number, "median").prunes(0, 1.0)
    with (out / JOURNAL).open("ab") as file:
        file.write(b'{"op_code":8,"worker_id"')
    table = run_search(wanted, out, workers=1, say=lambda line: None)
    assert table["trial"].tolist() == [0, 1]
    assert table["value"].tolist() == table_of(plain[1])["value"].tolist()[:2]


def test_a_trial_that_fails_is_told_and_the_others_go_on(plain, tmp_path, here, capsys):
    path, _, _ = plain
    text = path.read_text(encoding="utf-8").replace("to: 0.03", "to: 1.0e+30").replace("from: 0.001", "from: 1.0e+25")
    (path.parent / "wild.yaml").write_text(text, encoding="utf-8")
    command = ["search", str(path.parent / "wild.yaml"), "--output", str(tmp_path / "out"), "--trials", "1"]
    assert main(command) == 2
    captured = capsys.readouterr()
    assert "trial 0: failed: the validation loss of member 0 is" in captured.out
    assert "none of 1 trials is complete" in captured.err
    assert table_of(tmp_path / "out")["state"].tolist() == ["failed"]


def test_none_is_a_value_of_an_axis_to_the_end(small, tmp_path, here):
    """Among numbers pandas makes NaN of it, which is none of the labels."""
    path = write_search(tmp_path, small, axes={"model.training.clip": [None, 1e-9]}, trials=3)
    lines = []
    table = run_search(read_search(path), tmp_path / "out", workers=1, say=lines.append)
    best = table.loc[table["value"].idxmin()]
    assert best["model.training.clip"] is None
    assert "| none " in "\n".join(lines)
    assert (tmp_path / "out" / "best.yaml").is_file()


def test_the_best_run_folder_that_is_gone_is_one_line(plain, tmp_path, capsys, here):
    path, out, _ = plain
    shutil.copytree(out, tmp_path / "out")
    shutil.rmtree(tmp_path / "out" / "trials")
    assert main(["search", str(path), "--output", str(tmp_path / "out")]) == 2
    assert "the run folder of the best trial, is gone; choose another --output" in capsys.readouterr().err
    assert (tmp_path / "out" / "best").is_dir()  # what was kept of it is left alone


@pytest.mark.parametrize("rest", [b"", b'{"op_code":8,"wor', None])
def test_a_dry_run_writes_nothing(plain, tmp_path, capsys, rest):
    """Nor into the journal, whose last line somebody may be about to write, or which is begun."""
    path, out, _ = plain
    shutil.copytree(out, tmp_path / "out")
    journal = tmp_path / "out" / JOURNAL
    journal.write_bytes(b"" if rest is None else journal.read_bytes() + rest)
    before = {file: file.read_bytes() for file in (tmp_path / "out").rglob("*") if file.is_file()}
    assert main(["search", str(path), "--output", str(tmp_path / "out"), "--dry-run"]) == 0
    assert f"{8 if rest is None else 0} of them not done" in capsys.readouterr().out
    assert {file: file.read_bytes() for file in (tmp_path / "out").rglob("*") if file.is_file()} == before


KEPT = {
    b'"epoch"': b'"epocX"',
    b'"cpu_seconds":': b'"cpu_seconds":"',
    b'"model.training.learning_rate"': b'"model.training.learning_raXe"',
    b'"state":1': b'"state":9',
}
"""What is kept of trials, and how it is damaged."""


@pytest.mark.parametrize("damage", ["other", "middle", "nonsense", "foreign", "values", *KEPT, "deep", "folder"])
def test_a_journal_that_is_damaged_or_of_another_search_is_one_line(plain, tmp_path, capsys, damage, here):
    path, out, _ = plain
    shutil.copytree(out, tmp_path / "out")
    journal = tmp_path / "out" / JOURNAL
    content = journal.read_bytes()
    command = ["search", str(path), "--output", str(tmp_path / "out")]
    if damage == "other":
        text = path.read_text(encoding="utf-8").replace("0.03", "0.04")
        (path.parent / "other.yaml").write_text(text, encoding="utf-8")
        command[1] = str(path.parent / "other.yaml")
    elif damage == "middle":
        journal.write_bytes(content[:1000] + b"#" * 100 + content[1100:])
    elif damage == "nonsense":
        journal.write_bytes(b"[1]\n" + content)
    elif damage == "values":
        journal.write_bytes(content.replace(b'"values":[', b'"values":[0.5,'))
    elif damage in KEPT:
        assert damage in content
        journal.write_bytes(content.replace(damage, KEPT[damage]))
    elif damage == "deep":
        journal.write_bytes(content + b"[" * 100_000 + b"\n")
    elif damage == "foreign":
        journal.unlink()
        storage = optuna.storages.JournalStorage(optuna.storages.journal.JournalFileBackend(str(journal)))
        optuna.create_study(storage=storage, study_name="polyinv").add_trial(optuna.trial.create_trial(value=1.0))
    else:
        journal.unlink()
    for option in ("--workers=1", "--dry-run", "--slurm"):
        assert main([*command, option]) == 2
        err = capsys.readouterr().err
        _check_refusal(err, damage)


def _check_refusal(err, damage):
    said = {"other": "is the journal of another search", "foreign": "is the journal of another search"}
    assert said.get(damage, "holds no search" if damage == "folder" else "is damaged") in err
    assert err.count("\n") == 1


def test_without_optuna_one_line_says_what_to_install(plain, tmp_path, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "optuna", None)
    assert main(["search", str(plain[0]), "--output", str(tmp_path / "out")]) == 2
    assert capsys.readouterr().err == ("polyinv: error: polyinv search needs optuna: pip install 'polyinv[search]'\n")
    assert not (tmp_path / "out").exists()


def test_proposals_are_those_of_the_trials_before_whoever_asks(plain, tmp_path):
    _, out, _ = plain
    wanted = read_search(plain[0])
    shutil.copy(out / JOURNAL, tmp_path / JOURNAL)
    (tmp_path / "other").mkdir()
    shutil.copy(out / JOURNAL, tmp_path / "other" / JOURNAL)
    first, second = (Journal(wanted, folder).ask().params for folder in (tmp_path, tmp_path / "other"))
    assert first == second
    assert Journal(wanted, tmp_path).ask().params != first


@pytest.mark.slow
@pytest.mark.linux
def test_three_processes_share_sixty_trials_and_are_killed(tmp_path, small):
    """None is lost, none is run twice, and the best one retrained gives the stored score."""
    path = write_search(tmp_path / "search", small, {"max_epochs": 60, "batch_size": 16}, trials=60)
    out, generator = tmp_path / "out", random.Random(1)
    command = [sys.executable, "-m", "polyinv.cli", "search", path, "--output", out, "--workers", "1"]
    command = [str(each) for each in command]

    def start():
        return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=os.environ)

    calls, kills, said = [start() for _ in range(3)], 0, []
    while calls:
        time.sleep(generator.uniform(2, 15))
        for call in [call for call in calls if call.poll() is not None]:
            said.append(call.communicate()[0])
            assert call.returncode == 0, said[-1]
            calls.remove(call)
        if calls and kills < 12:
            victim = generator.choice(calls)
            victim.send_signal(signal.SIGKILL)
            said.append(victim.communicate()[0])
            calls[calls.index(victim)] = start()
            kills += 1
    table = table_of(out)
    assert kills >= 12
    assert table["trial"].tolist() == list(range(60))
    assert set(table["state"]) <= {"complete", "pruned"}
    told = [line.split("trial ")[1].split(":")[0] for text in said for line in text.splitlines() if line[:1] == "["]
    assert len(told) == len(set(told))
    assert main(["train", "--config", str(out / "best.yaml"), "--output", str(tmp_path / "again")]) == 0
    assert (tmp_path / "again" / "validation.csv").read_bytes() == (out / "best" / "validation.csv").read_bytes()


def test_a_folder_of_something_else_is_refused(plain, tmp_path, here):
    (tmp_path / "notes.txt").write_text("mine", encoding="utf-8")
    with pytest.raises(InputError, match="holds no search"):
        run_search(read_search(plain[0]), tmp_path)
