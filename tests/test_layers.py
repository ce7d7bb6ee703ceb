"""Each module imports only from those above it."""

import ast
from pathlib import Path

import polyinv

LAYERS = (
    "__init__",
    "errors",
    "quantities",
    "reactions",
    "r2",
    "mmd",
    "runtime",
    "chemistry",
    "simulate",
    "instrument",
    "data",
    "models",
    "evaluation",
    "domain",
    "report",
    "experiment",
    "predict",
    "ablation",
    "cli",
)
PACKAGE = Path(polyinv.__file__).parent


def layer_of(module: str) -> str:
    parts = module.split(".")
    return parts[1] if len(parts) > 1 and parts[1] in LAYERS else "__init__"


def imports(path: Path) -> set[str]:
    nodes = ast.walk(ast.parse(path.read_text()))
    return {
        node.module for node in nodes if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("polyinv")
    }


def test_no_module_imports_from_below():
    for path in PACKAGE.rglob("*.py"):
        if path == PACKAGE / "__init__.py":
            continue  # the front door opens on everything, when somebody enters
        own = path.relative_to(PACKAGE).parts[0].removesuffix(".py")
        allowed = LAYERS[: LAYERS.index(own) + 1]
        for module in imports(path):
            assert layer_of(module) in allowed, f"{path.relative_to(PACKAGE)} imports {module}"


def test_every_module_has_a_layer():
    assert {path.stem for path in PACKAGE.iterdir() if path.suffix == ".py" or (path / "__init__.py").is_file()} == set(
        LAYERS
    )
