"""Feature sets: the columns of a table that a model is given, composed of blocks."""

from collections.abc import Sequence

from polyinv.errors import unknown
from polyinv.quantities import MMD, SCALARS, TARGETS

BLOCKS = {"mmd": MMD} | {name: (name,) for name in (*SCALARS, *TARGETS)}
"""What can be known separately, and its columns."""
CONDITIONAL = "conditional"
"""Name of the feature set of which any part may be missing."""
FEATURES = {
    "mmd": ("mmd",),
    "composite": ("cBA_time", "Mn", "Mw", "mmd"),
    "scalars": ("cBA_time", "Mn", "Mw"),
    **{f"mmd+{scalar}": (scalar, "mmd") for scalar in SCALARS},
    CONDITIONAL: ("cBA_time", "Mn", "Mw", "mmd", *TARGETS),
}
"""Feature sets by name; the columns follow the order of the blocks. With ``conditional`` any input may be missing and
any value of the recipe may be known; the model answers the rest (`polyinv.data.patterns`)."""
FORMERLY = {"partial": CONDITIONAL}
"""What 0.1.0 called them; configurations and run folders of that version are still read."""


def current_name(features: str) -> str:
    """Translate the name of a feature set from 0.1.0 to today's.

    Example:
        >>> current_name("partial"), current_name("mmd")
        ('conditional', 'mmd')
    """
    return FORMERLY.get(features, features)


def feature_columns(features: str) -> tuple[str, ...]:
    """Columns of a feature set.

    Raises:
        InputError: The name is not in ``FEATURES``.

    Example:
        >>> feature_columns("composite")[:4]
        ('cBA_time', 'Mn', 'Mw', 'MMD1')
    """
    if features not in FEATURES:
        raise unknown("feature set", features, FEATURES)
    return tuple(column for block in FEATURES[features] for column in BLOCKS[block])


def features_of(columns: Sequence[str]) -> str | None:
    """Name of the feature set with these columns, None if there is none.

    Example:
        >>> features_of(MMD), features_of(("Mn",))
        ('mmd', None)
    """
    return next((name for name in FEATURES if feature_columns(name) == tuple(columns)), None)


def is_conditional(columns: Sequence[str]) -> bool:
    """Whether observations with these columns may have missing inputs, as those of ``conditional`` may."""
    return set(TARGETS) <= set(columns)
