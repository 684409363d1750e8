"""Draws expressions of map functions, as text. What grows (sums of sums) is left out: programs stay small and quick."""

from random import Random
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["LOCALS", "Expressions"]

LOCALS = ("word", "a", "b", "fields", "box", "value", "key")
"""The variables of every map function: two are its parameters."""
CONSTANTS = (
    "None", "True", "False", "0", "1", "1.0", "0.5", "-0.0", "2**70", "'x'", "''", "b'x'", "()", "(1, 'a')",
    "(True, 1.0)",
    "[1]", "{'a': 1}", "nan", "S('sub')", "N(3)", "{1}", "...", "1j", "frozenset('a')",
)  # fmt: skip
TRAVELLING = 18
"""So many of the constants may be values; most of those may be keys."""
TEXTS = (
    "value", "word", "value.lower()", "value[0:2]", "fields[0]", "fields[-1]", "word + '!'", "'-' + value.strip()",
    "value.replace('a', 'b')", "f'{value}'", "f'{word}'", "f'{a}'", "f'{a!s:.9}{b!s:.9}'", "f'{value!r:.9}'",
    "f'{self.size}'",
    "self.__mark", "str(b)", "value.upper()[1:]", "'%s' % (word,)", "word.title()", "LAST", "self.mark",
)  # fmt: skip
LISTS = (
    "value.split()", "value.split(',')", "fields", "fields[1:]", "value.lower().split(' ')", "value.splitlines()",
    "value.rsplit(None, 1)", "list(box)[:3]", "[word, 'z']", "range(2)", "value[:3]", "TABLE", "self.seen[-2:]",
    "(1, True, 1.0)",
)  # fmt: skip
ERRORS = (
    "[][0]", "1 // 0", "undefined", "next(iter(()))", "fail(StopIteration)", "fail(GeneratorExit)", "fail(ValueError)",
    "int('x')", "{}['gone']", "self.gone", "fail(KeyError)", "None + 1", "fail(StopAsyncIteration)",
)  # fmt: skip


class Expressions:
    """Draws expressions.

    Args:
        rng: whence all chance comes.
        functions: calls of what the body defines itself, to be drawn once it is defined.
    """

    def __init__(self, rng: Random) -> None:
        self.rng = rng
        self.functions: list[str] = []
        self._makers: tuple[Callable[[int], str], ...] = (
            self.walrus, self.walrus, self.conditional, self.compare, self.comprehension, self.called, self.called,
            self.container, self.function, self.numeric,
        )  # fmt: skip

    def name(self) -> str:
        """A variable."""
        return self.rng.choice(LOCALS)

    def text(self) -> str:
        """An expression that is a str, as a rule."""
        return self.rng.choice(TEXTS)

    def items(self) -> str:
        """An expression with a few items."""
        return self.rng.choice(LISTS)

    def constant(self) -> str:
        """A constant, as a rule one that may travel."""
        most = TRAVELLING if self.rng.random() < 0.96 else len(CONSTANTS)
        return CONSTANTS[int(self.rng.random() * most)]

    def any(self, depth: int = 2) -> str:
        """An expression."""
        chance = self.rng.random()
        if chance < 0.012:
            return self.rng.choice(ERRORS)
        if depth <= 0 or chance < 0.5:
            return self.rng.choice((self.name, self.name, self.text, self.constant))()
        return self.rng.choice(self._makers)(depth - 1)

    def walrus(self, depth: int) -> str:
        """Binds a variable amid an expression."""
        return f"({self.rng.choice(LOCALS[:6])} := {self.any(depth)})"

    def conditional(self, depth: int) -> str:
        """Evaluates some of its parts."""
        form = self.rng.choice(("({} if {} else {})", "({} and {} or {})", "({} or {} and {})"))
        return form.format(self.any(depth), self.any(depth), self.any(depth))

    def compare(self, depth: int) -> str:
        """A comparison that cannot fail."""
        form = self.rng.choice(("({} == {})", "({} is {})", "(not ({}, {}))", "({} != {})"))
        return form.format(self.name(), self.name() if " is " in form else self.any(depth))

    def comprehension(self, depth: int) -> str:
        """A comprehension or generator expression; some let a name out."""
        name, items, inner = self.rng.choice(LOCALS), self.items(), self.rng.choice(LOCALS[1:3])
        form = self.rng.choice((
            "[{0} for {0} in {1}]", "[({2} := {0}) for {0} in {1}]", "list(plain({3}) for {0} in {1})",
            "len({{{0} for {0} in 'ab'}})",
            "{{str({0}): 1 for {0} in {1}}}", "[plain({3}) for {0} in {1} if {0}]", "any(({2} := {0}) for {0} in {1})",
            "[(lambda: {0})() for {0} in {1}]",
        ))  # fmt: skip
        return form.format(name, items, inner if inner != name else "a" if name == "b" else "b", self.any(depth - 1))

    def called(self, depth: int) -> str:
        """A call of a function that is at hand: builtin, the module's, the class's, or one of the body's own."""
        forms = (
            "len({0})", "str({0})[:20]", "type({0}).__name__", "note({0})", "plain({0})", "self.keep({0})",
            "self.bump()",
            "push(box, {0})", "isinstance({0}, str)", "repr({0})[:9]", "hash_of({0})", "map_func({0})", "Job.size",
            "self.doubled", "max({1}, default=0)", "sum(1 for _ in {1})", "same({0}, k={0})",
        )  # fmt: skip
        return self.rng.choice((*forms, *self.functions, *self.functions)).format(self.any(depth), self.items())

    def container(self, depth: int) -> str:
        """A tuple, list or dict, some with a star."""
        form = self.rng.choice(
            ("({}, {})", "[{}, {}]", "(*{2}, {0})", "[*{2}]", "{{'k': {}}}", "({},)", "box", "{{**TABLE}}")
        )
        return form.format(self.element(depth), self.element(depth), self.items())

    def element(self, depth: int) -> str:
        """What may stand in a container without making it ever larger."""
        return self.constant() if self.rng.random() < 0.5 else f"plain({self.any(depth)})"

    def function(self, depth: int) -> str:
        """A lambda, called at once."""
        name = self.name()
        form = self.rng.choice(("(lambda {0}={1}: {0})()", "(lambda: {1})()", "(lambda *{0}: ({0}, {1}))(1)[1]"))
        return form.format(name, self.any(depth))

    def numeric(self, _: int) -> str:
        """A number, as a rule, that does not grow without bounds."""
        return self.rng.choice(
            ("len(value)", "key + 1", "key % 3", "len(box)", "self.total", "key / 2", "-key", "key > 3")
        )
