"""Each module imports only from those above it, and none imports itself by way of others."""

import ast
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

import polyinv

LAYERS = (
    "__init__",
    "errors",
    "quantities",
    "r2",
    "mmd",
    "runtime",
    "chemistry",
    "reactions",
    "simulate",
    "instrument",
    "data",
    "models",
    "evaluation",
    "domain",
    "posterior",
    "calibrate",
    "report",
    "experiment",
    "predict",
    "design",
    "ablation",
    "search",
    "commands",
    "cli",
    "start",
)
PACKAGE = Path(polyinv.__file__).parent
FRONT_DOOR = "polyinv"
"""Opens on everything, when somebody enters."""


def name_of(path: Path) -> str:
    """The module that a file of the package is."""
    return ".".join((PACKAGE.name, *path.relative_to(PACKAGE).with_suffix("").parts)).removesuffix(".__init__")


MODULES = {name_of(path): path for path in PACKAGE.rglob("*.py")}


def imports(tree: ast.AST, *, for_types: bool) -> Iterator[str]:
    """Modules of the package that a piece of code imports, at once or when a function of it is called.

    Args:
        tree: The code.
        for_types: Whether what is imported for type checkers alone counts, too.
    """
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING" and not for_types:
            yield from imports(ast.Module(node.orelse, []), for_types=False)
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name.split(".")[0] == PACKAGE.name)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports name the whole module"
            if node.module.split(".")[0] == PACKAGE.name:
                yield from (found_in(node.module, alias.name) for alias in node.names)
        else:
            yield from imports(node, for_types=for_types)


def found_in(module: str, name: str) -> str:
    """What is read to import a name from a module: its submodule of that name, or itself."""
    return f"{module}.{name}" if f"{module}.{name}" in MODULES else module


def imports_of(module: str, *, for_types: bool = False) -> set[str]:
    return {*imports(ast.parse(MODULES[module].read_text()), for_types=for_types)} - {FRONT_DOOR}


def layer_of(module: str) -> int:
    return LAYERS.index([*module.split("."), "__init__"][1])


@pytest.mark.parametrize("module", sorted(MODULES.keys() - {FRONT_DOOR}))
def test_no_module_imports_from_below(module):
    found = imports_of(module, for_types=True)
    assert found <= set(MODULES)
    below = {other for other in found if layer_of(other) > layer_of(module)}
    assert not below, f"{module} imports {', '.join(below)}"


def test_no_module_imports_itself_by_way_of_others():
    order = TopologicalSorter({module: imports_of(module) for module in MODULES})
    try:
        order.prepare()
    except CycleError as error:
        pytest.fail(" imports ".join(reversed(error.args[1])))


def test_every_module_has_a_layer():
    assert {path.stem for path in PACKAGE.iterdir() if path.suffix == ".py" or (path / "__init__.py").is_file()} == set(
        LAYERS
    )


@pytest.mark.parametrize(
    ("code", "read"),
    [
        ("import polyinv.mmd", {"polyinv.mmd"}),
        ("import numpy, polyinv.mmd as m", {"polyinv.mmd"}),
        ("def f():\n    from polyinv.errors import InputError", {"polyinv.errors"}),
        (
            "from polyinv.simulate import deterministic, simulate",
            {"polyinv.simulate.deterministic", "polyinv.simulate"},
        ),
        ("if TYPE_CHECKING:\n    import polyinv.mmd\nelse:\n    import polyinv.errors", {"polyinv.errors"}),
        ("from polyinvoice import x", set()),
    ],
)
def test_imports_are_seen_wherever_they_stand(code, read):
    assert set(imports(ast.parse(code), for_types=False)) == read
