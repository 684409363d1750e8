"""A fused map_func is the drained one: same groups, same order of values, same errors at the same places."""

import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from podreduce.contract.plan import Program
from podreduce.encoding.codec import UnsupportedTypeError
from podreduce.program.fusion import Fused, fuse
from podreduce.program.loading import load_program
from podreduce.program.tracebacks import format_user_traceback
from podreduce.rows.map_buffer import MapOutputBuffer
from podreduce.rows.row_stores import AggregationError
from tests.support.blobs import PLENTY, Blob, read_groups

LINES = ["the quick brown fox", "the lazy dog", "", "a,b,c the the", "ünï cödé 日本 the"]

FUSED = {
    "word count": "for word in value.split(): yield word, 1",
    "the line's key for each word": "for word in value.split(): yield key, 1",
    "two for each word": "for word in value.split(): yield word, 2",
    "1.0 for each word": "for word in value.split(): yield word, 1.0",
    "a call in the key changes the value": """
word = 'early'
def change():
    nonlocal word
    word = word + '!'
    return 'k'
yield 'k', word
yield change(), word
""",
    "a call in the value changes the key": """
word = 'early'
def change():
    nonlocal word
    word = word + '!'
    return len(word)
yield word, change()
yield word, change()
""",
    "True for each word": "for word in value.split(): yield word, True",
    "a private variable under its other name": """
__word = ''
for __word in value.split():
    yield __word, 1
yield _Job__word + '.', 1
""",
    "a value with an effect": "numbers = iter(range(9))\nfor _ in range(4): yield 'k', next(numbers)",
    "a key with an effect": "numbers = iter(range(9))\nfor _ in range(4): yield next(numbers) // 2, 1",
    "both with effects": "numbers = iter(range(9))\nfor _ in range(4): yield next(numbers) // 4, next(numbers)",
    "a value that changes the key": "word = 'a'\nfor _ in range(3): yield word, len(word := word + 'b')",
    "words changed": "for word in value.lower().split(' '): yield word.upper(), 1",
    "two for a line": """
yield 'lines', 1
yield 'letters', len(value)
""",
    "log analysis": """
fields = value.split(',')
yield (fields[0], fields[-1])
""",
    "condition and return": """
if not value:
    return
for n, word in enumerate(value.split()):
    if n == 2:
        continue
    if n == 3:
        break
    yield word, n
else:
    yield 'else', n
return 5
""",
    "while and walrus": """
n = 0
while (n := n + 1) < 4:
    yield n, value[:n]
""",
    "keys of all types": """
for each in (None, True, 1, 1.0, 1.5, '1', b'1', ('1', 1), ('1', 1.0), ('1', True), (), 2**70, -0.0):
    yield each, value
""",
    "values of all types": """
for each in (None, True, 1, 1.5, 'x', b'x', ('a', 1), ('a', [1]), [1, [2]], {'a': (1,)}, 2**70):
    yield value, each
""",
    "a list that changes": """
seen = []
for word in value.split():
    seen.append(word)
    yield 'seen', seen
seen.append('late')
""",
    "the words are changed": """
words = value.split()
words.append(3)
for word in words:
    yield word, 1
""",
    "the word is bound twice": """
for word in value.split():
    word = len(word)
    yield word, 1
""",
    "the word is used later": """
word = ''
for word in value.split():
    yield word, 1
yield 'last ' + word, 1
""",
    "the word is used later, if there was one": """
for word in value.split():
    yield word, 1
if value.split():
    yield 'last ' + word, 1
""",
    "a private word is used later by its other name": """
for __word in value.split():
    yield __word, 1
if value.split():
    yield _Job__word + '.', 1
""",
    "the value is bound again": """
value = [value, 7]
for each in value:
    yield each, 1
""",
    "inner functions": """
def halves(text):
    yield text[:2]
    yield text[2:]
class Pair:
    def __iter__(self):
        yield value
double = lambda text: text * 2
for half in halves(value):
    yield half, double(half)
yield from_list([*Pair()]), [each for each in halves(value)]
""",
    "a private name and defaults": """
for word in value.split():
    yield self.__mark + word, len(word)
""",
    "match": """
match value.split():
    case [first, *rest]:
        yield first, len(rest)
    case _:
        yield 'empty', 0
""",
    "a try without a yield": """
try:
    number = int(value)
except ValueError:
    number = -1
yield number, value
""",
    "the key": "yield key, value",
    "a global": """
global LAST
LAST = value
yield LAST, 1
""",
    "order of evaluation": """
trail = []
yield trail.append('key') or 'k', ' '.join(trail)
""",
}
DRAINED = {
    "yield from": "yield from ((word, 1) for word in value.split())",
    "a yield that is used": """
got = yield 'k', 1
yield 'got', got
""",
    "a pair that is made elsewhere": """
pair = value, 1
yield pair
""",
    "a starred pair": "yield *(value,), 1",
    "a yield in try": """
try:
    yield value, 1
except TypeError:
    yield 'caught', 1
""",
    "a yield in with": """
import contextlib
with contextlib.suppress(TypeError):
    yield value, 1
""",
    "no generator": "return [(value, 1)]",
    "it looks at itself": "yield value, len(locals())",
    "it is called from inside": """
for pair in super().__init__() or []:
    yield pair, 1
yield value, 1
""",
    "it looks at itself by another name": "names = caller_names()\nyield value, len(names)",
    "a yield in what a function within has as default": """
def within(given=(yield 'default', 1)):
    pass
yield value, 1
""",
    "our names": "_podreduce_x = 1\nyield value, _podreduce_x",
    "no pair": "if value == 'never': yield 1, 2, 3\nyield value, 1",
}
RAISING = {
    "a value that is not bound": "if key == 'never':\n    late = 1\nyield value, late",
    "a key that is not bound": "if key == 'never':\n    late = 1\nyield late, 1",
    "an error in the middle": """
for word in value.split():
    yield word, 1
    len(5)
""",
    "an error in the value": "yield value, 1 / 0",
    "an error in the key": """
yield [][0], (
    1
)
""",
    "a key that cannot travel": "yield {1}, 1",
    "a value that cannot travel": "yield value, {1}",
    "a constant that cannot travel, for a known key": "yield 'k', 1\nyield 'k', ...",
    "a value that is not bound, for a known key": "yield 'k', 1\nif key == 'never':\n    late = 1\nyield 'k', late",
    "not a number, for a known key": "yield 'k', 1\nyield 'k', 'x'",
    "a number, for the key of a str": "yield 'k', 'x'\nyield 'k', 1",
    "no more": "yield value, next(iter(()))",
    "a list as key": "yield [value], 1",
    "not a number": "yield value, 'x'",
    "an int and a str": "yield 'same', value if key else 5",
}


