"""Yield fusion: rewrites `map_func` so that each `yield key, value` puts the pair into the map's store there and then.

Draining a generator costs about as much as the rest of a task's work, so this is what makes a plain class fast:

    for fields in rows:                           for fields in rows:
        yield fields[0], 1                            key = fields[0]
                                                      if type(key) is str and (known := get(key)) is not None:
                                                          plain[key] = known + 1
                                                      else:
                                                          add(key, 1)

The program cannot tell the difference: the same pairs in the same order, values as they are at the yield, the same
lines and columns in tracebacks. Only where that is certain: every yield is a statement of its own with a pair, none
within `try` or `with` (what the store raises must not be caught there), the function is a plain method whose source is
at hand and that does not look at itself. Everything else is drained.
"""

import ast
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from sys import getsizeof
from types import FunctionType, MethodType
from typing import Any, Final

from podreduce.codec import SCALARS
from podreduce.function_source import FunctionSource, find_code, parse_function
from podreduce.groups import Aggregates, ListGroups
from podreduce.yield_rewriting import PREFIX, SCOPES, YieldRewriter, is_pair_statement

__all__ = ["Fused", "fuse"]

FACTORY: Final = f"{PREFIX}fuse"
TELLTALE: Final = frozenset({"locals", "vars", "dir", "eval", "exec", "globals", "inspect", "_getframe"})
"""Names of what could see that the function was rewritten."""
GUARDED: Final = (ast.Try, ast.TryStar, ast.With, ast.AsyncWith, ast.AsyncFor)

BUILTINS: Final = {
    "type": type, "str": str, "int": int, "float": float, "len": len, "sizeof": getsizeof, "scalars": SCALARS,
}  # fmt: skip
COUNTERS: Final = ("room", "records")
"""What the rewritten function keeps between calls."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fused:
    """A rewritten `map_func`: call it for each record; it returns nothing.

    Attributes:
        uses_key: whether it looks at its `key` at all.
        records: how many pairs it put into the store without `add` or `settle`.
    """

    map_func: Callable[[Any, Any], object]
    uses_key: bool
    records: Callable[[], int]


def fuse(
    map_func: Any,  # noqa: ANN401 - whatever the class has under the name
    add: Callable[[Any, Any], None],
    store: ListGroups | Aggregates | None = None,
    *,
    is_text: bool,
) -> Fused | None:
    """Return the fused form of a bound `map_func`, or None where it is not certain to be the same.

    Args:
        map_func: the program's.
        add: takes any pair, as it takes those of drained yields.
        store: what `add` puts them into, for known keys to be put there at once; None leaves all to `add`.
        is_text: whether the records' values are str.
    """
    source = parse_function(map_func)
    if source is None or not is_fusible(source):
        return None
    definition = source.definition
    parameters = [argument.arg for argument in definition.args.args]
    uses_key = any(isinstance(node, ast.Name) and node.id == parameters[1] for node in ast.walk(definition))
    rewriter = YieldRewriter(
        definition,
        kind=store.kind if store is not None else "",
        interns=isinstance(store, ListGroups) and store.interns,
        text=parameters[2] if is_text else None,
        local_names=source.function.__code__.co_varnames,
    )
    definition.body = rewriter.rewrite(definition.body)
    function, records = build(source, {**BUILTINS, "add": add, **(store.handles() if store is not None else {})})
    return Fused(map_func=MethodType(function, map_func.__self__), uses_key=uses_key, records=records)


def is_fusible(source: FunctionSource) -> bool:
    """Tell whether every yield of a function can put its pair into the store, unnoticed."""
    definition, arguments = source.definition, source.definition.args
    nodes = list(own_nodes(definition))
    yields = sum(isinstance(node, ast.Yield | ast.YieldFrom | ast.Await) for node in nodes)
    return (
        yields > 0
        and sum(map(is_pair_statement, nodes)) == yields
        and not any(map(is_guarded_yield, nodes))
        and not definition.decorator_list
        and not source.function.__code__.co_freevars
        and not arguments.posonlyargs
        and len(arguments.args) == 3  # noqa: PLR2004 - self, key, value
        and not any(name in TELLTALE or name.startswith(PREFIX) for name in names_of(definition))
    )


def is_guarded_yield(node: ast.AST) -> bool:
    """Tell whether `node` is a `try` or `with` that a yield stands in."""
    return isinstance(node, GUARDED) and any(isinstance(each, ast.Yield) for each in ast.walk(node))


def names_of(definition: ast.FunctionDef) -> set[str]:
    """Return all names and attributes that a function uses."""
    nodes = list(ast.walk(definition))
    names = {node.id for node in nodes if isinstance(node, ast.Name)}
    return names | {node.attr for node in nodes if isinstance(node, ast.Attribute)}


def own_nodes(definition: ast.FunctionDef) -> list[ast.AST]:
    """Return the nodes of a function that run in its own frame."""
    found: list[ast.AST] = []
    waiting: list[ast.AST] = list(definition.body)
    while waiting:
        node = waiting.pop()
        found.append(node)
        if not isinstance(node, SCOPES):
            waiting.extend(ast.iter_child_nodes(node))
    return found


def build(source: FunctionSource, handles: Mapping[str, object]) -> tuple[FunctionType, Callable[[], int]]:
    """Compile the rewritten function in its place in the module, and return it with what tells its records.

    It stays in its class, for the sake of `__private` names, but inside a function that holds what it uses of ours.
    """
    definition, old = source.definition, source.function
    factory = ast.parse(
        f"def {FACTORY}({', '.join(PREFIX + name for name in handles)}):\n"
        f"    {PREFIX}room = {PREFIX}records = 0\n"
        f"    def {PREFIX}counted(): return {PREFIX}records\n"
        f"    return {definition.name}, {PREFIX}counted\n"
    ).body[0]
    assert isinstance(factory, ast.FunctionDef)  # noqa: S101 - for the type checker
    assigned = ast.Nonlocal(names=[PREFIX + name for name in COUNTERS])
    definition.body.insert(0, ast.copy_location(assigned, definition))
    factory.body.insert(1, definition)
    Replacer(definition, factory).visit(source.module)
    compiled = compile(ast.fix_missing_locations(source.module), old.__code__.co_filename, "exec", dont_inherit=True)
    code = find_code(compiled, FACTORY)
    assert code is not None  # noqa: S101 - it is in there
    function, counted = FunctionType(code, old.__globals__)(*handles.values())
    function.__defaults__, function.__kwdefaults__ = old.__defaults__, old.__kwdefaults__
    return function, counted


class Replacer(ast.NodeTransformer):
    """Puts one node in the place of another."""

    def __init__(self, old: ast.AST, new: ast.AST) -> None:
        self.old = old
        self.new = new

    def visit(self, node: ast.AST) -> ast.AST:
        """Replace the node, and look no further into it."""
        return self.new if node is self.old else self.generic_visit(node)
