"""Reads a pipeline's parameters, which are texts. Each error names the parameter, what it is, and what it should be."""

from collections.abc import Collection, Mapping
from math import isfinite

__all__ = ["read_choice", "read_fraction", "read_number", "read_positive", "read_switch", "read_whole"]

Parameters = Mapping[str, str]


def read_whole(parameters: Parameters, name: str, *, least: int = 0) -> int:
    """Return a parameter that is a whole number.

    Raises:
        ValueError: it is none, or less than `least`.
    """
    text = parameters[name].strip()
    if not (text.isascii() and text.isdecimal()) or int(text) < least:
        raise ValueError(f"parameter {name} is {text!r}: it is a whole number of at least {least}")
    return int(text)


def read_number(parameters: Parameters, name: str, *, least: float = 0.0) -> float:
    """Return a parameter that is a number.

    Raises:
        ValueError: it is none, or less than `least`.
    """
    value = parse(parameters[name])
    if value is None or value < least:
        raise ValueError(f"parameter {name} is {parameters[name]!r}: it is a number of at least {least:g}")
    return value


def read_positive(parameters: Parameters, name: str) -> float:
    """Return a parameter that is a number above 0.

    Raises:
        ValueError: it is none.
    """
    value = parse(parameters[name])
    if value is None or value <= 0:
        raise ValueError(f"parameter {name} is {parameters[name]!r}: it is a number above 0")
    return value


def read_fraction(parameters: Parameters, name: str, *, with_one: bool = False) -> float:
    """Return a parameter that is a number between 0 and 1, which may be 1 itself `with_one`.

    Raises:
        ValueError: it is none.
    """
    value = parse(parameters[name])
    if value is None or not (0 < value < 1 or (with_one and value == 1)):
        until = "above 0, up to 1" if with_one else "between 0 and 1"
        raise ValueError(f"parameter {name} is {parameters[name]!r}: it is a number {until}")
    return value


def read_switch(parameters: Parameters, name: str) -> bool:
    """Return a parameter that is `yes` or `no`.

    Raises:
        ValueError: it is something else.
    """
    return read_choice(parameters, name, ("yes", "no")) == "yes"


def read_choice(parameters: Parameters, name: str, choices: Collection[str]) -> str:
    """Return a parameter that is one of some words.

    Raises:
        ValueError: it is something else.
    """
    value = parameters[name]
    if value not in choices:
        raise ValueError(f"parameter {name} is {value!r}: it is one of {', '.join(choices)}")
    return value


def parse(text: str) -> float | None:
    """Return the number of a text; None if it is none, or not finite."""
    try:
        value = float(text)
    except ValueError:
        return None
    return value if isfinite(value) else None
