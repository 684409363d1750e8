"""Parameters are read in one way, which says what is wrong with a value: a table, and a search through all modules."""

import ast
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import pytest

from podreduce_apps.catalog import find_package
from podreduce_apps.parameters import (
    read_choice,
    read_fraction,
    read_number,
    read_positive,
    read_switch,
    read_whole,
)


@pytest.mark.parametrize(
    ("read", "good", "bad"),
    [
        pytest.param(partial(read_whole, least=2), {"2": 2, " 30": 30}, ["1", "-3", "2.5", "", "²", "1_0"], id="whole"),
        pytest.param(read_number, {"0": 0, "2.5": 2.5, "1e3": 1000}, ["-1", "nan", "inf", "", "x"], id="number"),
        pytest.param(read_positive, {"1e-9": 1e-9}, ["0", "-1", "nan", "inf", ""], id="positive"),
        pytest.param(read_fraction, {"0.2": 0.2}, ["0", "1", "-0.1", "nan", "20 %"], id="fraction"),
        pytest.param(partial(read_fraction, with_one=True), {"1": 1}, ["0", "1.01"], id="fraction or one"),
        pytest.param(read_switch, {"yes": True, "no": False}, ["true", "", "Yes"], id="switch"),
        pytest.param(partial(read_choice, choices=("a", "b")), {"a": "a"}, ["c", ""], id="choice"),
    ],
)  # fmt: skip
def test_a_value_is_read_or_named_with_what_it_should_be(
    read: Callable[..., Any], good: dict[str, Any], bad: list[str]
) -> None:
    assert {text: read({"limit": text}, "limit") for text in good} == good
    for text in bad:
        with pytest.raises(ValueError, match=r"^parameter limit is '.*': it is "):
            read({"limit": text}, "limit")


def bare_conversions() -> Iterator[str]:
    """Where a parameter goes straight into `int` or `float`, whose error does not say which parameter it was."""
    for path in sorted(find_package("").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and ast.unparse(node.func) in ("int", "float") and node.args:
                text = ast.unparse(node.args[0])
                if "parameters[" in text:
                    yield f"{path.name}:{node.lineno}: {text}"


def test_no_parameter_is_converted_without_a_message_of_its_own() -> None:
    assert list(bare_conversions()) == []
