"""`podreduce submit`: packs a program, resolves its requirements, uploads both, and applies the job to a cluster.

Rule: what is uploaded is named by its content, so the same program is uploaded once, and no upload replaces another's.
"""

import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from podreduce.contract.errors import ObjectNotFoundError, PodreduceError
from podreduce.contract.program_files import DIGEST_PREFIX
from podreduce.contract.texts import render_count
from podreduce_operator.api.input_uris import as_prefix
from podreduce_operator.api.job_files import ManifestError
from podreduce_operator.cli.cluster.run_facts import SUPERSEDING, is_wanted_run, message_of
from podreduce_operator.cli.job_file import JobFile
from podreduce_operator.cli.overrides import OverrideError, Overrides, resolve_uri
from podreduce_operator.cli.program_archive import ArchiveError, digest_of, pack
from podreduce_operator.cli.report import find_verdict
from podreduce_operator.cli.run import ExitStatus, InvalidFileError, load_job
from podreduce_operator.cli.submission import Submission, read_mapping, read_submission
from podreduce_operator.cli.terminal import complain, say
from podreduce_operator.cli.validate import find_local, find_uris
from podreduce_operator.cli.wheels import RequirementsError, download_wheels, own_image
from podreduce_operator.cli.wording import render_bytes

if TYPE_CHECKING:
    from podreduce.storage import ObjectMeta

__all__ = ["FRESH_SECONDS", "SubmitOptions", "Upload", "submit_job", "upload"]

FRESH_SECONDS = 86_400

PLACE = "_podreduce-programs/"
"""Where programs go in the bucket of the output. No input prefix reads names that start with _."""
PLACE_CHARACTERS = 32
INVALID = (ManifestError, OverrideError, ArchiveError, RequirementsError, InvalidFileError)


@dataclass(frozen=True, slots=True, kw_only=True)
class SubmitOptions:
    """The command line of `podreduce submit`.

    Attributes:
        place: the prefix to upload to; None: in the bucket of the output.
        python, architecture: of the image, for the wheels; None: the runtime image's, and this machine's.
    """

    target: str
    overrides: Overrides
    class_name: str | None = None
    input_format: str | None = None
    place: str | None = None
    requirements: Path | None = None
    python: str | None = None
    architecture: str | None = None
    context: str | None = None
    namespace: str | None = None
    wait: bool = False
    dry_run: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Upload:
    """A file to upload."""

    data: bytes
    uri: str

    @property
    def reference(self) -> dict[str, str]:
        """The file as the job names it."""
        return {"uri": self.uri, "digest": digest_of(self.data)}


def submit_job(options: SubmitOptions) -> ExitStatus:
    """Submit a job and tell what was done; with `dry_run` print the YAML that would be applied."""
    try:
        submission = read_submission(
            options.target,
            options.overrides,
            class_name=options.class_name,
            input_format=options.input_format,
            requirements=options.requirements,
        )
        refuse_invalid(submission)
        with tempfile.TemporaryDirectory(prefix="podreduce-submit-") as directory:
            uploads = list(attach_files(submission, options, Path(directory)))
        refuse_invalid(submission)
    except INVALID as error:
        complain(str(error))
        return ExitStatus.INVALID
    if options.dry_run:
        return show(submission, uploads)
    try:
        for each in uploads:
            upload(each)
    except PodreduceError as error:
        complain(f"{options.target}: cannot be uploaded: {error}")
        return ExitStatus.FAILED
    return apply(submission, options)


def refuse_invalid(submission: Submission) -> None:
    """Refuse a job or program that is certainly wrong, and URIs that a cluster cannot reach.

    Raises:
        InvalidFileError: it is such a job.
    """
    local = find_local(find_uris(load_job(as_local(submission), Overrides())))
    if local:
        raise InvalidFileError(
            f"{submission.file.source}: a cluster needs s3:// URIs in {', '.join(local)}: upload what is on this "
            "machine with podreduce copy, and name it there"
        )


def as_local(submission: Submission) -> JobFile:
    """Return the job file as the checks of a local run take it."""
    return replace(submission.file, manifest=submission.manifest, is_program=False)


def attach_files(submission: Submission, options: SubmitOptions, directory: Path) -> Iterator[Upload]:
    """Write the archive and the wheels into the job's manifest, and yield what is to be uploaded for it.

    Raises:
        ArchiveError: the program cannot be packed.
        RequirementsError: its requirements cannot be resolved.
    """
    program = submission.spec.get("program", {})
    place = choose_place(submission, options)
    if submission.program is not None:
        name = submission.manifest["metadata"].get("name") or "program"
        archive = as_upload(pack(submission.program), f"{name}.zip", place)
        program["archive"] = archive.reference
        yield archive
    if submission.requirements is not None:
        image = own_image(options.python, options.architecture)
        wheels = download_wheels(submission.requirements, image, directory)
        uploads = [as_upload(each.read_bytes(), each.name, place) for each in wheels]
        if uploads:
            program["requirements"] = [each.reference for each in uploads]
        yield from uploads


def as_upload(data: bytes, name: str, place: str) -> Upload:
    """Return a file with its place, which its content names."""
    content = digest_of(data).removeprefix(DIGEST_PREFIX)[:PLACE_CHARACTERS]
    return Upload(data=data, uri=f"{place}{content}/{name}")


def choose_place(submission: Submission, options: SubmitOptions) -> str:
    """Return the prefix for the program's files."""
    if options.place is not None:
        return as_prefix(resolve_uri(options.place))
    output = str(read_mapping(submission.spec, "output").get("uri", ""))
    return f"s3://{output.removeprefix('s3://').partition('/')[0]}/{PLACE}"


