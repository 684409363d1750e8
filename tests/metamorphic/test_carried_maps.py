"""A loop gives the same whether its steps map their unchanging inputs once or in each iteration, counters included."""

from collections.abc import Iterator
from pathlib import Path
from random import Random

import pytest

from podreduce_operator.cluster.local.fork_server import ForkServer
from tests.metamorphic.looped_pipeline import draw_looped, run_looped
from tests.support.searching import first_seed, tries

PIPELINES = tries(4)


@pytest.fixture(scope="module")
def fork_server() -> Iterator[ForkServer]:
    server = ForkServer.open()
    yield server
    server.close()


@pytest.mark.parametrize("seed", range(first_seed(), first_seed() + PIPELINES))
def test_carried_map_output_is_not_seen_in_the_result(seed: int, tmp_path: Path, fork_server: ForkServer) -> None:
    looped = draw_looped(tmp_path / "data", Random(seed))  # noqa: S311 - to be drawn again from its seed
    carried = run_looped(looped, tmp_path / "carried", fork_server, carries=True)
    mapped = run_looped(looped, tmp_path / "mapped", fork_server, carries=False)
    assert carried.records == mapped.records
    assert len(carried.counters) == looped.iterations
    assert carried.counters == mapped.counters
    for name in looped.fixed:
        assert carried.mapped[name] == looped.lines(name)
        assert mapped.mapped[name] == looped.lines(name) * looped.iterations
    assert carried.mapped["ranks"] == mapped.mapped["ranks"]
