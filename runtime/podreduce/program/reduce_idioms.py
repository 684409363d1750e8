"""Recognises simple forms of `reduce_func`, so that they run as if the class declared the combiner.

The body must do nothing but yield its key with `sum(values)`, `min(values)`, `max(values)` or a count of the values
(`len(list(values))`, `sum(1 for _ in values)`), directly or through one local name. The names must be the builtins.
Sums of floats may differ in their last digits, as with any combiner; `combiner = None` switches this off.
"""

import ast
import builtins
from types import FunctionType
from typing import Any, Final

from podreduce.program.function_source import parse_function

__all__ = ["recognise_aggregation"]

FORMS: Final = {
    "sum(VALUES)": "sum",
    "min(VALUES)": "min",
    "max(VALUES)": "max",
    "len(list(VALUES))": "count",
    "sum((1 for _ in VALUES))": "count",
}
"""The expressions that may be yielded with the key, as `ast.unparse` writes them, and the equivalent combiner."""
CALLED: Final = {"sum": sum, "min": min, "max": max, "len": len, "list": list}
"""Python's own functions, as they were before the program is loaded."""


def recognise_aggregation(reduce_func: Any) -> str | None:  # noqa: ANN401 - anything the class has under the name
    """Return the combiner that a bound `reduce_func` is equivalent to, if that is certain; else None."""
    source = parse_function(reduce_func)
    if source is None or source.definition.decorator_list or source.function.__code__.co_freevars:
        return None
    parameters = source.definition.args
    more = (parameters.posonlyargs, parameters.vararg, parameters.kwonlyargs, parameters.kwarg, parameters.defaults)
    if len(parameters.args) != 3 or any(more):  # noqa: PLR2004 - self, key, values
        return None
    key, values = (argument.arg for argument in parameters.args[1:])
    aggregated = find_aggregated(without_docstring(source.definition.body), key, values)
    if aggregated is None or not uses_builtins(aggregated, source.function):
        return None
    return FORMS.get(ast.unparse(Renamed(values).visit(aggregated)))


def find_aggregated(body: list[ast.stmt], key: str, values: str) -> ast.expr | None:
    """Return the expression that a body yields with its key, if it does nothing else."""
    match body:
        case [ast.Expr(value=ast.Yield(value=ast.Tuple(elts=[ast.Name(id=name), ast.Call() as call])))] if name == key:
            return call
        case [
            ast.Assign(targets=[ast.Name(id=local)], value=ast.Call() as call),
            ast.Expr(value=ast.Yield(value=ast.Tuple(elts=[ast.Name(id=name), ast.Name(id=yielded)]))),
        ] if name == key and yielded == local and local not in (key, values):
            return call
        case _:
            return None


def without_docstring(body: list[ast.stmt]) -> list[ast.stmt]:
    """Return the statements without a docstring."""
    match body:
        case [ast.Expr(value=ast.Constant(value=str())), *rest]:
            return rest
        case _:
            return body


def uses_builtins(node: ast.expr, function: FunctionType) -> bool:
    """Tell whether the functions that `node` calls are Python's own, under their own names."""
    called = [each.func for each in ast.walk(node) if isinstance(each, ast.Call)]
    names = [each.id for each in called if isinstance(each, ast.Name)]
    own = function.__globals__.get("__builtins__", builtins)
    found = own if isinstance(own, dict) else vars(own)  # the program may have changed them
    return len(names) == len(called) and all(
        name not in function.__code__.co_varnames
        and name not in function.__globals__
        and name in CALLED
        and found.get(name) is CALLED[name]
        for name in names
    )


class Renamed(ast.NodeTransformer):
    """Renames the values parameter, and the variable of a comprehension over it, to the names of `FORMS`."""

    def __init__(self, values: str) -> None:
        self.values = values

    def visit_Name(self, node: ast.Name) -> ast.Name:
        """Rename."""
        if isinstance(node.ctx, ast.Store):
            return ast.Name(id="_", ctx=node.ctx)
        return ast.Name(id="VALUES", ctx=node.ctx) if node.id == self.values else node
