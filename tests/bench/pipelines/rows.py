"""What a measurement of pipelines found: a line of the table."""

from dataclasses import dataclass

__all__ = ["Row"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A line of the table.

    Attributes:
        goal: what it should be; empty if there is none.
        problem: why the measurement counts as failed; empty if it does not.
    """

    what: str
    figure: str
    goal: str = ""
    problem: str = ""
