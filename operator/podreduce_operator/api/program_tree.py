"""The classes and names of a program, read from its syntax tree; and where the tree does not tell everything.

Rule: pure. The program is not run. A class or module that something may change when it runs is marked so.
"""

import ast
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from podreduce.contract.members import ARGUMENTS, MAPPERS

__all__ = ["ProgramClass", "ProgramTree", "is_generator", "read_tree"]

MEMBERS = frozenset({*ARGUMENTS, "combiner", "key_columns"})

QUIET_MODULES = frozenset(
    {"collections", "datetime", "decimal", "itertools", "json", "logging", "math", "operator", "os", "pathlib"}
) | frozenset({"random", "re", "string", "struct", "time"})
QUIET_BUILTINS = frozenset(
    {"bool", "bytes", "dict", "float", "frozenset", "int", "len", "list", "max", "min", "object", "print", "range"}
) | frozenset({"set", "sorted", "str", "sum", "tuple", "zip"})
"""Calls of these make no class with a map_func, and change none."""

Function = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True, slots=True, kw_only=True)
class ProgramClass:
    """A class that the program defines at its top level.

    Attributes:
        own: the nodes of its members, of `combiner` and `key_columns`, those of its bases in the program included.
        methods: its own functions, by name.
        assigned: attributes that its code sets on something, such as `self.map_func`.
        is_complete: nothing else can give it a member.
        is_patched: something may change it after its definition: a decorator, a metaclass, code at the top level.
    """

    name: str
    node: ast.ClassDef
    own: Mapping[str, ast.AST]
    methods: Mapping[str, Function]
    assigned: frozenset[str]
    is_complete: bool
    is_patched: bool

    @property
    def is_job(self) -> bool:
        """Whether the class certainly has a member that makes it a job class."""
        return not self.is_patched and any(isinstance(self.own.get(name), Function) for name in MAPPERS)

    @property
    def may_be_job(self) -> bool:
        """Whether the class may have such a member."""
        has_one = any(name in self.own and not isinstance(self.own[name], ast.Constant) for name in MAPPERS)
        return self.is_patched or not self.is_complete or has_one


@dataclass(frozen=True, slots=True, kw_only=True)
class ProgramTree:
    """A program's classes, in order, and all names that its top level binds.

    Attributes:
        is_closed: no other class can come from running it.
    """

    classes: Sequence[ProgramClass]
    names: frozenset[str]
    is_closed: bool


def read_tree(source: str) -> ProgramTree | None:
    """Return the classes of a program that compiles; None if its tree is too deep to be read."""
    try:
        module = ast.parse(source)
    except RecursionError:
        return None
    statements = [each for each in module.body if not is_main_guard(each)]
    definitions = {each.name: each for each in statements if isinstance(each, ast.ClassDef)}
    others = [each for each in statements if not isinstance(each, ast.ClassDef | Function)]
    touched = {node.id for each in others for node in ast.walk(each) if isinstance(node, ast.Name)}
    rebound = touched | {name for name in definitions if count_bindings(statements, name) > 1}
    classes: dict[str, ProgramClass] = {}
    for name, node in definitions.items():
        classes[name] = read_class(node, classes, is_touched=name in rebound)
    return ProgramTree(
        classes=tuple(classes.values()),
        names=frozenset(find_names(statements)),
        is_closed=all(is_quiet(each) for each in statements) and not touched & set(definitions),
    )


def is_main_guard(statement: ast.stmt) -> bool:
    """Tell whether a statement is `if __name__ == "__main__":`. Tasks never run what it holds."""
    if not isinstance(statement, ast.If) or statement.orelse or not isinstance(statement.test, ast.Compare):
        return False
    sides = (statement.test.left, *statement.test.comparators)
    names = [side.id for side in sides if isinstance(side, ast.Name)]
    texts = [side.value for side in sides if isinstance(side, ast.Constant)]
    return (names, texts) == (["__name__"], ["__main__"]) and isinstance(statement.test.ops[0], ast.Eq)


def read_class(node: ast.ClassDef, known: Mapping[str, ProgramClass], *, is_touched: bool) -> ProgramClass:
    """Return a class; `known` are the classes before it."""
    own: dict[str, ast.AST] = {}
    bases = [known.get(base.id) if isinstance(base, ast.Name) else None for base in node.bases]
    plain = [base for base in node.bases if not (isinstance(base, ast.Name) and base.id == "object")]
    knows_bases = not plain or (len(plain) == 1 and bases[0] is not None)
    for base in bases:
        if base is not None and knows_bases:
            own |= base.own
    methods: dict[str, Function] = {}
    is_plain = True
    for statement in node.body:
        is_plain &= read_member(statement, own, methods)
    base_is_complete = all(base.is_complete for base in bases if base is not None)
    is_patched = is_touched or not is_plain or bool(node.decorator_list or node.keywords)
    return ProgramClass(
        name=node.name,
        node=node,
        own=own,
        methods=methods,
        assigned=find_assigned(node).union(*(base.assigned for base in bases if base is not None)),
        is_complete=knows_bases and base_is_complete,
        is_patched=is_patched or any(base.is_patched for base in bases if base is not None),
    )


