"""Lines of JSON, decoded together if every line is one document. Rule: pure."""

from typing import Any, Final

import msgspec

__all__ = ["CANNOT_DECODE", "decode_document", "decode_objects", "has_a_document_a_line"]

DECODER: Final = msgspec.json.Decoder()
decode_document = DECODER.decode
CANNOT_DECODE: Final = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
"""What decoding a line may raise: it is not JSON, has bytes that are not UTF-8, or nests some thousand deep."""


def decode_objects(data: bytes) -> list[Any] | None:
    """Return the values of lines that are one object each; None if they are not, or cannot be decoded."""
    try:
        values = DECODER.decode_lines(data)
    except CANNOT_DECODE:
        return None
    return values if has_a_document_a_line(data, len(values)) else None


def has_a_document_a_line(data: bytes, documents: int) -> bool:
    r"""Tell whether each line of `data`, which has `documents` documents, is one object.

    Decoders accept several documents on a line, and one over several lines. But no object can continue with `{` after
    `}` and a newline, and no string can hold a newline: each such place is between two objects.
    """
    ended = data.endswith((b"}\n", b"}\r\n"))
    between = data.count(b"}\n{") + data.count(b"}\r\n{")
    return (
        data.startswith(b"{")
        and (ended or data.endswith(b"}"))
        and data.count(b"\n") == between + ended
        and documents == between + 1
    )
