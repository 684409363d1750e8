"""Commands whose arguments and options are the fields of a dataclass, for those that have a dozen.

Rule: the dataclass is keyword-only, and its fields are in the order of the help. A field's annotation and default are
what a parameter of the command would have.
"""

import inspect
from collections.abc import Callable
from functools import wraps
from typing import TypeVar

__all__ = ["with_options_of"]

Given = TypeVar("Given")


def with_options_of(arguments: type[Given]) -> Callable[[Callable[[Given], None]], Callable[..., None]]:
    """Return a decorator for a command that takes one value of `arguments`, which typer is to read.

    typer reads the options of a command from its signature, so the returned command has that of the dataclass.
    """

    def decorate(command: Callable[[Given], None]) -> Callable[..., None]:
        @wraps(command)
        def call(**given: object) -> None:
            command(arguments(**given))

        vars(call)["__signature__"] = inspect.signature(arguments)
        return call

    return decorate
