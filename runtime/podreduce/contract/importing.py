"""How slow imports are made quicker. Rule: imports the standard library only."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

__all__ = ["without"]


@contextmanager
def without(name: str) -> Iterator[None]:
    """Let what is imported inside find that the package `name` is not installed, unless it is imported already."""
    if name in sys.modules:
        yield
        return
    modules: dict[str, Any] = sys.modules
    modules[name] = None  # what an import takes for "there is none"
    try:
        yield
    finally:
        del modules[name]
