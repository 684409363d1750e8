import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest

from podreduce.contract.task import TaskRef, TaskType
from podreduce_operator.api.times import parse_time
from podreduce_operator.model.decisions import Phase, Verdict
from podreduce_operator.model.observed import Observed, RunState
from podreduce_operator.model.pods import AttemptProgress, PodPhase, PodView
from podreduce_operator.policy.status import build_status
from podreduce_operator.policy.wave_progress import WAVE_SECONDS, describe_wave
from tests.support.builders.jobs import make_job
from tests.support.builders.observed import make_observed
from tests.support.builders.plans import make_plan_summary, make_shuffle
from tests.support.builders.pods import make_pod
from tests.support.builders.records import make_commit, make_failure
from tests.support.builders.tasks import map_task, reduce_task

MB = 1_000_000
START = 1_000_000.0
TEN_MAPS = make_plan_summary(shards=10, bytes=1000 * MB)
STARTED = RunState(run_id="1", started_at=START)


def running(fractions: Mapping[int, float], *, records: int = 0, **fields: Any) -> dict[str, Any]:
    """The pods of maps that started with the run, and what each has reported."""
    pods = {index: make_pod(map_task(index), started_at=START, **fields) for index in fractions}
    progress = {
        pods[index].attempt_id: AttemptProgress(fraction=fraction, reported_at=START, changed_at=START, records=records)
        for index, fraction in fractions.items()
    }
    return {"pods": tuple(pods.values()), "progress": progress}


def committed(*indexes: int, after: float = 10.0, **fields: Any) -> list[Any]:
    return [make_commit(map_task(index), started_at=START, finished_at=START + after, **fields) for index in indexes]


def look(
    seconds: float, known: Mapping[str, Any] | None = None, *, is_written: bool = False, **fields: Any
) -> Mapping[str, Any] | None:
    """What the status says of the maps so many seconds after the run began."""
    observed = make_observed(**({"plan": TEN_MAPS, "run": STARTED} | fields))
    return describe_wave(observed, Phase.MAPPING, known, START + seconds, is_written=is_written)


def seen(*arguments: Any, **fields: Any) -> Mapping[str, Any]:
    found = look(*arguments, **fields)
    assert found is not None
    return found


def test_committed_tasks_count_whole_and_running_ones_by_what_they_report() -> None:
    known = seen(40, commits=committed(0, 1, 2), **running({4: 0.5, 5: 0.5}))
    assert (known["bytes"], known["bytesPerSecond"]) == (400 * MB, 10.0 * MB)
    wave = seen(50, known, commits=committed(0, 1, 2, 3, records_in=7), **running({4: 0.5, 5: 0.5}, records=3))
    assert wave == {
        "tasks": "map",
        "percent": 50,
        "bytes": 500 * MB,
        "totalBytes": 1000 * MB,
        "records": 4 * 7 + 2 * 3,
        "bytesPerSecond": 10.0 * MB,
        "secondsLeft": 50,
        "left": "50s",
        "observedAt": "1970-01-12T13:47:30Z",
    }


def test_the_speed_leans_to_the_last_minute() -> None:
    known = seen(50, commits=committed(0, 1, 2, 3))
    assert known["bytesPerSecond"] == 8.0 * MB
    wave = seen(100, known | {"observedAt": "1970-01-12T13:48:10Z"}, commits=committed(0, 1, 2, 3, 4))  # ten seconds
    assert wave["bytesPerSecond"] == round(8.0 * MB * 5 / 6 + 10.0 * MB / 6, -4)


@pytest.mark.parametrize(
    "phase", [Phase.PLANNING, Phase.COMMITTING, Phase.SUSPENDED, Phase.COMPLETE, Phase.FAILED], ids=str
)
def test_nothing_is_said_while_no_tasks_run(phase: Phase) -> None:
    observed = make_observed(plan=TEN_MAPS, commits=committed(0))
    known = seen(10, commits=committed(0))
    assert describe_wave(observed, phase, known, START + 60, is_written=True) is None


def test_before_anything_is_done_neither_speed_nor_time_left_is_known() -> None:
    for fields in ({}, running({}), running({0: 0.0}), {"pods": (make_pod(phase=PodPhase.PENDING),)}):
        wave = seen(30, **fields)
        assert (wave["percent"], wave["bytes"]) == (0, 0)
        assert wave.keys().isdisjoint({"bytesPerSecond", "secondsLeft", "left"})


