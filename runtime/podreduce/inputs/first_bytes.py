"""What the first bytes of an object say that cannot be read as text: that it is compressed, or of another format.

Rule: pure. A name decides how an object is read; the first bytes are only for the message when that went wrong.
"""

__all__ = ["advise_not_text"]

SIGNS = (
    (b"\x1f\x8b", "it begins like gzip: let its name end in .gz"),
    (b"\x28\xb5\x2f\xfd", "it begins like Zstandard: let its name end in .zst"),
    (b"BZh", "it begins like bzip2: let its name end in .bz2"),
    (b"PAR1", "it begins like Parquet: set input.format: Parquet"),
    (b"PK\x03\x04", "it begins like a zip archive: unpack it"),
)


def advise_not_text(first_bytes: bytes) -> str:
    """Return what to do about an object with bytes that are not UTF-8; `first_bytes` are empty if not known."""
    for sign, advice in SIGNS:
        if first_bytes.startswith(sign):
            return advice
    return "correct the object, or set input.encodingErrors: Replace"
