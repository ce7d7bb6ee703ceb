"""Mutated files of every format: an answer, or one line that names the file, in bounded time and memory."""

import json
import os
import shutil
from pathlib import Path
from random import Random

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from tests.fuzz.calls import SECONDS, Call, call
from tests.fuzz.cases import FORMATS, Format, make_instances

pytestmark = pytest.mark.linux
LONGEST = 400 + len("polyinv: ")
CASES, MANY = 150, int(os.environ.get("POLYINV_FUZZ_CASES", "5000"))


@pytest.fixture(scope="module")
def instances(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("instances")
    make_instances(folder)
    return folder


@pytest.fixture(scope="module")
def work(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("work")


def tried(form: Format, instances: Path, work: Path, mutated: dict[str, bytes]) -> Call:
    """Call the command of a format in a folder with some files mutated."""
    for path in work.iterdir():
        shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()
    for path in instances.iterdir():
        if path.is_dir() and any(name.startswith(f"{path.name}/") for name in form.files):  # it may be written to
            shutil.copytree(path, work / path.name)
        else:
            (work / path.name).symlink_to(path)
    for name, content in mutated.items():
        (work / name).unlink()
        (work / name).write_bytes(content)
    return call([word.format(out="answer") for word in form.words], work)


def check(form: Format, name: str, found: Call) -> None:
    """Assert what every call has to keep to."""
    said = f"exit code {found.code}\n{found.err[-2000:]}"
    assert found.code in (0, 2), said
    assert found.seconds < SECONDS, said
    assert "Traceback" not in found.err, said
    if found.code == 2:
        (line,) = found.refusal
        assert len(line) <= LONGEST, said
        named = {name, Path(name).name, name.partition("/")[0], *form.files}
        assert any(each in line for each in named), said
        assert line.isprintable(), said


@pytest.mark.parametrize("kind", FORMATS)
def test_the_instances_are_valid(kind, instances, work):
    found = tried(FORMATS[kind], instances, work, {})
    assert found.code == 0, found.err


def mutated(data: st.DataObject, instances: Path) -> tuple[str, dict[str, bytes]]:
    """Draw a format and mutate one of its files, once or several times."""
    kind = data.draw(st.sampled_from(sorted(FORMATS)), "format")
    form = FORMATS[kind]
    name = data.draw(st.sampled_from(form.files), "file")
    mutations = data.draw(st.lists(st.sampled_from(form.mutations), min_size=1, max_size=3), "mutations")
    random = Random(data.draw(st.integers(0, 2**32 - 1), "seed"))
    content = (instances / name).read_bytes()
    for mutate in mutations:
        content = mutate(content, random)
    return kind, {name: content}


def fuzzed(cases: int):
    """Settings of so many cases, the same ones at each call."""
    healthy = [HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.large_base_example]
    phases = [Phase.generate]
    return settings(
        max_examples=cases, derandomize=True, database=None, suppress_health_check=healthy, deadline=None, phases=phases
    )


def says_the_same(name: str, content: bytes, original: bytes) -> bool:
    """Whether a file has been mutated in a way that changes nothing, such as the ends of the lines of JSON."""
    if content == original or not name.endswith(".json"):
        return content == original
    try:
        return json.loads(content) == json.loads(original)
    except (ValueError, RecursionError):
        return False


def assert_safe(data: st.DataObject, instances: Path, work: Path) -> None:
    kind, files = mutated(data, instances)
    ((name, content),) = files.items()
    unchanged = says_the_same(name, content, (instances / name).read_bytes())
    found = tried(FORMATS[kind], instances, work, files)
    check(FORMATS[kind], name, found)
    if FORMATS[kind].sealed and not unchanged:
        assert found.code == 2, f"{name} was changed, and answered"
    assert not (work.parent / "outside.txt").exists()


@fuzzed(CASES)
@given(data=st.data())
def test_mutated_files_are_answered_or_refused(data, instances, work):
    assert_safe(data, instances, work)


@pytest.mark.slow
@fuzzed(MANY)
@given(data=st.data())
def test_many_mutated_files_are_answered_or_refused(data, instances, work):
    assert_safe(data, instances, work)
