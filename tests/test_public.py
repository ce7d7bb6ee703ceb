"""The front door: what a researcher imports from `polyinv`, at once and without what is not used."""

import subprocess
import sys
from importlib import import_module

import pytest

import polyinv

SECONDS = 0.1


def test_the_package_is_imported_at_once_and_without_torch():
    said = (
        "import sys, time; start = time.perf_counter(); import polyinv; spent = time.perf_counter() - start; "
        "print(spent, [name for name in ('torch', 'lightning', 'pandas', 'numpy') if name in sys.modules])"
    )
    # The fastest of three: the machine may be busy with something else.
    lines = [subprocess.check_output([sys.executable, "-c", said], text=True).split(maxsplit=1) for _ in range(3)]
    assert min(float(spent) for spent, _ in lines) < SECONDS
    assert {imported.strip() for _, imported in lines} == {"[]"}


def test_every_public_name_resolves_and_is_listed():
    assert sorted(polyinv._HOMES) == sorted(polyinv.__all__)
    for name in polyinv.__all__:
        assert getattr(polyinv, name) is not None
        assert name in dir(polyinv)


@pytest.mark.parametrize("name", polyinv.__all__)
def test_a_public_name_is_no_subpackage(name):
    """An import of `polyinv.simulate` would put the package in the place of a function of that name."""
    with pytest.raises(ModuleNotFoundError):
        import_module(f"polyinv.{name}")


def test_an_unknown_name_gets_the_known_ones():
    with pytest.raises(AttributeError, match=r"polyinv has no 'laod'; known: .*InputError, load, load_bundled"):
        polyinv.laod  # noqa: B018
    with pytest.raises(ImportError, match="laod"):
        from polyinv import laod  # noqa: F401


def test_type_checkers_see_the_same_names():
    """The imports under TYPE_CHECKING, which nothing runs, name what is found."""
    import ast
    from pathlib import Path

    (block,) = (node for node in ast.parse(Path(polyinv.__file__).read_text()).body if isinstance(node, ast.If))
    said = {
        alias.asname or alias.name: f"{node.module}:{alias.name}".removeprefix("polyinv.")
        for node in block.body
        for alias in node.names
    }
    homes = {name: home if ":" in home else f"{home}:{name}" for name, home in polyinv._HOMES.items()}
    assert said == homes
