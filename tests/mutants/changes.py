"""Small changes of a module's functions: a comparison turned, a constant one more or less, a condition left out.

Left alone is what decides nothing: annotations, docstrings, messages (what is raised), constants of modules, which are
tuning, and strings.
"""

import ast
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

__all__ = ["Mutant", "find_mutants", "mutated_tree"]

SWAPS: dict[type, type] = {
    ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt, ast.Eq: ast.NotEq, ast.NotEq: ast.Eq,
    ast.Is: ast.IsNot, ast.IsNot: ast.Is, ast.In: ast.NotIn, ast.NotIn: ast.In, ast.And: ast.Or, ast.Or: ast.And,
    ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Add, ast.FloorDiv: ast.Mult, ast.Mod: ast.Add,
    ast.BitXor: ast.BitOr, ast.RShift: ast.LShift, ast.Pow: ast.Mult,
}  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Mutant:
    """A change: the `place`-th of the module's, at a line of a function, from `before` to `after`.

    Attributes:
        turn: 1 for the first such change of the function, 2 for the next one that reads the same.
    """

    place: int
    turn: int
    function: str
    line: int
    before: str
    after: str

    @property
    def change(self) -> str:
        """The change as the list of equals names it."""
        turn = "" if self.turn == 1 else f" #{self.turn}"
        return f"{self.function}: {self.before} -> {self.after}{turn}"


def find_mutants(source: str) -> list[Mutant]:
    """Return all changes of a module."""
    found, turns = [], Counter[tuple[str, str, str]]()
    for place, (function, node, other) in enumerate(all_changes(ast.parse(source))):
        key = function, render(node), render(other)
        turns[key] += 1
        mutant = Mutant(place=place, turn=turns[key], function=function, line=node.lineno, before=key[1], after=key[2])
        found.append(mutant)
    return found


def mutated_tree(source: str, place: int) -> ast.Module:
    """Return the module with the change at `place`."""
    tree = ast.parse(source)
    _, node, other = list(all_changes(tree))[place]
    ast.copy_location(other, node)
    node.__class__ = other.__class__
    node.__dict__ = other.__dict__
    return ast.fix_missing_locations(tree)


def render(node: ast.AST) -> str:
    """Show a node on one line; of a statement with a body its condition."""
    if isinstance(node, ast.If):
        return f"if {ast.unparse(node.test)}"
    return " ".join(ast.unparse(node).split())


def all_changes(tree: ast.Module) -> Iterator[tuple[str, Any, Any]]:
    """Yield each node that can be changed with what it is changed to, after the name of its function."""
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            for statement in node.body:
                for inner in decisive(statement):
                    for other in changes_of(inner):
                        yield node.name, inner, other


def decisive(node: ast.AST) -> Iterator[ast.AST]:
    """Yield a node and what is in it, but for functions, annotations and what is raised or asserted."""
    skipped = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Raise, ast.Assert, ast.Import, ast.ImportFrom, ast.JoinedStr)
    if isinstance(node, skipped):
        return
    yield node
    for name, child in ast.iter_fields(node):
        if name not in ("annotation", "op", "ops"):
            for each in child if isinstance(child, list) else [child]:
                if isinstance(each, ast.AST):
                    yield from decisive(each)


def changes_of(node: ast.AST) -> Sequence[ast.AST]:
    """Return what a node is changed to, one at a time."""
    change = CHANGES.get(type(node))
    return () if change is None else change(node)


def altered(node: Any, **fields: Any) -> Any:
    """Return a copy of the node with other fields."""
    return type(node)(**{**dict(ast.iter_fields(node)), **fields})


def without(items: Sequence[Any], number: int) -> list[Any]:
    """Return the items but for one."""
    return [*items[:number], *items[number + 1 :]]


def swap_comparison(node: Any) -> Sequence[ast.AST]:
    """Turn a comparison of two."""
    (first, *rest) = node.ops
    return () if rest or type(first) not in SWAPS else [altered(node, ops=[SWAPS[type(first)]()])]


def swap_operator(node: Any) -> Sequence[ast.AST]:
    """Take another operator."""
    return [altered(node, op=SWAPS[type(node.op)]())] if type(node.op) in SWAPS else ()


def change_condition(node: Any) -> Sequence[ast.AST]:
    """Take `or` for `and`, and leave out each of the conditions."""
    fewer = [without(node.values, number) for number in range(len(node.values))]
    return [
        *swap_operator(node),
        *(altered(node, values=values) if len(values) > 1 else values[0] for values in fewer),
    ]


def leave_out_sign(node: Any) -> Sequence[ast.AST]:
    """Take what is denied, or the number without its sign."""
    if isinstance(node.op, ast.Not):
        return [ast.Call(func=ast.Name(id="bool", ctx=ast.Load()), args=[node.operand], keywords=[])]
    return [node.operand] if isinstance(node.op, ast.USub) else ()


def take_next(node: Any) -> Sequence[ast.AST]:
    """Take the numbers beside it, or the other bool."""
    if type(node.value) is bool:
        return [ast.Constant(value=not node.value)]
    if type(node.value) not in (int, float):
        return ()
    return [ast.Constant(value=node.value + step) for step in (1, -1) if node.value + step != node.value]


def leave_out(node: Any) -> Sequence[ast.AST]:
    """Leave a statement out that does something."""
    does = isinstance(node, ast.AugAssign) or isinstance(node.value, ast.Call | ast.Await | ast.Yield | ast.YieldFrom)
    return [ast.Pass()] if does else ()


def leave_out_keyword(node: Any) -> Sequence[ast.AST]:
    """Leave out each argument that is given by name."""
    numbers = [number for number, keyword in enumerate(node.keywords) if keyword.arg is not None]
    return [altered(node, keywords=without(node.keywords, number)) for number in numbers]


def leave_out_filter(node: Any) -> Sequence[ast.AST]:
    """Leave out each condition of a comprehension."""
    return [
        altered(
            node,
            generators=[
                altered(each, ifs=without(each.ifs, number)) if each is generator else each for each in node.generators
            ],
        )
        for generator in node.generators
        for number in range(len(generator.ifs))
    ]


def return_none(node: Any) -> Sequence[ast.AST]:
    """Return nothing."""
    is_none = node.value is None or (isinstance(node.value, ast.Constant) and node.value.value is None)
    return () if is_none else [ast.Return(value=ast.Constant(value=None))]


def turn_test(node: Any) -> Sequence[ast.AST]:
    """Turn a condition; one that is changed by itself is left."""
    if isinstance(node.test, ast.Compare | ast.BoolOp | ast.UnaryOp) and changes_of(node.test):
        return ()
    return [altered(node, test=ast.UnaryOp(op=ast.Not(), operand=node.test))]


CHANGES: dict[type, Callable[[Any], Sequence[ast.AST]]] = {
    ast.Compare: swap_comparison,
    ast.BinOp: swap_operator,
    ast.BoolOp: change_condition,
    ast.UnaryOp: leave_out_sign,
    ast.Constant: take_next,
    ast.Break: lambda _: [ast.Continue()],
    ast.Continue: lambda _: [ast.Break()],
    ast.AugAssign: leave_out,
    ast.Expr: leave_out,
    ast.Call: leave_out_keyword,
    ast.ListComp: leave_out_filter,
    ast.SetComp: leave_out_filter,
    ast.DictComp: leave_out_filter,
    ast.GeneratorExp: leave_out_filter,
    ast.Return: return_none,
    ast.If: turn_test,
    ast.IfExp: turn_test,
}
