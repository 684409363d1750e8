"""`podreduce replay`: finds the run and the task, runs it, and compares its end with what was recorded."""

import sys
import tempfile
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from podreduce.contract.environment import StorageSettings
from podreduce.contract.errors import PodreduceError
from podreduce.contract.layout import shuffle_key
from podreduce.contract.task import CommitRecord, FailureRecord, ShuffleManifest, TaskRef, TaskType
from podreduce.contract.texts import render_count
from podreduce.contract.wire import encode
from podreduce.storage import open_store
from podreduce_operator.cli.cluster.errors import CommandError, CommandExit
from podreduce_operator.cli.cluster.kinds import Reference
from podreduce_operator.cli.cluster.run_facts import status_of
from podreduce_operator.cli.cluster.run_store import open_run_store
from podreduce_operator.cli.cluster.subjects import find_job
from podreduce_operator.cli.cluster.task_names import parse_task
from podreduce_operator.cli.kept_run import is_kept_run, read_setting
from podreduce_operator.cli.replay.run_copy import Recorded, RunCopy, copy_run, find_failures
from podreduce_operator.cli.replay.task_replay import Replayed, TaskSetting, replay_task
from podreduce_operator.cli.terminal import complain, fit, say
from podreduce_operator.cli.wording import render_bytes, render_seconds
from podreduce_operator.cli.workspace import RECORDS_NAME
from podreduce_operator.cluster.local.machine import count_cores

if TYPE_CHECKING:
    from podreduce_operator.cli.cluster.connection import Connection

