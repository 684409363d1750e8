"""Finds what is certainly a str, or a list of str, in a function whose last parameter is a str. Rule: pure, no guesses.

This covers the usual ways to split text: `value.split()`, `fields[0]`, a loop over the words. A name counts if it is
bound in one place. A list must also be only subscripted and iterated, so that nobody changes it.
"""

import ast
from collections import defaultdict
from typing import Final

__all__ = ["StrTypes"]

STR_METHODS: Final = frozenset(
    {"capitalize", "casefold", "lower", "lstrip", "removeprefix", "removesuffix", "replace", "rstrip", "strip",
     "swapcase", "title", "upper", "zfill"}
)  # fmt: skip
LIST_METHODS: Final = frozenset({"rsplit", "split", "splitlines"})
SCOPES: Final = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda, ast.ClassDef)


class StrTypes:
    """The expressions of one function."""

    def __init__(self, definition: ast.FunctionDef, *, text: str | None) -> None:
        self._bindings: dict[str, list[ast.AST | None]] = defaultdict(list)
        self._exposed: set[str] = set()
        self._text = text
        for statement in definition.body:
            self._survey(statement)

    def is_str(self, node: ast.AST, seen: frozenset[str] = frozenset()) -> bool:  # noqa: PLR0911 - a table
        """Tell whether `node` is certainly exactly a str."""
        match node:
            case ast.Constant(value=str()):
                return True
            case ast.JoinedStr(values=[ast.FormattedValue(value=value)]):  # else `__format__` may return a subclass
                return self.is_str(value, seen)
            case ast.JoinedStr():
                return True
            case ast.Name(id=name) if name.startswith("__"):  # a private name, which has two forms
                return False
            case ast.Name(id=name) if name == self._text:
                return not self._bindings[name]
            case ast.Name(id=name):
                return self._is_bound_to_str(name, seen)
            case ast.Call(func=ast.Attribute(value=value, attr=method)):
                return method in STR_METHODS and self.is_str(value, seen)
            case ast.Subscript(value=value, slice=place):
                return self.is_str(value, seen) or (is_int(place) and self.is_str_list(value, seen))
            case ast.BinOp(left=left, op=ast.Add(), right=right):
                return self.is_str(left, seen) and self.is_str(right, seen)
            case _:
                return False

    def is_str_list(self, node: ast.AST, seen: frozenset[str] = frozenset()) -> bool:
        """Tell whether `node` is certainly a list that contains only str."""
        match node:
            case ast.Call(func=ast.Attribute(value=value, attr=method)):
                return method in LIST_METHODS and self.is_str(value, seen)
            case ast.Subscript(value=value, slice=ast.Slice()):
                return self.is_str_list(value, seen)
            case ast.Name(id=name) if not (name in seen or name in self._exposed or name.startswith("__")):
                bound = self._bindings.get(name, [])
                return len(bound) == 1 and isinstance(bound[0], ast.expr) and self.is_str_list(bound[0], seen | {name})
            case _:
                return False

    def _is_bound_to_str(self, name: str, seen: frozenset[str]) -> bool:
        """Tell whether a name's only binding makes it a str."""
        bound = self._bindings.get(name, [])
        if len(bound) != 1 or name in seen:
            return False
        match bound[0]:
            case ast.For(iter=iterable):
                return self.is_str_list(iterable, seen | {name})
            case ast.expr() as value:
                return self.is_str(value, seen | {name})
            case _:
                return False

    def _survey(self, node: ast.AST) -> None:
        """Note where names are bound, and which names have other uses than subscripting and iterating."""
        match node:
            case ast.Assign(targets=[ast.Name(id=name)], value=value):
                self._bindings[name].append(value)
                self._survey(value)
            case ast.For(target=ast.Name(id=name), iter=iterable):
                self._bindings[name].append(node)
                self._survey_used(iterable)
                for statement in (*node.body, *node.orelse):
                    self._survey(statement)
            case ast.Subscript(ctx=ast.Load(), value=value, slice=place):
                self._survey_used(value)
                self._survey(place)
            case _ if isinstance(node, SCOPES):
                self._expose_all(node)
            case _:
                self._survey_other(node)

    def _survey_used(self, node: ast.AST) -> None:
        """Survey an expression that is subscripted or iterated: this use is safe for its names."""
        if not isinstance(node, ast.Name):
            self._survey(node)

    def _survey_other(self, node: ast.AST) -> None:
        """Survey a node that may do anything with its names."""
        match node:
            case ast.Name(id=name, ctx=context):
                self._exposed.add(name)
                if not isinstance(context, ast.Load):
                    self._bindings[name].append(None)
            case ast.ExceptHandler(name=str(name)) | ast.MatchAs(name=str(name)) | ast.MatchStar(name=str(name)):
                self._bindings[name].append(None)
            case ast.MatchMapping(rest=str(name)):
                self._bindings[name].append(None)
            case ast.Import(names=names) | ast.ImportFrom(names=names):
                for alias in names:
                    self._bindings[(alias.asname or alias.name).partition(".")[0]].append(None)
            case ast.Global(names=names) | ast.Nonlocal(names=names):
                for name in names:
                    self._bindings[name].append(None)
        for child in ast.iter_child_nodes(node):
            self._survey(child)

    def _expose_all(self, scope: ast.AST) -> None:
        """Treat every name of an inner scope as bound and changed there."""
        if isinstance(scope, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            self._bindings[scope.name].append(None)
        for each in ast.walk(scope):
            names = [each.id] if isinstance(each, ast.Name) else each.names if isinstance(each, ast.Nonlocal) else []
            for name in names:
                self._exposed.add(name)
                self._bindings[name].append(None)


def is_int(node: ast.AST) -> bool:
    """Tell whether `node` is a literal int, with or without a minus."""
    match node:
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            return is_int(operand)
        case ast.Constant(value=value):
            return type(value) is int
        case _:
            return False
