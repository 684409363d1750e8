"""`podreduce submit`: packs a program, resolves its requirements, uploads both, and applies the job to a cluster.

Rule: what is uploaded is named by its content, so the same program is uploaded once, and no upload replaces another's.
"""

import tempfile
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from podreduce.contract.errors import ObjectNotFoundError, PodreduceError
from podreduce.contract.program_files import DIGEST_PREFIX
from podreduce_operator.api.input_uris import as_prefix
from podreduce_operator.api.job_files import ManifestError
from podreduce_operator.cli.cluster.errors import CommandExit
from podreduce_operator.cli.cluster.place import Place
from podreduce_operator.cli.job_file import JobFile
from podreduce_operator.cli.overrides import OverrideError, Overrides, resolve_uri
from podreduce_operator.cli.program_archive import ArchiveError, digest_of, pack
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
        cluster: where the job is applied.
    """

    target: str
    overrides: Overrides
    class_name: str | None = None
    input_format: str | None = None
    place: str | None = None
    requirements: Path | None = None
    python: str | None = None
    architecture: str | None = None
    cluster: Place = field(default_factory=Place)
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


def submit_job(options: SubmitOptions) -> ExitStatus | CommandExit:
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


def apply(submission: Submission, options: SubmitOptions) -> ExitStatus | CommandExit:
    """Apply the job, and wait for its end if that is asked for."""
    from podreduce_operator.cli.cluster.asking import ask  # noqa: PLC0415 - a dry run needs none of it
    from podreduce_operator.cli.cluster.submitted_job import apply_job  # noqa: PLC0415 - as above

    documents = [*submission.others, submission.manifest]
    try:
        return ask(options.cluster, lambda connection: apply_job(connection, documents, waits=options.wait))
    except KeyboardInterrupt:
        name = submission.manifest["metadata"].get("name", "NAME")
        complain(f"interrupted: what was applied goes on in the cluster; {options.cluster.command('wait', name)}")
        return ExitStatus.INTERRUPTED
