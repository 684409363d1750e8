from typing import Any

import pytest

from podreduce_operator.api.spec import SpecError
from podreduce_operator.cluster.kubernetes.resource_cache import ResourceCache
from podreduce_operator.cluster.kubernetes.resource_kinds import parse_job
from podreduce_operator.model.jobs import JobKey, JobView
from tests.support.builders.jobs import make_raw_spec

KEY = JobKey(namespace="team", name="wordcount")


def make_manifest(version: int, *, uid: str = "uid-1", phase: str = "", **metadata: Any) -> dict[str, Any]:
    return {
        "metadata": {
            "namespace": "team",
            "name": "wordcount",
            "uid": uid,
            "generation": 3,
            "resourceVersion": str(version),
            "creationTimestamp": "2026-11-22T10:00:00Z",
            **metadata,
        },
        "spec": make_raw_spec(),
        "status": {"phase": phase},
    }


class Listener:
    def __init__(self) -> None:
        self.gone: list[str] = []
        self.cache = ResourceCache(parse_job)
        self.cache.call_when_gone(self.take)

    def take(self, job: JobView) -> None:
        self.gone.append(job.uid)


def phase_of(cache: ResourceCache[JobView]) -> str | None:
    entry = cache.get(KEY)
    return None if entry is None else entry.view.status["phase"]


def test_the_newest_version_counts_whatever_comes_last() -> None:
    cache = ResourceCache(parse_job)
    cache.put(make_manifest(9, phase="Mapping"))
    view = cache.put(make_manifest(7, phase="Planning"))
    assert view.status["phase"] == "Mapping"
    assert phase_of(cache) == "Mapping"


def test_a_job_is_read_with_its_times_and_generation() -> None:
    cache = ResourceCache(parse_job)
    view = cache.put(make_manifest(9, deletionTimestamp="2026-11-22T10:05:00Z"))
    assert (view.key, view.uid, view.generation, view.deleting) == (KEY, "uid-1", 3, True)
    assert view.spec.run_id == "1"


def test_a_deletion_is_told_once() -> None:
    listener = Listener()
    listener.cache.put(make_manifest(1))
    for _ in range(2):
        listener.cache.remove(KEY, "uid-1")
    assert listener.gone == ["uid-1"]
    assert listener.cache.get(KEY) is None


def test_a_successor_of_the_same_name_is_the_end_of_its_predecessor() -> None:
    listener = Listener()
    listener.cache.put(make_manifest(1, uid="old"))
    listener.cache.put(make_manifest(5, uid="new"))
    listener.cache.remove(KEY, "old")
    assert listener.gone == ["old"]
    assert listener.cache.uids() == {KEY: "new"}


def test_a_late_event_of_the_predecessor_does_not_bring_it_back() -> None:
    listener = Listener()
    listener.cache.put(make_manifest(5, uid="new"))
    listener.cache.put(make_manifest(4, uid="old"))
    assert listener.cache.uids() == {KEY: "new"}


def test_a_new_job_whose_spec_is_none_is_refused() -> None:
    with pytest.raises(SpecError):
        ResourceCache(parse_job).put({**make_manifest(1), "spec": {}})


def test_a_known_job_whose_new_spec_is_none_keeps_the_last_one() -> None:
    cache = ResourceCache(parse_job)
    cache.put(make_manifest(1, phase="Mapping"))
    view = cache.put({**make_manifest(2, phase="Reducing"), "spec": {}})
    assert view.spec == cache.put(make_manifest(1)).spec
    assert view.status == {"phase": "Reducing"}
    assert view.spec_error
