"""What a study reads: tables and models to start from, checked before a cell is run."""

from polyinv.ablation.study import Study
from polyinv.errors import InputError
from polyinv.experiment.run import check_inputs


def check_inputs_of(study: Study) -> None:
    """Refuse tables and models of another system than the study's, and what cannot be read; each of them once.

    Raises:
        InputError: The first of them, with the cell that needs it.
    """
    checked = set()
    for cell in study.cells:
        data, init = cell.experiment.data, cell.experiment.init
        inputs = (data.path, data.of.fingerprint, init)
        if inputs not in checked and (data.path, init) != (None, None):
            try:
                check_inputs(cell.experiment)
            except InputError as error:
                raise InputError(f"{cell.title}: {error}") from None
        checked.add(inputs)
