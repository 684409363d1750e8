import asyncio

from podreduce_operator.model.jobs import JobKey, JobView
from podreduce_operator.process.removals import Removals
from tests.support.builders.jobs import make_job


class Operator:
    """What removals call: they take until `done` is set, and the first may fail."""

    def __init__(self, *, successor: bool = False, fails: bool = False) -> None:
        self.successor, self.fails = successor, fails
        self.done = asyncio.Event()
        self.story: list[str] = []
        self.removals = Removals(remove_data=self.remove_data, wake=self.wake, is_known=self.is_known)

    async def remove_data(self, job: JobView) -> None:
        self.story.append(f"forget {job.uid}")
        await self.done.wait()
        if self.fails:
            raise RuntimeError("the store is down")
        self.story.append(f"removed {job.uid}")

    def is_known(self, _key: JobKey) -> bool:
        return self.successor

    def wake(self, key: JobKey) -> None:
        self.story.append(f"wake {key.name}")


async def settle() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


async def test_a_job_is_removed_once_however_often_it_is_said_to_be_gone() -> None:
    operator = Operator()
    for _ in range(3):
        operator.removals.add(make_job(uid="old"))
    operator.done.set()
    await settle()
    assert operator.story == ["forget old", "removed old"]


async def test_a_successor_of_the_same_name_goes_on_while_its_predecessor_is_removed() -> None:
    operator = Operator(successor=True)
    operator.removals.add(make_job(uid="old"))
    await settle()
    assert operator.story == ["forget old", "wake wordcount"]
    await operator.removals.close()


async def test_a_removal_that_fails_is_left_to_the_sweeper() -> None:
    operator = Operator(fails=True)
    operator.done.set()
    operator.removals.add(make_job(uid="old"))
    await settle()
    operator.fails = False
    operator.removals.add(make_job(uid="old"))
    await settle()
    assert operator.story == ["forget old", "forget old", "removed old"]
