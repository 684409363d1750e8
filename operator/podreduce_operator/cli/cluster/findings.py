"""Everything that is known of a job, and what is found in it, each finding with the next command. Rule: pure."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from podreduce.contract.post_mortem import PostMortem
from podreduce_operator.api.owners import read_controller
from podreduce_operator.cli.cluster.changes import next_run_id
from podreduce_operator.cli.cluster.event_list import Event
from podreduce_operator.cli.cluster.kinds import JOB, KINDS, PIPELINE
from podreduce_operator.cli.cluster.place import Place
from podreduce_operator.cli.cluster.remedies import CLUSTER_REMEDIES, IN_JOB, IN_PROGRAM
from podreduce_operator.cli.cluster.resources import name_of
from podreduce_operator.cli.cluster.run_facts import spec_of, status_of, wanted_run_id
from podreduce_operator.cli.local_runs.names import is_local
from podreduce_operator.model.pods import PodView

__all__ = ["Case", "Finding", "render_finding", "render_findings"]

Json = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """Everything that is known of a job.

    Attributes:
        job: or a pipeline, of which only some findings are asked.
        subject: how commands name it; empty: by the job's name.
        changed: what is run again or resumed; empty: the pipeline whose step it is, or itself.
        remedies: what to do, by reason.
        pods: those of the run.
        events: of the job and its pods, in the order of time.
        post_mortem: of a run that ended, if it could be read.
        program_change: that the text in the job's ConfigMap is not what was planned, in a sentence; or empty.
        unknown: what could not be read, and why.
    """

    job: Json
    place: Place
    now: float
    subject: str = ""
    changed: str = ""
    remedies: Mapping[str, str] = field(default_factory=lambda: CLUSTER_REMEDIES)
    pods: Sequence[PodView] = ()
    events: Sequence[Event] = ()
    post_mortem: PostMortem | None = None
    program_change: str = ""
    unknown: Sequence[str] = ()

    @property
    def status(self) -> Json:
        """The job's status."""
        return status_of(self.job)

    @property
    def name(self) -> str:
        """The job's name."""
        return name_of(dict(self.job))

    @property
    def noun(self) -> str:
        """What it is."""
        return next((kind.noun for kind in KINDS if kind.names.kind == self.job.get("kind")), JOB.noun)

    def command(self, word: str, *more: str) -> str:
        """Return a command about this job."""
        return self.place.command(word, self.subject or self.name, *more)

    def command_to_change(self, word: str, *more: str) -> str:
        """Return a command that changes the job, or the pipeline whose step it is."""
        owner = read_controller(self.job["metadata"])
        if owner is not None and owner.kind == PIPELINE.names.kind:
            return self.place.command(word, f"{PIPELINE.short}/{owner.name}", *more)
        return self.place.command(word, self.changed or self.subject or self.name, *more)

    def describe_next_run(self, reason: str) -> str:
        """Return how a new run begins after the cause is corrected. What is in the job's file goes there first."""
        rerun = self.command_to_change("rerun")
        if reason == "OutputExists" and self.remedies is CLUSTER_REMEDIES:
            return self.command_to_change("rerun", "--replace")
        if reason not in IN_JOB or is_local(self.subject):
            return rerun
        is_own = read_controller(self.job["metadata"]) is None
        if reason in IN_PROGRAM and is_own and "archive" in (spec_of(self.job).get("program") or {}):
            run_id = next_run_id(wanted_run_id(self.job))
            return f"podreduce submit it again, with --set spec.runId={run_id}"
        return f"apply the file, and {rerun}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing to know.

    Attributes:
        text: what it is, in a sentence.
        details: what shows it.
        remedy: what to do; empty if nothing is to be done.
        command: the next command.
        more: the rest, for those who read on.
    """

    text: str
    details: Sequence[str] = ()
    remedy: str = ""
    command: str = ""
    more: Sequence[str] = ()


def render_findings(findings: Sequence[Finding], unknown: Sequence[str]) -> Iterator[str]:
    """Yield the lines about a job, and what could not be read."""
    for number, finding in enumerate(findings):
        if number:
            yield ""
        yield from render_finding(finding)
    if unknown:
        yield ""
    yield from (f"not known: {each}" for each in unknown)


def render_finding(finding: Finding) -> Iterator[str]:
    """Yield the lines about a finding: what it is, what shows it, what to do, and the rest."""
    yield finding.text
    yield from finding.details
    if finding.remedy:
        yield f"what to do: {finding.remedy}"
    if finding.command:
        yield f"next: {finding.command}"
    yield from (f"  {line}" for line in finding.more)
