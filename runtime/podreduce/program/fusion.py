"""Yield fusion: rewrites `map_func` so that each `yield key, value` puts the pair into the map's store immediately.

Iterating over a generator costs about as much as the rest of a task's work. Without it a plain class is fast:

    for fields in rows:                           for fields in rows:
        yield fields[0], 1                            key = fields[0]
                                                      if type(key) is str and (known := get(key)) is not None:
                                                          plain[key] = known + 1
                                                      else:
                                                          add(key, 1)

The program cannot notice the difference: the same pairs in the same order, with their values at the yield, and the
same lines and columns in tracebacks. It happens only if that is certain. Every yield must be a separate statement with
a pair, outside `try` and `with` (which must not catch what the store raises). The function must be a plain method with
available source that does not inspect itself. Pairs of all other functions are iterated over.
"""

import __future__

import ast
import inspect
import sys
import warnings
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from sys import getsizeof
from types import CodeType, FunctionType, MethodType
from typing import Any, Final

from podreduce.encoding.codec import SCALARS
from podreduce.program.function_source import FunctionSource, find_code, parse_function
from podreduce.program.yield_rewriting import PREFIX, SCOPES, YieldRewriter, is_pair_statement
from podreduce.rows.row_stores import Aggregates, ListGroups

__all__ = ["Fused", "fuse"]

FACTORY: Final = f"{PREFIX}fuse"
INNER: Final = f"{PREFIX}map"
TELLTALE: Final = frozenset(
    {"locals", "vars", "dir", "eval", "exec", "globals", "inspect", "_getframe", "currentframe", "breakpoint"}
)
"""Names of functions that could see that the function was rewritten."""
TELLTALE_FUNCTIONS: Final = (
    locals, vars, dir, eval, exec, globals, inspect, inspect.currentframe, inspect.stack,
    sys._getframe,  # noqa: SLF001 - compared only
)  # fmt: skip
"""The same functions, for programs that use them under other names."""
GUARDED: Final = (ast.Try, ast.TryStar, ast.With, ast.AsyncWith, ast.AsyncFor)
FUTURE: Final = __future__.annotations.compiler_flag

BUILTINS: Final = {
    "type": type, "str": str, "int": int, "float": float, "len": len, "sizeof": getsizeof, "scalars": SCALARS,
    "Exception": Exception,
}  # fmt: skip
COUNTERS: Final = ("room", "records")
"""Variables that the rewritten function keeps between calls."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fused:
    """A rewritten `map_func`: call it for each record; it returns nothing.

    Attributes:
        uses_key: whether it uses its `key` at all.
        records: how many pairs it put into the store without `add` or `settle`.
    """

    map_func: Callable[[Any, Any], object]
    uses_key: bool
    records: Callable[[], int]


def fuse(
    map_func: Any,  # noqa: ANN401 - anything the class has under the name
    add: Callable[[Any, Any], None],
    store: ListGroups | Aggregates | None = None,
    *,
    is_text: bool,
) -> Fused | None:
    """Return the fused form of a bound `map_func`; None if it is not certain to do the same.

    Args:
        map_func: the program's.
        add: takes any pair, in the same way as pairs of functions that are not fused.
        store: where `add` puts them, so that known keys can be updated directly; None leaves all to `add`.
        is_text: whether the records' values are str.
    """
    source = parse_function(map_func)
    if source is None or not is_fusible(source):
        return None
    uses_key = is_key_used(source.definition)
    handles = {**BUILTINS, "add": add, **(store.handles() if store is not None else {})}
    try:
        rewrite_yields(source, store, is_text=is_text)
        function, records = build(source, handles)
    except (SyntaxError, RecursionError):  # nested as deeply as Python allows, or too deeply to walk
        return None
    if function.__code__.co_flags & inspect.CO_GENERATOR:
        return None
    return Fused(map_func=MethodType(function, map_func.__self__), uses_key=uses_key, records=records)


def is_key_used(definition: ast.FunctionDef) -> bool:
    """Tell whether a function may use its `key`."""
    name = definition.args.args[1].arg
    return name.startswith("__") or any(isinstance(node, ast.Name) and node.id == name for node in ast.walk(definition))


def rewrite_yields(source: FunctionSource, store: ListGroups | Aggregates | None, *, is_text: bool) -> None:
    """Rewrite the yields of a function's tree."""
    definition, code = source.definition, source.function.__code__
    rewriter = YieldRewriter(
        definition,
        kind=store.kind if store is not None else "",
        interns=isinstance(store, ListGroups) and store.interns,
        text=definition.args.args[2].arg if is_text else None,
        local_names=frozenset(code.co_varnames).difference(code.co_cellvars),
    )
    definition.body = rewriter.rewrite(definition.body)


