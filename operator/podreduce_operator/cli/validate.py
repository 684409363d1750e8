"""`podreduce validate`: prints what is wrong with a file, field by field, or that what it holds is valid."""

import time
from collections.abc import Mapping
from datetime import datetime

from podreduce_operator.api.crd import PIPELINES
from podreduce_operator.api.job_files import ManifestError
from podreduce_operator.api.pipeline_parameters import resolve_steps
from podreduce_operator.api.pipeline_problems import iter_uris
from podreduce_operator.api.spec import ProgramSpec
from podreduce_operator.cli.job_file import JobFile, beside, is_kind, parse_job_file, read_text
from podreduce_operator.cli.overrides import Overrides
from podreduce_operator.cli.pipelines.pipeline_file import (
    InvalidPipelineError,
    has_pipeline,
    load_pipeline,
    parse_pipeline_file,
)
from podreduce_operator.cli.program_source import describe_problems, find_source
from podreduce_operator.cli.python_job import is_python, read_python_job
from podreduce_operator.cli.run import ExitStatus, InvalidFileError, load_job
from podreduce_operator.cli.schedule_file import ScheduleFile, has_schedule, parse_schedule_file, show_time
from podreduce_operator.cli.terminal import complain, say
from podreduce_operator.model.jobs import JobView
from podreduce_operator.model.pipelines import PipelineView

__all__ = ["check_made", "find_local", "find_uris", "validate_file"]

NEXT_TIMES = 3


def validate_file(path: str) -> ExitStatus:
    """Print whether the file has a valid job or pipeline, and whether it can run on a cluster."""
    if is_python(path):
        return validate_program(path)
    try:
        text, source = read_text(path)
        if has_schedule(text, source):
            report_schedule(parse_schedule_file(text, source), time.time())
        elif has_pipeline(text, source):
            file = parse_pipeline_file(text, source)
            report_valid(file, find_uris_of_pipeline(load_pipeline(file)))
        else:
            file = beside(parse_job_file(text, source), path)
            report_valid(file, find_uris(load_job(file, Overrides())))
    except (ManifestError, InvalidFileError, InvalidPipelineError) as error:
        complain(str(error))
        return ExitStatus.INVALID
    return ExitStatus.COMPLETE


def report_valid(file: JobFile, uris: Mapping[str, str]) -> None:
    """Print that a file is valid, and which of its URIs a cluster cannot reach."""
    metadata = file.manifest["metadata"]
    name = metadata.get("name") or f"{metadata['generateName']}…"
    say(f"{file.source}: {name} is a valid {file.manifest['kind']}")
    tell_local_uris(uris)


def report_schedule(schedule: ScheduleFile, now: float) -> None:
    """Print that a schedule is valid, with what it makes at its next time, and its next times.

    Raises:
        InvalidFileError: the job of its next time is not valid.
        InvalidPipelineError: the pipeline of its next time is not valid.
        ScheduleFileError: it has no next time.
    """
    times = list(schedule.next_times(now, NEXT_TIMES))
    if not times:
        raise InvalidFileError(
            f"{schedule.file.source}: spec.schedule: {schedule.view.spec.schedule!r} names no time of the next 50 years"
        )
    uris, noun = check_made(schedule.make_job_file(times[0])), schedule.view.spec.noun
    say(f"{schedule.file.source}: {schedule.view.key.name} is a valid MapReduceSchedule; its next times:")
    for at in times:
        weekday = datetime.fromtimestamp(at, schedule.cron.zone).strftime("%A")
        say(f"  {show_time(at, schedule.cron)}  {weekday}")
    if schedule.view.spec.suspend:
        say(f"it makes no {noun}s: spec.suspend is true")
    for field in schedule.outputs_in_one_place():
        say(
            f"every {noun} has the same {field}, so all after the first one fail with OutputExists: "
            "use one of the schedule's parameters in it, or ifExists: Replace"
        )
    tell_local_uris(uris)


def check_made(file: JobFile) -> dict[str, str]:
    """Return the URIs of what a schedule makes, by their fields, if it is valid.

    Raises:
        InvalidFileError: it is a job that is not valid.
        InvalidPipelineError: it is a pipeline that is not valid.
    """
    if is_kind(file.manifest, PIPELINES.kind):
        return find_uris_of_pipeline(load_pipeline(file))
    return find_uris(load_job(file, Overrides()))


def tell_local_uris(uris: Mapping[str, str]) -> None:
    """Print which URIs a cluster cannot reach, if there are any."""
    local = find_local(uris)
    if local:
        say(f"it only runs on this machine: a cluster needs s3:// URIs in {', '.join(local)}")


def find_local(uris: Mapping[str, str]) -> list[str]:
    """Return the fields whose URIs a cluster cannot reach."""
    return [field for field, uri in uris.items() if not uri.startswith("s3://")]


def validate_program(path: str) -> ExitStatus:
    """Print whether a Python file has a valid job class."""
    try:
        file = read_python_job(path)
    except ManifestError as error:
        complain(str(error))
        return ExitStatus.INVALID
    source = find_source(ProgramSpec(source=file.text), file)
    problems = [] if source is None else describe_problems(source, None)
    if problems:
        complain("\n".join(problems))
        return ExitStatus.INVALID
    say(f"{path}: nothing is wrong with the program as far as its text shows; to run it over a sample: podreduce test")
    return ExitStatus.COMPLETE


def find_uris(job: JobView) -> dict[str, str]:
    """Return the URIs of a job by their fields."""
    uris = {
        f"spec.{place}.uris[{index}]": uri
        for place, each in (*job.spec.all_inputs.items(), *job.spec.all_side_inputs.items())
        for index, uri in enumerate(each.uris)
    }
    uris |= {f"spec.{place}": uri for place, uri in job.spec.program.files.items()}
    return {**uris, "spec.output.uri": job.spec.output.uri}


def find_uris_of_pipeline(pipeline: PipelineView) -> dict[str, str]:
    """Return the URIs of a pipeline by their fields, with the parameters in them."""
    resolved = resolve_steps(pipeline.spec)
    outputs = {
        f"spec.steps[{number}].output.uri": step.output.uri
        for number, step in enumerate(resolved.steps)
        if step.output.uri is not None
    }
    return {**dict(iter_uris(resolved)), **outputs}
