"""Feature sets: the columns of a table that a model is given, composed of blocks."""

from collections.abc import Sequence

from polyinv.chemistry import DEFAULT, AnySystem, System, load_system
from polyinv.data.patterns import RESIDUAL
from polyinv.errors import unknown
from polyinv.quantities import MEANS, MMD

CONDITIONAL = "conditional"
"""Name of the feature set of which any part may be missing."""
FEATURES = {
    "mmd": ("mmd",),
    "composite": (RESIDUAL, *MEANS, "mmd"),
    "scalars": (RESIDUAL, *MEANS),
    f"mmd+{RESIDUAL}": (RESIDUAL, "mmd"),
    **{f"mmd+{mean}": (mean, "mmd") for mean in MEANS},
    CONDITIONAL: (RESIDUAL, *MEANS, "mmd", "recipe"),
}
"""Blocks of each feature set, by name; the columns follow the order of the blocks, and are those of a system. With
``conditional`` any input may be missing and any value of the recipe may be known; the model answers the rest
(`polyinv.data.patterns`)."""
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
    columns = {"mmd": MMD, RESIDUAL: (system.residual,), "recipe": system.targets}
    return tuple(column for block in FEATURES[known[name]] for column in columns.get(block, (block,)))


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