def is_fusible(source: FunctionSource) -> bool:
    """Tell whether every yield of a function can put its pair into the store without any visible difference."""
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
        and len(arguments.args) >= 3  # noqa: PLR2004 - self, key, value
        and not looks_at_itself(source)
    )


def is_guarded_yield(node: ast.AST) -> bool:
    """Tell whether `node` is a `try` or `with` that contains a yield."""
    return isinstance(node, GUARDED) and any(isinstance(each, ast.Yield) for each in ast.walk(node))


def looks_at_itself(source: FunctionSource) -> bool:
    """Tell whether a function uses names with which it could inspect itself, or names that the rewriting adds."""
    names, module = set(names_of(source.definition)), source.function.__globals__
    return any(
        name in TELLTALE or name.startswith(PREFIX) or any(module.get(name) is each for each in TELLTALE_FUNCTIONS)
        for name in names
    )


def names_of(definition: ast.FunctionDef) -> Iterator[str]:
    """Yield all names that a function uses or binds, attributes included."""
    for node in ast.walk(definition):
        if not isinstance(node, ast.Constant):
            for _, field in ast.iter_fields(node):
                fields = field if isinstance(field, list) else [field]
                yield from (each for each in fields if isinstance(each, str))


def own_nodes(definition: ast.FunctionDef) -> Iterator[ast.AST]:
    """Yield the nodes of a function; of what is defined within it only that it is there."""
    waiting: list[ast.AST] = list(definition.body)
    while waiting:
        node = waiting.pop()
        yield node
        if not isinstance(node, SCOPES):
            waiting.extend(ast.iter_child_nodes(node))


def build(source: FunctionSource, handles: Mapping[str, object]) -> tuple[FunctionType, Callable[[], int]]:
    """Compile the rewritten function, and return it with a function that returns its records.

    It stays in a class with its class's name, so that `__private` names work, but within a function that holds the
    objects of podreduce that it uses. Annotations and defaults are removed: they were evaluated with the class.
    """
    definition, old = source.definition, source.function
    leave_out_signature(definition)
    definition.name = INNER  # the function may call a global with its own name
    factory = ast.parse(
        f"def {FACTORY}({', '.join(PREFIX + name for name in handles)}):\n"
        f"    {PREFIX}room = {PREFIX}records = 0\n"
        f"    def {PREFIX}counted(): return {PREFIX}records\n"
        f"    return {INNER}, {PREFIX}counted\n"
    )
    assigned = ast.Nonlocal(names=[PREFIX + name for name in COUNTERS])
    definition.body.insert(0, ast.copy_location(assigned, definition))
    factory.body[0].body.insert(1, definition)  # type: ignore[attr-defined] # it is a function
    function, counted = FunctionType(compile_factory(factory, source), old.__globals__)(*handles.values())
    function.__code__ = as_named(function.__code__, function.__code__.co_qualname, old.__code__.co_qualname).replace(
        co_name=old.__code__.co_name
    )
    function.__defaults__, function.__kwdefaults__ = old.__defaults__, old.__kwdefaults__
    return function, counted


def leave_out_signature(definition: ast.FunctionDef) -> None:
    """Remove what a `def` evaluates when it runs; the number of defaults stays."""
    arguments = definition.args
    for each in (*arguments.args, *arguments.kwonlyargs, arguments.vararg, arguments.kwarg):
        if each is not None:
            each.annotation = None
    nothing = ast.copy_location(ast.Constant(value=None), definition)
    arguments.defaults = [nothing for _ in arguments.defaults]
    arguments.kw_defaults = [default and nothing for default in arguments.kw_defaults]
    definition.returns = None
    definition.__dict__.update(type_params=[])  # from Python 3.12 on


def compile_factory(factory: ast.Module, source: FunctionSource) -> CodeType:
    """Compile the function that makes the rewritten one."""
    tree = factory
    if source.class_name:
        tree = ast.parse(f"class {source.class_name}: pass")
        tree.body[0].body = factory.body  # type: ignore[attr-defined] # it is a class
    old = source.function.__code__
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # they were shown when the program was imported
        compiled = compile(tree, old.co_filename, "exec", flags=old.co_flags & FUTURE, dont_inherit=True)
    code = find_code(compiled, FACTORY)
    assert code is not None  # noqa: S101 - it must be in there
    return code


def as_named(code: CodeType, ours: str, theirs: str) -> CodeType:
    """Return `code` with the qualified names that it, and all that is defined in it, would have without rewriting."""

    def rename(item: Any) -> Any:  # noqa: ANN401 - a constant
        if isinstance(item, CodeType):
            return as_named(item, ours, theirs)
        return theirs + item[len(ours) :] if isinstance(item, str) and item.startswith(ours) else item

    return code.replace(co_consts=tuple(map(rename, code.co_consts)), co_qualname=rename(code.co_qualname))
