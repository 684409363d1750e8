"""Chance by seed, so that whatever was drawn can be drawn again."""

import random

__all__ = ["seeded"]


def seeded(*names: object) -> random.Random:
    """Return a generator that follows from these names alone."""
    return random.Random("/".join(map(str, names)))  # noqa: S311 - test data, no secret
