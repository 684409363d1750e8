"""One attempt of a task: its settings, what it reads and verifies first, and what its parts share."""

import time
from bisect import bisect_right
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from operator import attrgetter
from pathlib import Path
from typing import Any

from podreduce.contract.environment import StorageSettings, TaskEnvironment
from podreduce.contract.errors import ObjectNotFoundError, PlanMismatchError, ProgramError, SetupFailedError
from podreduce.contract.layout import PLAN_KEY, shard_page_key
from podreduce.contract.output_files import FileRef
from podreduce.contract.plan import Plan, Shard, ShardPage
from podreduce.contract.program_files import PROGRAM_DIRECTORY
from podreduce.contract.task import CommitRecord, TaskType
from podreduce.contract.wire import NewerRecordError, decode, digest_bytes
from podreduce.outputs import PartWriter, open_part
from podreduce.program.api import Context
from podreduce.program.counters import Counters
from podreduce.program.loading import LoadedProgram, load_program
from podreduce.program.tracebacks import raise_blamed
from podreduce.storage import ObjectStore, open_store
from podreduce.task.commit import conclude
from podreduce.task.kept_log import keep_log
from podreduce.task.output_files import OutputFiles
from podreduce.task.quarantine import Quarantine
from podreduce.task.side_inputs import SideInputs
from podreduce.watching.chaos import Chaos, chaos_of
from podreduce.watching.logs import get_logger
from podreduce.watching.memory import buffer_budget_bytes, leave_room, memory_limit_bytes
from podreduce.watching.printed import Printed
from podreduce.watching.progress import Progress

__all__ = ["Attempt", "open_attempt", "read_shard"]


DIGEST_CHARACTERS = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """What every part of a task needs to know.

    Attributes:
        run_store: the run's prefix; `output_store` is the output's.
        chaos: the faults that are injected into the attempt, usually none.
        quarantine: takes the bad records of a map task that skips them; None if a bad record fails the attempt.
        side_inputs, files: what `context` gives the program of them.
        printed: what the attempt's process has printed and logged.
        started_at: seconds since the epoch.
    """

    environment: TaskEnvironment
    settings: StorageSettings
    plan: Plan
    run_store: ObjectStore
    output_store: ObjectStore
    counters: Counters
    context: Context
    progress: Progress
    chaos: Chaos
    quarantine: Quarantine | None
    side_inputs: SideInputs
    files: OutputFiles
    printed: Printed
    started_at: float

    def load_program(self) -> LoadedProgram:
        """Load the job's program, and its files before. Raises ProgramError, or what a store raises."""
        archive = self._provide_files() if self.plan.program.files else None
        return load_program(self.plan.program, name=self.plan.job.name, archive=archive)

    def _provide_files(self) -> Path | None:
        from podreduce.program.program_files import provide_files  # noqa: PLC0415 - packaging, which few need

        shared = self.environment.program_directory or self.environment.scratch_directory
        return provide_files(self.plan.program, self.open_input, Path(shared) / PROGRAM_DIRECTORY)

    def budget_bytes(self) -> int:
        """Return how much memory buffers may use from here on."""
        budget_bytes = buffer_budget_bytes(memory_limit_bytes(self.environment.memory_bytes))
        return leave_room(budget_bytes, self.side_inputs.unread_bytes())

    def open_input(self, uri: str) -> ObjectStore:
        """Open the store of an input object."""
        return self.chaos.trouble(open_store(uri, self.settings))

    def open_part(self) -> PartWriter:
        """Open the attempt's output part; use it in a `with`."""
        return open_part(self.output_store, self.plan, self.environment.task, self.environment.attempt_id)

    def stage_files(self) -> tuple[FileRef, ...]:
        """Stage the program's files; call it after its `teardown`. Raises ProgramError."""
        return self.files.stage(self.output_store, self.plan.job)

    @contextmanager
    def working(self) -> Iterator[None]:
        """Log the progress in the `with`, and report it to the operator if it has asked for it."""
        environment, progress = self.environment, self.progress
        with ExitStack() as stack:
            stack.enter_context(progress)
            stack.enter_context(self.chaos.at_work(lambda: progress.fraction))
            if environment.progress_url:
                from podreduce.watching.reporting import ProgressReporter  # noqa: PLC0415 - http.client, which few need

                report = partial(progress.report, environment.attempt_id)
                stack.enter_context(ProgressReporter(environment.progress_url, environment.progress_token, report))
            yield

    @contextmanager
    def in_use(self, program: LoadedProgram) -> Iterator[LoadedProgram]:
        """Call the program's `setup` before and its `teardown` after; not after a failure, which ends the process.

        Yields the program as `setup` leaves it: use its members for all decisions.
        """
        if program.setup:
            self._call(program.setup, self.context, where="setup", kind=SetupFailedError)
            program = program.bound_again()
        yield program
        if program.teardown:
            self._call(program.teardown, where="teardown", kind=ProgramError)

    def commit_record(self, **results: Any) -> CommitRecord:  # noqa: ANN401 - the struct checks them
        """Return the commit record of this attempt with these results; `finished_at` is now."""
        return CommitRecord(
            task=self.environment.task,
            generation=self.environment.generation,
            attempt_id=self.environment.attempt_id,
            pod_name=self.environment.pod_name,
            started_at=self.started_at,
            finished_at=time.time(),
            **results,
        )

    def conclude(self, record: CommitRecord) -> CommitRecord:
        """Store what was printed, commit `record`, and return the task's commit: `record`, or a faster attempt's."""
        keep_log(self.run_store, self.environment, self.printed, has_failed=False)
        return conclude(self.run_store, self.output_store, record)

    @staticmethod
    def _call(
        member: Any,  # noqa: ANN401 - the program's
        *arguments: object,
        where: str,
        kind: type[ProgramError],
    ) -> None:
        try:
            member(*arguments)
        except BaseException as error:  # noqa: BLE001 - raise_blamed passes on errors that are not the program's
            raise_blamed(error, where, kind)


