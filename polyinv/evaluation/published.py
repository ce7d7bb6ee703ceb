"""Published scores of the study, to stand beside ours.

S. Ortube, I. Ponzoni, M. Diaz: inverse engineering of the polymerization of butyl acrylate by machine learning
(report, in Spanish), Tables 1 to 3, on the 432 kinetic Monte Carlo runs of Fiosina, Sievers, Drache, Beuermann,
Computers & Chemical Engineering 177 (2023) 108356. Split: 20 % of the rows at random. Relative MAE as a fraction.
"""

from collections.abc import Mapping
from typing import Any

from polyinv.chemistry import DEFAULT, load_system

TARGETS = load_system(DEFAULT).targets

_TABLES = {
    ("forest", "mmd"): ((0.9445, 0.1851, 0.5685, 0.5999), (0.0539, 0.2477, 0.1610, 0.1439), 0.5745, 113545.5647),
    ("forest", "composite"): ((0.9869, 0.2386, 0.8997, 0.8562), (0.0225, 0.2332, 0.0752, 0.0871), 0.7454, 40822.8319),
    ("mlp", "composite"): ((0.9940, 0.5927, 0.9754, 0.9193), (0.0177, 0.1522, 0.0393, 0.0624), 0.8703, 22916.5960),
}

PUBLISHED: dict[tuple[str, str], dict[tuple[str, str], float]] = {
    case: {
        **{(name, "r2"): value for name, value in zip(TARGETS, r2, strict=True)},
        **{(name, "relative_mae"): value for name, value in zip(TARGETS, mae, strict=True)},
        ("global", "r2"): global_r2,
        ("global", "mse"): global_mse,
    }
    for case, (r2, mae, global_r2, global_mse) in _TABLES.items()
}
"""Score by (target, metric) for each published (model, features)."""

PUBLISHED_NETWORK = {"hidden": [256, 128, 64], "dropout": [0.2, 0.1, 0.0], "transform": "plain", "members": 1}


def repeated_case(config: Mapping[str, Any]) -> tuple[str, str] | None:
    """Find the published (model, features) that an experiment repeats, so that both may stand side by side.

    It has to split the published way, to learn from all training rows of a table that has the published recipes, and to
    be one of the published models: any forest, and the network of the published architecture.

    Args:
        config: The ``config.yaml`` of a run folder.
    """
    split, model, data = config["split"], config["model"], config["data"]
    case = model["name"], config["features"]
    on_grid = (
        data["source"] in ("table", "grid") and data.get("path") is None and data.get("system", DEFAULT) == DEFAULT
    )
    whole = split["name"] == "random_rows" and split.get("share", 1.0) == 1.0
    is_theirs = model["name"] != "mlp" or all(model[key] == value for key, value in PUBLISHED_NETWORK.items())
    return case if case in PUBLISHED and on_grid and whole and is_theirs else None
