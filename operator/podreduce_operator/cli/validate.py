"""`podreduce validate`: prints what is wrong with a job file, field by field, or that it is valid."""

from podreduce_operator.api.job_files import ManifestError
from podreduce_operator.api.spec import ProgramSpec
from podreduce_operator.cli.overrides import Overrides
from podreduce_operator.cli.program_source import describe_problems, find_source
from podreduce_operator.cli.python_job import is_python, read_python_job
from podreduce_operator.cli.run import ExitStatus, InvalidFileError, complain, load_job, read_file, say
from podreduce_operator.model.jobs import JobView

__all__ = ["validate_file"]


def validate_file(path: str) -> ExitStatus:
    """Print whether the file has a valid job, and whether it can run on a cluster."""
    if is_python(path):
        return validate_program(path)
    try:
        file = read_file(path)
        job = load_job(file, Overrides())
    except InvalidFileError as error:
        complain(str(error))
        return ExitStatus.INVALID
    metadata = file.manifest["metadata"]
    name = metadata.get("name") or f"{metadata['generateName']}…"
    say(f"{file.source}: {name} is a valid MapReduceJob")
    local = find_local_uris(job)
    if local:
        say(f"it only runs on this machine: a cluster needs s3:// URIs in {', '.join(local)}")
    return ExitStatus.COMPLETE


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


def find_local_uris(job: JobView) -> list[str]:
    """Return the fields whose URIs a cluster cannot reach."""
    uris = {
        f"spec.{place}.uris[{index}]": uri
        for place, each in job.spec.all_inputs.items()
        for index, uri in enumerate(each.uris)
    }
    uris |= {f"spec.{place}": uri for place, uri in job.spec.program.files.items()}
    uris["spec.output.uri"] = job.spec.output.uri
    return [field for field, uri in uris.items() if not uri.startswith("s3://")]
