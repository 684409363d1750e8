"""Draws programs, most of them wrong somewhere: in the classes, their members, or arguments, or around them."""

import random
from typing import Final

from podreduce.contract.members import ARGUMENTS

__all__ = ["draw_program"]

PLAIN_TOP: Final = (
    "import re",
    "WORD = re.compile('[a-z]+')",
    "LIMITS = {'a': 1, 'b': [2]}",
    "def helper(x):\n    class Inner:\n        def map_func(self, key, value): yield 1, 1\n    return Inner",
    "class Point:\n    x: int = 0\n    def move(self): yield 1",
    "if __name__ == '__main__':\n    class Never:\n        def map_func(self, key, value): yield 1, 1",
)
"""Nothing here makes another job class."""

ODD_TOP: Final = (
    "Made = type('Made', (), {'map_func': lambda self, key, value: []})",
    "def make():\n    class Other:\n        def map_func(self, key, value): pass\n    return Other\nMade = make()",
    "if LEN:\n    class Chosen:\n        def map_func(self, key, value): yield 1, 1",
    "del Job0",
    "Job0.combiner = 'sum'",
    "Job0.setup = None",
    "Alias = Job0",
    "Job0 = None",
    "def Job0(): pass",
    "exec('class Ran:\\n    def map_func(self, key, value): pass')",
    "for Job0 in [3]: pass",
    "from podreduce.contract.members import *",
)
"""What only running the program tells."""

DECORATORS: Final = ("@staticmethod", "@classmethod", "@property", "@staticmethod", "@cache")
SIGNATURES: Final = (
    "",
    "self",
    "self, a",
    "self, a, b",
    "self, a, b, c",
    "self, a, b, c=1",
    "self, a=1, b=2",
    "*args",
    "self, *args",
    "self, a, *args",
    "self, a, b, *, k",
    "self, a, b, *, k=1",
    "self, a, b, **kw",
    "self, /, a, b",
    "a, b",
    "self, *, a, b",
)
BODIES: Final = (
    "return []",
    "yield 1, 1",
    "return [(1, 1) for _ in ()]",
    "pass",
    "f = lambda: (yield)\n        return []",
)
VALUES: Final = ("None", "3", "'sum'", "'avg'", "('sum',)", "[]", "str", "lambda *a: []")
ODD_MEMBERS: Final = (
    "    if True:\n        reduce_func = None",
    "    def __init__(self): self.map_func = lambda key, value: []",
    "    def __init__(self):\n        for name in ('setup', 'teardown'): setattr(self, name, None)",
    "    def __getattr__(self, name): raise AttributeError(name)",
    "    def __init_subclass__(cls): cls.reduce_func = None",
    "    locals()['combiner'] = 'min'",
)


def draw_program(chance: random.Random, *, is_plain: bool) -> str:
    """Return a program that compiles. A plain one has nothing whose effect only running it tells."""
    names = [f"Job{number}" for number in range(chance.choice((0, 1, 1, 1, 1, 2)))]
    parts = [draw_class(chance, name, names[:place], is_plain=is_plain) for place, name in enumerate(names)]
    parts += chance.sample(PLAIN_TOP, chance.randrange(3))
    chance.shuffle(parts)
    parts = sorted(parts, key=lambda part: part.startswith("class Job1"))
    if not is_plain:
        parts += chance.sample(ODD_TOP, chance.randrange(3))
    return "\n".join(["import re", "from functools import cache", "LEN = 1", *parts, ""])


def draw_class(chance: random.Random, name: str, earlier: list[str], *, is_plain: bool) -> str:
    """Return a class whose members are right about as often as wrong."""
    bases = [] if is_plain else ["dict", "Exception", "metaclass=type"]
    base = chance.choice(["", "", "(object)", *(f"({each})" for each in [*earlier, *bases])])
    wanted = [member for member in ARGUMENTS if chance.random() < (0.85 if member == "map_func" else 0.2)]
    members = [draw_member(chance, member, is_plain=is_plain) for member in wanted]
    if chance.random() < 0.3:
        members.append(f"    combiner = {chance.choice(VALUES[:4] if is_plain else VALUES)}")
    if not is_plain and chance.random() < 0.3:
        members.append(chance.choice(ODD_MEMBERS))
    chance.shuffle(members)
    decorator = "" if is_plain or chance.random() < 0.8 else "@(lambda cls: cls)\n"
    return f"{decorator}class {name}{base}:\n" + "\n".join(["    'a class'", *members])


def draw_member(chance: random.Random, member: str, *, is_plain: bool) -> str:
    """Return the lines of a member."""
    if chance.random() < 0.1:
        return f"    {member} = {chance.choice(VALUES[:2] if is_plain else VALUES)}"
    is_right = chance.random() < 0.8
    signature = ", ".join(("self", *ARGUMENTS[member])) if is_right else chance.choice(SIGNATURES)
    decorator = chance.choice(DECORATORS[:2] if is_plain else DECORATORS) if chance.random() < 0.1 else ""
    body = chance.choice(BODIES[:1] if is_right and member in ("setup", "teardown", "partition_func") else BODIES)
    start = "async def" if chance.random() < 0.03 else "def"
    return (f"    {decorator}\n" if decorator else "") + f"    {start} {member}({signature}):\n        {body}"
