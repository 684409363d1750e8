"""Reads a job file: one MapReduceJob, and the ConfigMaps with its program.

Rule: only reads. `overrides` applies the command line, and `validation` applies the CRD.
"""

import json
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Any

from podreduce_operator.api.crd import KIND
from podreduce_operator.api.job_files import ManifestError, load_documents, parse_manifest

__all__ = [
    "JobFile",
    "beside",
    "find_module",
    "index_config_maps",
    "is_kind",
    "mentions",
    "parse_job_file",
    "read_job_file",
    "read_text",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class JobFile:
    """The content of a job file.

    Attributes:
        text: the file as it is.
        config_maps: their data, by name and then by key.
        directory: where the program's own modules are; None if it can have none.
        is_program: the file is the program itself, and the manifest was made for it.
        document: the kind of the document that holds the job or pipeline, and `template` the path to it in there.
        parameters: those of the schedule that makes the job, for the URIs of the command line; None if there is none.
    """

    source: str
    manifest: dict[str, Any]
    text: str = ""
    directory: Path | None = None
    is_program: bool = False
    document: str = KIND
    template: tuple[str, ...] = ()
    parameters: Mapping[str, str] | None = None
    config_maps: Mapping[str, Mapping[str, str]] = field(default_factory=dict)


def read_job_file(path: str) -> JobFile:
    """Read a YAML or JSON file; `-` reads standard input.

    Raises:
        ManifestError: it cannot be read, or does not have exactly one MapReduceJob.
    """
    return beside(parse_job_file(*read_text(path)), path)


def beside(file: JobFile, path: str) -> JobFile:
    """Return a job with the directory of its file, if the program's module is there. Standard input has none."""
    if path == "-":
        return file
    return replace(file, directory=find_directory(file.manifest, Path(path).resolve().parent))


def read_text(path: str) -> tuple[str, str]:
    """Return the text of a file, and how errors name it; `-` reads standard input.

    Raises:
        ManifestError: it cannot be read.
    """
    if path == "-":
        return read_standard_input(), "standard input"
    try:
        return Path(path).read_text(encoding="utf-8"), path
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise ManifestError(f"{path}: cannot be read: {reason}") from error


@cache
def read_standard_input() -> str:
    """Return what stands on standard input. It can be read once, and is asked for twice: for its kind, and to run."""
    return sys.stdin.read()


def mentions(path: str, name: str) -> bool:
    """Tell whether the text of a file has the name of a kind or a field. A file that cannot be read has none."""
    try:
        return name in read_text(path)[0]
    except ManifestError:
        return False


def find_directory(manifest: Mapping[str, Any], place: Path) -> Path | None:
    """Return the directory of the file if a program's module is there, as `podreduce submit` would pack it."""
    modules = (program.get("module") for program in find_programs(manifest) if "archive" not in program)
    return place if any(isinstance(each, str) and find_module(place, each) for each in modules) else None


def find_programs(manifest: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """Yield the programs of a job, or of a pipeline and its steps, as far as the manifest has the shape of one."""
    spec = manifest.get("spec")
    steps = spec.get("steps") if isinstance(spec, dict) else None
    for holder in (spec, *(steps if isinstance(steps, list) else ())):
        program = holder.get("program") if isinstance(holder, dict) else None
        if isinstance(program, dict):
            yield program


def find_module(directory: Path, module: str) -> Path | None:
    """Return the file of a module below a directory; None if it is not there."""
    *parents, name = module.split(".")
    place = directory.joinpath(*parents)
    candidates = (place / f"{name}.py", place / name / "__init__.py")
    return next((each for each in candidates if name and each.is_file()), None)


def parse_job_file(text: str, source: str) -> JobFile:
    """Return the job and the ConfigMaps in `text`.

    Raises:
        ManifestError: it is not YAML, or does not have exactly one MapReduceJob.
    """
    documents = load_documents(text, source)
    others = [document for document in documents if not is_kind(document, "ConfigMap")]
    jobs = [document for document in others if is_kind(document, KIND)]
    if len(jobs) > 1:
        names = ", ".join(str(job.get("metadata", {}).get("name")) for job in jobs)
        raise ManifestError(f"{source}: expected one {KIND}, found {len(jobs)} ({names}): put each in a separate file")
    job = (jobs or others or [None])[0]
    manifest = parse_manifest("" if job is None else json.dumps(job), source)
    config_maps = [document for document in documents if is_kind(document, "ConfigMap")]
    return JobFile(source=source, manifest=manifest, text=text, config_maps=index_config_maps(config_maps, source))


def index_config_maps(documents: Iterable[dict[str, Any]], source: str) -> dict[str, dict[str, str]]:
    """Return the ConfigMaps' data by name. Namespaces do not matter, because a local run has one job."""
    index = {}
    for document in documents:
        name = document.get("metadata", {}).get("name")
        data = document.get("data", {})
        if not isinstance(name, str) or not isinstance(data, dict):
            raise ManifestError(f"{source}: a ConfigMap needs metadata.name, and data must be a mapping")
        index[name] = {key: str(value) for key, value in data.items()}
    return index


def is_kind(document: object, kind: str) -> bool:
    """Tell whether a document is a resource of this kind."""
    return isinstance(document, dict) and document.get("kind") == kind
