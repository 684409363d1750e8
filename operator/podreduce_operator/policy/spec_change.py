"""Whether a job's spec, or the text of its program, is another one than the run's plan has.

Rule: pure. The status has digests of what was planned, so a change is seen when the plan has been removed. A ConfigMap
is compared once after each edit of the job, and not watched.
"""

from collections.abc import Mapping
from typing import Any

from podreduce.contract.texts import cut_middle
from podreduce_operator.api.spec import ProgramSpec, spec_changed
from podreduce_operator.digests.pinned_digests import digest_pinned
from podreduce_operator.model.jobs import JobView
from podreduce_operator.model.observed import Observed, PinnedDigests, SeenProgram
from podreduce_operator.policy.run_conditions import MAX_MESSAGE
from podreduce_operator.policy.run_state import find_condition, read_run_id

__all__ = [
    "PINNED",
    "RUNS_AGAIN",
    "SPEC_CHANGED",
    "describe_changes",
    "is_to_be_compared",
    "name_program",
    "read_pinned",
    "render_digests",
]

SPEC_CHANGED = "SpecChanged"
PINNED = "PinnedByPlan"
RUNS_AGAIN = "RunsAgain"
"""Reasons of the condition: nothing happens, or a new run begins. Others say why the program's text was not read."""

Json = Mapping[str, Any]


def read_pinned(status: Json) -> PinnedDigests | None:
    """Return the digests of what the run's plan pins; None before the status has them."""
    digests = status.get("digests") or {}
    return None if "spec" not in digests else PinnedDigests(spec=digests["spec"], program=digests.get("program"))


def is_to_be_compared(job: JobView) -> bool:
    """Tell whether the text in the job's ConfigMap is to be read: once after each edit of a job that was planned."""
    pinned = read_pinned(job.status)
    if job.deleting or job.spec.program.source_from is None or pinned is None or pinned.program is None:
        return False
    return bool(job.status["digests"].get("generation") != job.generation)


def render_digests(observed: Observed, status: Json) -> dict[str, Any] | None:
    """Return the digests for the status: those of the plan, and of the text of the ConfigMap as it was last read."""
    if read_run_id(status) != observed.run_id:
        return status.get("digests")
    digests, plan, seen = dict(status.get("digests") or {}), observed.plan, observed.seen_program
    if "spec" not in digests and plan is not None and plan.pinned is not None:
        digests = {"spec": plan.pinned.spec}
        digests |= {} if plan.pinned.program is None else {"program": plan.pinned.program}
    if "spec" in digests and seen is not None and is_compared(observed.job, seen):
        digests["generation"] = seen.generation
        digests["programSeen"] = seen.digest
    return {name: value for name, value in digests.items() if value is not None} or None


def is_compared(job: JobView, seen: SeenProgram) -> bool:
    """Tell whether the text is not read again before the next edit. A new run waits for a text that is not there."""
    return seen.digest is not None or (seen.permanent and job.spec.run_policy == "OnRunId")


def describe_changes(observed: Observed, pinned_spec: Json | None, status: Json) -> tuple[str, str] | None:
    """Return the reason and the message of the condition SpecChanged; None if nothing changed.

    Args:
        observed: the job.
        pinned_spec: the spec in the plan; None if the plan is not there, or was not read.
        status: the status as it will be written, with its digests.
    """
    if observed.superseded is not None or read_run_id(status) != observed.run_id:
        return None
    seen, is_on_change = observed.seen_program, observed.job.spec.run_policy == "OnChange"
    if is_on_change and seen is not None and seen.digest is None:
        return seen.reason, cut_middle(f"{seen.message}; run {observed.run_id} stays until it can be read", MAX_MESSAGE)
    changed = [*find_changed_fields(observed, pinned_spec), *find_changed_program(observed.job, status)]
    if not changed:
        return None
    known = find_condition(observed.job.status, SPEC_CHANGED)
    is_as_before = observed.job.status.get("observedGeneration") == observed.job.generation
    if pinned_spec is None and known is not None and is_as_before and seen is None and known["reason"] == PINNED:
        return PINNED, str(known["message"])  # it was written when the plan was there, and names the fields
    names = ", ".join(changed)
    if is_on_change:
        return RUNS_AGAIN, cut_middle(f"a new run begins: {names}", MAX_MESSAGE)
    return PINNED, cut_middle(f"takes effect with the next spec.runId: {names}", MAX_MESSAGE)


def find_changed_fields(observed: Observed, pinned_spec: Json | None) -> list[str]:
    """Return the paths of the fields that differ from the plan; only `spec` if the plan is not known."""
    if pinned_spec is not None:
        return list(spec_changed(pinned_spec, observed.job.raw_spec))
    pinned = read_pinned(observed.job.status)
    if pinned is not None:
        return ["spec"] if digest_pinned(observed.job.raw_spec) != pinned.spec else []
    known = find_condition(observed.job.status, SPEC_CHANGED)  # an earlier release wrote the status
    return ["spec"] if known is not None else []


def find_changed_program(job: JobView, status: Json) -> list[str]:
    """Return where the program is, if its text in a ConfigMap was another one when it was last read."""
    digests = status.get("digests") or {}
    if job.spec.program.source_from is None or digests.get("programSeen", digests.get("program")) == digests.get(
        "program"
    ):
        return []
    return [name_program(job.spec.program)]


def name_program(program: ProgramSpec) -> str:
    """Return where the text of a program in a ConfigMap is."""
    if program.source_from is None:
        return "spec.program"
    reference = program.source_from.config_map_key_ref
    return f"the text in ConfigMap {reference.name}, key {reference.key}"
