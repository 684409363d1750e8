import pytest

from podreduce_operator.errors import ActionError
from podreduce_operator.observe import RunCache, observe
from tests.builders import make_job
from tests.unit.quiet_cluster import QuietCluster


@pytest.mark.xfail(
    strict=True, reason="observe: a blind pass names no superseded run, so the status moves on and the run is forgotten"
)
async def test_run_that_a_new_one_replaces_is_not_forgotten_while_the_store_cannot_be_read() -> None:
    cluster = QuietCluster(storage_error=ActionError("StorageUnavailable", "no store", permanent=False))
    job = make_job(spec={"runId": "2"}, status={"runId": "1", "planDigest": "0" * 64})
    observed, _ = await observe(job, cluster, RunCache(), 10)
    assert (observed.run_id, observed.superseded) == ("2", "1")
