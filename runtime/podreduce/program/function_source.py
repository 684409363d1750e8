"""The syntax tree of a function of the program, if it is certain that this is the code that runs.

It is certain if the source that tracebacks would show compiles to exactly the function's code object.
"""

import ast
import linecache
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from types import CodeType, FunctionType, MethodType
from typing import Any, Final

__all__ = ["FunctionSource", "find_code", "parse_function"]

STATEMENT_FIELDS: Final = ("body", "orelse", "finalbody", "handlers", "cases")
"""The fields of a node that hold statements, or nodes with statements."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FunctionSource:
    """A method, its tree (which may be changed), and the name of its class; empty if it is in none."""

    function: FunctionType
    definition: ast.FunctionDef
    class_name: str


def parse_function(member: Any) -> FunctionSource | None:  # noqa: ANN401 - anything the class has under the name
    """Return the source of a bound method; None if it is not plain Python with available source."""
    function = member.__func__ if isinstance(member, MethodType) else None
    if not isinstance(function, FunctionType):
        return None
    code = function.__code__
    lines = linecache.getlines(code.co_filename, function.__globals__)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # they were shown when the program was imported
            module = ast.parse("".join(lines))
            compiled = compile(module, code.co_filename, "exec", dont_inherit=True)
    except (SyntaxError, ValueError, RecursionError):
        return None
    found = [each for each in find_definitions(module) if is_definition(each[0], code)]
    if len(found) != 1 or find_code(compiled, code) is None:
        return None
    definition, class_name = found[0]
    assert isinstance(definition, ast.FunctionDef)  # noqa: S101 - for the type checker
    return FunctionSource(function=function, definition=definition, class_name=class_name)


def find_definitions(module: ast.Module) -> Iterator[tuple[ast.AST, str]]:
    """Yield every statement, with the name of its class. Expressions, which may be very deep, are skipped."""
    waiting: list[tuple[ast.AST, str]] = [(module, "")]
    while waiting:
        node, class_name = waiting.pop()
        yield node, class_name
        inner = node.name if isinstance(node, ast.ClassDef) else class_name
        waiting.extend((child, inner) for field in STATEMENT_FIELDS for child in getattr(node, field, ()))


def is_definition(node: ast.AST, code: CodeType) -> bool:
    """Tell whether `code` may have been compiled from `node`."""
    return isinstance(node, ast.FunctionDef) and (node.name, node.lineno) == (code.co_name, code.co_firstlineno)


def find_code(code: CodeType, wanted: CodeType | str) -> CodeType | None:
    """Return the code object in `code`, at any depth, that equals `wanted` or has this name."""
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            if wanted in (constant, constant.co_name):
                return constant
            found = find_code(constant, wanted)
            if found is not None:
                return found
    return None
