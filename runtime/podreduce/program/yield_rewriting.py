"""The statements that replace `yield key, value` to put the pair into the map's store (see fusion). Rule: pure.

A known key is handled directly, by type; everything else goes through the store's `add`. Facts that are certain from
the syntax (a constant, a str: see str_types) are not checked again for each record.
"""

import ast
from collections import Counter
from textwrap import indent
from typing import Any, Final

from podreduce.program.str_types import StrTypes

__all__ = ["PREFIX", "SCOPES", "YieldRewriter", "is_pair_statement"]

PREFIX: Final = "_podreduce_"
"""The prefix of all names that the rewriting adds; $ stands for it below."""
SCOPES: Final = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda, ast.ClassDef)

ADD: Final = "$add(KEY, VALUE)"
FAST_PATH: Final = """
if {key_guard}($known := $get(KEY)) is not None{value_guard}:
{step}
    $records += 1
else:
    $add(KEY, VALUE)
"""
COUNT_ALL: Final = """
$uncounted.extend(KEYS)
if $len($uncounted) >= 8192:
    $count()
"""
STEPS: Final = {
    "list": """
$known.append(VALUE)
$room -= {size}
if $room < 0:
    $room = $grant(-$room)
""",
    "interned": """
$known.append($same)
$room -= 16
if $room < 0:
    $room = $grant(-$room)
""",
    "sum": """
try:
    $plain[KEY] = $known + VALUE
except $Exception:
    $add(KEY, VALUE)
""",
    "count": "$plain[KEY] = $known + 1",
    "min": "if VALUE < $known: $plain[KEY] = VALUE",
    "max": "if VALUE > $known: $plain[KEY] = VALUE",
}
"""What a pair with a known key does to the store. If values cannot be added up, `add` refuses them."""

KEY_GUARD: Final = "($type(KEY) is $str or $type(KEY) is $int) and "
INTERNED: Final = " and ($same := $interned(VALUE)) is not None"
SCALAR_GUARD: Final = " and $type(VALUE) in $scalars"
NUMBER_GUARD: Final = " and ($type(VALUE) is $int or $type(VALUE) is $float)"
SAME_TYPE_GUARD: Final = " and $type($known) is $type(VALUE)"
VALUE_GUARDS: Final = {
    "list": SCALAR_GUARD,
    "sum": NUMBER_GUARD,
    "count": "",
    "min": NUMBER_GUARD + SAME_TYPE_GUARD,
    "max": NUMBER_GUARD + SAME_TYPE_GUARD,
}
"""Checks of the value. The key is checked first, because it is evaluated first: either may be unbound."""