def read_member(statement: ast.stmt, own: dict[str, ast.AST], methods: dict[str, Function]) -> bool:
    """Note what a statement of a class binds. Return False if it may bind something else."""
    match statement:
        case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
            methods[name] = statement
            if name in MEMBERS:
                own[name] = ast.Name(id=name) if statement.decorator_list and not is_method(statement) else statement
            return not name.startswith("__") or name in {"__init__", "__repr__", "__str__"}
        case ast.Assign(targets=[ast.Name(id=name)], value=value):
            if name in MEMBERS:
                own[name] = value
            return is_quiet(statement)
        case ast.AnnAssign(target=ast.Name(id=name), value=value):
            if name in MEMBERS and value is not None:
                own[name] = value
            return is_quiet(statement)
        case ast.Expr(value=ast.Constant()) | ast.Pass():
            return True
    return False


def is_method(function: Function) -> bool:
    """Tell whether the decorators leave a function what it is."""
    return all(
        isinstance(each, ast.Name) and each.id in {"staticmethod", "classmethod"} for each in function.decorator_list
    )


def find_assigned(node: ast.ClassDef) -> frozenset[str]:
    """Return the attributes that the class's code sets. Through `setattr` and the like it may set all."""
    found = {each.attr for each in ast.walk(node) if isinstance(each, ast.Attribute) and is_stored(each)}
    names = {each.id for each in ast.walk(node) if isinstance(each, ast.Name)}
    attributes = {each.attr for each in ast.walk(node) if isinstance(each, ast.Attribute)}
    if names & {"setattr", "vars", "exec", "eval"} or attributes & {"__dict__", "__setattr__", "__class__"}:
        found |= MEMBERS
    return frozenset(found)


def is_stored(node: ast.Attribute) -> bool:
    """Tell whether an attribute is set or deleted."""
    return isinstance(node.ctx, ast.Store | ast.Del)


def is_quiet(statement: ast.stmt) -> bool:
    """Tell whether a statement at the top level certainly makes no further class, and changes none."""
    if isinstance(statement, ast.ClassDef):
        return all(map(is_quiet_expression, [*statement.bases, *statement.decorator_list]))
    if isinstance(statement, Function):
        return not statement.decorator_list
    if isinstance(statement, ast.ImportFrom):
        return all(alias.name != "*" for alias in statement.names)
    nodes = list(ast.walk(statement))
    return not any(isinstance(each, ast.ClassDef | ast.Delete | ast.Starred) for each in nodes) and all(
        map(is_quiet_expression, [each for each in nodes if isinstance(each, ast.expr)])
    )


def is_quiet_expression(expression: ast.expr) -> bool:
    """Tell whether an expression calls at most what is known to be harmless."""
    if isinstance(expression, ast.Attribute):
        return not is_stored(expression)
    if not isinstance(expression, ast.Call):
        return True
    called = expression.func
    if isinstance(called, ast.Name):
        return called.id in QUIET_BUILTINS
    while isinstance(called, ast.Attribute):
        called = called.value
    return isinstance(called, ast.Name) and called.id in QUIET_MODULES


def count_bindings(statements: Sequence[ast.stmt], name: str) -> int:
    """Return how often the top level binds a name."""
    return sum(bound == name for bound in find_names(statements))


def find_names(statements: Sequence[ast.stmt]) -> Iterator[str]:
    """Yield the names that statements bind."""
    for statement in statements:
        if isinstance(statement, ast.ClassDef | Function):
            yield statement.name
            continue
        for node in ast.walk(statement):
            if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
                yield node.id
            elif isinstance(node, ast.alias):
                yield (node.asname or node.name).partition(".")[0]
            elif isinstance(node, ast.ClassDef | Function):
                yield node.name


def is_generator(function: ast.FunctionDef) -> bool:
    """Tell whether the function itself has a `yield`; functions and classes within it do not count."""
    waiting: list[ast.AST] = list(function.body)
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.Yield | ast.YieldFrom):
            return True
        if not isinstance(node, ast.ClassDef | ast.Lambda | Function):
            waiting.extend(ast.iter_child_nodes(node))
    return False
