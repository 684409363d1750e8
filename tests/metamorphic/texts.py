"""Draws strings that readers and writers trip over: other alphabets, marks, what some call a line's end, long ones."""

import random

__all__ = ["LINE_ENDS_OF_OTHERS", "draw_text"]

LINE_ENDS_OF_OTHERS = "\u2028\u2029\x85\x0b\x0c\x1c\x1d\x1e"
"""`str.splitlines` cuts at these, and no format does."""
ALPHABETS = ("abc", "aé漢😀ß\u0301", "a\\ '\t/<&;#_", "0123456789-.e")
LONGEST = 6000


def draw_text(chance: random.Random, *, line_ends: bool, banned: str = "") -> str:
    """Draw a string, mostly short; `line_ends`: with some of `LINE_ENDS_OF_OTHERS`."""
    alphabet = chance.choice(ALPHABETS) + (LINE_ENDS_OF_OTHERS if line_ends else "")
    length = chance.randint(500, LONGEST) if chance.random() < 0.01 else chance.choice((0, 1, 1, 2, 2, 3, 8, 30))
    return "".join(each for each in chance.choices(alphabet, k=length) if each not in banned)
