"""What the commit records of a run add up to."""

import json
from collections.abc import Iterable
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from podreduce.contract.task import CommitRecord, RunTotals
from podreduce.contract.wire import decode, encode
from podreduce_operator.runs.counter_sums import CounterSums
from podreduce_operator.runs.publishing import build_intent, build_manifest
from podreduce_operator.runs.run_totals import MOST_COUNTERS, add_up
from tests.support.builders.plans import make_plan
from tests.support.builders.records import make_commit
from tests.support.builders.tasks import map_task, reduce_task

COUNTERS = st.dictionaries(
    st.sampled_from(["a", "b"]), st.dictionaries(st.sampled_from(["x", "y"]), st.integers(-(2**63), 2**63 - 1))
)


def add_all(commits: Iterable[CommitRecord]) -> RunTotals:
    """The totals, with the counters of these commits."""
    commits, sums = list(commits), CounterSums()
    for commit in commits:
        sums.add(commit.counters)
    return add_up(commits, sums.sums)


def totals_of(*commits: CommitRecord) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(encode(add_all(commits)))
    return found


def test_bytes_and_seconds_are_those_of_the_tasks() -> None:
    found = totals_of(
        make_commit(map_task(0), bytes_in=10, started_at=1.0, finished_at=2.5),
        make_commit(map_task(1), bytes_in=7, started_at=2.0, finished_at=2.001),
        make_commit(reduce_task(0), bytes_in=100, started_at=5.0, finished_at=4.0),
        make_commit(reduce_task(1), bytes_in=100, started_at=5.0, finished_at=9.0),
    )
    assert found["bytesIn"] == 17
    assert found["slotSeconds"] == {"map": 1.501, "reduce": 4.0}
    assert found["counters"]["podreduce"]["mapBytesIn"] == 17
    assert found["counters"]["podreduce"]["reduceRecordsOut"] == 2


@given(st.lists(COUNTERS, max_size=4))
def test_counters_are_the_sums_of_all_tasks_within_64_bits(all_counters: list[dict[str, dict[str, int]]]) -> None:
    sums: dict[tuple[str, str], int] = {}
    for counters in all_counters:
        for group, members in counters.items():
            for name, value in members.items():
                sums[group, name] = sums.get((group, name), 0) + value
    commits = [make_commit(map_task(index), counters=counters) for index, counters in enumerate(all_counters)]
    found = totals_of(*commits)["counters"]
    own = found.pop("podreduce", {})
    assert bool(own) == bool(commits)
    told = {(group, name): value for group, members in found.items() for name, value in members.items()}
    assert told == {key: min(max(value, -(2**63) + 1), 2**63 - 1) for key, value in sums.items()}


def test_counters_that_are_too_many_are_left_out_and_counted() -> None:
    names = [{"g": {f"{task}-{number:03}": 1 for number in range(600)}} for task in range(2)]
    found = totals_of(*(make_commit(map_task(index), counters=each) for index, each in enumerate(names)))
    assert len(found["counters"]["g"]) == MOST_COUNTERS
    assert found["omittedCounters"] == 200
    assert "mapRecordsIn" in found["counters"]["podreduce"]


def test_a_manifest_says_what_the_intent_does_whoever_publishes_it() -> None:
    commits = [make_commit(map_task(0), counters={"g": {"n": 3}}), make_commit(reduce_task(0))]
    plan = make_plan(input_digest="1" * 64, spec_digest="2" * 64)
    intent = build_intent(plan, commits[1:], add_all(commits))
    manifest = build_manifest(plan, "digest", decode(encode(intent), type(intent)))
    found = json.loads(encode(manifest))
    assert (found["inputDigest"], found["specDigest"]) == ("1" * 64, "2" * 64)
    assert found["counters"]["g"] == {"n": 3}
    assert found["slotSeconds"] == {"map": 50.0, "reduce": 50.0}
    assert found["bytesIn"] == 10


def test_a_manifest_of_an_intent_of_an_earlier_release_says_that_it_does_not_know() -> None:
    plan = make_plan()
    intent = build_intent(plan, [make_commit(reduce_task(0))], add_up([], {}))
    earlier = {name: value for name, value in json.loads(encode(intent)).items() if name != "totals"}
    found = build_manifest(plan, "digest", decode(json.dumps(earlier).encode(), type(intent)))
    assert (found.counters, found.bytes_in, found.slot_seconds, found.owner) == (None, None, None, None)
