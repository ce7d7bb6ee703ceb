"""YAML files as mappings: read safely, each key once."""

from pathlib import Path
from typing import Any

import yaml

from polyinv.errors import InputError


class EachKeyOnce(yaml.SafeLoader):
    """YAML loader that refuses equal keys, of which YAML silently takes the last."""

    def compose_mapping_node(self, anchor: Any) -> yaml.MappingNode:
        """See `yaml.composer.Composer`."""
        node = super().compose_mapping_node(anchor)  # as it is written: nothing is merged into it yet
        keys = [key.value for key, _ in node.value]
        for key in keys:
            if keys.count(key) > 1:
                raise yaml.YAMLError(f"{key} stands there twice, {str(node.start_mark).strip()}")
        return node


def read_mapping(path: Path, what: str) -> dict[str, Any]:
    """Read a YAML file that has to be a mapping.

    Args:
        path: The file.
        what: What it should be, such as "configuration; it has to hold sections".

    Raises:
        InputError: It is no YAML, or no mapping.
    """
    try:
        content = yaml.load(path.read_text(encoding="utf-8"), EachKeyOnce)
    except UnicodeDecodeError as error:
        raise InputError(f"{path} is no text in UTF-8 (byte {error.object[error.start]:#x}); save it as such") from None
    except RecursionError:
        raise InputError(f"{path} is not YAML that can be read: it is nested too deeply") from None
    except (yaml.YAMLError, ValueError) as error:  # a date or a number that cannot be is no YAMLError
        raise InputError(f"{path} is not YAML: {' '.join(str(error).split())}") from None
    if not isinstance(content, dict):
        raise InputError(f"{path} is no {what}")
    return content
