"""Small changes of a module's functions: a comparison turned, a constant one more, a statement left out.

Left alone is what decides nothing: annotations, docstrings, messages (what is raised), constants of modules, which are
tuning, and strings.
"""

import ast
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

__all__ = ["Mutant", "find_mutants", "mutated_tree"]

SWAPS: dict[type, type] = {
    ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt, ast.Eq: ast.NotEq, ast.NotEq: ast.Eq,
    ast.Is: ast.IsNot, ast.IsNot: ast.Is, ast.In: ast.NotIn, ast.NotIn: ast.In, ast.And: ast.Or, ast.Or: ast.And,
    ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Add, ast.FloorDiv: ast.Mult, ast.Mod: ast.Add,
    ast.BitXor: ast.BitOr, ast.RShift: ast.LShift,
}  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Mutant:
    """A change: the `place`-th node that can be changed, at a line of a function, from `before` to `after`."""

    place: int
    function: str
    line: int
    before: str
    after: str

    @property
    def change(self) -> str:
        """The change as the list of equals names it."""
        return f"{self.function}: {self.before} -> {self.after}"


def find_mutants(source: str) -> list[Mutant]:
    """Return all changes of a module."""
    found = []
    for place, (function, node) in enumerate(changeable(ast.parse(source))):
        before = " ".join(ast.unparse(node).split())
        other = changed(node)
        assert other is not None
        after = " ".join(ast.unparse(other).split())
        found.append(Mutant(place=place, function=function, line=node.lineno, before=before, after=after))
    return found


def mutated_tree(source: str, place: int) -> ast.Module:
    """Return the module with the change at `place`."""
    tree = ast.parse(source)
    node = [node for _, node in changeable(tree)][place]
    other: Any = changed(node)
    ast.copy_location(other, node)
    node.__class__ = other.__class__
    node.__dict__ = other.__dict__
    return ast.fix_missing_locations(tree)


def changeable(tree: ast.Module) -> Iterator[tuple[str, Any]]:
    """Yield the nodes that can be changed, each after the name of its function."""
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            for statement in node.body:
                for inner in decisive(statement):
                    if changed(inner) is not None:
                        yield node.name, inner


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


def changed(node: ast.AST) -> ast.AST | None:
    """Return what a node is changed to; None where there is nothing to change."""
    change = CHANGES.get(type(node))
    return None if change is None else change(node)


def swap_comparison(node: Any) -> ast.AST | None:
    """Turn a comparison of two."""
    (first, *rest) = node.ops
    if rest or type(first) not in SWAPS:
        return None
    return ast.Compare(left=node.left, ops=[SWAPS[type(first)]()], comparators=node.comparators)


def swap_operator(node: Any) -> ast.AST | None:
    """Take another operator."""
    if type(node.op) not in SWAPS:
        return None
    return type(node)(**{**dict(ast.iter_fields(node)), "op": SWAPS[type(node.op)]()})


def leave_out_not(node: Any) -> ast.AST | None:
    """Take what is denied."""
    return (
        ast.Call(func=ast.Name(id="bool"), args=[node.operand], keywords=[]) if isinstance(node.op, ast.Not) else None
    )


def take_next(node: Any) -> ast.AST | None:
    """Take the next int, or the other bool."""
    if type(node.value) not in (int, bool):
        return None
    return ast.Constant(value=not node.value if type(node.value) is bool else node.value + 1)


def leave_out(node: Any) -> ast.AST | None:
    """Leave a statement out that does something."""
    does = isinstance(node, ast.AugAssign) or isinstance(node.value, ast.Call | ast.Yield | ast.YieldFrom)
    return ast.Pass() if does else None


def return_none(node: Any) -> ast.AST | None:
    """Return nothing."""
    is_none = node.value is None or (isinstance(node.value, ast.Constant) and node.value.value is None)
    return None if is_none else ast.Return(value=ast.Constant(value=None))


def turn_test(node: Any) -> ast.AST | None:
    """Turn a condition; one that is changed by itself is left."""
    if changed(node.test) is not None:
        return None
    test = ast.UnaryOp(op=ast.Not(), operand=node.test)
    return type(node)(test=test, body=node.body, orelse=node.orelse)


CHANGES: dict[type, Callable[[Any], ast.AST | None]] = {
    ast.Compare: swap_comparison,
    ast.BinOp: swap_operator,
    ast.BoolOp: swap_operator,
    ast.UnaryOp: leave_out_not,
    ast.Constant: take_next,
    ast.Break: lambda _: ast.Continue(),
    ast.Continue: lambda _: ast.Break(),
    ast.AugAssign: leave_out,
    ast.Expr: leave_out,
    ast.Return: return_none,
    ast.If: turn_test,
    ast.IfExp: turn_test,
}
