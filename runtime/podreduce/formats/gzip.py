"""gzip, streamed: any number of members, bounded memory, and a broken file is the user's to hear of."""

import zlib
from collections.abc import Iterable, Iterator

from podreduce.errors import InputError

__all__ = ["GZIP_ENDING", "gunzip"]

GZIP_ENDING = ".gz"
GZIP_WINDOW = 16 + zlib.MAX_WBITS
OUTPUT_BYTES = 1024 * 1024


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