def test_a_standstill_makes_the_time_left_longer_until_it_says_nothing() -> None:
    wave, lefts = seen(10, **running({0: 0.5})), []
    for seconds in range(20, 3000, 10):
        wave = seen(seconds, wave, **running({0: 0.5}))
        lefts.append(wave.get("secondsLeft"))
    assert lefts[0] > 190
    assert lefts[1] > lefts[0]
    assert lefts[-1] is None


def test_a_hundred_percent_are_for_commits_only() -> None:
    everything = dict.fromkeys(range(10), 1.0)
    assert seen(10, **running(everything))["percent"] == 99
    done = seen(10, commits=committed(*range(10)))
    assert (done["percent"], done["bytes"]) == (100, 1000 * MB)
    assert "secondsLeft" not in done


def test_a_twin_counts_as_the_better_of_both() -> None:
    one, other = make_pod(map_task(0), started_at=START), make_pod(map_task(0), ordinal=2, started_at=START)
    progress = {
        pod.attempt_id: AttemptProgress(fraction=fraction, reported_at=START, changed_at=START)
        for pod, fraction in ((one, 0.2), (other, 0.6))
    }
    assert seen(10, pods=(one, other), progress=progress)["percent"] == 6


def test_an_attempt_beside_its_task_s_commit_counts_no_more() -> None:
    assert seen(10, commits=committed(0), **running({0: 1.0}))["percent"] == 10


def test_a_map_whose_output_is_lost_is_to_be_done_again() -> None:
    lost = make_failure(reduce_task(0), lost=(map_task(0), 0))
    assert seen(10, commits=committed(0, 1), failures=[lost])["percent"] == 10


def test_reduces_are_measured_by_their_partitions() -> None:
    shuffle = make_shuffle(partitions=3, map_generations=(0,) * 10, partition_bytes=(100, 300, 0))
    commits = [*committed(*range(10)), make_commit(reduce_task(1), started_at=START, finished_at=START + 5)]
    observed = make_observed(plan=TEN_MAPS, run=STARTED, commits=commits, shuffle=shuffle)
    wave = describe_wave(observed, Phase.REDUCING, seen(5, commits=commits), START + 6, is_written=True)
    assert wave is not None
    assert (wave["tasks"], wave["percent"], wave["bytes"], wave["totalBytes"]) == (
        "reduce",
        74,
        299,
        400,
    )  # a byte of the empty one


def test_an_input_without_bytes_is_counted_by_tasks() -> None:
    plan = make_plan_summary(shards=2, bytes=0)
    wave = seen(10, plan=plan, commits=committed(0))
    assert (wave["percent"], wave["bytes"], wave["totalBytes"]) == (50, 0, 0)


def test_after_a_suspension_the_speed_is_of_what_was_done_since() -> None:
    resumed = RunState(run_id="1", started_at=START + 1000)
    wave = seen(1010, run=resumed, commits=[*committed(0, 1, 2), *committed(3, after=1005.0)])
    assert wave["bytesPerSecond"] == 10.0 * MB


def test_a_new_operator_that_has_not_heard_of_the_attempts_takes_nothing_back() -> None:
    known = seen(10, commits=committed(0), **running({1: 0.5, 2: 0.5}))
    unheard = running({1: 0.5, 2: 0.5}) | {"progress": {}}
    assert seen(30, known, is_written=True, commits=committed(0), **unheard) == known
    assert seen(30, known, commits=committed(0, 3, 4), **unheard)["percent"] == 30


def test_while_the_store_is_away_the_numbers_stay() -> None:
    known = seen(10, commits=committed(0))
    away = make_observed(plan=None, is_store_unreadable=True)
    assert describe_wave(away, Phase.PLANNING, known, START + 60, is_written=True) == known
    assert describe_wave(away, Phase.FAILED, known, START + 60, is_written=True) is None


@pytest.mark.parametrize(
    ("seconds", "is_written", "is_fresh"),
    [(1.0, True, False), (2.0, True, True), (9.0, False, False), (10.0, False, True)],
)
def test_the_numbers_alone_are_written_every_ten_seconds_and_with_others_sooner(
    seconds: float, is_written: bool, is_fresh: bool
) -> None:
    known = seen(10, **running({0: 0.1}))
    later = seen(10 + seconds, known, is_written=is_written, **running({0: 0.2}))
    assert (later != known) is is_fresh


def test_numbers_that_stay_are_not_written_again() -> None:
    known = seen(10, pods=(make_pod(map_task(0), started_at=START),))
    assert seen(600, known, pods=(make_pod(map_task(0), started_at=START),)) == known


