"""Mutations of files: what editors, spreadsheets, instruments, disks and attackers do to them."""

import io
import json
import re
import zipfile
import zlib
from collections.abc import Callable
from random import Random

import numpy as np
import yaml

TOKENS = (
    *(
        "",
        " ",
        "nan",
        "inf",
        "-inf",
        "1e308",
        "-1e308",
        "1e-320",
        "-1",
        "0",
        "1e9",
        "7_0",
        "1+2j",
        "0x10",
        "1,5",
        "1.5.2",
    ),
    *(
        "#N/A",
        "#VALUE!",
        "#DIV/0!",
        "=1+1",
        "=cmd|' /C calc'!A0",
        "@SUM(1)",
        "-2+3",
        "+",
        "TRUE",
        "None",
        "null",
        "~",
        "70 %",
    ),
    *("$\\frac{1$", "|", "a\tb", "a\nb", "\x00", "\x1b[2J", "é", "測定", "\ud7ff", "‮", "x" * 5000, "'", '"', "`", "\\"),
    *(
        "2024-01-01",
        "12:30",
        "1e",
        "e5",
        "--",
        "../../etc/passwd",
        "/dev/zero",
        "<script>alert(1)</script>",
        "{}",
        "[]",
        "%s%n",
    ),
)
"""What cells and values are replaced by."""
VALUES = (
    *(None, True, False, 0, -1, 1, 2**31, 2**63, 10**30, 0.5, -0.5, 1e-300, 1e300, float("nan"), float("inf")),
    *("", "x", "nan", "1e308", "x" * 5000, "../x", "butyl_acrylate", [], {}, [[]], [1, 2], {"a": 1}, [None], {"": {}}),
)
"""What nodes of YAML and JSON are replaced by."""
UNITS = (" (K)", " (min)", " (kg/mol)", " (mmol/L)", " (%)", " [°F]", "_error", " ± 5 %", " (bananas)")
"""What is added to names of columns."""
NUMBER = re.compile(r"[-+]?\d+\.?\d*(?:[eE][-+]?\d+)?")

Mutation = Callable[[bytes, Random], bytes]


def flip(content: bytes, random: Random) -> bytes:
    """Change one byte."""
    at = random.randrange(len(content)) if content else 0
    return content[:at] + bytes([random.randrange(256)]) + content[at + 1 :]


def cut(content: bytes, random: Random) -> bytes:
    """Leave out a piece."""
    low, high = sorted(random.randrange(len(content) + 1) for _ in range(2))
    return content[:low] + content[high:]


def end_early(content: bytes, random: Random) -> bytes:
    """Keep the beginning only, as a full disk does."""
    return content[: random.randrange(len(content) + 1)]


def repeat(content: bytes, random: Random) -> bytes:
    """Repeat a piece."""
    low, high = sorted(random.randrange(len(content) + 1) for _ in range(2))
    return content[:high] + content[low:high] * random.choice((1, 2, 20)) + content[high:]


def insert_token(content: bytes, random: Random) -> bytes:
    """Put in what nobody expects."""
    at = random.randrange(len(content) + 1)
    return content[:at] + _encoded(random.choice(TOKENS)) + content[at:]


def replace_number(content: bytes, random: Random) -> bytes:
    """Put something else in the place of a number."""
    text = content.decode("utf-8", "replace")
    found = list(NUMBER.finditer(text))
    if not found:
        return insert_token(content, random)
    at = random.choice(found)
    return _encoded(text[: at.start()] + random.choice(TOKENS) + text[at.end() :])


def replace_word(content: bytes, random: Random) -> bytes:
    """Put something else in the place of a word."""
    text = content.decode("utf-8", "replace")
    found = list(re.finditer(r"[^\s,;:\t]+", text))
    if not found:
        return insert_token(content, random)
    at = random.choice(found)
    return _encoded(text[: at.start()] + random.choice(TOKENS) + text[at.end() :])


def move_line(content: bytes, random: Random) -> bytes:
    """Leave a line out, or put it elsewhere, or twice."""
    lines = content.splitlines(keepends=True)
    if not lines:
        return content
    line = lines.pop(random.randrange(len(lines)))
    for _ in range(random.randrange(3)):
        lines.insert(random.randrange(len(lines) + 1), line)
    return b"".join(lines)


