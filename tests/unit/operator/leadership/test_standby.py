from podreduce_operator.leadership.standby import REMEMBERED_SECONDS, Standby
from podreduce_operator.model.jobs import JobKey
from tests.support.builders.jobs import make_job

KNOWN = [JobKey(namespace="team", name="first"), JobKey(namespace="team", name="second")]


class Operator:
    """What a standby calls, and the story of it."""

    def __init__(self) -> None:
        self.now = 0.0
        self.story: list[str] = []
        self.standby = Standby(
            wake=lambda key: self.story.append(f"wake {key.name}"),
            remove=lambda job: self.story.append(f"remove {job.uid}"),
            known=lambda: KNOWN,
            clock=lambda: self.now,
        )


def test_a_standby_does_nothing() -> None:
    operator = Operator()
    operator.standby.wake(KNOWN[0])
    operator.standby.remove(make_job(uid="gone"))
    assert operator.story == []


def test_who_begins_to_lead_removes_what_was_deleted_lately_and_wakes_every_job() -> None:
    operator = Operator()
    operator.standby.wake(KNOWN[0])
    operator.standby.remove(make_job(uid="long-gone"))
    operator.now = REMEMBERED_SECONDS + 1
    operator.standby.remove(make_job(uid="gone"))
    operator.standby.begin_leading()
    assert operator.story == ["remove gone", "wake first", "wake second"]


def test_the_leader_does_what_comes_at_once() -> None:
    operator = Operator()
    operator.standby.begin_leading()
    operator.story.clear()
    operator.standby.wake(KNOWN[1])
    operator.standby.remove(make_job(uid="gone"))
    assert operator.story == ["wake second", "remove gone"]


def test_deletions_that_are_old_are_not_kept() -> None:
    operator = Operator()
    for number in range(100):
        operator.now = float(number * 100)
        operator.standby.remove(make_job(uid=f"gone-{number}"))
    operator.standby.begin_leading()
    assert operator.story[:-2] == [f"remove gone-{number}" for number in (96, 97, 98, 99)]
