"""Lines of JSON, decoded together where every line is one document. Rule: pure."""

from typing import Any, Final

import msgspec

__all__ = ["CANNOT_DECODE", "decode_document", "decode_objects", "has_a_document_a_line"]

DECODER: Final = msgspec.json.Decoder()
decode_document = DECODER.decode
CANNOT_DECODE: Final = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
"""What a line may raise that is no JSON, holds bytes that are no UTF-8, or nests some thousand deep."""


def decode_objects(data: bytes) -> list[Any] | None:
    """Return the values of lines that are an object each; None if they are not, or cannot be decoded."""
    try:
        values = DECODER.decode_lines(data)
    except CANNOT_DECODE:
        return None
    return values if has_a_document_a_line(data, len(values)) else None


def has_a_document_a_line(data: bytes, documents: int) -> bool:
    r"""Say whether `data`, in which so many documents were found, has an object on each line and nothing else.

    Decoders take documents that follow each other on a line, or one that goes over several. But no object goes on
    after `}` and a newline with `{`, nor can a string hold a newline: each such place lies between two objects.
    """
    ended = data.endswith((b"}\n", b"}\r\n"))
    between = data.count(b"}\n{") + data.count(b"}\r\n{")
    return (
        data.startswith(b"{")
        and (ended or data.endswith(b"}"))
        and data.count(b"\n") == between + ended
        and documents == between + 1
    )
