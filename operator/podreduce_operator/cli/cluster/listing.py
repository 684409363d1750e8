"""`podreduce list`: the resources of a kind as a table. The columns are pure functions of a manifest and the time."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from podreduce.contract.task import TaskType
from podreduce_operator.api.times import parse_time
from podreduce_operator.cli.cluster.errors import CommandExit
from podreduce_operator.cli.cluster.kinds import JOB, PIPELINE, SCHEDULE, Kind
from podreduce_operator.cli.cluster.output_format import Format
from podreduce_operator.cli.cluster.printing import align, print_resources
from podreduce_operator.cli.cluster.run_facts import (
    count_tasks,
    find_wait,
    message_of,
    read_duration,
    read_tasks,
    spec_of,
    status_of,
)
from podreduce_operator.cli.terminal import complain, say

if TYPE_CHECKING:
    from podreduce_operator.cli.cluster.connection import Connection

__all__ = ["build_table", "list_resources"]

Manifest = Mapping[str, Any]
NOTHING = "-"
MINUTE, HOUR, DAY = 60, 3600, 86_400


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """A column of a table. A `wide` one is shown on request."""

    title: str
    render: Callable[[Manifest, float], str]
    wide: bool = False


def render_age(seconds: float | None) -> str:
    """Return a duration as kubectl's tables have it: `45s`, `12m`, `5h`, `3d`."""
    if seconds is None:
        return NOTHING
    for unit, size in (("d", DAY), ("h", HOUR), ("m", MINUTE)):
        if seconds >= 2 * size:
            return f"{int(seconds // size)}{unit}"
    return f"{int(seconds)}s"


def since(text: str | None, now: float) -> str:
    """Return how long ago a time is; a time to come has a minus."""
    at = parse_time(text)
    if at is None:
        return NOTHING
    return render_age(now - at) if at <= now else f"in {render_age(at - now)}"


def reason_of(manifest: Manifest, _: float) -> str:
    """Return why the resource waits or failed."""
    status = status_of(manifest)
    kinds = ("Failed", "Stalled", "SpecNotUnderstood", "LastRunFailed")
    told = (message_of(status, kind)[0] for kind in kinds)
    return next((reason for reason in (*told, find_wait(status)[0]) if reason), NOTHING)


def progress_of(task_type: TaskType) -> Callable[[Manifest, float], str]:
    """Return the column of the tasks of one type."""
    return lambda manifest, _: str(read_tasks(status_of(manifest), task_type).get("progress", NOTHING))


def percent_of(manifest: Manifest, _: float) -> str:
    """Return how much of the work of the tasks that run is done."""
    percent = (status_of(manifest).get("wave") or {}).get("percent")
    return NOTHING if percent is None else f"{percent}%"


def left_of(manifest: Manifest, _: float) -> str:
    """Return how long the tasks that run still take."""
    return str((status_of(manifest).get("wave") or {}).get("left", NOTHING))


def failed_attempts(manifest: Manifest, _: float) -> str:
    """Return how many attempts have failed."""
    return str(count_tasks(status_of(manifest), "failed"))


def records_of(manifest: Manifest, _: float) -> str:
    """Return how many records were published."""
    output = status_of(manifest).get("output")
    return NOTHING if output is None else f"{output.get('records', 0):,}"


NAME = Column(title="NAME", render=lambda manifest, _: str(manifest["metadata"]["name"]))
NAMESPACE = Column(title="NAMESPACE", render=lambda manifest, _: str(manifest["metadata"]["namespace"]))
REASON = Column(title="REASON", render=reason_of, wide=True)

COLUMNS: dict[Kind, tuple[Column, ...]] = {
    JOB: (
        Column(title="PHASE", render=lambda manifest, _: str(status_of(manifest).get("phase", NOTHING))),
        Column(title="MAPS", render=progress_of(TaskType.MAP)),
        Column(title="REDUCES", render=progress_of(TaskType.REDUCE)),
        Column(title="STARTED", render=lambda manifest, now: since(status_of(manifest).get("startTime"), now)),
        Column(title="TOOK", render=lambda manifest, now: render_age(read_duration(status_of(manifest), now))),
        Column(title="PERCENT", render=percent_of, wide=True),
        Column(title="LEFT", render=left_of, wide=True),
        Column(title="RUN", render=lambda manifest, _: str(status_of(manifest).get("runId", NOTHING)), wide=True),
        Column(title="FAILURES", render=failed_attempts, wide=True),
        Column(title="RECORDS", render=records_of, wide=True),
        REASON,
    ),
    PIPELINE: (
        Column(title="PHASE", render=lambda manifest, _: str(status_of(manifest).get("phase", NOTHING))),
        Column(title="STEPS", render=lambda manifest, _: str(status_of(manifest).get("progress", NOTHING))),
        Column(title="LOOP", render=lambda manifest, _: str(status_of(manifest).get("loop", NOTHING))),
        Column(title="STARTED", render=lambda manifest, now: since(status_of(manifest).get("startTime"), now)),
        Column(title="TOOK", render=lambda manifest, now: render_age(read_duration(status_of(manifest), now))),
        Column(title="RUN", render=lambda manifest, _: str(status_of(manifest).get("runId", NOTHING)), wide=True),
        REASON,
    ),
    SCHEDULE: (
        Column(title="SCHEDULE", render=lambda manifest, _: str(spec_of(manifest).get("schedule", NOTHING))),
        Column(title="SUSPENDED", render=lambda manifest, _: "yes" if spec_of(manifest).get("suspend") else "no"),
        Column(title="ACTIVE", render=lambda manifest, _: str(len(status_of(manifest).get("active", ())))),
        Column(title="LAST", render=lambda manifest, now: since(status_of(manifest).get("lastScheduleTime"), now)),
        Column(title="NEXT", render=lambda manifest, now: since(status_of(manifest).get("nextScheduleTime"), now)),
        Column(title="ZONE", render=lambda manifest, _: str(spec_of(manifest).get("timeZone", NOTHING)), wide=True),
        Column(
            title="SUCCESS",
            render=lambda manifest, now: since(status_of(manifest).get("lastSuccessfulTime"), now),
            wide=True,
        ),
        REASON,
    ),
}


def build_table(
    kind: Kind, manifests: Sequence[Manifest], now: float, *, is_wide: bool, with_namespace: bool
) -> list[str]:
    """Return the lines of a table, its head first."""
    columns = [*([NAMESPACE] if with_namespace else []), NAME, *COLUMNS[kind]]
    shown = [column for column in columns if is_wide or not column.wide]
    head = [column.title for column in shown]
    return align([head, *([column.render(manifest, now) for column in shown] for manifest in manifests)])


async def list_resources(connection: "Connection", kind: Kind, *, selector: str, output: Format | None) -> CommandExit:
    """Print the resources of a kind."""
    manifests = await connection.list_all(kind, selector)
    if output not in {None, Format.WIDE}:
        named = [{"apiVersion": "", "kind": kind.names.kind, **manifest} for manifest in manifests]
        print_resources(named, output or Format.JSON, is_list=True)
        return CommandExit.DONE
    if not manifests:
        complain(
            f"there are no {kind.names.kind}s in {connection.where}"
            + ("" if connection.namespace is None else "; -A asks all namespaces")
        )
        return CommandExit.DONE
    is_wide, everywhere = output is Format.WIDE, connection.namespace is None
    for line in build_table(kind, manifests, time.time(), is_wide=is_wide, with_namespace=everywhere):
        say(line)
    return CommandExit.DONE