def source_of(body: str, members: str = "") -> str:
    indented = "\n".join(f"        {line}" for line in body.strip().splitlines())
    return f"""
caller_names = locals

def from_list(items):
    return items[0]

class Job:
    __mark = '#'
    {members}
    def map_func(self, key, value):
{indented}
    def reduce_func(self, key, values):
        yield key, list(values)
"""


def make_buffer(kind: str | None, scratch: Path, budget_bytes: int = PLENTY) -> MapOutputBuffer:
    return MapOutputBuffer(
        buckets=1, bucket_of=lambda _: 0, aggregation=kind, budget_bytes=budget_bytes, scratch_directory=str(scratch)
    )


def run(body: str, kind: str | None, *, fused: bool, scratch: Path, budget_bytes: int = PLENTY) -> Any:
    """The groups, or the error, of the lines through a map_func."""
    program = load_program(Program(source=source_of(body)), name="job")
    buffer = make_buffer(kind, scratch, budget_bytes)
    made = fuse(program.map_func, buffer.store.add, buffer.store, is_text=True)
    try:
        feed = made.map_func if fused and made else drain(program.map_func, buffer)
        offset = 0
        for line in LINES:
            feed(offset, line)
            offset += len(line.encode()) + 1
        data = bytearray()
        summary = buffer.finish(data.extend)
    except Exception as error:  # noqa: BLE001 - it is compared
        return describe(error), made
    records = buffer.store.records + (made.records() if fused and made else 0)
    return (read_groups([Blob(data=bytes(data), summary=summary)], scratch=scratch)[0], records), made


