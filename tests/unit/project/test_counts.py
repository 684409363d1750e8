"""A message says `1 attempt` and `2 attempts`: no f-string puts a number before a noun that is always in the plural."""

import ast
import re
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Final

import pytest

from podreduce.contract.texts import render_count
from podreduce_apps.counted_nouns import count_of

TOP: Final = Path(__file__).parents[3]
SOURCES: Final = tuple(
    path
    for place in (TOP / "runtime", TOP / "operator", TOP / "examples")
    for path in sorted(place.rglob("*.py"))
    if path.name not in {"texts.py", "counted_nouns.py", "wording.py"}
)
TEMPLATES: Final = tuple(sorted((TOP / "examples").rglob("*.jinja")))
HELPERS: Final = frozenset({"render_count", "count_of"})
FIRST_WORDS: Final = re.compile(r"(?: [a-z-]+\b){0,3}")
MORE_NOUNS: Final = frozenset(
    {"jobs", "keys", "lines", "minutes", "retries", "rows", "seconds", "times", "values", "items", "users", "pods"}
)
"""What may be counted one day; the nouns that are counted already are found in the calls of the helpers."""
ADJECTIVES: Final = frozenset({"bad", "counted", "failed", "further", "map", "more", "new", "other", "reduce"})
NO_NUMBERS: Final = frozenset(
    {
        "{task_type} tasks",  # map tasks, reduce tasks
        "{task.type} tasks",
        "{spec.backoff.out_of_memory_factor} times",  # 1.5 times the memory; with 1 there is no message
    }
)


def calls_of_helpers() -> Iterator[ast.Call]:
    for path in SOURCES:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in HELPERS:
                yield node


def plurals() -> frozenset[str]:
    """Return the last words of the nouns that are counted somewhere, in the plural."""
    found = set(MORE_NOUNS)
    for call in calls_of_helpers():
        nouns = [str(each.value) for each in call.args[1:] if isinstance(each, ast.Constant)]
        found.update(noun.split()[-1] for noun in nouns[1:] or [f"{noun}s" for noun in nouns])
    return frozenset(found)


def is_constant(value: ast.expr) -> bool:
    """Tell whether a value is a constant of its module: a limit, which is more than one."""
    name = value.attr if isinstance(value, ast.Attribute) else value.id if isinstance(value, ast.Name) else "?"
    return name.isupper()


def find_plurals(text: str, nouns: frozenset[str]) -> Iterator[str]:
    """Yield `{number} nouns` for each value of an f-string that is followed by such a noun, with adjectives or not."""
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.JoinedStr):
            for value, rest in pairwise(node.values):
                if isinstance(value, ast.FormattedValue) and isinstance(rest, ast.Constant):
                    said = counted(str(rest.value), nouns)
                    if said and not is_constant(value.value):
                        yield f"{{{ast.unparse(value.value)}}} {said}"


def counted(text: str, nouns: frozenset[str]) -> str:
    """Return `more map tasks` if the text begins so; otherwise nothing."""
    words = FIRST_WORDS.match(text).group().split()  # type: ignore[union-attr]  # it matches nothing, too
    for number, word in enumerate(words):
        if word in nouns:
            return " ".join(words[: number + 1])
        if word not in ADJECTIVES:
            return ""
    return ""


@pytest.mark.parametrize("number", [0, 1, 2, 1000])
def test_one_is_in_the_singular(number: int) -> None:
    assert render_count(number, "failed attempt") == f"{number:,} failed attempt{'' if number == 1 else 's'}"
    assert render_count(number, "process", "processes") == f"{number:,} process{'' if number == 1 else 'es'}"
    assert count_of(number, "vertex", "vertices") == f"{number:,} {'vertex' if number == 1 else 'vertices'}"


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ('f"{len(failed)} attempts failed"', ["{len(failed)} attempts"]),
        ('f"{left} map tasks wait"', ["{left} map tasks"]),
        ('f"{left} more map tasks"', ["{left} more map tasks"]),
        ('f"{name} writes records of"', []),
        ('f"at most {MOST_FILES} files"', []),
        ("f\"{render_count(left, 'task')} left\"", []),
    ],
)
def test_the_search_finds_a_number_before_a_plural(text: str, found: list[str]) -> None:
    assert list(find_plurals(text, frozenset({"attempts", "tasks", "files"}))) == found


def test_no_message_has_a_number_before_a_noun_that_is_always_in_the_plural() -> None:
    nouns = plurals()
    assert {"attempts", "records", "bytes", "processes", "vertices"} <= nouns
    found = {
        f"{path.relative_to(TOP)}: {each}"
        for path in SOURCES
        for each in find_plurals(path.read_text(encoding="utf-8"), nouns)
        if each not in NO_NUMBERS
    }
    assert not found, "use render_count, or count_of in an application"


def test_no_report_has_a_number_before_a_noun_that_is_always_in_the_plural() -> None:
    assert len(TEMPLATES) >= 3
    for path in TEMPLATES:
        text = path.read_text(encoding="utf-8")
        assert not re.findall(r"\|\s*count\s*\}\}\s+(?:[a-z-]+ )?[a-z]+s\b", text), f"{path}: use count_of"
