"""Lines for whoever waits: what is under way, and what came of it."""

import sys

__all__ = ["say"]


def say(line: str) -> None:
    """Show one line of progress or result."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()
