"""GPUs under the names that CUDA takes, and which of them a process may see. CUDA itself is not asked."""

import itertools
import os
import re
import subprocess
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager

VISIBLE = "CUDA_VISIBLE_DEVICES"
NONE = ""
"""What no device is visible under."""
_NAME = re.compile(r"\d+|(GPU|MIG)-\S+")
_LISTED = re.compile(r"\(UUID: ((?:GPU|MIG)-[^)]+)\)")


def devices() -> tuple[str, ...]:
    """List the GPUs that processes may use: those of ``CUDA_VISIBLE_DEVICES``, else those that the driver lists."""
    named = os.environ.get(VISIBLE)
    return _of_driver() if named is None else _of_variable(named)


def _of_variable(named: str) -> tuple[str, ...]:
    """Parse ``CUDA_VISIBLE_DEVICES`` as CUDA does: up to the first name that is none.

    Example:
        >>> _of_variable("2,GPU-8b1c, MIG-4f"), _of_variable("0,-1,1"), _of_variable("NoDevFiles")
        (('2', 'GPU-8b1c', 'MIG-4f'), ('0',), ())
    """
    return tuple(itertools.takewhile(_NAME.fullmatch, map(str.strip, named.split(","))))


def _of_driver() -> tuple[str, ...]:
    """List the GPUs of ``nvidia-smi`` if this torch can use them, by UUID: CUDA may count in another order."""
    try:
        done = subprocess.run(["nvidia-smi", "-L"], capture_output=True, text=True)
    except FileNotFoundError:
        return ()
    found = _of_list(done.stdout.splitlines())
    if found:
        from torch.backends.cuda import is_built

        return found if is_built() else ()
    return ()


def _of_list(lines: Iterable[str]) -> tuple[str, ...]:
    """Parse the devices of ``nvidia-smi -L``; of a GPU that is divided (MIG), its parts.

    Example:
        >>> gpus = "GPU 0: A100 (UUID: GPU-a)", "GPU 1: A100 (UUID: GPU-b)"
        >>> parts = "  MIG 1g.5gb Device 0: (UUID: MIG-c)", "  MIG 1g.5gb Device 1: (UUID: MIG-d)"
        >>> _of_list([*gpus, *parts])
        ('GPU-a', 'MIG-c', 'MIG-d')
    """
    found: list[str] = []
    for name in itertools.chain.from_iterable(map(_LISTED.findall, lines)):
        if name.startswith("MIG-") and found and found[-1].startswith("GPU-"):
            found.pop()
        found.append(name)
    return tuple(found)


@contextmanager
def environment(values: Mapping[str, str]) -> Iterator[None]:
    """Set variables of the environment inside the block, for libraries and processes that begin in it."""
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
