"""YAML files as mappings: read safely, each key once."""

import re
from pathlib import Path
from typing import Any

import yaml

from polyinv.errors import InputError, one_line, quoted

MOST_BYTES, MOST_NODES, DEEPEST = 2_000_000, 200_000, 40
"""Of a file: its bytes, its values when all aliases are written out, and its levels."""


PLAIN = re.compile(r"[-+]?(0|[1-9]\d*|\d*\.\d*([eE][-+]?\d+)?|\.(inf|Inf|INF|nan|NaN|NAN))")
"""Numbers as everybody reads them: for YAML 7_0 is 70, 010 is 8, 0x10 is 16, and 1:30 is 90."""


class EachKeyOnce(yaml.SafeLoader):
    """YAML loader that refuses equal keys, of which YAML silently takes the last."""

    def compose_mapping_node(self, anchor: Any) -> yaml.MappingNode:
        """See `yaml.composer.Composer`."""
        node = super().compose_mapping_node(anchor)  # as it is written: nothing is merged into it yet
        seen: set[str] = set()
        for key in (key.value for key, _ in node.value if isinstance(key, yaml.ScalarNode)):
            if key in seen:
                raise yaml.YAMLError(f"{quoted(key)} stands there twice, {_place(node)}")
            seen.add(key)
        return node

    def construct_scalar_number(self, node: yaml.ScalarNode) -> Any:
        """Construct a number as it is written; what YAML takes for one in its own way is refused."""
        if not PLAIN.fullmatch(node.value):
            raise yaml.YAMLError(
                f"{quoted(node.value)} is no plain number, such as 70 or 1.5; or needs quotes, {_place(node)}"
            )
        is_whole = node.tag.endswith(":int")
        return self.construct_yaml_int(node) if is_whole else self.construct_yaml_float(node)

    def get_single_node(self) -> yaml.Node | None:
        """See `yaml.composer.Composer`; refuses what names itself, and few lines that stand for millions."""
        node = super().get_single_node()
        if node is not None:
            _check_size(node)
        return node


for kind in ("int", "float"):
    EachKeyOnce.add_constructor(f"tag:yaml.org,2002:{kind}", EachKeyOnce.construct_scalar_number)


def _place(node: yaml.Node) -> str:
    return f"line {node.start_mark.line + 1}, column {node.start_mark.column + 1}"


def _check_size(root: yaml.Node) -> None:
    """Refuse a document that does not end, or hardly.

    Raises:
        YAMLError: Says which.
    """
    sizes: dict[int, int] = {}
    waiting: list[tuple[yaml.Node, list[yaml.Node]]] = [(root, _parts(root))]
    above = {id(root)}
    while waiting:
        node, parts = waiting[-1]
        if parts:
            part = parts.pop()
            if id(part) in above:
                raise yaml.YAMLError(f"it contains itself, {_place(part)}")
            if id(part) not in sizes:
                waiting.append((part, _parts(part)))
                above.add(id(part))
            if len(waiting) > DEEPEST:
                raise yaml.YAMLError(f"it is nested deeper than {DEEPEST} levels, {_place(part)}")
            continue
        waiting.pop()
        above.discard(id(node))
        sizes[id(node)] = 1 + sum(sizes[id(part)] for part in _parts(node))
        if sizes[id(node)] > MOST_NODES:
            raise yaml.YAMLError(f"it stands for more than {MOST_NODES} values, {_place(node)}")


def _parts(node: yaml.Node) -> list[yaml.Node]:
    if isinstance(node, yaml.MappingNode):
        return [part for pair in node.value for part in pair]
    return list(node.value) if isinstance(node, yaml.SequenceNode) else []


def read_mapping(path: Path, what: str) -> dict[str, Any]:
    """Read a YAML file that has to be a mapping.

    Args:
        path: The file.
        what: What it should be, such as "configuration; it has to hold sections".

    Raises:
        InputError: It is no YAML, or no mapping.
    """
    written = _read(path, what.partition(";")[0])
    try:
        content = yaml.load(written.decode("utf-8"), EachKeyOnce)
    except UnicodeDecodeError as error:
        raise InputError(f"{path} is no text in UTF-8 (byte {error.object[error.start]:#x}); save it as such") from None
    except RecursionError:
        raise InputError(f"{path} is not YAML that can be read: it is nested too deeply") from None
    except (yaml.YAMLError, ValueError) as error:  # a date or a number that cannot be is no YAMLError
        raise InputError(f"{path} is not YAML: {one_line(error, 300, 100)}") from None
    if not isinstance(content, dict):
        raise InputError(f"{path} is no {what}")
    return content


def _read(path: Path, what: str) -> bytes:
    """Read no more of a file than one may have; pipes and devices, which never end or can be read once, are none."""
    if path.exists() and not path.is_file():
        raise InputError(f"{path} is no file but a folder, a pipe or a device; needs the file of a {what}")
    with path.open("rb") as file:
        content = file.read(MOST_BYTES + 1)
    if len(content) > MOST_BYTES:
        raise InputError(f"{path} has more than {MOST_BYTES / 1e6:g} MB, too many for a {what}")
    return content
