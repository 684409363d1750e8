"""What `podreduce submit` is asked to run: a job file, a Python file, or the directory of one of them.

Rule: only reads. Returns the manifest with the command line's changes, and which directory holds the program's modules.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from podreduce_operator.api.crd import KIND
from podreduce_operator.api.job_files import ManifestError, load_documents
from podreduce_operator.cli.job_file import JobFile, find_module, read_job_file
from podreduce_operator.cli.overrides import Overrides, change_fields
from podreduce_operator.cli.python_job import is_python, name_of, read_python_job

__all__ = ["Submission", "read_submission"]

JOB_FILES = ("job.yaml", "job.yml", "job.json")
PROGRAM_FILE = "job.py"
REQUIREMENTS_FILE = "requirements.txt"


@dataclass(frozen=True, slots=True, kw_only=True)
class Submission:
    """A job to submit.

    Attributes:
        manifest: the job, with what the command line says.
        others: the other documents of its file: ConfigMaps.
        program: the directory to pack; None: the program needs no archive, or names one.
        requirements: the file to resolve; None: there is none, or the job names wheels.
    """

    file: JobFile
    manifest: dict[str, Any]
    others: tuple[dict[str, Any], ...]
    program: Path | None
    requirements: Path | None

    @property
    def spec(self) -> dict[str, Any]:
        """The job's spec; empty if it is no mapping, which validation reports."""
        return read_mapping(self.manifest, "spec")


def read_submission(
    target: str,
    overrides: Overrides,
    *,
    class_name: str | None = None,
    input_format: str | None = None,
    requirements: Path | None = None,
) -> Submission:
    """Read what is to be submitted.

    Raises:
        ManifestError: it is no job.
        OverrideError: the command line does not fit it.
    """
    path = choose_file(Path(target))
    is_program = is_python(str(path))
    file = read_module(path, class_name, input_format, overrides) if is_program else read_job_file(str(path))
    manifest = change_fields(file.manifest, overrides)
    program = read_mapping(read_mapping(manifest, "spec"), "program")
    if class_name is not None:
        program["className"] = class_name
    module, directory = program.get("module"), path.parent
    is_beside = isinstance(module, str) and "archive" not in program and find_module(directory, module) is not None
    beside = directory / REQUIREMENTS_FILE
    found = requirements or (beside if "requirements" not in program and beside.is_file() else None)
    return Submission(
        file=file,
        manifest=manifest,
        others=() if file.is_program else read_others(file),
        program=directory if is_beside else None,
        requirements=found,
    )


def choose_file(target: Path) -> Path:
    """Return the file to read: of a directory, its job file, or else its job.py.

    Raises:
        ManifestError: it has none.
    """
    if not target.is_dir():
        return target
    found = next((target / name for name in (*JOB_FILES, PROGRAM_FILE) if (target / name).is_file()), None)
    if found is None:
        raise ManifestError(f"{target}: has none of {', '.join((*JOB_FILES, PROGRAM_FILE))}: name the file itself")
    return found


def read_module(path: Path, class_name: str | None, input_format: str | None, overrides: Overrides) -> JobFile:
    """Read a Python file as a job whose program is that module of its directory.

    Raises:
        ManifestError: it cannot be read, has a name that is no module's, or the command line does not say enough.
    """
    if not path.stem.isidentifier():
        raise ManifestError(f"{path}: {path.stem} is no name of a module: rename the file, such as word_count.py")
    if not overrides.inputs or overrides.output is None:
        raise ManifestError(f"{path}: say what to read and where to write: podreduce submit {path} INPUT... -o OUTPUT")
    file = read_python_job(str(path), class_name=class_name, input_format=input_format, inputs=overrides.inputs)
    program = {"module": path.stem} | ({} if class_name is None else {"className": class_name})
    spec = {**file.manifest["spec"], "program": program}
    manifest = {**file.manifest, "spec": spec}
    if path.name == PROGRAM_FILE:  # then the directory tells more
        manifest["metadata"] = {"name": name_of(path.resolve().parent.name)}
    return JobFile(
        source=file.source,
        manifest=manifest,
        text=file.text,
        directory=file.directory,
        is_program=True,
    )


def read_others(file: JobFile) -> tuple[dict[str, Any], ...]:
    """Return the documents of a job file except the job."""
    documents = load_documents(file.text, file.source)
    return tuple(each for each in documents if isinstance(each, dict) and each.get("kind") != KIND)


def read_mapping(mapping: Mapping[str, Any], name: str) -> dict[str, Any]:
    """Return a field that should be a mapping; empty if it is not."""
    found = mapping.get(name)
    return found if isinstance(found, dict) else {}