def change_separator(content: bytes, random: Random) -> bytes:
    """Write another separator everywhere."""
    old, new = random.sample([b",", b";", b"\t", b" ", b".", b":", b"\n"], 2)
    return content.replace(old, new)


def change_encoding(content: bytes, random: Random) -> bytes:
    """Save in another encoding."""
    text = content.decode("utf-8", "replace")
    return text.encode(random.choice(["utf-16", "utf-8-sig", "latin-1", "cp1252", "utf-32", "utf-7"]), "replace")


def nest_deeply(content: bytes, random: Random) -> bytes:
    """Add what is nested, or names itself, so deeply that no reader ends."""
    bomb = b"a0: &a0 [x]\n" + b"".join(
        b"a%d: &a%d [%s]\n" % (k, k, b", ".join([b"*a%d" % (k - 1)] * 9)) for k in range(1, 12)
    )
    added = random.choice(
        [bomb, b"self: &self {me: *self}\n", b"deep: " + b"[" * 3000 + b"]" * 3000 + b"\n", b"{" * 500]
    )
    return content + b"\n" + added


def swap_columns(content: bytes, random: Random) -> bytes:
    """Swap two columns in all lines, or write one of them twice, or give one the name of another."""
    text = content.decode("utf-8", "replace")
    sign = max(",;\t", key=text.count)
    lines = [line.split(sign) for line in text.split("\n")]
    width = max(map(len, lines))
    if width < 2:
        return move_line(content, random)
    one, other = random.sample(range(width), 2)
    kind = random.randrange(4)
    for at, cells in enumerate(lines):
        if len(cells) > max(one, other) and (kind or at == 0):  # names alone, or what stands below them, too
            cells[one], cells[other] = (cells[other], cells[one]) if kind < 2 else (cells[one], cells[one])
        if kind == 3 and len(cells) == width:
            cells.append(cells[one])
    return _encoded("\n".join(sign.join(cells) for cells in lines))


def change_unit(content: bytes, random: Random) -> bytes:
    """State another unit, or an error, in the name of a column."""
    lines = content.decode("utf-8", "replace").split("\n")
    names = list(re.finditer(r"[A-Za-zÀ-ÿ][\w. ]*", lines[0]))
    if not names:
        return replace_word(content, random)
    at = random.choice(names)
    unit = random.choice(
        [" (K)", " (min)", " (kg/mol)", " (mmol/L)", " (%)", " [°F]", "_error", " ± 5 %", " (bananas)"]
    )
    lines[0] = lines[0][: at.end()] + unit + lines[0][at.end() :]
    return _encoded("\n".join(lines))


def scale_numbers(content: bytes, random: Random) -> bytes:
    """Multiply all numbers of a line, or of the whole file, by one factor."""
    lines, factor = (
        content.decode("utf-8", "replace").split("\n"),
        random.choice([-1, 0, 1e-3, 1e3, 1e6, 1e300, 1e-300]),
    )
    chosen = random.choice([None, random.randrange(len(lines))])
    for at in range(len(lines)) if chosen is None else [chosen]:
        lines[at] = NUMBER.sub(lambda found: f"{float(found[0]) * factor:.6g}", lines[at])
    return _encoded("\n".join(lines))


def change_lines(content: bytes, random: Random) -> bytes:
    """Write another end of line, a byte order mark, NUL, or a very long line."""
    kind = random.randrange(6)
    if kind < 2:
        return content.replace(b"\r\n", b"\n").replace(b"\n", (b"\r\n", b"\r")[kind])
    if kind == 2:
        return b"\xef\xbb\xbf" * random.choice([1, 2]) + content
    if kind == 3:
        return content + b"\x00" * random.choice([1, 1000])
    if kind == 4:
        return content + b"1," * 200_000
    return content + b"\n" * 200_000


