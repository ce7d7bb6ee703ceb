"""Processes and devices for the cells of a study: how many at once, and on which GPUs."""

from collections.abc import Sequence

from polyinv.experiment.experiment import Experiment
from polyinv.models import MODELS
from polyinv.runtime.devices import devices
from polyinv.runtime.engines import Places
from polyinv.runtime.threads import available_cores


def places(experiments: Sequence[Experiment], workers: int | None = None, per_device: int = 1) -> Places:
    """Choose processes and devices for experiments, no more processes than experiments.

    Args:
        experiments: Where none of them can use a device, as forests cannot, all of them are run on the CPU.
        workers: Processes; by default ``per_device`` for each device, without any one per core.
        per_device: See ``workers``.
    """
    found = devices() if any(map(_takes_a_device, experiments)) else ()
    most = workers or len(found) * per_device or available_cores()
    return Places(max(1, min(most, len(experiments))), found)


def _takes_a_device(experiment: Experiment) -> bool:
    """Whether an experiment may use a GPU: models that take threads, or are told so, stay on the CPU."""
    training = experiment.options.get("training")
    is_told = isinstance(training, dict) and training.get("accelerator") == "cpu"
    return MODELS[experiment.model].parallel_option is None and not is_told
