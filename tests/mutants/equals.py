"""Mutants that no test can tell from the module: each with why. One that is not met any more fails `make mutants`.

Rule: "the tests do not reach it" is no reason.
"""

__all__ = ["EQUALS"]

EQUALS: dict[str, dict[str, str]] = {}
"""Module → change (as `make mutants` prints it) → why it is equal."""
