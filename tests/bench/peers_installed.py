"""The peers: a program each in `peers/`, run by the Python of their own environment, and GNU sort.

Rule: each gets two processes, threads or cores, and defaults for the rest; the programs are what their users would
write.
"""

import shutil
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Final

from tests.bench.competitor import Place
from tests.bench.digests import Digest
from tests.bench.paths import PEER_PYTHON, PEERS
from tests.bench.works import PARALLELISM, Work

__all__ = ["PEER_PROGRAMS", "Peer"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Peer:
    """A program that does some works. `packages` of its environment and `programs` of the machine must be there."""

    name: str
    works: frozenset[str]
    build_command: Callable[[Work, Place], list[str]]
    packages: frozenset[str] = frozenset()
    programs: frozenset[str] = frozenset()
    is_slow: bool = False
    over_store: bool = False

    def does(self, work: Work) -> bool:
        return work.name in self.works

    def why_not(self, work: Work, *, has_store: bool) -> str | None:
        del work, has_store
        missing = sorted(program for program in self.programs if shutil.which(program) is None)
        missing += sorted(package for package in self.packages if not has_package(package))
        return f"not installed: {', '.join(missing)}" if missing else None

    def command(self, work: Work, place: Place) -> list[str]:
        return self.build_command(work, place)

    def environ(self, place: Place) -> Mapping[str, str]:
        return {
            "LC_ALL": "C.UTF-8",
            "PYSPARK_PYTHON": str(PEER_PYTHON),
            "SPARK_LOCAL_DIRS": str(place.scratch),
            "SPARK_LOCAL_IP": "127.0.0.1",
            "TMPDIR": str(place.scratch),
        }

    def read(self, work: Work, place: Place) -> Digest:
        return work.read_peer(place.target)


@cache
def has_package(name: str) -> bool:
    """Tell whether the peers' environment has the package."""
    if not PEER_PYTHON.exists():
        return False
    found = subprocess.run([str(PEER_PYTHON), "-c", f"import {name}"], capture_output=True, check=False)
    return found.returncode == 0


def call_program(program: str) -> Callable[[Work, Place], list[str]]:
    """Return how a program of `peers/` is called: work, source, target."""

    def build(work: Work, place: Place) -> list[str]:
        return [str(PEER_PYTHON), str(PEERS / program), work.name, str(place.source), str(place.target)]

    return build


def call_mrjob(work: Work, place: Place) -> list[str]:
    """Return mrjob's command: it has a program for each work, and options of its own."""
    program = str(PEERS / f"mrjob_{work.name}.py")
    options = ["--runner", "local", "--num-cores", str(PARALLELISM), "--output-dir", str(place.target)]
    return [str(PEER_PYTHON), program, *options, *list_inputs(place)]


def call_sort(work: Work, place: Place) -> list[str]:
    """Return the command of sort: by bytes and whole lines, which orders the keys as well."""
    del work
    options = [f"--parallel={PARALLELISM}", f"--temporary-directory={place.scratch}"]
    script = 'target=$1; shift; mkdir "$target" && LC_ALL=C exec sort --output="$target/part-0" "$@"'
    return ["sh", "-c", script, "sort", str(place.target), *options, *list_inputs(place)]


def list_inputs(place: Place) -> list[str]:
    """Return the input's files."""
    return [str(path) for path in sorted(place.source.iterdir())]


COUNTS: Final = frozenset({"wordcount", "log"})
SORT: Final = frozenset({"sort"})
JAVA: Final = frozenset({"java"})

PEER_PROGRAMS: Final = (
    Peer(name="hand-written Python", works=COUNTS, build_command=call_program("hand_written.py")),
    Peer(
        name="duckdb",
        works=COUNTS | SORT,
        packages=frozenset({"duckdb"}),
        build_command=call_program("duckdb_sql.py"),
    ),
    Peer(
        name="polars",
        works=COUNTS,
        packages=frozenset({"polars"}),
        build_command=call_program("polars_frames.py"),
    ),
    Peer(
        name="numpy sort",
        works=SORT,
        packages=frozenset({"numpy"}),
        build_command=call_program("numpy_sort.py"),
    ),
    Peer(name="GNU sort", works=SORT, programs=frozenset({"sort"}), build_command=call_sort),
    Peer(
        name="PySpark RDD",
        works=COUNTS,
        packages=frozenset({"pyspark"}),
        programs=JAVA,
        build_command=call_program("spark_rdd.py"),
    ),
    Peer(
        name="Spark DataFrame",
        works=COUNTS | SORT,
        packages=frozenset({"pyspark"}),
        programs=JAVA,
        build_command=call_program("spark_dataframe.py"),
    ),
    Peer(
        name="dask bag",
        works=COUNTS,
        packages=frozenset({"dask"}),
        build_command=call_program("dask_bag.py"),
    ),
    Peer(
        name="mrjob local",
        works=COUNTS,
        packages=frozenset({"mrjob"}),
        build_command=call_mrjob,
        is_slow=True,
    ),
)
