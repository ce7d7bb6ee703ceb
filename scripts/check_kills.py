"""Kill every command that writes at random moments, and compare what it ends in with an undisturbed call: Linux.

Each command is called once undisturbed, then again and again: killed (SIGKILL), asked to end (SIGTERM) or interrupted
(SIGINT) at a uniformly random moment, and called once more as its documentation says. What is checked: no file is
half-written under its final name; the second call ends in the files of the undisturbed one, byte for byte; nothing
passing is left, nor in the temporary folder; a request to end is answered in seconds by one line and exit code 130.
``python scripts/check_kills.py [--kills 80] [--seed 1] [--only train]``

Not compared: seconds that were measured (``seconds.json``, the journal of a search, columns of its table and of that of
the cells of a study) and whether a cell was resumed; event files of TensorBoard (times of the clock). Compared by what
they hold: .xlsx without the date in ``docProps/core.xml`` and those of its parts; .skops, which names arrays by their
address in memory, and its checksum in ``model.json``; checkpoints, of which tensors share memory or not.
"""

import argparse
import contextlib
import hashlib
import io
import json
import os
import random
import re
import shutil
import signal
import sys
import tempfile
import time
import zipfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import pandas as pd
import yaml

from polyinv.runtime.interrupts import INTERRUPTED, SAID
from polyinv.start import start

CLONE = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(CLONE))
from tests.forked import be, new_file  # noqa: E402  the tests lie in the clone alone
from tests.warm import PRELOADED as WARM  # noqa: E402

FILES, CHECKPOINTS = CLONE / "examples" / "files", CLONE / "checkpoints"
PRELOADED = (
    *WARM,
    "polyinv.calibrate.calibrate",
    "polyinv.design.command",
    "polyinv.search.search",
    "optuna",
    "openpyxl",
)
SIGNALS = (signal.SIGKILL, signal.SIGKILL, signal.SIGTERM, signal.SIGINT)
"""A round of them."""
PATIENCE, LONGEST = 15.0, 600.0
"""Seconds that a request to end may take on a busy machine, and a call."""
MEASURED = re.compile(r"(^|/)(seconds\.json|events\.out\.[^/]*|\.?journal\.log|hparams[^/]*)$")
"""Files that hold measured seconds or times of the clock."""
MEASURED_COLUMNS = ["cpu_seconds", "wall_seconds", "resumed"]
ADDRESS, CARD = re.compile(r"(?<!\d)\d{12,16}(?!\d)"), "model.json"
PASSING = re.compile(r"\.partial|(^|/)\.(?!journal\.log)[^/]*\.lock$|(^|/)calls/[^/]+\.lock$|\.runs(/|$)")
"""What a call may leave to the next one only; processes on other hosts share the locks of claims and of a journal."""


@dataclass(frozen=True)
class Case:
    """Command that writes.

    Args:
        calls: Arguments; two lists are called at once.
        share: Of the kills: that of a second is killed more often than that of a minute.
        again: What is added when it is called again.
    """

    calls: Sequence[Sequence[str]]
    share: int
    again: Sequence[str] = ()


@dataclass
class Result:
    """What became of one case."""

    seconds: float = 0.0
    killed: dict[str, int] = field(default_factory=dict)
    late: int = 0
    slowest: float = 0.0
    faults: list[str] = field(default_factory=list)

    @property
    def wrong(self) -> int:
        return len(self.faults)


