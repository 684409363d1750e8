"""Faults that were found once, each under its own name, through every kind of store."""

import pytest

from podreduce.contract.errors import ProgramError
from podreduce.contract.plan import Program
from podreduce.program.loading import load_program
from podreduce.task.map_rows import MapLoop
from tests.programs.judge import KINDS, an_attempt, compare, lines_block, open_sink, run_program

MEMBERS = """
from tests.programs.given import *
{top}
class Job:
    {members}
    def __init__(self):
        self.total = 0
    def map_func({signature}:
{body}
    def reduce_func(self, key, values):
        yield key, list(values)
"""
PLAIN = "self, key, value)"
BODIES = {
    # A walrus or a closure in one half of a pair changes the other.
    "the value binds the name that is the key": "for word in value.split():\n    yield word, (word := word.lower())",
    "the value counts the key up": "n = 0\nwhile n < 3:\n    yield n, (n := n + 1)",
    "a comprehension in the value binds the key": "word = 'w'\nyield word, [(word := each) for each in value.split()]",
    "a function called in the value binds the parameter that is the key": (
        "def bump():\n    nonlocal value\n    value = value + '!'\n    return 1\nyield value, bump()"
    ),
    "a function called in the key binds the value": (
        "word = 'w'\ndef bump():\n    nonlocal word\n    word = 'late'\n    return 'k'\nyield bump(), word"
    ),
    "the value deletes nothing but raises after its key": "if key: word = 'w'\nyield word, fail(KeyError)",
    "of two unbound names the key is missed first": (
        "for word in value.split(): pass\nfor n in range(key): pass\nyield word, n"
    ),
    "an unbound value of a count is missed": "for word in value.split(): pass\nyield 'k', word",
    # Names that are not what they seem.
    "a global loop variable keeps its last word": "global word\nfor word in value.split():\n    yield word, 1",
    "an inner function deletes the loop variable": (
        "def gone():\n    nonlocal word\n    del word\nfor word in value.split():\n    yield word, 1\ngone()"
    ),
    "an inner import binds what was a str": (
        "word = value.lower()\ndef bind():\n    nonlocal word\n    import os as word\nbind()\nyield word, word"
    ),
    "an inner class binds what was a str": (
        "word = value.lower()\nclass Inner:\n    nonlocal word\n    def word(self): pass\nyield word, 1"
    ),
    "a loop variable with a private name": "for __word in value.split():\n    yield __word, 1\nself.last = _Job__word",
    "an f-string of one part may be no str": "a = S('sub')\nyield f'{a}', f'{a}'",
    "the module has a function by the method's name": "yield map_func(value), map_func(key)",
    "the template's own names": "KEY = VALUE = KEYS = EXPRESSION = value\nyield KEY, EXPRESSION",
    # Yields in odd places.
    "a yield in the default of an inner function": "def inner(x=(yield 'd', 1)): pass\nyield value, 1",
    "a yield in the bases of an inner class": "class Inner((yield 'd', 1) or object): pass\nyield value, 1",
    "a yield in the default of a lambda": "f = lambda x=(yield 'd', 1): x\nyield value, 1",
    "a yield in a decorator": "@((yield 'd', 1) or same)\ndef inner(): pass\nyield value, 1",
    "a yield that is never reached": "if 0:\n    yield 1, 2\nreturn [(value, 1)]",
    # What can be seen from outside.
    "inner functions and classes have their own names": (
        "class Inner:\n    def method(self): pass\nself.names = [Inner.__qualname__, Inner.method.__qualname__]\n"
        "self.f = lambda: (lambda: 1)\nself.g = self.f()\nyield value, 1"
    ),
    "a StopIteration is shown once": "yield value, next(iter(()))",
    "a GeneratorExit": "yield value, fail(GeneratorExit)",
    "it looks at its frame by another name": "yield value, len(look())",
    "a sum that cannot be made": "yield 'same', 10**400 if key else 0.5",
    "loops as deep as Python allows": (
        "".join(f"{' ' * at}for n{at} in 'a':\n" for at in range(20)) + f"{' ' * 20}yield value, n19"
    ),
    "a sum of 1,000 parts": f"yield value, {' + '.join(['1'] * 1000)}",
}  # fmt: skip
SIGNATURES = {
    "annotations of names that the class defines": "self, key: int, value: Line) -> Pair",
    "a private name in an annotation": "self, key, value: __mark)",
    "an annotation that is a string": "self, key, value: 'Gone') -> 'Gone'",
    "an annotation that leaves a trace": "self, key, value: note('seen'))",
    "a default that names what the class defines": "self, key, value, word=WORD)",
    "a default that leaves a trace": "self, key, value, word=note('seen'))",
    "a default that binds a name of the class": "self, key, value, *, word=(WORD := 'bound'))",
    "a default that is shared by all calls": "self, key, value, word=[])",
    "a keyword with a default and one list more": "self, key, value, *more, word=Line, **others)",
}
CLASS = "Line = str\n    Pair = tuple[Line, int]\n    WORD = 'w'\n    __mark = '#'"


def source_of(body: str, signature: str = PLAIN, top: str = "look = locals", members: str = CLASS) -> str:
    indented = "\n".join(f"        {line}" for line in body.splitlines())
    return MEMBERS.format(top=top, members=members, signature=signature, body=indented)


def differing(source: str) -> list[str]:
    compile(source, "job.py", "exec")
    return [f"{kind}: {line}" for kind in KINDS for line in compare(source, kind)[0]]


@pytest.mark.parametrize("name", BODIES)
def test_a_body(name: str) -> None:
    assert not differing(source_of(BODIES[name]))


@pytest.mark.parametrize("future", ["", "from __future__ import annotations"], ids=["now", "lazily"])
@pytest.mark.parametrize("name", SIGNATURES)
def test_a_signature(name: str, future: str) -> None:
    source = source_of("yield value, 1", SIGNATURES[name])
    assert not differing(f"{future}\n{source}")
    assert run_program(source, "sum", rewritten=True).fused


@pytest.mark.parametrize(
    "top", ["map_func = same", "type = len = str = int = same", "getattr = None", "room = records = plain = 5"]
)
def test_names_of_the_module_that_we_use_ourselves(top: str) -> None:
    assert not differing(
        source_of("for word in value.split():\n    yield word, len(word)\nyield str(value), type(7)", top=top)
    )


def test_a_module_with_a_sum_of_2000_parts() -> None:
    source = source_of("yield value, 1", top=f"LONG = {' + '.join(['1'] * 2000)}")
    assert not differing(source)


def test_a_yield_in_an_inner_default_loses_nothing() -> None:
    outcome = run_program(source_of(BODIES["a yield in the default of an inner function"]), "list", rewritten=True)
    assert outcome.records == 12


def test_a_sum_that_cannot_be_made_is_told_as_such() -> None:
    with pytest.raises(ProgramError, match=r"OverflowError: int too large .* \(in the sum of Job\.reduce_func"):
        sums(source_of(BODIES["a sum that cannot be made"]))


def sums(source: str) -> None:
    program = load_program(Program(source=source.replace("list(values)", "sum(values)")), name="job")
    assert program.aggregation == "sum"
    MapLoop(an_attempt(), program, open_sink("sum")[0]).map_block(lines_block())