def of_yaml(content: bytes, random: Random) -> bytes:
    """Put another value in the place of some node, or rename a key, in what stays YAML."""
    try:
        document = yaml.safe_load(content.decode("utf-8"))
    except (yaml.YAMLError, ValueError, RecursionError):
        return flip(content, random)
    if isinstance(document, dict) and document and random.random() < 0.25:
        key, name = random.choice(list(document)), random.choice([*TOKENS[:20], *document, 1, None, True])
        document = {name if each == key else each: value for each, value in document.items()}
    else:
        document = replaced(document, random)
    try:
        return yaml.safe_dump(document, allow_unicode=random.random() < 0.5, sort_keys=False).encode("utf-8")
    except (yaml.YAMLError, UnicodeError):
        return flip(content, random)


TEXT: tuple[Mutation, ...] = (
    *(flip, cut, end_early, repeat, insert_token, replace_number, replace_number, replace_word, replace_word),
    *(move_line, change_separator, change_encoding, swap_columns, change_unit, scale_numbers, change_lines),
)
YAML: tuple[Mutation, ...] = (*TEXT, of_yaml, of_yaml, of_yaml, nest_deeply)


def of_json(content: bytes, random: Random) -> bytes:
    """Put another value in the place of some node."""
    try:
        document = json.loads(content)
    except ValueError:
        return flip(content, random)
    return json.dumps(replaced(document, random)).encode()


def replaced(node: object, random: Random) -> object:
    """Document with another value in the place of some node, or without it."""
    if not isinstance(node, dict | list) or not node or random.random() < 0.15:
        return random.choice(VALUES)
    if isinstance(node, dict):
        key = random.choice(list(node))
        if random.random() < 0.15:
            return {name: value for name, value in node.items() if name != key}
        return node | {key: replaced(node[key], random)}
    at = random.randrange(len(node))
    return [*node[:at], replaced(node[at], random), *node[at + 1 :]]


def of_archive(content: bytes, random: Random) -> bytes:
    """Mutate a part of a ZIP archive (a workbook, arrays, weights), which stays a whole one."""
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            parts = {each.filename: archive.read(each) for each in archive.infolist()}
    except (zipfile.BadZipFile, zlib.error, NotImplementedError, OSError, EOFError, RuntimeError, ValueError):
        return flip(content, random)
    if not parts:
        return content
    name = random.choice(list(parts))
    kind = random.randrange(10)
    if kind == 0:
        del parts[name]
    elif kind == 1:
        parts[random.choice(["../outside.txt", "/tmp/outside.txt", "x" * 200, name.upper()])] = parts.pop(name)
    else:
        parts[name] = random.choice(TEXT)(parts[name], random)
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", random.choice([zipfile.ZIP_DEFLATED, zipfile.ZIP_STORED])) as archive:
        for each, part in parts.items():
            archive.writestr(each, part)
    return packed.getvalue()


def of_arrays(content: bytes, random: Random) -> bytes:
    """Change a number, the type or the shape of an array of a .npz file."""
    try:
        arrays = dict(np.load(io.BytesIO(content)))
    except Exception:
        return flip(content, random)
    name = random.choice(list(arrays))
    array = np.array(arrays[name])
    if array.dtype.kind not in "fiuUS":
        return flip(content, random)
    kind = random.randrange(6)
    if kind == 0 and array.size and array.dtype.kind == "f":
        array.flat[random.randrange(array.size)] = random.choice([np.nan, np.inf, -1.0, 1e308])
    elif kind == 1:
        array = array[..., :-1] if array.ndim and array.shape[-1] else array
    elif kind == 2:
        array = array.astype("U" if array.dtype.kind == "f" else "S")
    elif kind == 3:
        array = array[None]
    elif kind == 4:
        array = array[:0] if array.ndim else array
    arrays[random.choice([name, "other"]) if kind == 5 else name] = array
    packed = io.BytesIO()
    try:
        np.savez(packed, **arrays)
    except (ValueError, UnicodeError):
        return flip(content, random)
    return packed.getvalue()


ARCHIVE: tuple[Mutation, ...] = (of_archive, of_archive, of_archive, flip, cut, end_early)
ARRAYS: tuple[Mutation, ...] = (of_arrays, of_arrays, of_archive, flip, end_early)
JSON: tuple[Mutation, ...] = (of_json, of_json, of_json, *YAML)


def _encoded(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")
