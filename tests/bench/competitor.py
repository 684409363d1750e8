"""What the runner wants to know of whoever does a work.

Rule: a competitor that cannot run here says why; it is never left out in silence.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from tests.bench.digests import Digest
from tests.bench.object_store import ObjectStore
from tests.bench.works import Work

__all__ = ["Competitor", "Place"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a run reads, writes (a directory that is not there yet) and works. `store` is there while a MinIO runs."""

    source: Path
    target: Path
    scratch: Path
    store: ObjectStore | None = None


class Competitor(Protocol):
    """Something that does works."""

    @property
    def name(self) -> str:
        """What the table calls it."""

    @property
    def is_slow(self) -> bool:
        """Whether it takes minutes, so that one must ask for it."""

    @property
    def over_store(self) -> bool:
        """Whether it works over the object store, whose processor time then counts as well."""

    def does(self, work: Work) -> bool:
        """Tell whether it has a program for the work."""

    def why_not(self, work: Work, *, has_store: bool) -> str | None:
        """Return why it cannot run here; None where it can."""

    def command(self, work: Work, place: Place) -> list[str]:
        """Return the command that does the work."""

    def environ(self, place: Place) -> Mapping[str, str]:
        """Return what its environment has beyond this process's."""

    def read(self, work: Work, place: Place) -> Digest:
        """Digest what a run has put out."""
