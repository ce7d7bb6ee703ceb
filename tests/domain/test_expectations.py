"""The table of expected scores beside a model."""

import pytest

from polyinv.domain.expectations import FILE, LINES, Expectations
from polyinv.errors import InputError


@pytest.mark.parametrize("cell", ["many", "nan", "inf"])
def test_a_table_of_expectations_that_holds_no_numbers_is_refused(cell, tmp_path):
    (tmp_path / FILE).write_text(f"{','.join(LINES)}\nexact,mmd,cBA_0,{cell},0.1,0.1,0.1\n", encoding="utf-8")
    with pytest.raises(InputError, match=r"patterns\.csv is damaged: r2, r2_members"):
        Expectations(None, tmp_path)
