"""The wheel is complete and small, and its model answers as the one that was trained."""

import os
import subprocess
import sys
import zipfile
from pathlib import Path
from shutil import copytree, ignore_patterns

import pytest

import polyinv
from polyinv.errors import InputError
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
    assert done.stdout.split() == [str(shipped / "checkpoints" / "posterior"), str(shipped / "configs" / "mlp.yaml")]


def test_a_bare_name_is_a_file_here_or_one_that_comes_along(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert shipped_or("mlp.yaml", CONFIGS) == CONFIGS / "mlp.yaml"
    assert shipped_or("known.yaml", STUDIES) == STUDIES / "known.yaml"
    assert shipped_or("folder/mlp.yaml", CONFIGS) == Path("folder/mlp.yaml")
    with pytest.raises(InputError, match=r"^mpl.yaml: no such file here, and none that comes with polyinv: cnn.yaml, "):
        shipped_or("mpl.yaml", CONFIGS)
    (tmp_path / "mlp.yaml").write_text("")
    assert shipped_or("mlp.yaml", CONFIGS) == Path("mlp.yaml")
