"""Where whole pipelines are rehearsed: a cluster with MinIO and the operator, and what every such program does.

Rule: what is run, what is broken meanwhile, and what must come out is for the programs to say.
"""

import argparse
import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import Event, Thread
from typing import Any, Final, Protocol, TypeVar

import obstore
from obstore.store import S3Store
from rich.console import Console
from rich.table import Table

from podreduce.contract.layout import CLAIM_KEY
from tests.bench.telling import say
from tests.chaos.stage import CORPUS, OUTPUT, WORK, deploy_store
from tests.cluster import provider
from tests.cluster.cluster import Cluster
from tests.cluster.images import load_project_images
from tests.cluster.object_store import ClusterMinio
from tests.cluster.processes import ClusterError
from tests.e2e.installation import Installation

__all__ = ["Outcome", "Stage", "is_end", "open_stage", "run_program", "striking"]

TIMEOUT_SECONDS: Final = 1200.0
HitT = TypeVar("HitT")


class Play(Protocol):
    """What is rehearsed."""

    @property
    def name(self) -> str:
        """Its name, for the command line and the table."""


PlayT = TypeVar("PlayT", bound=Play)


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """How one fared. `facts`: the cells between seconds and outputs; `problem` is empty if all is as it should be."""

    seconds: float = 0.0
    facts: Sequence[str] = ()
    problem: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """Where they run."""

    cluster: Cluster
    installation: Installation
    minio: ClusterMinio

    def set_up(self, prefix: str, data: Path) -> str:
        """Make a namespace with a storage Secret, upload the data, and return the namespace's name."""
        namespace = self.cluster.namespace(prefix, restricted=True)
        self.cluster.apply(self.minio.secret(f"s3://{WORK}/"), namespace=namespace)
        for path in (path for path in data.rglob("*") if path.is_file()):
            obstore.put(self.minio.store(CORPUS, namespace), str(path.relative_to(data)), path.read_bytes())
        return namespace

    def take_down(self, namespace: str) -> None:
        """Delete a namespace with all that is in it."""
        self.cluster.kubectl("delete", "namespace", namespace, "--wait=true", "--timeout=120s", timeout=130)

    def wait(self, name: str, namespace: str) -> dict[str, Any]:
        """Wait until a pipeline has ended, and return its status."""
        deadline = time.monotonic() + TIMEOUT_SECONDS
        while time.monotonic() < deadline:
            status: dict[str, Any] = (self.cluster.get("mrp", name, namespace) or {}).get("status") or {}
            if any(is_end(each) for each in status.get("conditions", ())):
                return status
            time.sleep(1)
        raise ClusterError(f"{name} did not end:\n{json.dumps(status, indent=1)}\n{self.installation.logs()}")

    def has_claims(self, prefix: str) -> bool:
        """Tell whether a job still claims an output below a prefix: it lets go a moment after its end."""
        return any(name.rpartition("/")[2] == CLAIM_KEY for name in list_names(self.minio.store(OUTPUT, prefix)))

    def download(self, prefix: str, directory: Path) -> None:
        """Write the parts below a prefix of the output bucket to a directory."""
        store = self.minio.store(OUTPUT, prefix)
        for name in list_names(store):
            target = directory / name
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(bytes(obstore.get(store, name).bytes()))


def list_names(store: S3Store) -> list[str]:
    """Return the names of all objects of a store."""
    return [found["path"] for page in obstore.list(store) for found in page]


def is_end(condition: Mapping[str, Any]) -> bool:
    """Tell whether a condition says that the run has ended."""
    return condition["type"] in ("Complete", "Failed") and condition["status"] == "True"


@contextmanager
def open_stage() -> Iterator[Stage]:
    """Bring cluster, MinIO and operator up, and take them away again."""
    chosen = provider.choose()
    if isinstance(chosen, provider.NoCluster):
        raise ClusterError(chosen.why)
    cluster = chosen.start()
    try:
        images = load_project_images(cluster)
        minio = deploy_store(cluster)
        installation = Installation.install(cluster, images, minio, f"s3://{WORK}/")
        yield Stage(cluster=cluster, installation=installation, minio=minio)
    finally:
        cluster.close()


@contextmanager
def striking(strike: Callable[[], Sequence[HitT]], *, every_seconds: float, once: bool = False) -> Iterator[list[HitT]]:
    """Strike in the background until the end; with `once`, until a strike has hit. Yield the list of what was hit."""
    ended, hit = Event(), list[HitT]()

    def strike_on() -> None:
        while not (once and hit) and not ended.wait(every_seconds):
            hit.extend(strike())

    thread = Thread(target=strike_on, daemon=True)
    thread.start()
    try:
        yield hit
    finally:
        ended.set()
        thread.join()


def run_program(
    program: str,
    about: str,
    plays: Sequence[PlayT],
    rehearse: Callable[[PlayT, Stage], Outcome],
    *,
    table: Table,
    argv: Sequence[str],
    prepare: Callable[[Stage], None] = lambda _: None,
) -> int:
    """Rehearse what the command line asks for, and print the table; 1 if one did not give what it should."""
    parser = argparse.ArgumentParser(prog=f"python -m {program}", description=about)
    names = [play.name for play in plays]
    parser.add_argument("--only", action="append", choices=names, help="this one; may be repeated")
    chosen = parser.parse_args(argv).only or names
    problems = []
    with open_stage() as stage:
        prepare(stage)
        for play in (each for each in plays if each.name in chosen):
            say(f"{play.name} ...")
            outcome = rehearse(play, stage)
            problems.append(outcome.problem)
            cells = (play.name, f"{outcome.seconds:.0f}", *outcome.facts, outcome.problem or "as here")
            table.add_row(*cells, style="red" if outcome.problem else None)
    Console(width=120).print(table)
    return int(any(problems))