def open_attempt(environment: TaskEnvironment, settings: StorageSettings, printed: Printed | None = None) -> Attempt:
    """Read the plan and set the attempt up. `printed`: what its process writes; None if nobody copies that.

    Raises:
        PlanMismatchError: the plan in the store is not the plan for this task.
    """
    run_store = open_store(environment.run_uri, settings)
    plan = read_plan(run_store, environment.plan_digest)
    chaos = chaos_of(plan, environment.attempt_id)
    run_store = chaos.trouble(run_store)
    counters = Counters()
    logger = get_logger(task=str(environment.task), attempt=environment.attempt_id)
    side_inputs = open_side_inputs(environment, plan, settings, chaos, counters)
    files = OutputFiles(files_directory(environment), environment.task, environment.attempt_id)
    return Attempt(
        environment=environment,
        settings=settings,
        plan=plan,
        run_store=run_store,
        output_store=chaos.trouble(open_store(plan.output_uri, settings)),
        counters=counters,
        context=Context(
            parameters=plan.program.parameters,
            task=environment.task,
            counters=counters,
            logger=logger.bind(logger="program"),
            side_inputs=side_inputs,
            files=files,
        ),
        progress=Progress(environment.task, logger, beats=lambda: counters.beats),
        chaos=chaos,
        quarantine=open_quarantine(environment, plan, run_store),
        side_inputs=side_inputs,
        files=files,
        printed=Printed() if printed is None else printed,
        started_at=time.time(),
    )


def open_side_inputs(
    environment: TaskEnvironment, plan: Plan, settings: StorageSettings, chaos: Chaos, counters: Counters
) -> SideInputs:
    """Return the side inputs. Tasks of one machine share them if they have the same plan."""
    shared = environment.side_directory or f"{environment.scratch_directory}/side-inputs"

    def beat() -> None:
        counters.beats += 1

    return SideInputs(
        plan,
        Path(shared, environment.plan_digest[:DIGEST_CHARACTERS]).absolute(),
        open_input=lambda uri: chaos.trouble(open_store(uri, settings)),
        beat=beat,
    )


def files_directory(environment: TaskEnvironment) -> Path:
    """Return where the program's files are until they are staged."""
    return Path(environment.scratch_directory, f"files-{environment.attempt_id}").absolute()


def open_quarantine(environment: TaskEnvironment, plan: Plan, run_store: ObjectStore) -> Quarantine | None:
    """Return the object that takes the attempt's bad records, if it skips them."""
    if plan.bad_records != "Skip" or environment.task.type is not TaskType.MAP:
        return None
    return Quarantine(run_store, environment.task, environment.attempt_id, limit=environment.max_bad_records)


def read_plan(run_store: ObjectStore, digest: str) -> Plan:
    """Read the run's plan and verify it.

    Raises:
        PlanMismatchError: there is no plan, its SHA-256 is not `digest`, or it is of a later release. The other records
            that a task reads have the plan's schema.
    """
    try:
        return decode(read_verified(run_store, PLAN_KEY, digest), Plan)
    except NewerRecordError as error:
        raise PlanMismatchError(
            f"{run_store.uri_of(PLAN_KEY)}: {error}; use an image of the operator's release and a new spec.runId"
        ) from error


def read_shard(run_store: ObjectStore, plan: Plan, index: int) -> Shard:
    """Read the shard of map task `index`.

    Raises:
        PlanMismatchError: there is no such shard, or its page is not the plan's page.
    """
    after = bisect_right(plan.pages, index, key=attrgetter("first_shard"))
    if not after or not 0 <= index < plan.shards:
        raise PlanMismatchError(f"{run_store.uri}: the plan has no shard {index} (it has {plan.shards})")
    ref = plan.pages[after - 1]
    key = shard_page_key(ref.number)
    page = decode(read_verified(run_store, key, ref.digest), ShardPage)
    place = index - ref.first_shard
    if place >= len(page.shards) or page.shards[place].index != index:
        raise PlanMismatchError(f"{run_store.uri_of(key)}: the page has no shard {index}")
    return page.shards[place]


def read_verified(store: ObjectStore, key: str, digest: str) -> bytes:
    """Return the object at `key` if its SHA-256 is `digest`."""
    try:
        data = store.get(key)
    except ObjectNotFoundError:
        raise PlanMismatchError(f"{store.uri_of(key)}: the plan is gone; was the run deleted?") from None
    found = digest_bytes(data)
    if found != digest:
        raise PlanMismatchError(
            f"{store.uri_of(key)}: its SHA-256 is {found}, but this task expects {digest}; start a new run"
        )
    return data
