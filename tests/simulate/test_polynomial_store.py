"""A polynomial is interpolated once for a user, and a damaged one again."""

import logging
from dataclasses import replace

import pytest
import torch

from polyinv.chemistry import BUTYL_ACRYLATE
from polyinv.simulate import polynomial_store
from polyinv.simulate.polynomial import Polynomial
from polyinv.simulate.polynomial_store import kept_polynomial


@pytest.fixture
def made(tmp_path, monkeypatch):
    """Cache of its own, and how often something was interpolated, at three nodes."""
    count = []

    def interpolate(chemistry):
        count.append(chemistry.name)
        return whole(chemistry, 3)

    whole = Polynomial.interpolate
    monkeypatch.setattr(Polynomial, "interpolate", interpolate)
    monkeypatch.setattr(polynomial_store, "cache_folder", lambda: tmp_path)
    return count


def files(folder):
    return sorted((folder / "polynomial").glob("*"))


def test_it_is_interpolated_once(made, tmp_path):
    first, again = kept_polynomial(BUTYL_ACRYLATE), kept_polynomial(BUTYL_ACRYLATE)
    assert made == ["butyl_acrylate"]
    assert torch.equal(first.coefficients, again.coefficients)
    assert torch.equal(first.mixing, again.mixing)
    assert len(files(tmp_path)) == 1


def test_another_chemistry_has_another(made, tmp_path):
    kept_polynomial(BUTYL_ACRYLATE)
    other = kept_polynomial(replace(BUTYL_ACRYLATE, f=0.5))
    assert len(made) == len(files(tmp_path)) == 2
    assert not torch.equal(other.coefficients, kept_polynomial(BUTYL_ACRYLATE).coefficients)


@pytest.mark.parametrize("damage", ["shortened", "changed", "emptied", "other numbers"])
def test_a_damaged_file_is_made_again(made, tmp_path, caplog, damage):
    whole = kept_polynomial(BUTYL_ACRYLATE)
    (file,) = files(tmp_path)
    content = bytearray(file.read_bytes())
    if damage == "other numbers":
        import numpy as np

        with np.load(file) as arrays:
            np.savez(file, **{**arrays, "mixing": arrays["mixing"] + 1})
    else:
        content[len(content) // 2] ^= 1
        file.write_bytes({"shortened": content[: len(content) // 2], "changed": content, "emptied": b""}[damage])
    with caplog.at_level(logging.WARNING):
        again = kept_polynomial(BUTYL_ACRYLATE)
    assert len(made) == 2
    assert "is made again" in caplog.text
    assert torch.equal(again.coefficients, whole.coefficients)
    kept_polynomial(BUTYL_ACRYLATE)
    assert len(made) == 2


@pytest.mark.linux
def test_where_nothing_can_be_kept_it_is_made_all_the_same(made, tmp_path, caplog, monkeypatch):
    (tmp_path / "polynomial").write_text("a file where the folder would be")
    with caplog.at_level(logging.WARNING):
        assert kept_polynomial(BUTYL_ACRYLATE).coefficients.shape[0] == 3
    assert "is not kept" in caplog.text
