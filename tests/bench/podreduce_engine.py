"""podreduce's local engine as a competitor: a plain or a columnar program, on a directory or over MinIO."""

import subprocess
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final

from tests.bench.competitor import Place
from tests.bench.data import Kind, prepare_data
from tests.bench.digests import Digest
from tests.bench.paths import PODREDUCE
from tests.bench.works import PARALLELISM, Work

__all__ = ["BASELINE", "PodreduceEngine", "engine_command"]

BASELINE: Final = "podreduce, directory"
"""What the others are compared with."""

TRIAL_MEGABYTES: Final = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class PodreduceEngine:
    """`podreduce run` of the work's job, `columnar` if it has such a one."""

    columnar: bool = False
    over_store: bool = False
    is_slow: bool = False

    @property
    def name(self) -> str:
        return f"podreduce{' map_batch' if self.columnar else ''}, {'MinIO' if self.over_store else 'directory'}"

    def job(self, work: Work) -> Path:
        return (work.batch_job if self.columnar else None) or work.job

    def does(self, work: Work) -> bool:
        return not self.columnar or work.batch_job is not None

    def why_not(self, work: Work, *, has_store: bool) -> str | None:
        if self.over_store and not has_store:
            return "no MinIO: it is built from its Go module, and not asked for or Go is not here"
        return find_refusal(self.job(work), work.kind)

    def command(self, work: Work, place: Place) -> list[str]:
        source, target = f"{place.source}/", f"{place.target}/"
        if self.over_store and place.store is not None:
            source, target = place.store.source_uri(work.kind), place.store.target_uri
        command = engine_command(self.job(work), source=source, target=target, scratch=place.scratch)
        return [*command, "--work-uri", place.store.work_uri] if self.over_store and place.store else command

    def environ(self, place: Place) -> Mapping[str, str]:
        return place.store.environ() if self.over_store and place.store is not None else {}

    def read(self, work: Work, place: Place) -> Digest:
        if self.over_store and place.store is not None:
            place.store.take_target(place.target)
        return work.read_job(place.target)


def engine_command(job: Path, *, source: str, target: str, scratch: Path) -> list[str]:
    """Return the command that runs a job file over that input."""
    options = ["--parallelism", str(PARALLELISM), "--work-dir", str(scratch / "work"), "--log-format", "lines"]
    return [str(PODREDUCE), "run", str(job), "--input", source, "--output", target, *options]


@cache
def find_refusal(job: Path, kind: Kind) -> str | None:
    """Return what a run over a megabyte says if it fails: a job may want what this version cannot do."""
    with tempfile.TemporaryDirectory() as directory:
        scratch = Path(directory)
        source = f"{prepare_data(kind, TRIAL_MEGABYTES)}/"
        command = engine_command(job, source=source, target=f"{scratch / 'output'}/", scratch=scratch)
        tried = subprocess.run(command, capture_output=True, text=True, check=False)
    if tried.returncode == 0:
        return None
    lines = tried.stderr.strip().splitlines()
    return next((line for line in reversed(lines) if "rror" in line or "spec." in line), lines[-1] if lines else "?")