def drain(map_func: Callable[[Any, Any], Any], buffer: MapOutputBuffer) -> Callable[[Any, Any], object]:
    def feed(key: Any, line: str) -> None:
        for pair_key, value in map_func(key, line) or ():
            buffer.add(pair_key, value)

    return feed


def describe(error: BaseException) -> tuple[str, ...]:
    """An error as a person sees it; a StopIteration as it comes out of a generator."""
    if isinstance(error, StopIteration):
        return ("RuntimeError: generator raised StopIteration",)
    if str(error) == "generator raised StopIteration":
        return ("RuntimeError: generator raised StopIteration",)
    if isinstance(error, AggregationError | UnsupportedTypeError):  # raised by the store, below the yield or beside it
        return (str(error),)
    lines = format_user_traceback(error).splitlines()
    start = next(at for at, line in enumerate(lines) if 'File "job.py"' in line)
    return tuple(lines[start:])


KINDS = [None, "sum", "count", "min", "max"]


@pytest.mark.parametrize("kind", KINDS, ids=str)
@pytest.mark.parametrize("name", [*FUSED, *DRAINED])
def test_fused_or_drained_the_output_is_the_same(name: str, kind: str | None, tmp_path: Path) -> None:
    body = (FUSED | DRAINED)[name]
    found, made = run(body, kind, fused=True, scratch=tmp_path)
    expected, _ = run(body, kind, fused=False, scratch=tmp_path)
    assert repr(found) == repr(expected)  # 1 and 1.0 are not the same
    assert (made is not None) == (name in FUSED)


@pytest.mark.parametrize("kind", KINDS, ids=str)
@pytest.mark.parametrize("name", RAISING)
def test_what_is_raised_is_the_same_and_shows_the_same_place(name: str, kind: str | None, tmp_path: Path) -> None:
    found, made = run(RAISING[name], kind, fused=True, scratch=tmp_path)
    expected, _ = run(RAISING[name], kind, fused=False, scratch=tmp_path)
    assert made is not None
    assert found == expected


WORDS = st.lists(st.lists(st.sampled_from(["a", "b", "c", "d" * 300, ""]), max_size=9).map(" ".join), max_size=20)


@given(WORDS, st.sampled_from([1, 2000, 20_000, PLENTY]), st.sampled_from(KINDS))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
def test_spills_never_show(tmp_path: Path, lines: list[str], budget_bytes: int, kind: str | None) -> None:
    body = f"for word in {lines!r}: yield word, key\nfor word in value.split(): yield word, 1"
    found, _ = run(body, kind, fused=True, scratch=tmp_path, budget_bytes=budget_bytes)
    expected, _ = run(body, kind, fused=False, scratch=tmp_path)
    assert found == expected


@pytest.mark.parametrize(
    ("members", "reason"),
    [
        ("@staticmethod\n    def helper(): pass", True),
        ("import functools\n    marked = functools.lru_cache", True),
    ],
)
def test_other_members_do_not_matter(members: str, *, reason: bool) -> None:
    program = load_program(Program(source=source_of("yield value, 1", members)), name="job")
    assert (make(program.map_func) is not None) == reason


@pytest.mark.parametrize(
    "definition",
    [
        "map_func = lambda self, key, value: [(key, value)]",
        "@functools.cache\n    def map_func(self, key, value):\n        yield key, value",
        "map_func = make()",
        "def map_func(self, *record):\n        yield record[0], 1",
        "def map_func(self, key, *values):\n        yield key, 1",
        "map_func = functools.partialmethod(free, 1)",
    ],
    ids=["lambda", "decorated", "closure", "star", "values", "partial"],
)
def test_what_is_no_plain_method_is_drained(definition: str) -> None:
    source = f"""
import functools
def free(self, extra, key, value):
    yield key, extra
def make():
    extra = 5
    def map_func(self, key, value):
        yield key, extra
    return map_func
class Job:
    {definition}
    def reduce_func(self, key, values): pass
"""
    assert make(load_program(Program(source=source), name="job").map_func) is None


def test_annotations_that_are_not_evaluated_stay_so() -> None:
    body = "def doubled(word: Unknown) -> Unknown:\n    return word * 2\nyield doubled(value), 1"
    source = f"from __future__ import annotations\n{source_of(body)}"
    pairs: list[Any] = []
    made = fuse(
        load_program(Program(source=source), name="job").map_func, lambda *pair: pairs.append(pair), is_text=True
    )
    assert made is not None
    made.map_func(0, "a")
    assert pairs == [("aa", 1)]


