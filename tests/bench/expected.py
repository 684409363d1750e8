"""The right answers: what the hand-written program puts out, and for the sort the input itself. Kept with the data."""

import json
import subprocess
import sys
import tempfile
from dataclasses import asdict, replace
from pathlib import Path

from tests.bench.data import Kind
from tests.bench.digests import Digest, digest_sorted_records
from tests.bench.paths import PEERS
from tests.bench.works import Work

__all__ = ["find_expected"]


def find_expected(work: Work, source: Path) -> Digest:
    """Return the digest of the right output of `work` over `source`."""
    kept = source.parent / f"expected-{work.name}.json"
    if kept.exists():
        return Digest(**json.loads(kept.read_text()))
    expected = (
        replace(digest_sorted_records(source), misplaced=0) if work.kind is Kind.RECORDS else answer(work, source)
    )
    partial = kept.with_suffix(".partial")
    partial.write_text(json.dumps(asdict(expected)))
    partial.rename(kept)
    return expected


def answer(work: Work, source: Path) -> Digest:
    """Digest what the hand-written program puts out; it needs nothing but this Python."""
    with tempfile.TemporaryDirectory() as directory:
        target = Path(directory) / "output"
        subprocess.run([sys.executable, PEERS / "hand_written.py", work.name, source, target], check=True)
        return work.read_peer(target)
