"""Commands in processes that have imported everything already: a server forks one for each call.

What is typed stays what is typed, in a process, folder and environment of its own; only the seconds are left out that
every process takes to import torch and lightning, and to load what is compiled. Started as
``python -m tests.warm SOCKET``.
"""

import contextlib
import io
import json
import os
import runpy
import signal
import socket
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType

from tests.forked import be

CLONE = Path(__file__).parents[1]
PRELOADED = (
    "polyinv.cli",
    "polyinv.ablation.ablate",
    "polyinv.domain.assessment",
    "polyinv.domain.words",
    "polyinv.evaluation.closed_loop",
    "polyinv.evaluation.simulated",
    "polyinv.experiment.evaluate",
    "polyinv.models.forest",
    "polyinv.models.training",
    "polyinv.predict.predictor",
    "sklearn.ensemble",
)
SCRIPT = "run-script"
"""Command that runs a Python script; the other one is ``polyinv``."""
SHIM = """#!{python} -SE
import json, os, socket, sys

server = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
server.connect({address!r})
call = dict(command=sys.argv, folder=os.getcwd(), environment=dict(os.environ))
socket.send_fds(server, [json.dumps(call).encode()], [0, 1, 2])
sys.exit(int(server.recv(16)))
"""


@contextmanager
def warm_commands(folder: Path):
    """A folder for PATH with the commands ``polyinv`` and ``run-script``, as long as the block lasts."""
    address = str(folder / "warm.socket")
    environment = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONUTF8": "1"}
    server = subprocess.Popen([sys.executable, "-m", "tests.warm", address], cwd=CLONE, env=environment)
    try:
        for name in ("polyinv", SCRIPT):
            shim = folder / "bin" / name
            shim.parent.mkdir(exist_ok=True)
            shim.write_text(SHIM.format(python=sys.executable, address=address), encoding="utf-8")
            shim.chmod(0o755)
        while not Path(address).exists():
            assert server.poll() is None
            time.sleep(0.05)
        yield folder / "bin"
    finally:
        server.kill()
        server.wait()


def cold_commands(folder: Path) -> Path:
    """The same commands, each of which imports everything."""
    for name, options in (("polyinv", "-m polyinv.cli"), (SCRIPT, "")):
        if sys.platform == "win32":
            (folder / f"{name}.bat").write_text(f'@"{sys.executable}" {options} %*\n', encoding="utf-8")
        else:
            (folder / name).write_text(f'#!/bin/sh\nexec "{sys.executable}" {options} "$@"\n', encoding="utf-8")
            (folder / name).chmod(0o755)
    return folder


def serve(address: str) -> None:
    """Answer calls, each in a process of its own that another one waits for."""
    for name in PRELOADED:
        __import__(name)
    _answer_once()
    server = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    server.bind(f"{address}.new")
    server.listen()
    os.rename(f"{address}.new", address)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for those who wait
    while True:
        caller, _ = server.accept()
        call, streams, _, _ = socket.recv_fds(caller, 1 << 20, 3)
        if os.fork() == 0:
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            server.close()
            if (child := os.fork()) == 0:
                caller.close()
                _run(json.loads(call), streams)
            code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
            caller.send(str(code if code >= 0 else 128 - code).encode())
            os._exit(0)
        caller.close()
        for stream in streams:
            os.close(stream)


def _answer_once() -> None:
    """Load what is compiled, the references of the domain and what else a process keeps once it has answered."""
    from polyinv.cli import main

    curve = CLONE / "examples" / "files" / "curve_gpc_tabs.txt"
    with tempfile.TemporaryDirectory() as folder, contextlib.redirect_stderr(io.StringIO()):
        assert main(["predict", str(curve), "--out", f"{folder}/answers.csv"]) == 0


def _run(call: dict, streams: list[int]) -> None:
    """Be the process that was asked for, and end."""

    def run() -> None:
        os.chdir(call["folder"])
        os.environ.clear()
        os.environ.update(call["environment"])
        sys.argv, sys.modules["__main__"] = call["command"], ModuleType("__main__")
        if Path(sys.argv[0]).name == SCRIPT:
            del sys.argv[0]
            sys.path.insert(0, call["folder"])
            runpy.run_path(sys.argv[0], run_name="__main__")
        else:
            from polyinv.cli import entry

            entry()

    be(run, streams)


if __name__ == "__main__":
    serve(sys.argv[1])
