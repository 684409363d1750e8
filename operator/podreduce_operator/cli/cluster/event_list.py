"""`podreduce events`: what was reported about a resource and about its pods, in the order of time."""

import sys
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from podreduce_operator.api.times import parse_time
from podreduce_operator.cli.cluster.errors import CommandExit
from podreduce_operator.cli.cluster.kinds import JOB, Reference
from podreduce_operator.cli.cluster.listing import render_age
from podreduce_operator.cli.cluster.output_format import Format
from podreduce_operator.cli.cluster.printing import align, print_resources
from podreduce_operator.cli.cluster.resources import read_resource, uid_of
from podreduce_operator.cli.cluster.run_facts import status_of, wanted_run_id
from podreduce_operator.cli.terminal import complain, say, terminal_width
from podreduce_operator.pods.pod_names import hash_run
from podreduce_operator.policy.run_state import current_run_id

if TYPE_CHECKING:
    from podreduce_operator.cli.cluster.connection import Connection

__all__ = ["Event", "list_events", "parse_events", "read_events", "run_mark"]

Json = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Event:
    """A Kubernetes event. `about` is `mrj/wordcount`, or a task and an attempt: `m-3-1`."""

    at: float
    about: str
    kind: str
    reason: str
    message: str
    count: int


async def list_events(connection: "Connection", reference: Reference, output: Format | None) -> CommandExit:
    """Print the events of a resource and of its pods."""
    manifest = await read_resource(connection, reference)
    found = await read_events(connection, reference, manifest)
    if output not in {None, Format.WIDE}:
        print_resources(found, output or Format.JSON, is_list=True)
        return CommandExit.DONE
    events = parse_events(found, reference, run_mark(manifest))
    if not events:
        complain(f"{reference}: no events: the cluster keeps them for an hour; the status stays")
        return CommandExit.DONE
    for line in render_events(events, time.time(), terminal_width(sys.stdout)):
        say(line)
    return CommandExit.DONE


async def read_events(connection: "Connection", reference: Reference, manifest: Json) -> list[Json]:
    """Return the events of a resource, and of the pods of a job's newest run."""
    found = await connection.list_core("events", {"fieldSelector": f"involvedObject.uid={uid_of(manifest)}"})
    if reference.kind is JOB:
        mark = run_mark(manifest)
        of_pods = await connection.list_core("events", {"fieldSelector": "involvedObject.kind=Pod"})
        found += [event for event in of_pods if mark in str(event["involvedObject"].get("name", ""))]
    return [{"apiVersion": "v1", "kind": "Event", **event} for event in found]


def run_mark(job: Json) -> str:
    """Return what the names of all pods of a job's run contain."""
    return f"-{hash_run(uid_of(job), current_run_id(status_of(job), wanted_run_id(job)))}-"


def parse_events(found: Iterable[Mapping[str, Any]], reference: Reference, mark: str) -> list[Event]:
    """Return events in the order of time. A pod's name is cut to its task and attempt after `mark`: `m-3-1`."""
    return sorted(
        Event(
            at=parse_time(event.get("lastTimestamp") or event.get("eventTime") or event.get("firstTimestamp")) or 0.0,
            about=name_subject(event["involvedObject"], reference, mark),
            kind=str(event.get("type", "")),
            reason=str(event.get("reason", "")),
            message=" ".join(str(event.get("message", "")).split()),
            count=int(event.get("count") or 1),
        )
        for event in found
    )


def name_subject(involved: Mapping[str, Any], reference: Reference, mark: str) -> str:
    """Return what an event is about, in short."""
    return str(involved.get("name", "")).partition(mark)[2] if involved.get("kind") == "Pod" else str(reference)


def render_events(events: Sequence[Event], now: float, width: int | None) -> list[str]:
    """Return a table of events, the oldest first."""
    head = ("LAST SEEN", "TYPE", "REASON", "ABOUT", "MESSAGE")
    rows = [
        (
            render_age(now - event.at) + (f" (x{event.count})" if event.count > 1 else ""),
            event.kind,
            event.reason,
            event.about,
            event.message,
        )
        for event in events
    ]
    return align([head, *rows], width)
