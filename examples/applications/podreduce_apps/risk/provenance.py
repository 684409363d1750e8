"""What a model was made of: a digest of the rows that it has learned from, and one of the code. Pure, but for the code.

The digest of rows does not depend on their order, nor on shards and parts, as that of files would. Who has the same
transactions and reports gets the same digest; one other cent, report or id gives another.
"""

from collections.abc import Iterable
from hashlib import sha256
from pathlib import Path

import numpy as np
import pyarrow as pa

from podreduce_apps.risk.features import feature_matrix

__all__ = ["code_digest", "digest_of_rows", "row_hashes"]

PACKAGE = Path(__file__).parent
HASH_BYTES = 32


def row_hashes(batch: pa.RecordBatch) -> list[bytes]:
    """Return the SHA-256 of each row: of its features, its report and its id."""
    numbers = np.column_stack([feature_matrix(batch), batch["fraud"].to_numpy()]).astype("<f8")
    numbers = numbers + 0.0  # -0.0 is 0
    ids = batch["id"].to_pylist()
    return [sha256(row.tobytes() + each.encode()).digest() for row, each in zip(numbers, ids, strict=True)]


def digest_of_rows(hashes: Iterable[bytes]) -> str:
    """Return the SHA-256 of the sorted hashes of all rows; the hashes may come several in a value."""
    rows = np.sort(np.frombuffer(b"".join(hashes), f"S{HASH_BYTES}"))
    return sha256(rows.tobytes()).hexdigest()


def code_digest() -> str:
    """Return the SHA-256 of the names and bytes of all modules of this application, and of those that it shares."""
    files = sorted([*PACKAGE.glob("*.py"), *PACKAGE.parent.glob("*.py")])
    digest = sha256()
    for file in files:
        content = file.read_bytes()
        digest.update(f"{file.relative_to(PACKAGE.parent).as_posix()}\0{len(content)}\0".encode() + content)
    return digest.hexdigest()
