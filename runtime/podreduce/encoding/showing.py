"""Anything that a program yields or raises, as text for a message, even if its own methods raise.

Rule: the data in a message is cut, never its words. Data takes a bounded part of a message.
"""

from typing import Final

from podreduce.contract.texts import cut_middle, render_count

__all__ = ["SHOWN_CHARACTERS", "show", "show_ascii", "show_error"]

SHOWN_CHARACTERS: Final = 200


def show(item: object, limit: int = SHOWN_CHARACTERS) -> str:
    """Return the repr of `item`, cut in the middle if it is long; its type's name if its repr raises."""
    try:
        text = repr(item)
    except Exception as error:  # noqa: BLE001 - a __repr__ of the program's, or an int of too many digits
        size = f" of {render_count(item.bit_length(), 'bit')}" if type(item) is int else ""
        text = f"<{type(item).__qualname__}{size}, whose repr raises {type(error).__name__}>"
    return cut_middle(text, limit)


def show_ascii(item: object) -> str:
    """Return the same in ASCII, so that a lone surrogate is visible."""
    return show(item).encode("ascii", "backslashreplace").decode()


def show_error(error: BaseException) -> str:
    """Return an error as the last line of a traceback shows it."""
    try:
        return f"{type(error).__name__}: {error}"
    except Exception:  # noqa: BLE001 - a __str__ of the program's
        return f"{type(error).__name__}: <its str() raises an error itself>"
