"""Draws whole programs: a module, its job class, and how the map function is declared there."""

from random import Random

from tests.programs.bodies import Bodies
from tests.programs.statements import Body, Statement, compound, simple

__all__ = ["draw_program"]

GIVEN = """
from tests.programs.given import *
LAST = 'last'
TABLE = {'a': 1}
"""
MEMBERS = """
def __init__(self):
    self.total = 0
    self.seen = []
def bump(self):
    self.total += 1
    return self.total
def keep(self, x):
    self.seen.append(x)
    return x
@property
def doubled(self): return self.total * 2
"""
NAMES = (
    "combiner = None",
    "Pair = tuple",
    "Line = str",
    "WORD = 'w'",
    "size = 3",
    "__mark = '#'",
    "mark = '+'",
    "word = 'of the class'",
)
SIGNATURES = (
    *("self, key, value",) * 8, "self, key: int, value: Line", "self, key, value: note('annotated')",
    "self, key, value: 'Gone'",
    "self, key, value=note(WORD)", "self, key=[], value=LOG.append('default')", "self, key, value, /",
    "self, key, value, *, word=WORD",
    "self, key, value, more=size, *rest", "self, key, value, *, a: Line = (size := 9), **more", "self, key, *value",
)  # fmt: skip
RETURNS = (*("",) * 5, " -> Pair", " -> 'Gone'", " -> note(Pair)", " -> __mark")
SHADOWS = (
    "type = same", "def len(x): return 3", "str = repr", "word = 'global'", "_podreduce_get = 7", "sum = max",
    "int = same",
    "LOG = functools.partial(list)()", "room = records = 5",
)  # fmt: skip
REDUCE = compound("def reduce_func(self, key, values):", simple("yield key, list(values)"), fixed=True)


def draw_program(seed: int) -> Body:
    """The program of a seed."""
    rng = Random(seed)  # noqa: S311 - to be drawn again from its seed
    future = simple("from __future__ import annotations") if rng.random() < 0.15 else ()
    shadows = simple(*(each for each in SHADOWS if rng.random() < 0.06))
    given = (Statement(text=GIVEN.strip(), fixed=True),)
    return (*future, *given, *shadows, *draw_classes(rng))


def draw_classes(rng: Random) -> Body:
    """The job class, in some programs above a class that has its map function."""
    names = tuple(Statement(text=each, fixed=True) for each in NAMES)
    members = (*names, Statement(text=MEMBERS.strip(), fixed=True))
    function = draw_map(rng)
    form = rng.random()
    if form < 0.9:
        return (compound("class Job:", (*members, *function, REDUCE), fixed=True),)
    if form < 0.97:
        base = compound("class Base:", (*members, *function), fixed=True)
        return (base, compound("class Job(Base):", (REDUCE,), fixed=True))
    base = compound("class Base:", (*members, *draw_map(rng)), fixed=True)
    calls = simple("yield from super().map_func(key, value)", "yield __class__.__name__, 1")
    own = compound("def map_func(self, key, value):", calls[: rng.randint(1, 2)], fixed=True)
    return (base, compound("class Job(Base):", (own, REDUCE), fixed=True))


def draw_map(rng: Random) -> Body:
    """A map function."""
    signature = rng.choice(SIGNATURES)
    if "Line" in signature and rng.random() < 0.2:
        signature = f"{signature}, _podreduce_key=1" if "*" not in signature else signature
    head = f"def map_func({signature}){rng.choice(RETURNS)}:"
    body = Bodies(rng).function()
    if rng.random() < 0.1:
        body = (*simple("'''What it is for.'''"), *body)
    decorator = simple("@same") if rng.random() < 0.03 else ()
    return (*decorator, compound(head, body, fixed=True))
