"""A small search to try things on."""

import yaml

from polyinv.data.workbook import write_table

AXES = {
    "model.training.learning_rate": {"from": 0.001, "to": 0.03, "scale": "log"},
    "model.hidden": [[8], [8, 4]],
}
TRAINING = {"max_epochs": 4, "batch_size": 64}


def write_search(folder, small, training=TRAINING, **changes):
    """A search of tiny networks on a small table."""
    folder.mkdir(parents=True, exist_ok=True)
    if not (folder / "table.npz").exists():
        write_table(small, folder / "table.npz")
    model = {"name": "mlp", "hidden": [8], "dropout": [0.0], "training": training}
    base = {"model": model, "data": {"path": str(folder / "table.npz")}}
    (folder / "base.yaml").write_text(yaml.safe_dump(base), encoding="utf-8")
    search = {"base": "base.yaml", "axes": AXES, "trials": 8} | changes
    (folder / "search.yaml").write_text(yaml.safe_dump(search, sort_keys=False), encoding="utf-8")
    return folder / "search.yaml"
