"""Every command and code block of the documentation runs as typed.

The blocks of a page run in order, in one folder that has examples/, configs/ and checkpoints/ as a clone has. A line
before a block says what is to be done with it:

- ``<!-- not run: reason -->``: it is left out.
- ``<!-- slow -->``: it runs with ``-m slow`` only, and so does what needs it.
- ``<!-- output -->``, before a ``text`` block: the block before it prints this, numbers to their printed digits; a
  line ``…`` stands for any lines.
- ``<!-- file: PATH -->``: it is the content of that file.

A ``diff`` block is applied to the clone. CONTRIBUTING.md, which changes the package, has a copy of it.
"""

import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from textwrap import dedent

import pytest

from tests.warm import SCRIPT

CLONE = Path(__file__).parents[1]
FRONT = [CLONE / "README.md", CLONE / "README.es.md", CLONE / "CONTRIBUTING.md"]
PAGES = [path for path in (*FRONT, *sorted(CLONE.glob("docs/**/*.md"))) if path.is_file()]
RUN = ("bash", "console", "python", "diff")
RELATIVE = 2e-3
"""How far a number may be from the one that is printed: processors differ in the last bits, trainings amplify it."""
_FENCE = re.compile(r"^(?P<indent>\s*)(?P<ticks>`{3,})(?P<language>[\w-]*)[^`]*$")
_MARK = re.compile(r"<!--\s*(?P<kind>not run|slow|output|file)\s*(:\s*(?P<what>.*?))?\s*-->")
_NUMBER = re.compile(r"(?<![\w.])[-−+]?\d+(?:\.\d+)?(?:e[-+]?\d+)?(?!\w)")
_PROGRESS = re.compile(r"^(\S.*: +\d+ of \d+ |compiling .*, once after an installation)")
"""A line that says how far something is: there are as many as the machine is slow."""


@dataclass(frozen=True)
class Block:
    """Block of code of a page: its language and text, the line it begins in, and the marks before it."""

    language: str
    text: str
    line: int
    marks: dict[str, str]


def blocks_of(page: str) -> list[Block]:
    """Find the fenced blocks of Markdown."""
    found, marks, lines = [], {}, iter(enumerate(page.splitlines(), 1))
    for number, line in lines:
        fence = _FENCE.match(line)
        if fence is None:
            here = {mark["kind"]: mark["what"] or "" for mark in _MARK.finditer(line)}
            marks = here or (marks if not line.strip() else {})
            continue
        inside = []
        for _, content in lines:
            if content.strip() == fence["ticks"]:
                break
            inside.append(content)
        found.append(Block(fence["language"], dedent("\n".join(inside)), number, marks))
        marks = {}
    return found


def in_turn(blocks: list[Block], slow: bool) -> list[tuple[Block, str | None]]:
    """The blocks that run, each with the output that stands behind it."""
    chosen: list[tuple[Block, str | None]] = []
    before: Block | None = None
    for block in blocks:
        runs = block.language in RUN or "file" in block.marks
        if runs and "not run" not in block.marks and (slow or "slow" not in block.marks):
            chosen.append((before := block, None))
        elif "output" in block.marks:
            if chosen and before is chosen[-1][0]:
                chosen[-1] = (before, block.text)
        else:
            before = None
    return chosen


def differs(printed: str, documented: str) -> str | None:
    """Say where what is printed differs from what a page says; None if it does not.

    Example:
        >>> differs("Mn 34081.2, 1 row", "Mn 34081, 1 row")
        >>> differs("c 2", "c 9")
        "no line 'c 9'; printed:\\nc 2"
    """
    lines = [line for line in map(_plain, printed.splitlines()) if line and not _PROGRESS.match(line)]
    rest, anywhere = list(lines), False
    for line in filter(None, map(_plain, documented.splitlines())):
        if line in ("…", "..."):
            anywhere = True
            continue
        at = next((at for at, other in enumerate(rest) if _alike(other, line)), None)
        if at is None or (at > 0 and not anywhere):
            return f"no line {line!r}; printed:\n" + "\n".join(lines)
        rest, anywhere = rest[at + 1 :], False
    return None if anywhere or not rest else "more is printed:\n" + "\n".join(rest)


def _plain(line: str) -> str:
    return re.sub(r"-{3,}", "---", " ".join(line.split()))


