"""What has no form in an output format, or as a column. Rule: pure."""

from typing import Any

from podreduce.encoding.plain_forms import UnsupportedTypeError, find_remedy, name_type, plain_form

__all__ = ["UnwritableError", "as_plain"]


class UnwritableError(Exception):
    """A key or value cannot be written in the output format; the message says why and what to yield instead."""


def as_plain(field: Any) -> Any:  # noqa: ANN401 - anything the program yields
    """Return `field`, or its equal of a type that may be yielded.

    Raises:
        UnwritableError: there is no such type.
    """
    try:
        return plain_form(field)
    except UnsupportedTypeError:
        raise refuse(field) from None


def refuse(field: Any) -> UnwritableError:  # noqa: ANN401 - anything the program yields
    """Return the error for a field of a type that no format supports."""
    return UnwritableError(f"{name_type(type(field))} cannot be written: {find_remedy(field, 'value')}")
