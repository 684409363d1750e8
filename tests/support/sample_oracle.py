"""Which records `input.sample` keeps, by other means than podreduce's: one record at a time, in Python's ints."""

import hashlib
from fractions import Fraction
from typing import Any

from tests.support.partition_oracle import key_bytes

__all__ = ["is_sampled"]

MASK = 2**64 - 1


def is_sampled(input_format: str, name: str, key: Any, *, fraction: float, seed: int) -> bool:
    """Whether a record is kept; `name` is its object's key in the bucket."""
    if input_format in ("Text", "JSONLines", "CSV", "Parquet"):
        found = mix(first_bytes(seed, name.encode()) + key * 0x9E3779B97F4A7C15)
    else:
        found = first_bytes(seed, key_bytes(name if input_format == "WholeObject" else key))
    return Fraction(found, 2**64) < Fraction(fraction)


def first_bytes(seed: int, data: bytes) -> int:
    """Return the first eight bytes of a SHA-256."""
    return int(hashlib.sha256(f"{seed}\n".encode() + data).hexdigest()[:16], 16)


def mix(state: int) -> int:
    """Return the output of SplitMix64 for a state."""
    state &= MASK
    state = (state ^ state >> 30) * 0xBF58476D1CE4E5B9 & MASK
    state = (state ^ state >> 27) * 0x94D049BB133111EB & MASK
    return state ^ state >> 31
