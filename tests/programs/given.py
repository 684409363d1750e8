"""What every drawn program imports: functions and types for it to be odd with."""

from collections.abc import Coroutine, Iterator
from math import nan
from types import TracebackType
from typing import Any, NoReturn

__all__ = [
    "LOG",
    "Guard",
    "N",
    "S",
    "drive",
    "fail",
    "hash_of",
    "map_func",
    "nan",
    "note",
    "pairs",
    "plain",
    "push",
    "same",
]

LOG: list[Any] = []
"""What has happened; emptied before each run."""


MAX_LENGTH = 50


class S(str):
    """A str that is none: f-strings and methods give more of its kind, or something else."""

    __slots__ = ()

    def __format__(self, spec: str) -> str:
        return S("formatted")

    def upper(self) -> Any:
        """Not what str.upper returns."""
        return 3


class N(int):
    """An int of another type."""


class Guard:
    """A context manager that suppresses some errors."""

    def __init__(self, errors: Any) -> None:
        self.errors = errors

    def __enter__(self) -> None:
        LOG.append("in")

    def __exit__(self, kind: type[BaseException] | None, _: BaseException | None, __: TracebackType | None) -> bool:
        LOG.append("out")
        return kind is not None and issubclass(kind, self.errors)


def note(x: Any) -> Any:
    """Leave a trace of having been called."""
    LOG.append(type(x).__name__)
    return x


def plain(x: Any) -> Any:
    """A number, or a str that is not long."""
    return x if type(x) in (int, float, bool) or (type(x) is str and len(x) < MAX_LENGTH) else 0


def push(items: Any, x: Any) -> None:
    """Append, up to a length."""
    if items[20:]:
        items.clear()
    items.append(plain(x))


def hash_of(x: Any) -> Any:
    """The same by way of a dict."""
    return {"k": x}.get("k")


def same(x: Any, **_: Any) -> Any:
    """The same."""
    return x


def map_func(x: Any) -> Any:
    """The same, by the name of the function that calls it."""
    return x


def pairs(*both: Any) -> Iterator[Any]:
    """A generator of one pair."""
    yield both


def fail(kind: type[BaseException]) -> NoReturn:
    """Raise."""
    raise kind("failed")


def drive(started: Coroutine[Any, Any, Any]) -> Any:
    """What a coroutine returns that waits for nothing."""
    try:
        started.send(None)
    except StopIteration as stop:
        return stop.value
