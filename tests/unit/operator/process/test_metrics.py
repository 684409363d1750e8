from collections.abc import Mapping
from typing import Any

import aiohttp
from prometheus_client.parser import text_string_to_metric_families

from podreduce_operator.leadership.election import Standing
from podreduce_operator.process.health import HealthFigures
from podreduce_operator.process.metrics import Metrics
from podreduce_operator.process.probes import serve_probes
from tests.support.builders.jobs import make_job
from tests.unit.operator.process.test_probes import free_port

WELL = HealthFigures(is_synced=True, standing=Standing.LEADER, loop_lag_seconds=0.25)


def read(text: str) -> dict[tuple[str, str], float]:
    """Return each sample by its name and the values of its labels, in the order of their names."""
    return {
        (sample.name, "/".join(value for _, value in sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def make_metrics(*statuses: Mapping[str, Any], figures: HealthFigures = WELL) -> Metrics:
    jobs = [make_job(name=f"job-{number}", status=status) for number, status in enumerate(statuses)]
    return Metrics(lambda: figures, lambda: jobs)


def test_jobs_are_counted_by_phase_and_tasks_by_state() -> None:
    mapping = {"phase": "Mapping", "map": {"active": 3, "succeeded": 4, "failed": 1}}
    samples = read(make_metrics({}, mapping, mapping, {**mapping, "phase": "Complete"}).render().decode())
    assert samples["podreduce_jobs", "New"] == 1
    assert samples["podreduce_jobs", "Mapping"] == 2
    assert samples["podreduce_jobs", "Complete"] == 1
    assert samples["podreduce_jobs", "Failed"] == 0
    assert [samples["podreduce_tasks", f"{state}/map"] for state in ("active", "succeeded", "failed")] == [6, 8, 2]
    assert samples["podreduce_tasks", "active/reduce"] == 0


def test_passes_health_and_memory_are_shown() -> None:
    metrics = make_metrics()
    for seconds in (0.02, 5.0):
        metrics.take_pass(seconds)
    samples = read(metrics.render().decode())
    assert samples["podreduce_reconcile_seconds_count", ""] == 2
    assert samples["podreduce_leader", ""] == 1
    assert samples["podreduce_loop_lag_seconds", ""] == 0.25
    assert samples["process_resident_memory_bytes", ""] > 0


def test_the_number_of_series_does_not_grow_with_the_jobs() -> None:
    one = read(make_metrics({"phase": "Mapping"}).render().decode())
    odd = [{"phase": f"Phase{number}"} for number in range(1000)]
    many = read(make_metrics(*odd).render().decode())
    assert many.keys() == one.keys()


async def test_metrics_are_served_beside_the_probes() -> None:
    port, metrics = free_port(), make_metrics({})
    async with (
        serve_probes(port, lambda: WELL, metrics.render),
        aiohttp.ClientSession() as session,
        session.get(f"http://127.0.0.1:{port}/metrics") as answer,
    ):
        assert answer.status == 200
        assert answer.content_type == "text/plain"
        assert 'podreduce_jobs{phase="New"} 1.0' in await answer.text()
