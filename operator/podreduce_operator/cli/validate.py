"""`podreduce validate`: prints what is wrong with a job file, field by field, or that it is valid."""

from podreduce_operator.cli.overrides import Overrides
from podreduce_operator.cli.run import ExitStatus, InvalidFileError, complain, load_job, read_file, say
from podreduce_operator.model.jobs import JobView

__all__ = ["validate_file"]


def validate_file(path: str) -> ExitStatus:
    """Print whether the file has a valid job, and whether it can run on a cluster."""
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


def find_local_uris(job: JobView) -> list[str]:
    """Return the fields whose URIs a cluster cannot reach."""
    uris = {
        f"spec.{place}.uris[{index}]": uri
        for place, each in job.spec.all_inputs.items()
        for index, uri in enumerate(each.uris)
    }
    uris["spec.output.uri"] = job.spec.output.uri
    return [field for field, uri in uris.items() if not uri.startswith("s3://")]
