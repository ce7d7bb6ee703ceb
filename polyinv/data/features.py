"""Feature sets: the columns of a table that a model is given, composed of blocks."""

from collections.abc import Sequence

from polyinv.chemistry import DEFAULT, AnySystem, System, load_system
from polyinv.data.patterns import RESIDUAL
from polyinv.errors import unknown
from polyinv.instrument.errors import OF_CONVERSION, SUFFIX, error_columns
from polyinv.quantities import CHAINS, MEANS, MMD

CONDITIONAL = "conditional"
"""Name of the feature set of which any part may be missing."""
WITH_ERRORS = f"{CONDITIONAL}+errors"
"""Name of the same with the errors of all that is given."""
WITH_CHAINS = f"{WITH_ERRORS}+chains"
"""Name of the same with the number of chains of a simulated sample, which may be missing as well."""
FEATURES = {
    "mmd": ("mmd",),
    "composite": (RESIDUAL, *MEANS, "mmd"),
    "scalars": (RESIDUAL, *MEANS),
    f"mmd+{RESIDUAL}": (RESIDUAL, "mmd"),
    **{f"mmd+{mean}": (mean, "mmd") for mean in MEANS},
    CONDITIONAL: (RESIDUAL, *MEANS, "mmd", "recipe"),
    WITH_ERRORS: (RESIDUAL, *MEANS, "mmd", "recipe", "errors"),
    WITH_CHAINS: (RESIDUAL, *MEANS, "mmd", "recipe", "errors", CHAINS),
}
"""Blocks of each feature set, by name; the columns follow the order of the blocks, and are those of a system. With
``conditional`` any input may be missing and any value of the recipe may be known; the model answers the rest
(`polyinv.data.patterns`). With ``conditional+errors`` it is told how well each input is known besides, and with
``conditional+errors+chains`` how many chains a simulated sample holds."""
MISSING_INPUTS = (CONDITIONAL, WITH_ERRORS, WITH_CHAINS)
"""Feature sets of which any part may be missing."""
FORMERLY = {"partial": CONDITIONAL}
"""What 0.1.0 called them; configurations and run folders of that version are still read."""


def feature_names(system: System) -> dict[str, str]:
    """Names of the feature sets of a system, where the residual monomer goes by its column, and in ``FEATURES``.

    Example:
        >>> from polyinv.chemistry import load_system
        >>> list(feature_names(load_system("styrene")))[3:5]
        ['mmd+cSty_time', 'mmd+Mn']
    """
    return {name.replace(RESIDUAL, system.residual): name for name in FEATURES}


def current_name(features: str, system: System) -> str:
    """Translate the name of a feature set from that of 0.1.0, or of any system, to that of this one.

    Example:
        >>> from polyinv.chemistry import load_system
        >>> [current_name(name, load_system("styrene")) for name in ("partial", "mmd", "mmd+residual")]
        ['conditional', 'mmd', 'mmd+cSty_time']
    """
    return FORMERLY.get(features, features).replace(RESIDUAL, system.residual)


def feature_columns(features: str, system: AnySystem = DEFAULT) -> tuple[str, ...]:
    """Columns of a feature set.

    Raises:
        InputError: The system has none of that name.

    Example:
        >>> from polyinv.chemistry import load_system
        >>> feature_columns("composite", load_system("butyl_acrylate"))[:4]
        ('cBA_time', 'Mn', 'Mw', 'MMD1')
    """
    system = load_system(system)
    known, name = feature_names(system), current_name(features, system)
    if name not in known:
        raise unknown("feature set", features, known)
    columns = {"mmd": MMD, RESIDUAL: (system.residual,), "recipe": system.targets, "errors": tuple(errors_of(system))}
    return tuple(column for block in FEATURES[known[name]] for column in columns.get(block, (block,)))


def errors_of(system: System) -> dict[str, str]:
    """Columns that state the errors of a system, and the name of each error in `polyinv.instrument.MeasurementErrors`.

    Example:
        >>> from polyinv.chemistry import load_system
        >>> list(errors_of(load_system("butyl_acrylate")))[2:5]
        ['temp_error', 'time_error', 'cBA_time_error']
    """
    return error_columns(system.recipe, system.residual)


def input_of_error(column: str, system: System) -> str | None:
    """The input that a column of errors belongs to; None for those of the curve, from which Mn and Mw come as well.

    Example:
        >>> from polyinv.chemistry import load_system
        >>> system = load_system("butyl_acrylate")
        >>> [input_of_error(name, system) for name in ("temp_error", "Mn_error", "conversion_error", "sec_offset")]
        ['temp', 'means', 'cBA_time', None]
    """
    if column == OF_CONVERSION:
        return system.residual
    of = column.removesuffix(SUFFIX)
    return next((name for name, columns in system.inputs.items() if column != of and of in columns), None)


def features_of(columns: Sequence[str], system: System) -> str | None:
    """Name of the feature set with these columns, None if there is none.

    Example:
        >>> from polyinv.chemistry import load_system
        >>> [features_of(columns, load_system("butyl_acrylate")) for columns in (MMD, ("Mn",))]
        ['mmd', None]
    """
    named = feature_names(system)
    return next((name for name in named if feature_columns(name, system) == tuple(columns)), None)


def is_conditional(columns: Sequence[str], system: System) -> bool:
    """Whether observations with these columns may have missing inputs, as those of ``conditional`` may."""
    return set(system.targets) <= set(columns)
