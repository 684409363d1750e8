"""Makes a job of a Python file with a job class, so that a local run needs no YAML.

Rule: only reads. The command line gives what a job file would say: input, output, parameters.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from podreduce_operator.api.crd import API_VERSION, KIND
from podreduce_operator.api.job_files import ManifestError
from podreduce_operator.cli.job_file import JobFile

__all__ = ["build_job_file", "guess_format", "is_python", "name_of", "read_python_job"]

FORMATS = {".csv": "CSV", ".jsonl": "JSONLines", ".ndjson": "JSONLines", ".parquet": "Parquet"}
COMPRESSIONS = (".gz", ".bz2", ".zst")
MAX_NAMES = 1000
MAX_NAME = 50


def is_python(path: str) -> bool:
    """Tell whether a file is a program, and not a job in YAML or JSON."""
    return path.endswith(".py")


def read_python_job(
    path: str, *, class_name: str | None = None, input_format: str | None = None, inputs: Sequence[str] = ()
) -> JobFile:
    """Read a Python file as a job.

    Args:
        path: the file; the modules beside it can be imported.
        class_name: the job class, if the file has several.
        input_format: as in `spec.input.format`; None: by the names of the inputs.
        inputs: paths and URIs.

    Raises:
        ManifestError: it cannot be read.
    """
    try:
        text = Path(path).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise ManifestError(f"{path}: cannot be read: {reason}") from error
    return build_job_file(
        text, path, class_name=class_name, input_format=input_format or guess_format(inputs), inputs=inputs
    )


def build_job_file(
    text: str, source: str, *, class_name: str | None, input_format: str, inputs: Sequence[str]
) -> JobFile:
    """Return the job of a program's text; `source` is its file, or what stands for one."""
    path = Path(source)
    program: dict[str, Any] = {"source": text} | ({} if class_name is None else {"className": class_name})
    spec = {"program": program, "input": {"uris": list(inputs), "format": input_format}}
    manifest = {"apiVersion": API_VERSION, "kind": KIND, "metadata": {"name": name_of(path.stem)}, "spec": spec}
    directory = path.resolve().parent if path.is_file() else None
    return JobFile(source=source, manifest=manifest, text=text, directory=directory, is_program=True)


def name_of(text: str) -> str:
    """Return the name of a job that is called after a file or a directory."""
    return re.sub(r"[^a-z0-9]+", "-", text.lower())[:MAX_NAME].strip("-") or "job"


def guess_format(inputs: Iterable[str]) -> str:
    """Return the input format that the names of all inputs agree on; Text if they do not, or if none is known."""
    found = {find_format(name) for uri in inputs for name in names_of(uri)}
    return found.pop() if len(found) == 1 else "Text"


def find_format(name: str) -> str:
    """Return the format of an object by its name, whatever it is compressed with."""
    path = Path(name)
    return FORMATS.get((Path(path.stem) if path.suffix in COMPRESSIONS else path).suffix.lower(), "Text")


def names_of(uri: str) -> Iterator[str]:
    """Yield the names that an input stands for: those of the files in a directory, or else its own."""
    path = Path(uri.removeprefix("file://"))
    if not path.is_dir():
        yield uri
        return
    for number, each in enumerate(path.rglob("*")):
        if number == MAX_NAMES:
            return
        if each.is_file() and not each.name.startswith((".", "_")):
            yield each.name
