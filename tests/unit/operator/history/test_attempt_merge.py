from dataclasses import replace
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from podreduce.contract.attempts import AttemptRecord
from podreduce_operator.history.attempt_merge import KeptAttempts, pack, unpack
from podreduce_operator.model.pods import PodPhase, Requests
from podreduce_operator.policy.attempt_record import describe_attempt
from tests.support.builders.pods import make_pod
from tests.support.builders.tasks import map_task, reduce_task

POD = make_pod(map_task(3), node="node-1", created_at=10.0, scheduled_at=12.0, requests=Requests(500, 2**30))
WAITING = describe_attempt(replace(POD, phase=PodPhase.PENDING, node="", reason="Unschedulable"), 20.0)
RUNNING = describe_attempt(replace(POD, started_at=15.0), 21.0)
GONE = describe_attempt(replace(POD, started_at=15.0), 30.0, "suspended")
TASKS = st.builds(lambda make, index: make(index), st.sampled_from([map_task, reduce_task]), st.integers(0, 2**31 - 1))


def kept(*records: AttemptRecord) -> AttemptRecord:
    """What these records of one attempt come to."""
    attempts = KeptAttempts()
    attempts.add(records)
    found = attempts.get(records[0].attempt_id)
    assert found is not None
    return found


@given(TASKS, st.text(), st.one_of(st.none(), st.floats(allow_nan=False)), st.one_of(st.none(), st.integers(0, 2**50)))
def test_a_record_is_unpacked_as_it_was(task: Any, message: str, at: float | None, memory_bytes: int | None) -> None:
    record = msgspec.structs.replace(GONE, task=task, message=message, finished_at=at, memory_bytes=memory_bytes)
    assert msgspec.structs.asdict(unpack(pack(record))) == msgspec.structs.asdict(record)


def test_of_an_attempt_of_which_nothing_was_kept_nothing_is_known() -> None:
    assert KeptAttempts().get("nobody-0") is None
    assert set(KeptAttempts().ids) == set()


@pytest.mark.parametrize("records", [(WAITING, RUNNING, GONE), (GONE, WAITING, RUNNING)], ids=["in order", "not"])
def test_what_was_kept_of_an_attempt_adds_up(records: tuple[AttemptRecord, ...]) -> None:
    found = kept(*records)
    assert (found.phase, found.node, found.started_at, found.why_deleted) == ("Running", "node-1", 15.0, "suspended")
    assert found.reason == "Unschedulable", "nobody has said anything else since"


def test_the_first_word_on_a_deletion_holds() -> None:
    later = describe_attempt(replace(POD, deleting=True), 60.0, "lost with its node")
    assert (kept(GONE, later).deleted_at, kept(GONE, later).why_deleted) == (30.0, "suspended")


def test_a_packed_attempt_takes_less_than_three_hundred_bytes() -> None:
    pod = replace(POD, uid="6f0c4a52-0000-4000-8000-000000000001", name="wordcount-0123456789-m-99999-1")
    ended = replace(pod, phase=PodPhase.FAILED, started_at=15.5, finished_at=99.25, exit_code=64, message="boom " * 10)
    assert len(pack(describe_attempt(ended, 100.0, "failure recorded"))) < 300