def _alike(printed: str, documented: str) -> bool:
    if _NUMBER.sub("0", printed) != _NUMBER.sub("0", documented):
        return False
    return all(map(_close, _NUMBER.findall(printed), _NUMBER.findall(documented)))


def _close(printed: str, documented: str) -> bool:
    value, there = (float(each.replace("−", "-")) for each in (printed, documented))
    decimals = len(documented.partition("e")[0].partition(".")[2])
    last = 10.0 ** (int(documented.partition("e")[2] or 0) - decimals)
    return abs(value - there) <= max(1.01 * last, RELATIVE * abs(there))


@pytest.fixture
def folder(tmp_path, warm, monkeypatch):
    """Folder as a clone is where the commands are typed."""
    shutil.copytree(CLONE / "examples", tmp_path / "examples")
    for name in ("configs", "checkpoints"):
        shutil.copytree(CLONE / name, tmp_path / name)
    monkeypatch.setenv("PATH", os.pathsep.join([str(warm), os.environ["PATH"]]))
    return tmp_path


def run_page(page: Path, folder: Path, slow: bool) -> int:
    """Run the blocks of a page, Python blocks without others between them in one session. Returns how many ran."""
    chosen = in_turn(blocks_of(page.read_text(encoding="utf-8")), slow)
    for _, part in groupby(chosen, key=_kind):
        together = list(part)
        if _kind(together[0]) == "python":
            _run_python(together, folder, page)
        for block, output in together:
            if "file" in block.marks:
                _write(folder, block)
            elif block.language == "diff":
                _apply(folder, block, page)
            elif block.language != "python":
                printed = _call(["bash", "-euo", "pipefail", "-c", _typed(block)], folder, page, block)
                _compare(printed, output, page, block)
    return len(chosen)


def _kind(chosen: tuple[Block, str | None]) -> str:
    block, _ = chosen
    return "python" if block.language == "python" and "file" not in block.marks else "other"


def _typed(block: Block) -> str:
    """What is typed: of a console, the lines behind its prompt."""
    lines = block.text.splitlines()
    prompted = [line.removeprefix("$ ") for line in lines if line.startswith("$ ")]
    return "\n".join(prompted or lines)


def _run_python(chosen: list[tuple[Block, str | None]], folder: Path, page: Path) -> None:
    end = "-----8<-----"
    script = "\n".join(f"{block.text}\nprint({end!r}, flush=True)" for block, _ in chosen)
    (folder / ".typed.py").write_text(script, encoding="utf-8")
    python = sys.executable if (folder / "polyinv").is_dir() else SCRIPT
    printed = _call([python, ".typed.py"], folder, page, chosen[0][0], apart=True)
    for (block, output), part in zip(chosen, printed.split(f"{end}\n"), strict=False):
        _compare(part, output, page, block)


def _call(command: list[str], folder: Path, page: Path, block: Block, *, apart: bool = False) -> str:
    path = [os.environ["PATH"], str(Path(sys.executable).parent)]  # the commands that have imported everything first
    path = os.pathsep.join(path[::-1] if (folder / "polyinv").is_dir() else path)  # a copy of the package has its own
    roots = [str(root) for root in (folder, CLONE) if (root / "polyinv").is_dir()]  # a copy of the package comes first
    environment = os.environ | {"PATH": path, "PYTHONPATH": os.pathsep.join(roots), "COLUMNS": "120"}
    environment |= {"OMP_NUM_THREADS": "1", "PYTHONUTF8": "1"}
    errors = subprocess.PIPE if apart else subprocess.STDOUT
    command = [shutil.which(command[0], path=path) or command[0], *command[1:]]
    done = subprocess.run(
        command, cwd=folder, env=environment, stdout=subprocess.PIPE, stderr=errors, text=True, encoding="utf-8"
    )
    assert done.returncode == 0, f"{page.name}, line {block.line}:\n{block.text}\n{done.stdout}{done.stderr or ''}"
    return done.stdout


def _compare(printed: str, documented: str | None, page: Path, block: Block) -> None:
    fault = None if documented is None else differs(printed, documented)
    assert fault is None, f"{page.name}, line {block.line}:\n{block.text}\n{fault}"


def _write(folder: Path, block: Block) -> None:
    path = folder / block.marks["file"]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(block.text + "\n", encoding="utf-8")


