"""Programs as trees of statements: rendered to text, and made smaller one statement at a time."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

__all__ = ["Body", "Statement", "compound", "render", "simple", "smaller"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Statement:
    """One statement.

    Attributes:
        text: a simple statement, or the first line of a compound one.
        body: what a compound statement holds; None in a simple one.
        clauses: its further clauses (`else`, `except`, `case`): their first lines and bodies.
        fixed: whether the program makes no sense without it, so that it is never dropped.
    """

    text: str
    body: "Body | None" = None
    clauses: "tuple[tuple[str, Body], ...]" = ()
    fixed: bool = False


Body = tuple[Statement, ...]


def simple(*lines: str) -> Body:
    """Statements of a line each."""
    return tuple(Statement(text=line) for line in lines)


def compound(text: str, body: Body, *clauses: tuple[str, Body], fixed: bool = False) -> Statement:
    """A statement that holds others."""
    return Statement(text=text, body=body, clauses=clauses, fixed=fixed)


def render(body: Body, indent: str = "") -> str:
    """The text of `body`."""
    return "".join(render_statement(statement, indent) for statement in body) or f"{indent}pass\n"


def render_statement(statement: Statement, indent: str) -> str:
    """The text of one statement."""
    text = "".join(f"{indent}{line}\n" for line in statement.text.split("\n"))
    if statement.body is None:
        return text
    inner = f"{indent}    "
    clauses = (f"{indent}{first}\n{render(body, inner)}" for first, body in statement.clauses)
    return text + render(statement.body, inner) + "".join(clauses)


def smaller(body: Body) -> Iterator[Body]:
    """Every body that lacks one statement or clause, or has a compound statement's body in its place."""
    for at, statement in enumerate(body):
        before, after = body[:at], body[at + 1 :]
        if not statement.fixed:
            yield before + after
            if statement.body is not None:
                yield before + statement.body + after
        for changed in smaller_statements(statement):
            yield (*before, changed, *after)


def smaller_statements(statement: Statement) -> Iterator[Statement]:
    """A compound statement with less in it."""
    for number in range(len(statement.clauses)):
        yield replace(statement, clauses=statement.clauses[:number] + statement.clauses[number + 1 :])
    if statement.body is not None:
        for body in smaller(statement.body):
            yield replace(statement, body=body)
    for number, (first, body) in enumerate(statement.clauses):
        for less in smaller(body):
            clauses = (*statement.clauses[:number], (first, less), *statement.clauses[number + 1 :])
            yield replace(statement, clauses=clauses)