class YieldRewriter(ast.NodeTransformer):
    """Rewrites the yield statements of one function.

    Args:
        definition: the function.
        kind: what the store keeps: `list`, or the aggregation; empty if every pair goes to `add`.
        interns: whether a list store keeps one object for equal str values.
        text: the parameter that is a str, or None.
        local_names: the function's own variables that no inner function shares: only its own statements change them.
    """

    def __init__(
        self,
        definition: ast.FunctionDef,
        *,
        kind: str,
        text: str | None,
        local_names: frozenset[str],
        interns: bool = False,
    ) -> None:
        self.kind = kind
        self.interns = interns
        self.types = StrTypes(definition, text=text)
        self.local_names = local_names
        nodes = list(ast.walk(definition))
        self.names = Counter(node.id for node in nodes if isinstance(node, ast.Name))
        self.names.update(name for node in nodes if isinstance(node, ast.Global | ast.Nonlocal) for name in node.names)

    def rewrite(self, statements: list[ast.stmt]) -> list[ast.stmt]:
        """Return the function's body, rewritten."""
        return [new for statement in statements for new in as_list(self.visit(statement))]

    def visit(self, node: ast.AST) -> Any:  # noqa: ANN401 - as ast has it
        """Rewrite `node`, unless it has a separate frame."""
        return node if isinstance(node, SCOPES) else super().visit(node)

    def visit_For(self, node: ast.For) -> Any:  # noqa: ANN401 - as ast has it
        """Rewrite a loop that yields a 1 for each str of a list into one call; else rewrite its body."""
        match node:
            case ast.For(
                target=ast.Name(id=name),
                body=[ast.Expr(value=ast.Yield(value=ast.Tuple(elts=[ast.Name(id=key), ast.Constant(value=one)])))],
                orelse=[],
            ) if key == name and type(one) is int and one == 1 and self.may_count(name, node.iter):
                return parse_template(COUNT_ALL, node, KEYS=node.iter)
            case _:
                return self.generic_visit(node)

    def may_count(self, variable: str, iterable: ast.expr) -> bool:
        """Tell whether a loop's pairs may be counted together: they add up, and its variable is not used elsewhere."""
        is_private = "__" in variable  # it has two forms
        is_used = self.names[variable] > 2  # noqa: PLR2004 - bound and yielded
        return self.kind in ("sum", "count") and not is_private and not is_used and self.types.is_str_list(iterable)

    def visit_Expr(self, node: ast.Expr) -> Any:  # noqa: ANN401 - as ast has it
        """Rewrite a yield."""
        if not is_pair_statement(node):
            return node
        key, value = node.value.value.elts  # type: ignore[attr-defined] # it is a pair
        if not self.kind:
            return parse_template(ADD, node, KEY=key, VALUE=value)
        named, found = [], {}
        for name, expression in self.expressions_to_name(key, value):
            named += parse_template(f"${name.lower()} = EXPRESSION", node, EXPRESSION=expression)
            found[name] = ast.copy_location(ast.Name(id=f"{PREFIX}{name.lower()}", ctx=ast.Load()), node)
        return [
            *named,
            *parse_template(self.choose_template(key, value), node, **{"KEY": key, "VALUE": value, **found}),
        ]

    def expressions_to_name(self, key: ast.expr, value: ast.expr) -> list[tuple[str, ast.expr]]:
        """Return what must be evaluated once, in this order, before the pair is checked.

        Evaluating a value may change the variable that is the key, or raise an error before the key does.
        """
        value_waits = not isinstance(value, ast.Constant) and (self.kind == "count" or not self.is_steady(value))
        key_waits = not self.is_steady(key) or (value_waits and not isinstance(key, ast.Constant))
        return [*[("KEY", key)] * key_waits, *[("VALUE", value)] * value_waits]

    def is_steady(self, node: ast.expr) -> bool:
        """Tell whether `node` has the same value however often it is evaluated."""
        return isinstance(node, ast.Constant) or (isinstance(node, ast.Name) and node.id in self.local_names)

    def choose_template(self, key: ast.expr, value: ast.expr) -> str:
        """Return the template for a pair, without checks whose results are known."""
        size = "16" if isinstance(value, ast.Constant) else "$sizeof(VALUE) + 16"
        interned = self.interns and self.types.is_str(value) and not isinstance(value, ast.Constant)
        step = STEPS["interned" if interned else self.kind].format(size=size)
        return FAST_PATH.format(
            key_guard="" if self.types.is_str(key) else KEY_GUARD,
            value_guard=INTERNED if interned else "" if self.is_known_to_fit(value) else VALUE_GUARDS[self.kind],
            step=indent(step, "    "),
        )

    def is_known_to_fit(self, value: ast.expr) -> bool:
        """Tell whether the value certainly passes its check."""
        kind = type(value.value) if isinstance(value, ast.Constant) else None
        if self.kind == "list":
            return kind in (str, int, float, bool, bytes, type(None)) if kind else self.types.is_str(value)
        return self.kind == "sum" and kind in (int, float)


def is_pair_statement(node: ast.AST) -> bool:
    """Tell whether `node` is the statement `yield key, value`."""
    match node:
        case ast.Expr(value=ast.Yield(value=ast.Tuple(elts=[key, value]))):
            return not isinstance(key, ast.Starred) and not isinstance(value, ast.Starred)
        case _:
            return False


def parse_template(template: str, place: ast.AST, **expressions: ast.expr) -> list[ast.stmt]:
    """Return the statements of `template` with `expressions` for their names; new nodes get the position of `place`."""
    statements = ast.parse(template.replace("$", PREFIX)).body
    for statement in statements:
        for node in ast.walk(statement):
            if isinstance(node, ast.expr | ast.stmt):
                ast.copy_location(node, place)
    filler = Filler(expressions)
    return [filler.visit(statement) for statement in statements]


class Filler(ast.NodeTransformer):
    """Replaces names by expressions."""

    def __init__(self, expressions: dict[str, ast.expr]) -> None:
        self.expressions = expressions

    def visit_Name(self, node: ast.Name) -> ast.expr:
        """Replace a placeholder."""
        return self.expressions.get(node.id, node)


def as_list(found: Any) -> list[ast.stmt]:  # noqa: ANN401 - as ast has it
    """Return what a visitor returned as a list."""
    return found if isinstance(found, list) else [found]
