"""Python's garbage collector, which has nothing to collect while libraries are imported."""

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def uncollected() -> Iterator[None]:
    """Pause the collector inside the block, while libraries are imported.

    Otherwise it looks through all of their objects again and again: a fifth of the time that importing torch takes.
    """
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


def uncollected_at_exit() -> None:
    """Leave what is in memory to the operating system: to look through it takes half a second after torch.

    What has to be closed or written is closed and written by then.
    """
    gc.freeze()
