"""Feature sets: which columns of a table a model may see, composed of blocks."""

from polyinv.errors import unknown
from polyinv.quantities import MMD, SCALARS

BLOCKS = {"mmd": MMD} | {name: (name,) for name in SCALARS}
"""What can be measured separately, and its columns."""
FEATURES = {"mmd": ("mmd",), "composite": ("cBA_time", "Mn", "Mw", "mmd")}
"""Feature sets by name; the columns follow the order of the blocks."""


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
