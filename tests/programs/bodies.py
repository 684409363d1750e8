"""Draws the statements of map functions, over the whole grammar of Python's functions."""

from random import Random
from typing import TYPE_CHECKING

from tests.programs.expressions import LOCALS, Expressions
from tests.programs.statements import Body, Statement, compound, simple

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Bodies"]

DEEPEST = 3
ERROR_TYPES = ("ValueError", "(ValueError, KeyError)", "Exception", "BaseException", "ZeroDivisionError", "TypeError")


class Bodies:
    """Draws statements."""

    def __init__(self, rng: Random) -> None:
        self.rng = rng
        self.expressions = Expressions(rng)
        self.defined = 0
        self._simple: tuple[Callable[[], Body], ...] = (
            *(self.pair,) * 8, *(self.assign,) * 4, *(self.change,) * 2, self.other_yield,
            self.leave, self.odd, self.shadow,
        )  # fmt: skip
        self._compound: tuple[Callable[[int, bool], Body], ...] = (
            *(self.loop,) * 4, *(self.count_loop,) * 2, self.while_loop, *(self.condition,) * 3,
            self.match, self.attempt,
            self.managed, *(self.inner_function,) * 3, self.inner_class, self.inner_async,
        )  # fmt: skip

    def function(self) -> Body:
        """The body of a map function."""
        rng, body = self.rng, ()
        if rng.random() < 0.12:
            body = simple(f"global {', '.join(rng.sample(('word', 'a', 'b', 'LAST', 'each'), rng.randint(1, 2)))}")
        starts = ("a = 'a'", "b = 0", "box = []", "fields = value.split() or ['']", "word = 'w'")
        body += simple(*(start for start in starts if rng.random() < 0.93))
        return body + self.block(0, in_loop=False, least=2)

    def block(self, depth: int, *, in_loop: bool, least: int = 1) -> Body:
        """Some statements."""
        body: Body = ()
        for _ in range(self.rng.randint(least, max(4 - depth, least))):
            if depth < DEEPEST and self.rng.random() < 0.4:
                body += self.rng.choice(self._compound)(depth + 1, in_loop)
            else:
                body += self.rng.choice(self._simple)()
        if in_loop and self.rng.random() < 0.15:
            body += simple(self.rng.choice(("break", "continue", "if b: break", "if not a: continue")))
        return body

    def pair(self) -> Body:
        """A yield of a pair."""
        key = self.expressions.any(1) if self.rng.random() < 0.6 else self.rng.choice(("word", "a", "value", "b"))
        value = (
            self.expressions.any(2) if self.rng.random() < 0.7 else self.rng.choice(("1", "1", "2.5", "word", "key"))
        )
        return simple(
            self.rng.choice(("yield {}, {}", "yield ({}, {})", "yield (\n    {},\n    {},\n)")).format(key, value)
        )

    def other_yield(self) -> Body:
        """A yield that is no statement of a pair, or not of a pair at all."""
        one, other = self.expressions.any(1), self.expressions.any(1)
        forms = (
            "b = yield {}, {}", "yield from [({}, {})]", "yield [{}, {}]", "yield *[{}], {}",
            "pair = ({}, {})\nyield pair",
            "yield {}, {}, 1", "note((yield {}, {}))", "yield", "yield from pairs({}, {})", "yield dict(k={}, v={})",
        )  # fmt: skip
        return simple(self.rng.choice(forms).format(one, other)) if self.rng.random() < 0.06 else self.pair()

    def assign(self) -> Body:
        """Binds variables."""
        name, other = self.rng.sample(LOCALS[:5], 2)
        forms = (
            "{0} = {2}", "{0} = {2}", "{0} = {3}", "{0} = {1} = {2}", "{0}, {1} = {2}, {3}", "{0}, *{1} = {4} or 'ab'",
            "{0}: Pair = {2}", "{0}: 'Gone' = {2}", "fields = {4}", "self.last = {0} = {2}", "{0} = word, {1} = 'q', 1",
        )  # fmt: skip
        expressions = self.expressions
        return simple(
            self.rng.choice(forms).format(name, other, expressions.any(), expressions.text(), expressions.items())
        )

    def change(self) -> Body:
        """Changes something in its place."""
        forms = (
            "push(box, {0})", "self.total += 1", "self.seen.append({0})", "fields[0] = plain({0})",
            "fields[9:] or fields.append('f')", "del box[:1]",
            "box[:] = [plain({0})]", "b = plain(b)\nb += 1", "word += '+'", "TABLE['b'] = plain({0})",
            "self.keep({0})", "del word", "del a",
            "push(box, 'late')\nyield 'box', box\npush(box, 'later')", "fields.reverse()", "LOG.append('here')",
        )  # fmt: skip
        return simple(*self.rng.choice(forms).format(self.expressions.any(1)).split("\n"))

    def leave(self) -> Body:
        """Leaves the function, under a condition as a rule."""
        forms = (
            "if b: return", "if not a: return {0}", "if key > 9: return [({0}, 1)]", "assert key < 14, {0}",
            "if key > 5: raise ValueError({0})", "if box: raise StopIteration({0})", "if key > 11: raise GeneratorExit",
            "if key > 11: raise KeyError(word) from ValueError(a)", "if not value: return None",
        )  # fmt: skip
        return simple(self.rng.choice(forms).format(self.expressions.any(1)))

    def odd(self) -> Body:
        """What is seldom written."""
        forms = (
            "import os.path as b", "from math import pi as a", "pass", "'a text'", "{0}", "_podreduce_known = {0}",
            "self._podreduce_get = {0}", "b = [*{1}]", "a = __name__", "(word := {0})", "if 0: yield a, b",
            "self.function = lambda word=word: word", "a = f'{{a!s:>3}}'", "a = Job.map_func.__name__",
            "KEY = VALUE = {0}",
        )  # fmt: skip
        return simple(self.rng.choice(forms).format(self.expressions.any(1), self.expressions.items()))

    def shadow(self) -> Body:
        """Gives a builtin's name to something else."""
        return simple(
            self.rng.choice(("len = plain", "str = repr", "type = same", "int = float", "get = add = None", "pass"))
        )

    def loop(self, depth: int, _: bool) -> Body:
        """A for loop."""
        name = self.rng.choice(("word", "a", "b", "word", "a, b", "n, word", "value", "self.last"))
        items = f"enumerate({self.expressions.items()})" if "," in name else self.expressions.items()
        return (compound(f"for {name} in {items}:", self.block(depth, in_loop=True), *self.orelse(depth)),)

    def count_loop(self, depth: int, _: bool) -> Body:
        """A loop that yields a 1 for each word, or nearly so."""
        name, other = self.rng.choice(
            (("word", "word"),) * 4 + (("each", "each"), ("each", "each"), ("b", "word"), ("value", "value"))
        )
        one = self.rng.choice(("1", "1", "1", "True", "1.0", "2"))
        body = simple(f"yield {other}, {one}", *("pass",) * self.rng.choice((0, 0, 0, 1)))
        orelse = self.orelse(depth) if self.rng.random() < 0.2 else ()
        return (compound(f"for {name} in {self.expressions.items()}:", body, *orelse),)

    def orelse(self, depth: int) -> tuple[tuple[str, Body], ...]:
        """An else of a loop, perhaps."""
        return (("else:", self.block(depth, in_loop=False)),) if self.rng.random() < 0.2 else ()

    def while_loop(self, depth: int, _: bool) -> Body:
        """A while loop that ends."""
        count = f"turns{depth}"
        head = compound(f"while ({count} := {count} + 1) < 3:", self.block(depth, in_loop=True), *self.orelse(depth))
        return (*simple(f"{count} = 0"), head)

    def condition(self, depth: int, in_loop: bool) -> Body:
        """An if."""
        clauses = tuple(
            (first, self.block(depth, in_loop=in_loop))
            for first in (f"elif {self.expressions.any(1)}:", "else:")
            if self.rng.random() < 0.4
        )
        return (compound(f"if {self.expressions.any(1)}:", self.block(depth, in_loop=in_loop), *clauses),)

    def match(self, depth: int, in_loop: bool) -> Body:
        """A match: its patterns bind names without naming them as expressions do."""
        patterns = ("[word, *fields]", "str(a)", "{'a': b, **box}", "(1 | 2) as b", "[]", "str() as word if word")
        first, second = self.rng.sample(patterns, 2)
        body = (
            Statement(text=f"case {first}:", body=self.block(depth + 1, in_loop=in_loop)),
            Statement(text=f"case {second}:", body=self.block(depth + 1, in_loop=in_loop)),
            Statement(
                text=f"case {self.rng.choice(('_', 'a', 'value'))}:", body=self.block(depth + 1, in_loop=in_loop)
            ),
        )
        return (compound(f"match {self.rng.choice((self.expressions.items(), self.expressions.any(1)))}:", body),)

    def attempt(self, depth: int, in_loop: bool) -> Body:
        """A try, as a rule without a yield in it: what holds one is never rewritten."""
        inner = self.block(depth, in_loop=in_loop) if self.rng.random() < 0.06 else self.quiet()
        handler = f"except {self.rng.choice(ERROR_TYPES)}{self.rng.choice((' as b', ' as word', ''))}:"
        clauses = [(handler, self.quiet())] if self.rng.random() < 0.8 else []
        if clauses and self.rng.random() < 0.2:
            clauses.append(("else:", self.quiet()))
        if not clauses or self.rng.random() < 0.3:
            clauses.append(("finally:", self.quiet()))
        return (compound("try:", inner, *clauses),)

    def managed(self, depth: int, in_loop: bool) -> Body:
        """A with, some around a yield."""
        inner = self.block(depth, in_loop=in_loop) if self.rng.random() < 0.06 else self.quiet()
        return (compound(f"with Guard({self.rng.choice(ERROR_TYPES)}){self.rng.choice((' as a', ''))}:", inner),)

    def quiet(self) -> Body:
        """Some statements without a yield."""
        drawn = self.assign() + self.change() if self.rng.random() < 0.7 else simple("raise ValueError(word)")
        return tuple(each for each in drawn if "yield" not in each.text)

    def inner_function(self, depth: int, _: bool) -> Body:
        """A function in the function: closures, nonlocal and global names, defaults, decorators, its own yields."""
        self.defined += 1
        name, bound = f"inner{self.defined}", self.rng.choice(LOCALS[:6])
        binding = self.rng.choice((
            f"{bound} = {{}}", f"{bound} = x", f"import os as {bound}", f"for {bound} in [{{}}, x]: pass",
            f"def {bound}(): pass",
            f"class {bound}: pass", f"[({bound} := x) for _ in 'a']", f"del {bound}", "pass",
        )).format(self.expressions.any(1))  # fmt: skip
        scope = self.rng.choice((f"nonlocal {bound}", f"nonlocal {bound}", f"global {bound}", "pass"))
        result = self.rng.choice(("return x", f"return {bound}", "return word", "yield x", "return self.keep(x)"))
        default = self.rng.choice(
            ("None", "a", self.expressions.any(1), "(yield 'd', 1)" if self.rng.random() < 0.1 else "1")
        )
        annotation = self.rng.choice(
            ("", "", ": Gone" if self.rng.random() < 0.1 else "", ": 'Gone'", ": note('annotated')")
        )
        body = simple(scope, binding, result)
        call = f"{name}()" if "yield" not in result else f"list({name}())"
        if depth < DEEPEST:
            self.expressions.functions.append(call)
        head = compound(f"def {name}(x{annotation} = {default}):", body)
        decorator = simple("@same") if self.rng.random() < 0.2 else ()
        return (*decorator, head, *(simple(call) if self.rng.random() < 0.4 else ()))

    def inner_class(self, _: int, __: bool) -> Body:
        """A class in the function."""
        self.defined += 1
        name = f"Inner{self.defined}"
        scope = self.rng.choice(
            ("nonlocal word\nword = 'class'", "global LAST\nLAST = value", "a = word", "__mark = 1", "pass")
        )
        method = compound("def __iter__(self):", simple("yield word", "yield __class__.__name__"))
        return (compound(f"class {name}:", (*simple(*scope.split("\n")), method)), *simple(f"box = [*{name}()]"))

    def inner_async(self, _: int, __: bool) -> Body:
        """A coroutine in the function, driven to its end."""
        self.defined += 1
        name = f"later{self.defined}"
        body = simple(self.rng.choice(("nonlocal b", "pass")), f"b = {self.expressions.any(1)}", "return b")
        return (compound(f"async def {name}():", body), *simple(f"a = drive({name}())"))
