"""What a program gets of its task, where a test calls its class without an engine."""

from collections.abc import Iterator, Mapping
from typing import Any

__all__ = ["ProgramContext"]


class ProgramContext:
    """Parameters, the name of the input, a side input and counters."""

    def __init__(self, parameters: Mapping[str, str], side: list[tuple[Any, Any]] | None = None) -> None:
        self.parameters = parameters
        self.input = ""
        self.side = side or []
        self.counters: dict[str, int] = {}

    def count(self, group: str, name: str, amount: int = 1) -> None:
        self.counters[f"{group}/{name}"] = self.counters.get(f"{group}/{name}", 0) + amount

    def side_input(self, name: str) -> Iterator[tuple[Any, Any]]:  # noqa: ARG002 - the program names it
        return iter(self.side)