def _apply(folder: Path, block: Block, page: Path) -> None:
    (folder / ".typed.diff").write_text(block.text + "\n", encoding="utf-8")
    _call(["git", "apply", "--unidiff-zero", "--recount", ".typed.diff"], folder, page, block)


def _has(page: Path, slow: bool) -> bool:
    blocks = blocks_of(page.read_text(encoding="utf-8"))
    return len(in_turn(blocks, True)) > (len(in_turn(blocks, False)) if slow else 0)


def _name(page: Path) -> str:
    return page.relative_to(CLONE).as_posix()


AS_TYPED = [page for page in PAGES if page.name not in ("README.es.md", "CONTRIBUTING.md")]


@pytest.mark.linux
@pytest.mark.parametrize("page", [page for page in AS_TYPED if _has(page, slow=False)], ids=_name)
def test_every_block_runs_as_typed(page, folder):
    assert run_page(page, folder, slow=False) or _has(page, slow=True)


@pytest.mark.slow
@pytest.mark.linux
@pytest.mark.parametrize("page", [page for page in AS_TYPED if _has(page, slow=True)], ids=_name)
def test_every_block_runs_as_typed_the_long_ones_too(page, folder):
    assert run_page(page, folder, slow=True)


@pytest.fixture
def clone(folder):
    """A copy of the package and its tests, to be changed."""
    for name in ("polyinv", "tests"):
        shutil.copytree(CLONE / name, folder / name, ignore=shutil.ignore_patterns("__pycache__", "shipped"))
    shutil.copy(CLONE / "pyproject.toml", folder)
    return folder


@pytest.mark.slow
@pytest.mark.linux
def test_a_stranger_adds_to_the_package_by_what_contributing_says(clone):
    assert run_page(CLONE / "CONTRIBUTING.md", clone, slow=True) >= 10


def test_the_spanish_readme_has_the_commands_of_the_english_one():
    english, spanish = (blocks_of((CLONE / name).read_text(encoding="utf-8")) for name in ("README.md", "README.es.md"))
    assert [(each.language, _code(each)) for each in english] == [(each.language, _code(each)) for each in spanish]


def _code(block: Block) -> str:
    """A block without comments, which are translated."""
    return "\n".join(re.sub(r"\s*(?<!\S)#.*", "", line).rstrip() for line in block.text.splitlines())


@pytest.mark.parametrize("page", PAGES, ids=_name)
def test_a_block_that_is_left_out_says_why(page):
    for block in blocks_of(page.read_text(encoding="utf-8")):
        assert block.marks.get("not run", "a reason"), f"{page.name}, line {block.line}"


LINKING = [*FRONT, CLONE / "SECURITY.md", CLONE / "checkpoints" / "README.md", *sorted(CLONE.glob("examples/**/*.md"))]


@pytest.mark.parametrize("page", LINKING, ids=_name)
def test_a_link_of_a_page_beside_the_documentation_leads_to_a_file(page):
    targets = re.findall(r"\]\(([^)#\s]+)", page.read_text(encoding="utf-8"))
    gone = [target for target in targets if "://" not in target and not (page.parent / target).exists()]
    assert not gone


def test_the_readme_can_be_read_in_a_few_minutes():
    assert len((CLONE / "README.md").read_text(encoding="utf-8").split()) <= 700


def test_blocks_are_found_and_compared_as_this_file_says():
    page = (
        "<!-- slow -->\n\n```bash\na\n```\n<!-- output -->\n```text\n1.50\n```\n\n- b\n\n    ```python\n    b\n    ```"
    )
    slow, output, python = blocks_of(page)
    assert (slow.marks, output.marks, python.text) == ({"slow": ""}, {"output": ""}, "b")
    assert in_turn([slow, output, python], slow=True) == [(slow, "1.50"), (python, None)]
    assert in_turn([slow, output, python], slow=False) == [(python, None)]
    assert differs("R² 1.504", "R² 1.50") is None
    assert differs("R² 1.52", "R² 1.50") is not None
    assert differs("a\nb\nc", "a\n…\nc") is None
    assert differs("a\nb", "a") is not None
    assert _typed(Block("console", "$ one\nprinted\n$ two", 1, {})) == "one\ntwo"
