from concurrent.futures import ThreadPoolExecutor
from threading import Barrier, BrokenBarrierError

import numpy as np
import pytest

from polyinv.errors import InputError
from polyinv.simulate.run_store import RunStore


def test_finds_what_was_kept_for_these_inputs_alone(tmp_path):
    store = RunStore(tmp_path)
    store.write((1.0, "skip"), {"units": np.arange(3)})
    assert store.read((1.0, "skip"))["units"].tolist() == [0, 1, 2]
    assert store.read((1.0, "plain")) is None
    store.discard()
    assert store.read((1.0, "skip")) is None


def test_what_is_damaged_is_named_with_its_fault(tmp_path):
    store = RunStore(tmp_path)
    store.write((1,), {"units": np.arange(3)})
    path = store.path((1,))
    path.write_bytes(path.read_bytes()[:40])
    with pytest.raises(InputError, match=rf"{path} is damaged \(.+\); remove it"):
        store.read((1,))


def test_threads_read_one_after_the_other(tmp_path, monkeypatch):
    store, both, load = RunStore(tmp_path), Barrier(2), np.load
    store.write((1,), {"units": np.arange(3)})
    met = []

    def load_with_company(*arguments, **options):
        try:
            both.wait(timeout=0.2)
            met.append(True)
        except BrokenBarrierError:
            both.reset()
        return load(*arguments, **options)

    monkeypatch.setattr(np, "load", load_with_company)
    with ThreadPoolExecutor(2) as pool:
        found = [*pool.map(store.read, [(1,), (1,)])]
    assert not met
    assert [each["units"].tolist() for each in found] == [[0, 1, 2]] * 2
