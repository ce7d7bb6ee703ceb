"""What is compiled is kept where it can be, and works where it cannot."""

import errno
import os

import numba
import pytest
from numba.core import caching

from polyinv.runtime.compiled import _Kept, njit


@pytest.mark.parametrize("method", ["_save_overload", "_load_overload"])
def test_without_a_place_for_what_is_compiled_it_works_and_says_so_once(method, monkeypatch, caplog, tmp_path):
    def full(self, *arguments):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(numba.config, "CACHE_DIR", str(tmp_path))  # nothing is kept there of an earlier run
    monkeypatch.setattr(caching.FunctionCache, method, full)
    monkeypatch.setattr(_Kept, "is_said", False)

    @njit(cache=True)
    def twice(value):
        return 2 * value

    assert twice(2) == 4
    (said,) = [record.getMessage() for record in caplog.records]
    assert said.startswith("what is compiled is not kept in ")
    assert said.endswith("No space left on device")
