"""Available cores, and the threads that torch uses."""

import os
from collections.abc import Iterator
from contextlib import contextmanager

MOST_THREADS = 1000
"""That are started at once: a machine has some hundred cores, and does not start 10⁵ threads."""


def available_cores() -> int:
    """Number of cores that this process may use: fewer than the machine has where a scheduler or container says so."""
    if hasattr(os, "process_cpu_count"):  # Python 3.13
        return os.process_cpu_count() or 1
    if hasattr(os, "sched_getaffinity"):  # Linux
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


@contextmanager
def one_thread() -> Iterator[None]:
    """Use one torch thread inside the block.

    Networks and batches this small run up to 40 times slower on two threads than on one. Work in parallel takes
    processes.
    """
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)
