"""A small study to try things on."""

import traceback

import yaml

from polyinv.data.workbook import write_table
from polyinv.runtime.workers import Outcome

AXES = {"features": ["composite", "scalars"]}


def write_study(folder, small, **changes):
    """A study of a small table and a forest of three trees."""
    folder.mkdir(parents=True, exist_ok=True)
    write_table(small, folder / "table.npz")
    base = {"model": {"name": "forest", "n_estimators": 3}, "data": {"path": str(folder / "table.npz")}}
    (folder / "base.yaml").write_text(yaml.safe_dump(base))
    study = {"base": "base.yaml", "axes": AXES, "seeds": [1, 2]} | changes
    (folder / "study.yaml").write_text(yaml.safe_dump(study, sort_keys=False))
    return folder / "study.yaml"


def work_here(task, next_job, count, devices):
    """As `polyinv.runtime.workers.work`, without a process for it: for what a study says and leaves behind."""
    while job := next_job():
        name, arguments = job
        try:
            yield Outcome(name, task(*arguments))
        except Exception as error:
            yield Outcome(name, error=str(error), trace=traceback.format_exc())
