"""What a pipeline gives after any edits is what a run from nothing gives, whatever was reused or lost."""

from collections import Counter
from collections.abc import Iterator

import pytest

from podreduce_operator.cluster.local.fork_server import ForkServer
from tests.metamorphic.pipeline_search import run_edited
from tests.support.searching import first_seed, tries

PIPELINES = tries(2)
RUNS = 5


@pytest.fixture(scope="module")
def fork_server() -> Iterator[ForkServer]:
    server = ForkServer.open()
    yield server
    server.close()


def test_a_run_after_any_edits_gives_what_a_run_from_nothing_gives(fork_server: ForkServer) -> None:
    seen: Counter[str] = Counter()
    for seed in range(first_seed(), first_seed() + PIPELINES):
        for number, run in enumerate(run_edited(seed, RUNS, fork_server)):
            assert not run.problem, f"seed {seed}, run {number}, after {run.edits}: {run.problem}"
            seen.update(run.states.values())
    assert seen["Reused"], "nothing was reused, so nothing was tested"
    assert seen["Complete"] > PIPELINES * 5, "only the first runs did anything"
