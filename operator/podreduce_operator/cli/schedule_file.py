"""Reads the file of a MapReduceSchedule, and makes the job or pipeline of a time from it, as the operator does.

Rule: only reads.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import msgspec

from podreduce_operator.api.crd import API_VERSION, JOBS, PIPELINES, SCHEDULES
from podreduce_operator.api.crd_schema import FieldProblem
from podreduce_operator.api.job_files import ManifestError, load_documents, show
from podreduce_operator.api.schedule_spec import decode_schedule_spec
from podreduce_operator.api.spec import SpecError
from podreduce_operator.api.validation import apply_crd_defaults, find_rule_problems, find_schema_problems
from podreduce_operator.cli.job_file import JobFile, beside, index_config_maps, is_kind, read_text
from podreduce_operator.cli.pipelines.pipeline_file import (
    describe_place,
    graph_rules,
    has_pipeline,
    parse_pipeline_file,
)
from podreduce_operator.model.jobs import JobKey
from podreduce_operator.model.schedules import ScheduleView
from podreduce_operator.schedules.cron import Cron, CronError, parse_cron
from podreduce_operator.schedules.job_of_schedule import TemplateError, build_scheduled
from podreduce_operator.schedules.scheduled_parameters import parameters_at

__all__ = [
    "ScheduleFile",
    "ScheduleFileError",
    "has_schedule",
    "parse_schedule_file",
    "parse_time_of",
    "read_pipeline",
    "read_scheduled_job",
    "show_time",
]

MINUTE = 60
PLACEHOLDER = re.compile(r"\$\(parameters\.([^()\s]+)\)")


class ScheduleFileError(ManifestError):
    """The schedule is not valid, or the time is none of its times. The message names the file and what is expected."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ScheduleFile:
    """A valid schedule, as its author wrote it: without defaults in the template.

    Attributes:
        file: the file; its manifest is the schedule.
        view: the schedule. Its UID is empty, because only a cluster knows it.
        cron: its times.
    """

    file: JobFile
    view: ScheduleView
    cron: Cron

    def make_manifest(self, at: float) -> dict[str, Any]:
        """Return the manifest of a time (seconds since the epoch): with the schedule's own name for it.

        Raises:
            ScheduleFileError: the template does not fit the schedule, or is a pipeline that would fail at once.
        """
        try:
            manifest = build_scheduled(self.view, at)
        except TemplateError as error:
            raise ScheduleFileError("\n".join(describe_place(self.file, each) for each in error.problems)) from error
        kept = {"name", "labels", "annotations", *({"namespace"} & self.file.manifest["metadata"].keys())}
        metadata = {name: value for name, value in manifest["metadata"].items() if name in kept}
        return {**manifest, "metadata": metadata}

    def make_job_file(self, at: float) -> JobFile:
        """Return the job or the pipeline of a time as if its own file had been read.

        Raises:
            ScheduleFileError: see `make_manifest`.
        """
        return replace(
            self.file,
            manifest=self.make_manifest(at),
            template=("spec", self.view.spec.template_field),
            parameters=parameters_at(self.view.spec.parameters, self.cron.zone, at),
        )

    def require_own_time(self, at: float) -> None:
        """Refuse a time that the schedule does not name.

        Raises:
            ScheduleFileError: the message has the times before and after.
        """
        if self.cron.latest(at - 1, at) == at:
            return
        beside = [self.cron.latest(0, at), self.cron.next(at)]
        known = " and ".join(show_time(time, self.cron) for time in beside if time is not None)
        raise ScheduleFileError(
            f"--at: {show_time(at, self.cron)} is not a time of the schedule {self.view.spec.schedule!r}; "
            f"the times before and after it: {known}"
        )

    def next_times(self, after: float, count: int) -> Iterator[float]:
        """Yield the next times of the schedule."""
        for _ in range(count):
            found = self.cron.next(after)
            if found is None:
                return
            yield (after := found)

    def outputs_in_one_place(self) -> list[str]:
        """Return the fields of the outputs that all times have in common, and that fail if something is there."""
        spec = self.view.spec
        if spec.makes is JOBS:
            outputs = {"output": spec.template.spec["output"]}
        else:
            steps = enumerate(spec.template.spec["steps"])
            outputs = {f"steps[{number}].output": step.get("output", {}) for number, step in steps}
        default = "Fail" if spec.makes is JOBS else "ReplaceOwn"
        return [
            f"spec.{spec.template_field}.spec.{place}.uri"
            for place, output in outputs.items()
            if output.get("ifExists", default) == "Fail" and not self.differs(output.get("uri", ""))
        ]

    def differs(self, uri: str) -> bool:
        """Tell whether an output's URI differs from time to time, or is empty: then each has a place of its own."""
        names = PLACEHOLDER.findall(uri)
        return not uri or any(each.name in names for each in self.view.spec.parameters)


def has_schedule(text: str, source: str) -> bool:
    """Tell whether one of the file's documents is a schedule.

    Raises:
        ManifestError: the text is not YAML.
    """
    return any(is_kind(document, SCHEDULES.kind) for document in load_documents(text, source))