def test_a_source_that_is_not_what_runs_is_drained() -> None:
    program = load_program(Program(source=source_of("yield value, 1")), name="job")
    other = load_program(Program(source=source_of("yield value, 2")), name="job")
    assert make(program.map_func) is None
    assert make(other.map_func) is not None


def test_a_program_that_ignores_its_key_is_known() -> None:
    assert [
        getattr(make(load_program(Program(source=source_of(body)), name="job").map_func), "uses_key", None)
        for body in ("yield value, 1", "yield key, 1", "yield value, (lambda: key)()")
    ] == [False, True, True]


def test_without_a_store_every_pair_is_handed_over() -> None:
    taken: list[Any] = []
    program = load_program(Program(source=source_of("for word in value.split(): yield word, 1")), name="job")
    made = fuse(program.map_func, lambda *pair: taken.append(pair), is_text=True)
    assert made
    made.map_func(0, "a b a")
    assert taken == [("a", 1), ("b", 1), ("a", 1)]


@pytest.mark.parametrize("body", ["yield *(value,), 1", "yield value, *(1,)", "yield *(value, 1), *()"])
def test_without_a_store_too_a_starred_pair_is_drained(body: str) -> None:
    program = load_program(Program(source=source_of(body)), name="job")
    assert fuse(program.map_func, lambda *_: None, is_text=True) is None


@pytest.mark.parametrize("kind", [None, "sum"], ids=str)
def test_what_the_store_refuses_is_shown_at_its_yield(kind: str | None, tmp_path: Path) -> None:
    source = source_of("first = value\nyield first, 1\nsecond = [set()]\nyield first, second")
    buffer = make_buffer(kind, tmp_path)
    made = fuse(load_program(Program(source=source), name="job").map_func, buffer.store.add, buffer.store, is_text=True)
    assert made
    with pytest.raises((AggregationError, UnsupportedTypeError)) as caught:
        made.map_func(0, "line")
    frames = [frame for frame in traceback.extract_tb(caught.tb) if frame.filename == "job.py"]
    assert [source.splitlines()[(frame.lineno or 0) - 1].strip() for frame in frames] == ["yield first, second"]


def test_a_tuple_of_str_and_int_is_a_key(tmp_path: Path) -> None:
    (groups, _), _ = run("yield ('k', len(value)), value", None, fused=True, scratch=tmp_path)
    assert [key for key, _ in groups] == sorted({("k", len(line)) for line in LINES})


def make(map_func: Any) -> Fused | None:
    buffer = make_buffer(None, Path("/tmp"))  # noqa: S108
    return fuse(map_func, buffer.store.add, buffer.store, is_text=True)


@pytest.mark.parametrize(
    ("body", "together"),
    [
        ("for word in value.split(): yield word, 1", True),
        ("for word in value.split(): yield word, 2", False),
        ("for __word in value.split(): yield __word, 1", False),
        ("for word in value.split(): yield word, 1\nself.last = word", False),
    ],
)
@pytest.mark.parametrize("kind", ["sum", "count", "max"])
def test_words_are_counted_together_where_nobody_can_tell(
    body: str, kind: str, tmp_path: Path, *, together: bool
) -> None:
    _, made = run(body, kind, fused=True, scratch=tmp_path)
    code = made.map_func.__code__
    assert any("uncounted" in name for name in code.co_freevars + code.co_names) == (together and kind != "max")


@pytest.mark.parametrize("value", ["value * 1000 + str(key)", "[key] * 1000"])
def test_values_of_fused_pairs_count_as_much_memory_as_those_of_others(value: str, tmp_path: Path) -> None:
    spills = []
    for is_fused in (True, False):
        program = load_program(Program(source=source_of(f"yield 'same', {value}")), name="job")
        buffer = make_buffer(None, tmp_path, 100_000)
        made = fuse(program.map_func, buffer.store.add, buffer.store, is_text=True)
        assert made
        feed = made.map_func if is_fused else drain(program.map_func, buffer)
        for number, line in enumerate(LINES * 20):
            feed(number, line)
        spills.append(buffer.spills)
    assert spills[0] == spills[1] > 0
