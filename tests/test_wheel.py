"""The wheel is complete and small, and its model answers as the one that was trained."""

import os
import subprocess
import sys
import zipfile
from pathlib import Path
from shutil import copytree, ignore_patterns

import pandas as pd
import pytest
import torch

import polyinv
from polyinv.chemistry.butyl_acrylate import SYSTEM, TARGETS
from polyinv.data.bundled import load_bundled
from polyinv.data.masks import masked_inputs
from polyinv.data.rows import rows_of
from polyinv.domain.expectations import FILE
from polyinv.errors import InputError
from polyinv.models import load_model
from polyinv.models.neural import WEIGHTS
from polyinv.runtime.resources import CONFIGS, RELEASED, STUDIES, shipped_or

CLONE = Path(polyinv.__file__).parents[1]
MOST = 10e6
"""Bytes that a wheel may have."""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """Built from a copy of what the clone has, by the setuptools of this environment."""
    source, out = tmp_path_factory.mktemp("source") / "clone", tmp_path_factory.mktemp("wheel")
    copytree(CLONE, source, ignore=ignore_patterns(".*", "runs", "build", "dist", "tests", "docs", "*.egg-info"))
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation", "-w", out, source]
    subprocess.run(command, check=True, capture_output=True)
    return next(out.glob("*.whl"))


def test_the_wheel_has_all_that_the_clone_ships(wheel):
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
    for path in [*CONFIGS.rglob("*.yaml"), *RELEASED.iterdir()]:
        assert f"polyinv/shipped/{path.relative_to(CLONE).as_posix()}" in names
    package = Path(polyinv.__file__).parent.rglob("*")
    files = {path.relative_to(CLONE) for path in package if path.is_file() and "__pycache__" not in path.parts}
    assert {path.as_posix() for path in files} <= names
    assert wheel.stat().st_size < MOST


def test_an_installed_wheel_finds_its_model_and_configs_anywhere(wheel, tmp_path):
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(tmp_path / "site")

    says = "import polyinv as p; from polyinv.runtime.resources import *; print(p.load().folder, CONFIGS / 'mlp.yaml')"
    environment = os.environ | {"PYTHONPATH": str(tmp_path / "site")}
    done = subprocess.run([sys.executable, "-c", says], cwd=tmp_path, env=environment, capture_output=True, text=True)
    shipped = tmp_path / "site" / "polyinv" / "shipped"
    assert done.stdout.split() == [str(shipped / "checkpoints" / "conditional"), str(shipped / "configs" / "mlp.yaml")]


def test_what_half_precision_leaves_open_hardly_moves_an_answer():
    """Weights may have been anything that rounds to what is stored: another such set answers nearly the same.

    The bound is 1 % of the root mean square error of each pattern and value (patterns.csv), for the root mean square
    over the rows. Measured for the rounding itself: 0.4 % at most, 0.1 % on average.
    """
    stored = torch.load(RELEASED / WEIGHTS, weights_only=True)
    assert {value.dtype for value in stored.values()} == {torch.float16, torch.float32, torch.float64}
    assert all(value.dtype == torch.float64 for key, value in stored.items() if key.startswith("scaling"))
    model, other = load_model(RELEASED), load_model(RELEASED)
    generator = torch.Generator().manual_seed(0)
    other._module.load_state_dict({key: unrounded(value, generator) for key, value in stored.items()})
    rows = rows_of(load_bundled("off_grid"), [name for name in model.columns if name not in TARGETS])
    everything = torch.cat([rows.x, rows.y], 1)[:200]
    for pattern, lines in pd.read_csv(RELEASED / FILE).groupby("pattern"):
        x = masked_inputs(everything, model.columns, pattern, SYSTEM)
        moved = (model.predict(x) - other.predict(x)).square().mean(0).sqrt()
        for target, rmse in zip(lines["target"], lines["rmse"], strict=True):
            assert 0 < moved[TARGETS.index(target)] < 0.01 * rmse, (pattern, target)


def unrounded(value, generator):
    """Weights that half precision rounds to ``value``, anywhere within half a unit of its last place."""
    if value.dtype != torch.float16:
        return value
    # 11 binary digits; below 2^-14 the unit stays as it is.
    unit = 2.0 ** (value.float().abs().clamp_min(2.0**-14).log2().floor() - 10)
    return value.float() + (torch.rand(value.shape, generator=generator) - 0.5) * unit


def test_a_bare_name_is_a_file_here_or_one_that_comes_along(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert shipped_or("mlp.yaml", CONFIGS) == CONFIGS / "mlp.yaml"
    assert shipped_or("known.yaml", STUDIES) == STUDIES / "known.yaml"
    assert shipped_or("folder/mlp.yaml", CONFIGS) == Path("folder/mlp.yaml")
    with pytest.raises(InputError, match=r"^mpl.yaml: no such file here, and none that comes with polyinv: cnn.yaml, "):
        shipped_or("mpl.yaml", CONFIGS)
    (tmp_path / "mlp.yaml").write_text("")
    assert shipped_or("mlp.yaml", CONFIGS) == Path("mlp.yaml")
