"""The syntax tree of a function of the program, if it is certain that this is what runs.

Certain is: the source that tracebacks would show compiles to the very code object of the function.
"""

import ast
import linecache
from dataclasses import dataclass
from types import CodeType, FunctionType, MethodType
from typing import Any

__all__ = ["FunctionSource", "find_code", "parse_function"]


@dataclass(frozen=True, slots=True, kw_only=True)
class FunctionSource:
    """A method, the tree of the module it is written in, and its own node there; the trees may be changed."""

    function: FunctionType
    module: ast.Module
    definition: ast.FunctionDef


def parse_function(member: Any) -> FunctionSource | None:  # noqa: ANN401 - whatever the class has under the name
    """Return the source of a bound method, or None where it is not plain Python with a source at hand."""
    function = member.__func__ if isinstance(member, MethodType) else None
    if not isinstance(function, FunctionType):
        return None
    code = function.__code__
    lines = linecache.getlines(code.co_filename, function.__globals__)
    try:
        module = ast.parse("".join(lines))
        compiled = compile(module, code.co_filename, "exec", dont_inherit=True)
    except (SyntaxError, ValueError):
        return None
    found = [node for node in ast.walk(module) if is_definition(node, code)]
    if len(found) != 1 or not isinstance(found[0], ast.FunctionDef) or find_code(compiled, code) is None:
        return None
    return FunctionSource(function=function, module=module, definition=found[0])


def is_definition(node: ast.AST, code: CodeType) -> bool:
    """Tell whether `node` may be what `code` was compiled from."""
    return isinstance(node, ast.FunctionDef) and (node.name, node.lineno) == (code.co_name, code.co_firstlineno)


def find_code(code: CodeType, wanted: CodeType | str) -> CodeType | None:
    """Return the code object in `code`, at any depth, that equals `wanted` or has it as its name."""
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            if wanted in (constant, constant.co_name):
                return constant
            found = find_code(constant, wanted)
            if found is not None:
                return found
    return None
