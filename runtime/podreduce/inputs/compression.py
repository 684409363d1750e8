"""Compressed objects, by the ending of their names: streamed, any number of members, in bounded memory.

A broken file is the user's to hear of.
"""

import zlib
from collections.abc import Callable, Iterable, Iterator

from podreduce.contract.plan import Piece
from podreduce.errors import InputError
from podreduce.storage import ObjectStore

__all__ = ["gunzip", "is_compressed", "read_decompressed"]

CHUNK_BYTES = 4 * 1024 * 1024
GZIP_WINDOW = 16 + zlib.MAX_WBITS
OUTPUT_BYTES = 1024 * 1024


def is_compressed(uri: str) -> bool:
    """Say whether an object's name has the ending of a compression that is undone when it is read."""
    return uri.lower().endswith(tuple(DECOMPRESSORS))


def read_decompressed(store: ObjectStore, key: str, piece: Piece) -> Iterator[tuple[bytes, int]]:
    """Yield a whole object's decompressed bytes, each with what was taken of the object, as stored, since the last.

    Raises:
        InputError: it is not what its ending says, is corrupt, or ends early.
    """
    taken = 0

    def counted() -> Iterator[bytes]:
        nonlocal taken
        for chunk in store.stream(key, 0, piece.object_bytes, etag=piece.etag, chunk_bytes=CHUNK_BYTES):
            taken += len(chunk)
            yield chunk

    decompress = next(found for ending, found in DECOMPRESSORS.items() if piece.uri.lower().endswith(ending))
    for data in decompress(counted(), piece.uri):
        yield data, taken
        taken = 0
    if taken:
        yield b"", taken


def gunzip(chunks: Iterable[bytes], uri: str) -> Iterator[bytes]:
    """Yield the decompressed bytes of `chunks`; members follow each other, zeros may follow the last (as tar pads).

    Raises:
        InputError: it is not gzip, is corrupt, or ends early; the message names `uri`.
    """
    member = zlib.decompressobj(GZIP_WINDOW)
    begun = False
    for chunk in chunks:
        data = chunk
        while data:
            if not begun:
                data = data.lstrip(b"\0")
                begun = bool(data)
                continue
            try:
                yield member.decompress(data, OUTPUT_BYTES)
            except zlib.error as error:
                raise InputError(f"{uri}: not a sound gzip file ({error}); repair it or drop the .gz ending") from error
            data = member.unconsumed_tail or member.unused_data
            if member.eof:
                member, begun = zlib.decompressobj(GZIP_WINDOW), False
    if begun:
        raise InputError(f"{uri}: the gzip file ends early; upload it again")


DECOMPRESSORS: dict[str, Callable[[Iterable[bytes], str], Iterator[bytes]]] = {".gz": gunzip}
"""Ending → what yields the decompressed bytes of chunks; the URI is for messages."""
