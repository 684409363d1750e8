"""Reads the file of a MapReduceSchedule, and makes the job of a time from it, as the operator does.

Rule: only reads.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import msgspec

from podreduce_operator.api.crd import API_VERSION, SCHEDULES
from podreduce_operator.api.crd_schema import FieldProblem
from podreduce_operator.api.job_files import ManifestError, load_documents, show
from podreduce_operator.api.schedule_spec import decode_schedule_spec
from podreduce_operator.api.spec import SpecError
from podreduce_operator.api.substitution import SubstitutionError
from podreduce_operator.api.validation import InvalidJobError, validate_job
from podreduce_operator.cli.job_file import JobFile, index_config_maps, is_kind
from podreduce_operator.model.jobs import JobKey
from podreduce_operator.model.schedules import ScheduleView
from podreduce_operator.schedules.cron import Cron, CronError, parse_cron
from podreduce_operator.schedules.job_of_schedule import build_job
from podreduce_operator.schedules.scheduled_parameters import parameters_at

__all__ = [
    "ScheduleFile",
    "ScheduleFileError",
    "has_schedule",
    "parse_schedule_file",
    "parse_time_of",
    "read_scheduled_job",
    "show_time",
]

TEMPLATE = ("spec", "jobTemplate")
MINUTE = 60
PLACEHOLDER = re.compile(r"\$\(parameters\.")


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
        """Return the manifest of the job of a time (seconds since the epoch): with the schedule's own name for it.

        Raises:
            ScheduleFileError: the template has a placeholder of a parameter that the schedule does not have.
        """
        try:
            manifest = build_job(self.view, at)
        except SubstitutionError as error:
            raise ScheduleFileError(f"{self.file.source}: spec.jobTemplate.{error}") from error
        kept = {"name", "labels", "annotations", *({"namespace"} & self.file.manifest["metadata"].keys())}
        metadata = {name: value for name, value in manifest["metadata"].items() if name in kept}
        return {**manifest, "metadata": metadata}

    def make_job_file(self, at: float) -> JobFile:
        """Return the job of a time as if its own file had been read.

        Raises:
            ScheduleFileError: see `make_manifest`.
        """
        return replace(
            self.file,
            manifest=self.make_manifest(at),
            document=SCHEDULES.kind,
            template=TEMPLATE,
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

    def writes_to_one_place(self) -> bool:
        """Tell whether all jobs have the same output, and fail if it exists."""
        output = self.view.spec.job_template.spec["output"]
        return output.get("ifExists", "Fail") == "Fail" and not PLACEHOLDER.search(output["uri"])


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
    file = JobFile(source=source, manifest=manifest, text=text, config_maps=config_maps)
    try:
        view = view_schedule(file, validate_job(manifest))
        cron = parse_cron(view.spec.schedule, view.spec.time_zone)
    except InvalidJobError as error:
        raise ScheduleFileError(tell(source, error.problems)) from error
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
    template = msgspec.structs.replace(spec.job_template, spec=file.manifest["spec"]["jobTemplate"]["spec"])
    metadata = defaulted["metadata"]
    if "name" not in metadata:
        raise ScheduleFileError(f"{file.source}: metadata.name: is required: the names of the jobs follow from it")
    return ScheduleView(
        key=JobKey(namespace=metadata.get("namespace") or "default", name=metadata["name"]),
        uid="",
        generation=1,
        spec=msgspec.structs.replace(spec, job_template=template),
        raw_spec=defaulted["spec"],
        status={},
        created_at=0.0,
    )


def read_scheduled_job(text: str, source: str, at: str | None, now: float) -> JobFile | None:
    """Return the job of a time, or of `now`, from the file of a schedule; None if the file has no schedule.

    Raises:
        ManifestError: the schedule or the time is not valid.
    """
    if not has_schedule(text, source):
        return None
    schedule = parse_schedule_file(text, source)
    return schedule.make_job_file(now // MINUTE * MINUTE if at is None else parse_time_of(schedule, at))


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
