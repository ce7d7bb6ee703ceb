"""A small study to try things on."""

import pickle
from dataclasses import replace
from functools import partial

import yaml

from polyinv.data.workbook import write_table
from polyinv.runtime.workers import _outcome

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


def work_here(task, jobs, count, devices):
    """As `polyinv.runtime.workers.work`, without a process for it: for what a study says and leaves behind."""
    next_job = jobs if callable(jobs) else partial(next, iter(jobs.items()), None)
    while job := next_job():
        name, arguments = job
        arguments = pickle.loads(pickle.dumps(arguments))  # as to another process
        yield replace(_outcome(task, arguments), name=name)
