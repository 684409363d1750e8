from dataclasses import replace
from typing import Any

from podreduce_operator.digests.pinned_digests import digest_text
from podreduce_operator.loop.program_reading import ProgramReading
from podreduce_operator.model.errors import ActionError
from podreduce_operator.model.jobs import JobView
from tests.support.builders.jobs import make_job
from tests.support.quiet_cluster import QuietCluster

NOW = 1000.0
SPEC: dict[str, Any] = {"program": {"sourceFrom": {"configMapKeyRef": {"name": "count", "key": "job.py"}}}}
EDITED: JobView = make_job(
    spec=SPEC, generation=2, status={"runId": "1", "digests": {"spec": "s", "program": "p", "generation": 1}}
)
AWAY = ActionError("ClusterUnavailable", "it cannot be read now", permanent=False)


def make_cluster(text: str = "class A: pass\n") -> QuietCluster:
    return QuietCluster(sources={("count", "job.py"): text})


async def test_the_text_of_an_edited_job_is_read() -> None:
    reading = ProgramReading()
    seen = await reading.compare(EDITED, make_cluster(), NOW)
    assert seen is not None
    assert (seen.generation, seen.digest) == (2, digest_text("class A: pass\n"))
    assert reading.seconds_left(NOW) == float("inf")


async def test_a_job_that_was_compared_is_not_read_again() -> None:
    cluster = make_cluster()
    compared = replace(EDITED, status={"runId": "1", "digests": {"spec": "s", "program": "p", "generation": 2}})
    assert await ProgramReading().compare(compared, cluster, NOW) is None
    assert cluster.sources_read == 0


async def test_a_reading_that_fails_is_repeated_later_and_later_however_many_passes_there_are() -> None:
    reading, cluster = ProgramReading(), make_cluster()
    cluster.source_error = AWAY
    for second in range(600):
        seen = await reading.compare(EDITED, cluster, NOW + second)
        assert seen is not None
        assert (seen.digest, seen.reason, seen.permanent) == (None, "ClusterUnavailable", False)
        assert 0 < reading.seconds_left(NOW + second) <= 60
    assert 10 <= cluster.sources_read <= 20
    cluster.source_error = None
    seen = await reading.compare(EDITED, cluster, NOW + 700)
    assert seen is not None
    assert seen.digest is not None
    assert reading.seconds_left(NOW + 700) == float("inf")


async def test_another_edit_is_read_at_once() -> None:
    reading, cluster = ProgramReading(), make_cluster()
    cluster.source_error = AWAY
    await reading.compare(EDITED, cluster, NOW)
    cluster.source_error = None
    seen = await reading.compare(replace(EDITED, generation=3), cluster, NOW)
    assert seen is not None
    assert seen.digest is not None
