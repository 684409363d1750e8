"""Hashes of whole numbers: chance that is the same for every task, attempt and machine. Pure."""

import numpy as np
import numpy.typing as npt

__all__ = ["hash_numbers"]

Words = npt.NDArray[np.uint64]


def hash_numbers(numbers: Words, seed: int) -> Words:
    """Return a hash of each number; another seed gives others (SplitMix64: Steele, Lea and Flood, OOPSLA 2014)."""
    mixed = numbers + np.uint64(seed * 0x9E3779B97F4A7C15 % 2**64)
    mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return mixed ^ (mixed >> np.uint64(31))
