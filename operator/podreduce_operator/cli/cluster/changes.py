"""`suspend`, `resume`, `cancel` and `rerun`: small changes of a resource's spec.

Rule: a run in progress is only given up after a question, or with `--yes`.
"""

import re
import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from podreduce_operator.api.owners import read_controller
from podreduce_operator.cli.cluster.errors import CommandError, CommandExit
from podreduce_operator.cli.cluster.kinds import JOB, KINDS, SCHEDULE, Reference
from podreduce_operator.cli.cluster.resources import read_resource, uid_of
from podreduce_operator.cli.cluster.run_facts import Ending, find_ending, spec_of, status_of, wanted_run_id
from podreduce_operator.cli.terminal import complain, say

if TYPE_CHECKING:
    from podreduce_operator.cli.cluster.connection import Connection

__all__ = ["cancel", "next_run_id", "rerun", "set_suspend"]

MAX_RUN_ID = 63


async def set_suspend(connection: "Connection", reference: Reference, *, suspend: bool) -> CommandExit:
    """Set `spec.suspend`. What is committed stays."""
    manifest = await read_resource(connection, reference)
    if bool(spec_of(manifest).get("suspend")) is suspend:
        say(f"{reference}: is {'suspended' if suspend else 'not suspended'} already")
        return CommandExit.DONE
    warn_of_owner(reference, manifest)
    if suspend and reference.kind.has_runs and find_ending(manifest) in {Ending.COMPLETE, Ending.FAILED}:
        complain(f"{reference}: its run is over ({find_ending(manifest)}); a next run will not start before resume")
    await connection.patch(reference.kind, reference.name, {"spec": {"suspend": suspend}})
    if reference.kind is SCHEDULE and not suspend:
        say(f"{reference}: resumed; to see its next time: {connection.place.command('status', str(reference))}")
    elif suspend:
        say(f"{reference}: suspended; to go on: {connection.place.command('resume', str(reference))}")
    else:
        say(f"{reference}: resumed; to wait for its end: {connection.place.command('wait', str(reference))}")
    return CommandExit.DONE


async def cancel(connection: "Connection", reference: Reference, *, is_sure: bool) -> CommandExit:
    """Delete a resource whose run is in progress. What was published stays."""
    manifest = await read_resource(connection, reference)
    if reference.kind.has_runs and find_ending(manifest) in {Ending.COMPLETE, Ending.FAILED}:
        say(f"{reference}: its run is over: {find_ending(manifest)}; kubectl delete {reference} removes it")
        return CommandExit.DONE
    what = "its pods and its intermediate data go" if reference.kind is JOB else "its jobs go with it"
    confirm(f"{reference} will be deleted: {what}; published outputs stay", is_sure=is_sure)
    await connection.delete(reference.kind, reference.name, uid_of(manifest))
    say(f"{reference}: cancelled and deleted")
    return CommandExit.DONE


async def rerun(
    connection: "Connection", reference: Reference, *, run_id: str | None, replace_output: bool, is_sure: bool
) -> CommandExit:
    """Set a new `spec.runId`, so that a job or a pipeline runs again with its spec as it is now."""
    if not reference.kind.has_runs:
        raise CommandError(
            f"{reference}: a schedule has no runs: it makes its jobs itself; to make that of a time by hand: podreduce "
            "render FILE --at TIME | kubectl create -f -",
            CommandExit.INVALID,
        )
    if replace_output and reference.kind is not JOB:
        raise CommandError(
            f"{reference}: --replace is for jobs: a pipeline replaces what it wrote", CommandExit.INVALID
        )
    manifest = await read_resource(connection, reference)
    known, status = wanted_run_id(manifest), status_of(manifest)
    new = run_id or next_run_id(known)
    if new in {known, status.get("runId")}:
        raise CommandError(f"{reference}: {new} is its run already: choose another --run-id", CommandExit.INVALID)
    warn_of_owner(reference, manifest)
    if status and find_ending(manifest) is None:
        confirm(f"run {known} of {reference} is in progress and will be aborted", is_sure=is_sure)
    change: dict[str, Any] = {"runId": new}
    if replace_output:
        change["output"] = {"ifExists": "Replace"}
    version = {"resourceVersion": manifest["metadata"]["resourceVersion"]}
    await connection.patch(reference.kind, reference.name, {"metadata": version, "spec": change})
    warn_of_output(reference, manifest, replace_output=replace_output)
    if spec_of(manifest).get("suspend"):
        complain(
            f"{reference} is suspended: run {new} begins after {connection.place.command('resume', str(reference))}"
        )
    say(f"{reference}: run {new} asked for; to see it: {connection.place.command('status', str(reference), '--watch')}")
    return CommandExit.DONE


def next_run_id(run_id: str) -> str:
    """Return the run id after this one: `1` → `2`, `2024-05` → `2024-06`, `nightly` → `nightly-2`."""
    number = re.search(r"\d+$", run_id)
    if number is None:
        return f"{run_id[: MAX_RUN_ID - 2]}-2"
    raised = str(int(number[0]) + 1).zfill(len(number[0]))
    return f"{run_id[: number.start()][: MAX_RUN_ID - len(raised)]}{raised}"


def warn_of_owner(reference: Reference, manifest: Mapping[str, Any]) -> None:
    """Tell that a resource belongs to another one, which does not know of the change."""
    owner = read_controller(manifest["metadata"])
    if owner is not None:
        short = next((kind.short for kind in KINDS if kind.names.kind == owner.kind), owner.kind)
        complain(f"note: {reference} belongs to {short}/{owner.name}, which this does not change")


def warn_of_output(reference: Reference, manifest: Mapping[str, Any], *, replace_output: bool) -> None:
    """Tell that the new run will find the old output, and refuse to touch it."""
    output = spec_of(manifest).get("output") or {}
    if not replace_output and output.get("ifExists", "Fail") == "Fail" and "output" in status_of(manifest):
        complain(
            f"warning: {reference} has written {output.get('uri')}, and output.ifExists is Fail: the new run fails "
            "with OutputExists unless you empty that prefix; rerun --replace lets a run replace it"
        )


def confirm(what: str, *, is_sure: bool) -> None:
    """Ask a person on a terminal, unless `--yes` was given.

    Raises:
        CommandError: the answer is no, or there is nobody to ask.
    """
    if is_sure:
        return
    if not sys.stdin.isatty():
        raise CommandError(f"{what}: say --yes to do it without a question", CommandExit.INVALID)
    if input(f"{what}. Go on? [y/N] ").strip().lower() not in {"y", "yes"}:
        raise CommandError("nothing was changed", CommandExit.FAILED)