def cases() -> dict[str, Case]:
    """Commands by a short name; what they read lies in ``../in``."""
    out = ["--output", "out"]
    train = ["train", "--data.path", "../in/table.npz", *out]
    network = ["--model.hidden", "[16]", "--model.dropout", "[0.0]", "--model.training.batch_size", "64"]
    network += ["--model.training.max_epochs", "30"]
    simulate = ["simulate", "--recipes", "../in/recipes.csv", "--out"]
    kmc = ["--method", "kmc", "--workers", "1", "--allow-few", "--chains", "2e5"]
    ablate = ["ablate", "../in/study.yaml", "--workers", "1", *out]
    predict, curve = ["predict", str(FILES / "polymers.csv")], str(FILES / "curve_simple.csv")
    evaluate = ["evaluate", str(CHECKPOINTS / "mlp"), *out, "--data"]
    wishes = ["design", "Mn=25000±5%", "D<2.4", "temp<=75"]
    return {
        "train mlp": Case([[*train, "--model.name", "mlp", *network]], 3, again=["--resume"]),
        "train forest": Case([[*train, "--model.name", "forest", "--model.n_estimators", "5"]], 4, again=["--resume"]),
        "train polynomial": Case([[*train, "--model.name", "polynomial"]], 4, again=["--resume"]),
        "train posterior": Case([["train", "--config", "../in/posterior.yaml", *out]], 2, again=["--resume"]),
        "ablate": Case([ablate], 2),
        "ablate, two at once": Case([ablate, ablate], 2),
        "search": Case([["search", "../in/search.yaml", "--workers", "1", *out]], 2),
        "reproduce": Case([["reproduce", "--seeds", "1", "--workers", "1", *out]], 1),
        "simulate .csv": Case([[*simulate, "out.csv", "--replicates", "300"]], 8),
        "simulate .xlsx": Case([[*simulate, "out.xlsx", "--replicates", "100"]], 6),
        "simulate .npz": Case([[*simulate, "out.npz", "--replicates", "300"]], 6),
        "simulate kmc": Case([[*simulate, "out.npz", "--replicates", "4", *kmc]], 4),
        "simulate shard": Case([[*simulate, "out.npz", "--replicates", "300", "--shard", "2/3"]], 6),
        "predict .csv": Case([[*predict, "--out", "out.csv", "--plot", "out.png"]], 4),
        "predict .xlsx": Case([[*predict, "--out", "out.xlsx", "--samples", "50", "--out-samples", "s.csv"]], 4),
        "predict ridge": Case([["predict", curve, "--ridge", "ridge.png", "--out", "out.csv"]], 4),
        "evaluate": Case([[*evaluate, "../in/rows.csv"]], 2),
        "evaluate kmc": Case([[*evaluate, "../in/few.csv", "--method", "kmc"]], 1),
        "calibrate": Case([["calibrate", "../in/runs.csv", "--out", "lab.yaml", "--report", "lab.html"]], 2),
        "design": Case([[*wishes, "--out", "out.csv", "--report", "out.html"]], 8),
        "design .xlsx": Case([[*wishes, "--count", "3", "--robust", "--out", "out.xlsx"]], 5),
        "compare": Case([["compare", str(FILES / "known_runs.csv"), "--out", "out.csv"]], 8),
    }


def write_inputs(folder: Path) -> None:
    """Write the small tables and configurations that the commands read."""
    from polyinv.data.source import simulate_table
    from polyinv.data.workbook import write_table
    from polyinv.simulate.recipes import published_grid

    folder.mkdir()
    grid = simulate_table(published_grid(), method="sampled", chains=1e6, seed=1)
    small = grid[grid["temp"].isin([60.0, 70.0]) & grid["time"].isin([300.0, 900.0, 1800.0, 3600.0])]
    small = small.reset_index(drop=True)
    write_table(small, folder / "table.npz")
    shutil.copy(FILES / "recipes.csv", folder)
    known = pd.read_csv(FILES / "known_runs.csv")
    known.iloc[::4].to_csv(folder / "rows.csv", index=False)
    known.iloc[::40].to_csv(folder / "few.csv", index=False)
    known.iloc[:16].to_csv(folder / "runs.csv", index=False)
    forest = {"model": {"name": "forest", "n_estimators": 3}, "data": {"path": str(folder / "table.npz")}}
    tiny = {"name": "mlp", "hidden": [8], "dropout": [0.0], "training": {"max_epochs": 4, "batch_size": 64}}
    rates = {"from": 0.001, "to": 0.03, "scale": "log"}
    mappings = {
        "forest.yaml": forest,
        "study.yaml": {"base": "forest.yaml", "axes": {"features": ["composite", "scalars"]}, "seeds": [1, 2]},
        "mlp.yaml": {"model": tiny, "data": {"path": str(folder / "table.npz")}},
        "search.yaml": {"base": "mlp.yaml", "axes": {"model.training.learning_rate": rates}, "trials": 3},
        "posterior.yaml": {
            "model": {"name": "posterior", "hidden": [16], "dropout": [0.0], "transform": "moments", "members": 1}
            | {"training": {"max_epochs": 6, "batch_size": 64, "loss": "density"}},
            "features": "conditional+errors",
            "data": {"path": str(folder / "table.npz")},
        },
    }
    for name, mapping in mappings.items():
        (folder / name).write_text(yaml.safe_dump(mapping, sort_keys=False), encoding="utf-8")
    quick = {
        "forest.yaml": {"name": "forest", "n_estimators": 3},
        "polynomial.yaml": {"name": "polynomial", "degree": 2},
        "mlp_published.yaml": tiny | {"training": {"max_epochs": 2}},
    }
    (folder / "configs").mkdir()
    for name, model in quick.items():
        (folder / "configs" / name).write_text(yaml.safe_dump({"model": model}), encoding="utf-8")


