"""The bytes of a part on their way to the store: compressed, counted and hashed in the upload's own thread."""

import hashlib

from podreduce.outputs.compression import compress
from podreduce.storage import Blocks, ObjectWriter, StagedUpload

__all__ = ["PartStream"]


class PartStream:
    """An upload that knows the size and digest of what it uploaded.

    Attributes:
        bytes_written: how many compressed bytes were sent; exact after `close`.
    """

    def __init__(self, staged: StagedUpload, compression: str) -> None:
        self.bytes_written = 0
        self._compression = compression
        self._digest = hashlib.sha256()
        writer = ObjectWriter(staged, encode=self._encode)
        self.write = writer.write
        self.close = writer.close
        self.abort = writer.abort

    def sha256(self) -> str:
        """Return the digest of the object; call it after `close`."""
        return self._digest.hexdigest()

    def _encode(self, blocks: Blocks) -> Blocks:
        for block in compress(blocks, self._compression):
            self._digest.update(block)
            self.bytes_written += len(block)
            yield block
