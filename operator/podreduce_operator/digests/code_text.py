"""The part of a program's text that a job runs: without the job classes that it does not use.

A file may hold the classes of many jobs. Editing one of them must not change the digest of the others. A class is left
out only if that certainly changes nothing: its name is nowhere in what is kept, its definition runs no code but its
own functions' definitions, and nothing in the file can find classes by other means. In doubt the whole text counts.
"""

import ast
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final, TypeAlias

__all__ = ["code_text"]

Function: TypeAlias = ast.FunctionDef | ast.AsyncFunctionDef

ODD_NAMES: Final = frozenset(
    {"__import__", "compile", "dir", "eval", "exec", "globals", "importlib", "inspect", "locals", "vars"}
)
ODD_MEMBERS: Final = frozenset(
    {"__dict__", "__globals__", "__init_subclass__", "__subclasses__", "_getframe", "f_globals", "f_locals", "modules"}
)
"""What may find a class without naming it."""
PLAIN_DECORATORS: Final = frozenset({"classmethod", "property", "staticmethod"})
JOB_MEMBERS: Final = frozenset({"map_batch", "map_func"})


def code_text(source: str, class_name: str | None) -> str:
    """Return the text of the top-level statements that a job of this class runs; all of `source` if it is odd.

    Comments and blank lines between top-level statements are left out.
    """
    try:
        statements = ast.parse(source).body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return source
    if is_odd(source, statements):
        return source
    lines = source.split("\n")
    texts = {statement: text_of(statement, lines) for statement in statements}
    return "\n".join(texts[each] for each in keep_used(texts, class_name))


def is_odd(source: str, statements: Iterable[ast.stmt]) -> bool:
    """Tell whether something in the file may find classes by other means than their names."""
    if "\r" in source or "\f" in source:  # where Python has other lines than `split`
        return True
    return any(node_is_odd(node) for statement in statements for node in ast.walk(statement))


def node_is_odd(node: ast.AST) -> bool:
    """Tell whether a node names what may find classes."""
    match node:
        case ast.Name(id=name):
            return name in ODD_NAMES
        case ast.Attribute(attr=name) | ast.FunctionDef(name=name):
            return name in ODD_MEMBERS
        case ast.alias(name=name):
            return name == "*" or not (ODD_NAMES | ODD_MEMBERS).isdisjoint(name.split("."))
    return False


def text_of(statement: ast.stmt, lines: Sequence[str]) -> str:
    """Return the lines of a statement, its decorators included."""
    decorators: Sequence[ast.expr] = getattr(statement, "decorator_list", ())
    start = min([statement.lineno, *(each.lineno for each in decorators)])
    return "\n".join(lines[start - 1 : statement.end_lineno])


def keep_used(texts: Mapping[ast.stmt, str], class_name: str | None) -> list[ast.stmt]:
    """Return the statements, without the unused job classes, in order."""
    classes = {each.name: each for each in texts if isinstance(each, ast.ClassDef)}
    if class_name not in classes or len(classes) < sum(isinstance(each, ast.ClassDef) for each in texts):
        return list(texts)
    unused = {
        name: each
        for name, each in classes.items()
        if name != class_name and is_job_class(each, classes) and is_plain_class(each, classes)
    }
    while True:
        left_out = set(unused.values())
        kept = [each for each in texts if each not in left_out]
        words = {word for each in kept for word in re.findall(r"\w+", texts[each])}
        if words.isdisjoint(unused):
            return kept
        unused = {name: each for name, each in unused.items() if name not in words}


def lineage(found: ast.ClassDef, classes: Mapping[str, ast.ClassDef]) -> Iterator[ast.ClassDef | None]:
    """Yield a class and its bases; None for a base from elsewhere."""
    waiting: list[ast.ClassDef | None] = [found]
    seen: set[str] = set()
    while waiting:
        each = waiting.pop()
        yield each
        if each is not None and each.name not in seen:
            seen.add(each.name)
            names = [base.id if isinstance(base, ast.Name) else "" for base in each.bases]
            waiting += [classes.get(name) for name in names if name != "object"]


def is_job_class(found: ast.ClassDef, classes: Mapping[str, ast.ClassDef]) -> bool:
    """Tell whether a class has a member that makes it a job."""
    members = (member for each in lineage(found, classes) if each is not None for member in each.body)
    return any(isinstance(member, Function) and member.name in JOB_MEMBERS for member in members)


def is_plain_class(found: ast.ClassDef, classes: Mapping[str, ast.ClassDef]) -> bool:
    """Tell whether defining a class does nothing else."""
    return all(each is not None and defines_only(each) for each in lineage(found, classes))


def defines_only(found: ast.ClassDef) -> bool:
    """Tell whether the statement of a class runs no other code."""
    return not found.decorator_list and not found.keywords and all(map(is_plain_member, found.body))


def is_plain_member(member: ast.stmt) -> bool:
    """Tell whether a statement in a class only defines a function or names a literal."""
    match member:
        case ast.FunctionDef() | ast.AsyncFunctionDef():
            decorators = {each.id if isinstance(each, ast.Name) else "" for each in member.decorator_list}
            return decorators <= PLAIN_DECORATORS and not calls_anything(member.args, member.returns)
        case ast.Assign(targets=[ast.Name()], value=value) | ast.Expr(value=value):
            return is_literal(value)
        case ast.AnnAssign(target=ast.Name(), annotation=annotation, value=value):
            return not calls_anything(annotation) and (value is None or is_literal(value))
    return isinstance(member, ast.Pass)


def calls_anything(*nodes: ast.AST | None) -> bool:
    """Tell whether evaluating these would call something."""
    found = (each for node in nodes if node is not None for each in ast.walk(node))
    return any(isinstance(each, ast.Call | ast.NamedExpr | ast.Await) for each in found)


def is_literal(value: ast.expr) -> bool:
    """Tell whether an expression is a literal."""
    try:
        ast.literal_eval(value)
    except (ValueError, TypeError, RecursionError, MemoryError, SyntaxError):
        return False
    return True
