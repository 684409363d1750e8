"""A MinIO on loopback with the benchmark's data, for the runs that read and write S3 on the same cores."""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from obstore.store import S3Store

from tests.bench.data import Kind
from tests.bench.process_tree import cpu_seconds
from tests.cluster.minio import MinioServer

__all__ = ["ObjectStore", "choose_directory", "open_object_store"]

BUCKET: Final = "bench"
TARGET: Final = "output"
MEMORY_DIRECTORY: Final = Path("/dev/shm")  # noqa: S108 - a directory of the server's own is made in it
MEMORY_BYTES: Final = 8 << 30
"""Input, shuffle, staged and published output of the largest work, and as much again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectStore:
    """A running server whose bucket holds the data."""

    server: MinioServer

    def source_uri(self, kind: Kind) -> str:
        """Return where data of that kind lies."""
        return f"s3://{BUCKET}/{kind}/"

    @property
    def target_uri(self) -> str:
        """Where a run writes."""
        return f"s3://{BUCKET}/{TARGET}/"

    @property
    def work_uri(self) -> str:
        """Where a run keeps its intermediate data, which it removes itself."""
        return f"s3://{BUCKET}/work/"

    def environ(self) -> dict[str, str]:
        """Return the variables by which a client finds the server."""
        return {
            "AWS_ENDPOINT_URL": self.server.endpoint,
            "AWS_ACCESS_KEY_ID": self.server.access_key,
            "AWS_SECRET_ACCESS_KEY": self.server.secret_key,
            "AWS_REGION": self.server.region,
        }

    def upload(self, kind: Kind, directory: Path) -> None:
        """Put a directory's files into the bucket."""
        store = self.server.store(BUCKET, str(kind))
        for path in sorted(directory.iterdir()):
            store.put(path.name, path)

    def clear_target(self) -> None:
        """Remove what a run has put out."""
        store = self.server.store(BUCKET)
        for names in list_names(store, TARGET):
            store.delete(names)

    def take_target(self, directory: Path) -> None:
        """Download what a run has put out, without what begins with `_`."""
        directory.mkdir()
        store = self.server.store(BUCKET)
        for names in list_names(store, TARGET):
            for name in names:
                path = directory / Path(name).name
                if path.name[0] not in "_.":
                    with path.open("wb") as file:
                        file.writelines(store.get(name).stream())

    def cpu_seconds(self) -> float:
        """Return the processor time that the server has taken so far."""
        assert self.server.pid is not None
        return cpu_seconds(self.server.pid)


def list_names(store: S3Store, prefix: str) -> Iterator[list[str]]:
    """Yield the names below a prefix, some at a time."""
    for entries in store.list(prefix):
        yield [entry["path"] for entry in entries]


def choose_directory() -> Path:
    """Return where the server keeps its data: in memory if there is room, for a store's disks are its own elsewhere."""
    in_memory = MEMORY_DIRECTORY.is_dir() and shutil.disk_usage(MEMORY_DIRECTORY).free >= MEMORY_BYTES
    return MEMORY_DIRECTORY if in_memory else Path(tempfile.gettempdir())


@contextmanager
def open_object_store(directory: Path) -> Iterator[ObjectStore]:
    """Run a server that keeps its data below `directory` as long as it is needed, and remove it with its data."""
    server = MinioServer.create(directory)
    try:
        server.make_bucket(BUCKET)
        yield ObjectStore(server=server)
    finally:
        server.close()