def parse_schedule_file(text: str, source: str) -> ScheduleFile:
    """Return the schedule in `text`, with the ConfigMaps beside it.

    Raises:
        ManifestError: the file does not have exactly one schedule.
        ScheduleFileError: the schedule is not valid.
    """
    documents = load_documents(text, source)
    schedules = [document for document in documents if is_kind(document, SCHEDULES.kind)]
    if len(schedules) != 1:
        remedy = "put each in its own file" if schedules else "give the file of a schedule"
        raise ManifestError(f"{source}: expected one {SCHEDULES.kind}, found {len(schedules)}: {remedy}")
    manifest = schedules[0]
    if manifest.get("apiVersion") != API_VERSION:
        raise ManifestError(f"{source}: apiVersion: must be {API_VERSION}, got {show(manifest.get('apiVersion'))}")
    config_maps = index_config_maps([each for each in documents if is_kind(each, "ConfigMap")], source)
    file = JobFile(source=source, manifest=manifest, text=text, document=SCHEDULES.kind, config_maps=config_maps)
    defaulted = apply_crd_defaults(manifest)
    problems = find_schema_problems(defaulted) or find_rule_problems(defaulted, known=graph_rules())
    if problems:
        raise ScheduleFileError(tell(source, problems))
    try:
        view = view_schedule(file, defaulted)
        cron = parse_cron(view.spec.schedule, view.spec.time_zone)
    except (CronError, SpecError) as error:
        raise ScheduleFileError(f"{source}: {error}") from error
    return ScheduleFile(file=file, view=view, cron=cron)


def tell(source: str, problems: tuple[FieldProblem, ...]) -> str:
    """Return what is wrong with a manifest, a line for each problem."""
    return "\n".join(f"{source}: {problem}" for problem in problems)


def view_schedule(file: JobFile, defaulted: dict[str, Any]) -> ScheduleView:
    """Return a valid schedule. Its template stays as it is in the file.

    Raises:
        ScheduleFileError: it has no name.
    """
    spec = decode_schedule_spec(defaulted["spec"])
    field = spec.template_field
    template = msgspec.structs.replace(spec.template, spec=file.manifest["spec"][field]["spec"])
    metadata = defaulted["metadata"]
    if "name" not in metadata:
        raise ScheduleFileError(f"{file.source}: metadata.name: is required: the names of the jobs follow from it")
    return ScheduleView(
        key=JobKey(namespace=metadata.get("namespace") or "default", name=metadata["name"]),
        uid="",
        generation=1,
        spec=msgspec.structs.replace(spec, **{"job_template" if spec.makes is JOBS else "pipeline_template": template}),
        raw_spec=defaulted["spec"],
        status={},
        created_at=0.0,
    )


def read_scheduled_job(text: str, source: str, at: str | None, now: float) -> JobFile | None:
    """Return what a schedule makes at a time, or `now`, from the schedule's file; None if the file has no schedule.

    Raises:
        ManifestError: the schedule or the time is not valid.
    """
    if not has_schedule(text, source):
        return None
    schedule = parse_schedule_file(text, source)
    return schedule.make_job_file(find_time(schedule, at, now))


def find_time(schedule: ScheduleFile, at: str | None, now: float) -> float:
    """Return the time that the command line gives, else this minute.

    Raises:
        ScheduleFileError: it is no time.
    """
    return now // MINUTE * MINUTE if at is None else parse_time_of(schedule, at)


def read_pipeline(path: str, at: str | None, now: float) -> JobFile | None:
    """Return the pipeline in a file, or the one of a time, or of `now`, of the schedule in it; None if it has neither.

    A schedule's pipeline has the schedule's name here, because runs with one `--keep` directory know each other by it.

    Raises:
        ManifestError: the pipeline, the schedule or the time is not valid.
    """
    text, source = read_text(path)
    if has_schedule(text, source):
        schedule = parse_schedule_file(text, source)
        if schedule.view.spec.makes is not PIPELINES:
            return None
        file = schedule.make_job_file(find_time(schedule, at, now))
        metadata = {**file.manifest["metadata"], "name": schedule.view.key.name}
        return beside(replace(file, manifest={**file.manifest, "metadata": metadata}), path)
    if not has_pipeline(text, source):
        return None
    if at is not None:
        raise ManifestError(f"--at: {source} has no {SCHEDULES.kind}, and a pipeline has no time of its own")
    return beside(parse_pipeline_file(text, source), path)


def parse_time_of(schedule: ScheduleFile, text: str) -> float:
    """Return the time that the command line gives (seconds since the epoch), without an offset in the schedule's zone.

    Raises:
        ScheduleFileError: it is no time.
    """
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise ScheduleFileError(
            f"--at {text}: expected a time in the schedule's zone, such as 2026-05-01T02:30, or one with an offset"
        ) from error
    return (moment if moment.tzinfo is not None else moment.replace(tzinfo=schedule.cron.zone)).timestamp()


def show_time(at: float, cron: Cron) -> str:
    """Return a time in the schedule's zone, as `--at` takes it."""
    return datetime.fromtimestamp(at, cron.zone).isoformat(timespec="seconds" if at % MINUTE else "minutes")