def show(submission: Submission, uploads: list[Upload]) -> ExitStatus:
    """Print the documents that would be applied; on standard error, what would be uploaded."""
    for each in uploads:
        complain(f"would upload {render_bytes(len(each.data))} to {each.uri}")
    say(render_yaml([*submission.others, submission.manifest]))
    return ExitStatus.COMPLETE


def render_yaml(documents: list[dict[str, Any]]) -> str:
    """Return documents as YAML, with a text of several lines, such as a program, as a block."""
    import yaml  # noqa: PLC0415 - an extra's

    class Dumper(yaml.SafeDumper):
        """Of this call only."""

    def represent(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
        return dumper.represent_scalar("tag:yaml.org,2002:str", text, style="|" if "\n" in text else None)

    Dumper.add_representer(str, represent)
    return yaml.dump_all(documents, Dumper=Dumper, sort_keys=False, allow_unicode=True).rstrip()


def upload(file: Upload) -> None:
    """Upload a file, unless it is there already. One that is older than a day is uploaded again.

    A bucket may delete by age what nobody has submitted for long, and only a new upload makes an object young.

    Raises:
        PodreduceError: the store refuses, or does not answer.
    """
    from podreduce_operator.cli.copy import open_object  # noqa: PLC0415 - obstore is slow to import

    store, key = open_object(file.uri)
    with suppress(ObjectNotFoundError):
        if is_there(file, store.head(key), time.time()) and digest_of(store.get(key)) == digest_of(file.data):
            return
    with store.open_writer(key) as writer:
        writer.write(file.data)
    complain(f"uploaded {render_bytes(len(file.data))} to {file.uri}")


def is_there(file: Upload, found: "ObjectMeta", now: float) -> bool:
    """Tell whether an object is as large as a file, and young enough to stay as it is."""
    return found.size == len(file.data) and now - found.modified.timestamp() < FRESH_SECONDS


def apply(submission: Submission, options: SubmitOptions) -> ExitStatus:
    """Apply the job, and wait for its end if that is asked for."""
    try:
        from podreduce_operator.cluster.kubernetes.user_requests import (  # noqa: PLC0415 - another extra's
            apply_documents,
            await_end,
        )
    except ModuleNotFoundError as error:
        complain(f"{error.name} is missing: pip install 'podreduce[operator]' to reach a cluster, or --dry-run")
        return ExitStatus.INVALID
    from podreduce_operator.model.errors import OperatorError  # noqa: PLC0415 - as above

    try:
        *_, job = apply_documents(options.context, options.namespace, [*submission.others, submission.manifest])
        metadata, last = job["metadata"], Progress(job)
        complain(last.describe_applied())
        if not options.wait:
            return ExitStatus.COMPLETE
        await_end(options.context, metadata["namespace"], metadata["name"], last.take)
    except OperatorError as error:
        complain(f"{options.target}: {error}")
        return ExitStatus.FAILED
    except KeyboardInterrupt:
        complain("interrupted: the job goes on in the cluster")
        return ExitStatus.INTERRUPTED
    return last.report()


class Progress:
    """What was last seen of a job in a cluster. Prints what changes."""

    def __init__(self, job: Mapping[str, Any]) -> None:
        self.job = job
        self.told = ""

    @property
    def name(self) -> str:
        """The job as kubectl names it."""
        return f"mapreducejob/{self.job['metadata']['name']}"

    @property
    def status(self) -> Mapping[str, Any]:
        """The status of the run that the spec names; empty if it has not begun, or a change makes another one."""
        status: Mapping[str, Any] = self.job.get("status") or {}
        is_old = self.job["spec"].get("runPolicy") == "OnChange" and not self.is_settled(status)
        return status if is_wanted_run(self.job) and not is_old else {}

    def is_settled(self, status: Mapping[str, Any]) -> bool:
        """Tell whether the operator has seen the spec and replaces no run."""
        generation = self.job["metadata"].get("generation", 0)
        is_seen: bool = status.get("observedGeneration", 0) >= generation
        return is_seen and message_of(status, "Reconciling")[0] != SUPERSEDING

    @property
    def verdict(self) -> str:
        """Complete or Failed; empty while the run goes on."""
        return find_verdict(self.status)[0]

    def describe_applied(self) -> str:
        """Return what applying the job has done."""
        metadata = self.job["metadata"]
        applied = f"{self.name} in namespace {metadata['namespace']} is applied"
        if not self.verdict:
            return applied
        run_id = self.job["spec"]["runId"]
        return f"{applied}; its run {run_id} has ended already ({self.verdict}): to run again, --set spec.runId=NEW"

    def take(self, job: Mapping[str, Any]) -> bool:
        """Take the job as it is now, and tell whether its run has ended."""
        self.job = job
        told = self.describe_progress()
        if told != self.told:
            complain(told)
            self.told = told
        return bool(self.verdict)

    def describe_progress(self) -> str:
        """Return the run's phase and its tasks in one line."""
        tasks = [
            f"{task_type} {found['progress']}"
            for task_type in ("map", "reduce")
            if (found := self.status.get(task_type) or {}).get("progress")
        ]
        return ", ".join([f"{self.name}: {self.status.get('phase', 'waiting for the operator')}", *tasks])

    def report(self) -> ExitStatus:
        """Print how the run has ended."""
        verdict, reason, message = find_verdict(self.status)
        if verdict != "Complete":
            complain(f"{self.name}: failed: {reason}: {message}")
            return ExitStatus.FAILED
        output = self.status.get("output") or {}
        records, size = render_count(output.get("records", 0), "record"), render_bytes(output.get("bytes", 0))
        say(f"{self.name}: complete: {records}, {size} in {output.get('uri', '')}")
        return ExitStatus.COMPLETE
