"""The input objects, packed so that a million fit into memory: about 130 bytes each, a fifth of Python objects.

Rule: pure.
"""

from array import array
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import overload

__all__ = ["InputListing", "InputObject"]

SEPARATOR = "\0"
"""Does not occur in a URI."""


@dataclass(frozen=True, slots=True, kw_only=True)
class InputObject:
    """One object of the input, as listed.

    Attributes:
        size_bytes: its stored (compressed) size.
        etag: the store's tag for its content, if there is one.
        is_splittable: whether it can be cut at any byte.
    """

    uri: str
    size_bytes: int
    etag: str | None = None
    is_splittable: bool = True


class InputListing(Sequence[InputObject]):
    """Listed objects, in order. It only grows. Reading an item builds a new object each time."""

    __slots__ = ("_ends", "_sizes", "_splittable", "_text")

    def __init__(self, objects: Iterable[InputObject] = ()) -> None:
        self._text = bytearray()
        self._ends = array("Q")
        self._sizes = array("Q")
        self._splittable = bytearray()
        for each in objects:
            self.append(each)

    def append(self, each: InputObject) -> None:
        """Add an object at the end."""
        self._text += (each.uri if each.etag is None else f"{each.uri}{SEPARATOR}{each.etag}").encode()
        self._ends.append(len(self._text))
        self._sizes.append(each.size_bytes)
        self._splittable.append(each.is_splittable)

    def __len__(self) -> int:
        return len(self._sizes)

    @overload
    def __getitem__(self, index: int) -> InputObject: ...
    @overload
    def __getitem__(self, index: slice) -> list[InputObject]: ...
    def __getitem__(self, index: int | slice) -> InputObject | list[InputObject]:
        if isinstance(index, slice):
            return [self[number] for number in range(*index.indices(len(self)))]
        number = range(len(self))[index]
        start = self._ends[number - 1] if number else 0
        uri, separator, etag = self._text[start : self._ends[number]].decode().partition(SEPARATOR)
        return InputObject(
            uri=uri,
            size_bytes=self._sizes[number],
            etag=etag if separator else None,
            is_splittable=bool(self._splittable[number]),
        )
