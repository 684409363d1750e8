import asyncio
from pathlib import Path

import pytest

from podreduce.contract.task import TaskRef
from podreduce_operator.cli.engine import Stop, settle
from podreduce_operator.loop.reconcile import Reconciler
from podreduce_operator.model.actions import CommitOutput, CreatePod
from podreduce_operator.model.jobs import JobKey
from podreduce_operator.model.limits import Limits
from tests.conformance.process_world import ProcessWorld
from tests.support.builders.jobs import make_job

CREATE = CreatePod(task=TaskRef.parse("m-0"), ordinal=1, generation=0)


class PatientReconciler(Reconciler):
    """Settles when told to."""

    def __init__(self, work_directory: Path) -> None:
        super().__init__(ProcessWorld(work_directory).cluster, limits=Limits(parallelism=1))
        self.finish = asyncio.Event()

    async def settle(self, key: JobKey) -> None:
        assert key == make_job().key
        await self.finish.wait()


@pytest.fixture
def stop() -> Stop:
    return Stop(requested=asyncio.Event(), forced=asyncio.Event())


async def test_a_run_that_ends_by_itself_is_settled(tmp_path: Path, stop: Stop) -> None:
    reconciler = PatientReconciler(tmp_path)
    reconciler.finish.set()
    assert await settle(reconciler, make_job(), stop)


async def test_a_signal_ends_a_run_that_is_not_committing(tmp_path: Path, stop: Stop) -> None:
    stop.note_commit("before", CREATE)
    stop.take_signal()
    assert not await settle(PatientReconciler(tmp_path), make_job(), stop)


async def test_a_run_that_is_committing_goes_on_to_its_end(tmp_path: Path, stop: Stop) -> None:
    reconciler = PatientReconciler(tmp_path)
    stop.note_commit("before", CommitOutput())
    stop.take_signal()
    settling = asyncio.create_task(settle(reconciler, make_job(), stop))
    await asyncio.sleep(0.01)
    assert not settling.done()
    reconciler.finish.set()
    assert await settling


async def test_a_second_signal_ends_even_that(tmp_path: Path, stop: Stop) -> None:
    stop.note_commit("before", CommitOutput())
    stop.take_signal()
    stop.take_signal()
    assert not await settle(PatientReconciler(tmp_path), make_job(), stop)