__all__ = ["ReplayOptions", "replay", "replay_job", "replay_kept"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplayOptions:
    """What is run again, and how.

    Attributes:
        task: as the command line names it; None: the one that failed last.
        step: of a pipeline; None: the first that failed.
        debugs: open a debugger where it fails.
        with_maps: for a reduce: run all maps here first.
        endpoint: replaces the store's.
        environ: further variables of the tasks; `directory`: where they run, None: here.
    """

    task: str | None = None
    step: str | None = None
    debugs: bool = False
    with_maps: bool = False
    endpoint: str | None = None
    environ: Mapping[str, str] = field(default_factory=dict)
    directory: Path | None = None


async def replay_job(connection: "Connection", reference: Reference, options: ReplayOptions) -> CommandExit:
    """Run a task of a job's newest run again, or one of the job of a pipeline's step."""
    manifest = (await find_job(connection, reference, options.step)).manifest
    status = status_of(manifest)
    if options.task is not None:
        options = replace(options, task=str(parse_task(options.task, status)))
    async with open_run_store(connection, manifest, options.endpoint) as opened:
        settings = StorageSettings() if opened.storage is None else opened.storage.settings
        try:
            recorded = Recorded(run=opened.open_run(), settings=settings, plan_digest=status.get("planDigest"))
            return replay(recorded, options)
        except PodreduceError as error:
            raise opened.explain(error) from error


def replay_kept(directory: Path, options: ReplayOptions) -> CommandExit:
    """Run a task of a local run again, of which a directory has the records.

    Raises:
        CommandError: it has none, or the task cannot be run.
    """
    records = next((each for each in (directory, directory / RECORDS_NAME) if is_kept_run(each)), None)
    if records is None:
        raise CommandError(
            f"{directory}: no records of a run: podreduce run names the directory when it fails; of a run that went "
            "well nothing is kept",
            CommandExit.FAILED,
        )
    environ, place = read_setting(records)
    recorded = Recorded(run=open_store(f"{records.absolute().as_uri()}/"), settings=StorageSettings())
    return replay(recorded, replace(options, environ=environ, directory=place))


def replay(recorded: Recorded, options: ReplayOptions) -> CommandExit:
    """Run a task of a recorded run again, and print how it ended.

    Raises:
        CommandError: it cannot be run.
        PodreduceError: the store cannot be read.
    """
    if options.debugs and not sys.stdin.isatty():
        raise CommandError("--pdb: a debugger needs a terminal, and standard input is none", CommandExit.INVALID)
    task = choose_task(recorded, options.task)
    failures = find_failures(recorded.run, task)
    setting = TaskSetting(
        settings=recorded.settings, environ=options.environ, directory=options.directory, debugs=options.debugs
    )
    with_maps = options.with_maps and task.type is TaskType.REDUCE
    with tempfile.TemporaryDirectory(prefix="podreduce-replay-") as directory:
        copy = copy_run(recorded, task, Path(directory), with_maps=with_maps)
        if with_maps:
            failed = run_maps(copy, replace(setting, debugs=False, is_quiet=True))
            if failed is not None:
                return tell(failed, [])
        return tell(replay_task(copy, task, setting), failures)


def choose_task(recorded: Recorded, name: str | None) -> TaskRef:
    """Return the task that is named, or else the one that failed last.

    Raises:
        CommandError: none is named, and none has failed.
    """
    if name is not None:
        return parse_task(name, {})
    failures = find_failures(recorded.run, None)
    if not failures:
        raise CommandError("no failed attempt is recorded: name a task, as m-3 (a map) or r-0", CommandExit.INVALID)
    return failures[-1].task


def run_maps(copy: RunCopy, setting: TaskSetting) -> Replayed | None:
    """Run all maps, and name their blobs as what the reduce reads. Return the first map that fails."""
    if copy.shuffle is None:
        return None
    commits: list[CommitRecord] = []
    maps = [TaskRef(type=TaskType.MAP, index=index) for index in range(copy.plan.shards)]
    with ThreadPoolExecutor(count_cores()) as pool, ending_all(pool, setting):
        for found in pool.map(lambda task: replay_task(copy, task, setting), maps):
            if found.commit is None:
                return found
            commits.append(found.commit)
            complain(f"{len(commits)} of {render_count(len(maps), 'map')} done")
    copy.store.put(shuffle_key(copy.shuffle.generation), encode(with_blobs(copy.shuffle, commits)))
    return None


@contextmanager
def ending_all(pool: ThreadPoolExecutor, setting: TaskSetting) -> Iterator[None]:
    """End what still runs after the `with`, and start nothing more: a map has failed, or somebody has interrupted."""
    try:
        yield
    finally:
        pool.shutdown(wait=False, cancel_futures=True)
        setting.end_all()


def with_blobs(shuffle: ShuffleManifest, commits: list[CommitRecord]) -> ShuffleManifest:
    """Return the manifest with other blobs. Their footers say where each partition is.

    Raises:
        CommandError: a map has no blob here, so the program is another than it was.
    """
    blobs = [commit.blob for commit in commits if commit.blob is not None]
    if len(blobs) != len(commits):
        raise CommandError("the maps write the output here: the program has no reduce any more", CommandExit.FAILED)
    return msgspec.structs.replace(shuffle, maps=tuple(blobs), map_generations=(0,) * len(blobs), offset_pages=())


def tell(replayed: Replayed, failures: list[FailureRecord]) -> CommandExit:
    """Print how a task ended, and whether that is what was recorded."""
    say(fit("\n".join(render_end(replayed, failures)), sys.stdout))
    return CommandExit.FAILED if replayed.commit is None else CommandExit.DONE


def render_end(replayed: Replayed, failures: list[FailureRecord]) -> Iterator[str]:
    """Yield the lines about the end of a replay."""
    task, took = replayed.task, render_seconds(replayed.seconds)
    last = failures[-1] if failures else None
    if replayed.commit is not None:
        commit = replayed.commit
        yield (
            f"{task}: went well here in {took}: {render_count(commit.records_in, 'record')} read, "
            f"{render_count(commit.records_out, 'record')} and {render_bytes(commit.bytes_out)} written"
        )
        if last is not None:
            yield (
                f"recorded is {last.reason}: {last.message}; what differs here may be the packages, the memory, the "
                "machine, or chance"
            )
        return
    outcome = replayed.outcome
    if outcome is None:
        yield f"{task}: its process ended with the code {replayed.exit_code} and said nothing, after {took}"
        return
    yield outcome.message
    if outcome.record:
        yield f"at the record: {outcome.record}"
    yield f"{task}: failed here after {took}: {outcome.reason}; {compare(outcome.reason, outcome.message, last)}"
    if outcome.traceback:
        yield outcome.traceback.rstrip("\n")


def compare(reason: str, message: str, last: FailureRecord | None) -> str:
    """Return whether a failure is the recorded one, in words."""
    if last is None:
        return "no failure of this task is recorded"
    if (reason, message) == (last.reason, last.message):
        return "the same as recorded"
    return f"recorded is another: {last.reason}: {last.message}"