def warm_up(inputs: Path) -> None:
    """Import what the commands import, and compile; keep a checkpoint of each epoch; small models for reproduce."""
    for name in PRELOADED:
        __import__(name)
    import polyinv.experiment.reproduce
    import polyinv.models.callbacks

    write_inputs(inputs)
    polyinv.models.callbacks.SECONDS_BETWEEN_CHECKPOINTS = 0.0  # of 20, which no training here takes
    polyinv.experiment.reproduce.CONFIGS = inputs / "configs"


@dataclass
class Child:
    """Call in a process and a process group of its own."""

    process: int
    err: Path
    code: int | None = None

    @classmethod
    def started(cls, arguments: Sequence[str], folder: Path, temporary: Path, number: int = 0) -> "Child":
        out, err = (folder.parent / f"{folder.name}.{number}.{name}" for name in ("out", "err"))
        sys.stdout.flush()
        sys.stderr.flush()
        process = os.fork()
        if process == 0:
            _be(arguments, folder, temporary, out, err)
        return cls(process, err)

    def wait(self, seconds: float) -> bool:
        """Whether it ends within so many seconds."""
        until = time.monotonic() + seconds
        while self.code is None:
            ended, status = os.waitpid(self.process, os.WNOHANG)
            if ended:
                self.code = os.waitstatus_to_exitcode(status)
            elif time.monotonic() >= until:
                return False
            else:
                time.sleep(0.005)
        return True

    def send(self, number: int) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.process, number)

    def end(self) -> None:
        """End it and what it has started."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.process, signal.SIGKILL)
        self.wait(PATIENCE)

    @property
    def said(self) -> str:
        return self.err.read_text(encoding="utf-8", errors="replace")


def _be(arguments: Sequence[str], folder: Path, temporary: Path, out: Path, err: Path) -> None:
    """Be the process of a call, and end."""

    def run() -> None:
        os.setsid()
        signal.signal(signal.SIGINT, signal.default_int_handler)  # which a shell's background has switched off
        os.chdir(folder)
        os.environ["TMPDIR"] = tempfile.tempdir = str(temporary)
        sys.argv = ["polyinv", *arguments]
        start()

    be(run, (None, new_file(out), new_file(err)))


def contents(folder: Path) -> dict[str, str]:
    """Digest of each file of a folder, by its path, those of measured seconds left out."""
    found = {}
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if path.is_file() and not MEASURED.search(name) and "/.claims/" not in f"/{name}":
            content = path.read_bytes() if ".partial" in name else _normal(path)
            found[name] = hashlib.sha256(content).hexdigest()
    return found


def _normal(path: Path) -> bytes:
    """What a file holds, without dates and addresses."""
    content = path.read_bytes()
    if path.suffix == ".ckpt":
        return _values(path)
    if path.name in ("cells.csv", "trials.csv"):
        return pd.read_csv(path, dtype=str).drop(columns=MEASURED_COLUMNS, errors="ignore").to_csv().encode()
    if path.suffix == ".xlsx":
        return b"".join(name.encode() + part for name, part in _parts(content) if name != "docProps/core.xml")
    if path.suffix == ".skops":
        return _without_addresses(_parts(content))
    if path.name == CARD and list(path.parent.glob("*.skops")):
        return json.dumps({**json.loads(content), "sha256": "", "files": ""}, sort_keys=True).encode()
    return content


def _parts(content: bytes) -> list[tuple[str, bytes]]:
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        return [(name, archive.read(name)) for name in sorted(archive.namelist())]


def _without_addresses(parts: Sequence[tuple[str, bytes]]) -> bytes:
    """Number what a .skops file names by its address, in the order of its schema."""
    files = dict(parts)
    order: dict[str, str] = {}
    schema = ADDRESS.sub(lambda found: order.setdefault(found[0], f"#{len(order)}"), files.pop("schema.json").decode())
    named = {"".join(ADDRESS.sub(lambda found: order.get(found[0], "?"), name)): part for name, part in files.items()}
    return schema.encode() + b"".join(name.encode() + named[name] for name in sorted(named))


def _values(path: Path) -> bytes:
    """Values of a checkpoint: which of its tensors share memory is another thing after it was resumed from."""
    import torch

    def written(value: object) -> str:
        if isinstance(value, torch.Tensor):
            return f"{value.dtype}{tuple(value.shape)}{hashlib.sha256(value.numpy().tobytes()).hexdigest()}"
        if isinstance(value, dict):
            return f"dict({[(str(key), written(value[key])) for key in sorted(value, key=str)]})"
        return f"[{','.join(map(written, value))}]" if isinstance(value, list | tuple) else repr(value)

    return written(torch.load(path, weights_only=True)).encode()


def half_written(folder: Path) -> list[str]:
    """Files under a final name that are not whole."""
    return [
        path.relative_to(folder).as_posix()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not any(part.startswith(".") for part in path.relative_to(folder).parts)
        if not _is_whole(path)
    ]


def _is_whole(path: Path) -> bool:
    check = WHOLE.get(path.suffix)
    if check is None or MEASURED.search(path.name):
        return True
    try:
        return check(path)
    except Exception:
        return False


def _ends(end: bytes) -> Callable[[Path], bool]:
    return lambda path: path.read_bytes().rstrip(b"\0").endswith(end)


WHOLE: Mapping[str, Callable[[Path], bool]] = {
    **dict.fromkeys((".xlsx", ".npz", ".pt", ".ckpt", ".skops"), lambda path: zipfile.ZipFile(path).testzip() is None),
    **dict.fromkeys((".csv", ".md", ".yaml"), _ends(b"\n")),
    ".json": lambda path: bool(json.loads(path.read_bytes())),
    ".png": _ends(b"IEND\xaeB`\x82"),
    ".html": lambda path: path.read_bytes().rstrip().endswith(b"</html>"),
}


class Place:
    """Folder of one call after the other: what they write, and their temporary files."""

    def __init__(self, folder: Path) -> None:
        self.out, self.temporary = folder / "out", folder / "temporary"
        for path in (self.out, self.temporary):
            path.mkdir(parents=True)
        (folder / "in").symlink_to(folder.parent / "in")

    def call(self, case: Case, extra: Sequence[str] = ()) -> list[Child]:
        return [
            Child.started([*arguments, *extra], self.out, self.temporary, at) for at, arguments in enumerate(case.calls)
        ]

    def left(self) -> list[str]:
        """What is passing, and still there."""
        places = ((self.out, PASSING), (self.temporary, re.compile("")))
        return [
            str(path.relative_to(self.out.parent))
            for place, pattern in places
            for path in sorted(place.rglob("*"))
            if pattern.search(path.relative_to(place).as_posix())
        ]


def undisturbed(case: Case, place: Place) -> tuple[dict[str, str], float]:
    """What a case ends in, and after how many seconds."""
    started = time.monotonic()
    children = place.call(case)
    for child in children:
        assert child.wait(LONGEST), "it does not end"
    seconds = time.monotonic() - started
    for child in children:
        assert child.code == 0, child.said
    assert not place.left(), place.left()
    assert not half_written(place.out), half_written(place.out)
    return contents(place.out), seconds


def disturb(case: Case, place: Place, whole: dict[str, str], number: int, after: float, result: Result) -> None:
    """Kill a call after so many seconds, call it again, and note what is wrong."""
    first, *others = place.call(case)
    is_late = first.wait(after)
    sent = time.monotonic()
    if not is_late:
        first.send(number)
    ended = first.wait(PATIENCE)
    if is_late:
        result.late += 1
    else:
        name = signal.Signals(number).name
        result.killed[name] = result.killed.get(name, 0) + 1
        result.slowest = max(result.slowest, time.monotonic() - sent)
    faults = [] if ended else [f"it goes on {PATIENCE:g} s after {signal.Signals(number).name}"]
    if not is_late and number != signal.SIGKILL and ended:
        faults += answer_faults(first)
    faults += [f"half-written: {name}" for name in half_written(place.out)]
    faults += _after(case, place, whole, [*others])
    first.end()
    result.faults += [f"{faults} ({signal.Signals(number).name} after {after:.2f} s)"] if faults else []


def answer_faults(child: Child) -> list[str]:
    """What is wrong with the answer to a request to end."""
    if child.code == 0:  # it came when all was done
        return []
    lines = child.said.splitlines()
    is_right = child.code == INTERRUPTED and lines and lines[-1] == SAID
    is_bare = "Traceback" not in child.said and "Exception ignored" not in child.said
    return [] if is_right and is_bare else [f"exit code {child.code}, {' | '.join(lines[-3:])[-300:]}"]


def _after(case: Case, place: Place, whole: dict[str, str], others: Sequence[Child]) -> Iterator[str]:
    """Call again, and say what differs from the undisturbed end."""
    for child in others:
        if not child.wait(LONGEST) or child.code != 0:
            yield f"the other call ends with {child.code}: {child.said[-200:]}"
    extra = case.again if (place.out / "out").exists() or not case.again else ()
    is_written = contents(place.out) == whole and not case.again
    (again, *_) = place.call(replace(case, calls=case.calls[:1]), extra)
    if not again.wait(LONGEST):
        again.end()
        yield "the second call does not end"
    elif again.code != 0 and not (is_written and "exists already" in again.said):
        yield f"the second call ends with {again.code}: {again.said[-300:]}"
    found = contents(place.out)
    for name in sorted(found.keys() ^ whole.keys()):
        yield f"{'missing' if name in whole else 'too many'}: {name}"
    yield from (f"differs: {name}" for name in sorted(found.keys() & whole.keys()) if found[name] != whole[name])
    yield from (f"left: {name}" for name in place.left())


def check(case: Case, folder: Path, count: int, generator: random.Random, say: Callable[[str], None]) -> Result:
    """Kill a case so many times."""
    try:
        whole, seconds = undisturbed(case, Place(folder / "whole"))
    except AssertionError as error:
        return Result(faults=[f"undisturbed: {error}"])
    result = Result(seconds)
    first = generator.randrange(len(SIGNALS))
    round_of = [SIGNALS[(first + at) % len(SIGNALS)] for at in range(count)]
    for at in range(2 * count):
        if sum(result.killed.values()) == count:
            break
        after = generator.uniform(0, seconds)
        place = Place(folder / str(at))
        disturb(case, place, whole, round_of[sum(result.killed.values())], after, result)
        say(f"{sum(result.killed.values())} of {count} kills; {len(result.faults)} wrong")
        if not result.faults:
            shutil.rmtree(folder / str(at))
    return result


def table(results: Mapping[str, Result]) -> str:
    """Table of what was killed and what was wrong."""
    rows: list[tuple[str, ...]] = [
        ("command", "s", "SIGKILL", "SIGTERM", "SIGINT", "ended before", "slowest answer / s", "wrong")
    ]
    for name, each in results.items():
        counts = [str(each.killed.get(key, 0)) for key in ("SIGKILL", "SIGTERM", "SIGINT")]
        rows.append((name, f"{each.seconds:.1f}", *counts, str(each.late), f"{each.slowest:.1f}", str(each.wrong)))
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in rows)


def shares(chosen: Mapping[str, Case], kills: int) -> dict[str, int]:
    """How often each case is killed: by its share, ``kills`` in all at least."""
    all_shares = sum(case.share for case in chosen.values())
    return {name: -(-kills * case.share // all_shares) for name, case in chosen.items()}


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--kills", type=int, default=80, help="in all, at least")
    parser.add_argument("--seed", type=int, default=1, help="of the moments")
    parser.add_argument("--only", default="", help="only commands whose name has this pattern")
    parser.add_argument("--keep", type=Path, help="folder to work in, which is kept")
    options = parser.parse_args()
    chosen = {name: case for name, case in cases().items() if re.search(options.only, name)}
    results: dict[str, Result] = {}
    with tempfile.TemporaryDirectory() as temporary:
        folder = (options.keep or Path(temporary)).resolve()
        folder.mkdir(parents=True, exist_ok=True)
        warm_up(folder / "in")
        for name, count in shares(chosen, options.kills).items():
            place = folder / re.sub(r"\W+", "-", name)
            place.mkdir()
            (place / "in").symlink_to(folder / "in")
            generator = random.Random(f"{options.seed} {name}")
            say = lambda line, name=name: print(f"{name}: {line}", file=sys.stderr, flush=True)  # noqa: E731
            results[name] = check(chosen[name], place, count, generator, say)
            for fault in results[name].faults:
                print(f"{name}: WRONG: {fault}", flush=True)
    print(table(results))
    killed = sum(sum(each.killed.values()) for each in results.values())
    wrong = sum(len(each.faults) for each in results.values())
    print(f"\n{killed} kills of {len(results)} commands, seed {options.seed}: {wrong} wrong")
    return int(wrong > 0)


if __name__ == "__main__":
    sys.exit(main())