@dataclass
class RandomRun:
    """A run of maps whose attempts report, commit, get lost and start again, by chance."""

    chance: random.Random
    shards: int
    input_bytes: int
    fractions: dict[int, float] = field(default_factory=dict)
    done: dict[int, float] = field(default_factory=dict)
    ordinals: dict[int, int] = field(default_factory=dict)

    def step(self, now: float, *, may_lose: bool) -> bool:
        """Go on by a second. Return whether an attempt was lost."""
        is_lost = False
        for index in range(self.shards):
            if index in self.done:
                continue
            if index not in self.fractions:
                if self.chance.random() < 0.3:
                    self.fractions[index] = 0.0
                    self.ordinals[index] = self.ordinals.get(index, 0) + 1
                continue
            fraction = min(self.fractions[index] + self.chance.random() * 0.1, 1.0)
            self.fractions[index] = fraction
            if fraction == 1.0 and self.chance.random() < 0.5:
                self.done[index] = now
                del self.fractions[index]
            elif may_lose and self.chance.random() < 0.02:
                is_lost = is_lost or fraction > 0
                del self.fractions[index]
        return is_lost

    def observe(self, status: Mapping[str, Any]) -> Observed:
        pods: dict[PodView, float] = {
            make_pod(map_task(index), ordinal=self.ordinals[index], started_at=START): fraction
            for index, fraction in self.fractions.items()
        }
        return make_observed(
            job=make_job(status=dict(status)),
            plan=make_plan_summary(shards=self.shards, bytes=self.input_bytes),
            run=STARTED,
            pods=tuple(pods),
            progress={
                pod.attempt_id: AttemptProgress(fraction=fraction, reported_at=START, changed_at=START)
                for pod, fraction in pods.items()
                if self.chance.random() < 0.8
            },
            commits=[
                make_commit(TaskRef(type=TaskType.MAP, index=index), started_at=START, finished_at=at)
                for index, at in self.done.items()
            ],
        )


def drawn_statuses(seed: int, *, may_lose: bool) -> Iterator[tuple[float, bool, dict[str, Any], dict[str, Any]]]:
    """Yield the time, whether an attempt was lost, and two statuses that follow each other."""
    chance = random.Random(seed)  # noqa: S311 - not a secret
    run = RandomRun(chance, shards=chance.choice((1, 2, 7, 40)), input_bytes=chance.choice((0, 5, 10**9)))
    status: dict[str, Any] = {}
    for second in range(300):
        is_lost = run.step(START + second, may_lose=may_lose)
        phase = Phase.MAPPING if len(run.done) < run.shards else Phase.REDUCING
        after = build_status(run.observe(status), Verdict(phase=phase), START + second, None)
        yield START + second, is_lost, status, after
        status = after
        if phase is Phase.REDUCING:
            return


@pytest.mark.parametrize("seed", range(40))
def test_percent_never_falls_within_a_wave_and_never_exceeds_a_hundred(seed: int) -> None:
    for _, _, before, after in drawn_statuses(seed, may_lose=False):
        if "wave" in before and before["wave"]["tasks"] == after["wave"]["tasks"]:
            assert before["wave"]["percent"] <= after["wave"]["percent"]
            assert before["wave"]["bytes"] <= after["wave"]["bytes"]
        assert 0 <= after["wave"]["percent"] <= 100
        assert 0 <= after["wave"]["bytes"] <= after["wave"]["totalBytes"]
        assert after["wave"].get("secondsLeft", 1) >= 1


@pytest.mark.parametrize("seed", range(40))
def test_percent_falls_only_after_an_attempt_was_lost(seed: int) -> None:
    lost = False
    for _, is_lost, before, after in drawn_statuses(seed, may_lose=True):
        lost = lost or is_lost
        if "wave" in before and before["wave"]["tasks"] == after["wave"]["tasks"]:
            assert lost or before["wave"]["percent"] <= after["wave"]["percent"]


@pytest.mark.parametrize("seed", range(40))
def test_between_two_writes_for_the_numbers_alone_are_ten_seconds(seed: int) -> None:
    for now, _, before, after in drawn_statuses(seed, may_lose=True):
        rest = [{name: value for name, value in each.items() if name != "wave"} for each in (before, after)]
        if rest[0] == rest[1] and before["wave"] != after["wave"]:
            told_at = parse_time(before["wave"]["observedAt"])
            assert told_at is not None
            assert now - told_at >= WAVE_SECONDS
