"""`podreduce test`: runs a job class over a sample in several layouts, and says whether the results agree.

What a cluster may do differently each time must not change the output: how many shards and partitions there are, the
order of a set (the hash seed), and whether the program is rewritten to run faster. Rule: each run is a real one.
"""

import json
import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from podreduce.contract.texts import render_count
from podreduce.storage import open_store
from podreduce_operator.api.job_files import ManifestError
from podreduce_operator.api.program_tree import read_tree
from podreduce_operator.cli.job_file import JobFile
from podreduce_operator.cli.overrides import Overrides
from podreduce_operator.cli.python_job import read_python_job
from podreduce_operator.cli.python_run import JobFailedError, run_file
from podreduce_operator.cli.run import ExitStatus, RunOptions
from podreduce_operator.cli.terminal import complain, say
from podreduce_operator.cluster.local.fork_server import ForkServer
from podreduce_operator.runs.output_records import iter_records

__all__ = ["Layout", "compare_layouts", "find_difference", "layouts_of"]

DIGITS = 9
"""Sums of floats may differ in their last digits, by the order of the values."""
MAX_SHOWN = 200
HASH_SEED = "PYTHONHASHSEED"


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """One way to run a job.

    Attributes:
        settings: fields of the spec, as `--set` takes them.
        is_as_written: nothing of the program is rewritten to run faster.
        environ: variables of the tasks. With a hash seed each task needs an interpreter of its own.
    """

    name: str
    settings: Sequence[str] = ()
    is_as_written: bool = False
    environ: Mapping[str, str] = field(default_factory=dict)


def as_written(file: JobFile) -> JobFile | None:
    """Return the job with its functions called as they are written; None if the class has none that is rewritten.

    `combiner = None` keeps a reduce_func that podreduce would recognise as a sum, and skipping bad records needs each
    call of map_func on its own.
    """
    tree = read_tree(file.text)
    program = file.manifest["spec"]["program"]
    wanted = program.get("className")
    jobs = [] if tree is None else [each for each in tree.classes if each.is_job and wanted in (None, each.name)]
    if len(jobs) != 1 or "map_func" not in jobs[0].own:
        return None
    text, name = file.text, jobs[0].name
    if "reduce_func" in jobs[0].own:
        text, name = f"{text}\n\nclass {name}AsWritten({name}):\n    combiner = None\n", f"{name}AsWritten"
    changed = {**file.manifest["spec"], "program": {**program, "source": text, "className": name}}
    return replace(file, text=text, manifest={**file.manifest, "spec": changed})


def layouts_of() -> Iterator[Layout]:
    """Yield the layouts, the plainest first."""
    yield Layout(name="1 shard, 1 partition", settings=settings_of(1, 1))
    yield Layout(name="3 shards, 2 partitions", settings=settings_of(3, 2))
    yield Layout(name="7 shards, 5 partitions", settings=settings_of(7, 5))
    yield Layout(name="another hash seed", settings=settings_of(2, 3), environ={HASH_SEED: "1"})
    one_by_one = ("spec.badRecords=Skip", "spec.maxBadRecords=0")
    yield Layout(name="functions called as written", settings=(*settings_of(2, 2), *one_by_one), is_as_written=True)


def settings_of(shards: int, partitions: int) -> tuple[str, ...]:
    """Return the settings of so many shards and partitions."""
    return f"spec.map.shards={shards}", f"spec.reduce.partitions={partitions}"


def compare_layouts(
    path: str,
    inputs: Sequence[str],
    *,
    class_name: str | None,
    parameters: Sequence[str],
    input_format: str | None,
    fork_server: ForkServer | None,
) -> ExitStatus:
    """Run the class in every layout, and print whether the results agree."""
    try:
        file = read_python_job(path, class_name=class_name, input_format=input_format, inputs=inputs)
    except ManifestError as error:
        complain(str(error))
        return ExitStatus.INVALID
    written = as_written(file)
    shapes = [(each, written if each.is_as_written else file) for each in layouts_of()]
    overrides = Overrides(inputs=tuple(inputs), parameters=tuple(parameters))
    return compare_runs([(layout, shape) for layout, shape in shapes if shape is not None], overrides, fork_server)


def compare_runs(
    runs: Sequence[tuple[Layout, JobFile]], overrides: Overrides, fork_server: ForkServer | None
) -> ExitStatus:
    """Run each job in its layout, and print the first difference from what the first of them gives."""
    expected: list[str] | None = None
    with tempfile.TemporaryDirectory(prefix="podreduce-test-") as directory:
        for number, (layout, file) in enumerate(runs):
            try:
                output = str(Path(directory) / f"out-{number}")
                found = run_layout(file, layout, replace(overrides, output=output), fork_server)
            except ValueError as error:
                complain(str(error))
                return ExitStatus.INVALID
            except JobFailedError as error:
                complain(f"{error}\nthis run was the one with {layout.name}")
                return ExitStatus.FAILED
            if expected is None:
                expected = found
            difference = find_difference(expected, found)
            if difference is not None:
                complain(describe(runs[0][0], layout, difference))
                return ExitStatus.FAILED
            say(f"{layout.name}: {render_count(len(found), 'record')}")
    say(f"{runs[0][1].source}: the results of all {len(runs)} runs agree")
    return ExitStatus.COMPLETE


def run_layout(file: JobFile, layout: Layout, overrides: Overrides, fork_server: ForkServer | None) -> list[str]:
    """Run the job in a layout and return its records as texts, sorted.

    Raises:
        ValueError: the job is invalid.
        JobFailedError: it failed.
    """
    changed = replace(overrides, assignments=("spec.output.format=JSONLines", *layout.settings))
    options = RunOptions(file=file.source, overrides=changed, log_format="none", remembers=False)
    server = None if layout.environ else fork_server
    result = run_file(file, options, server, layout.environ)
    return sorted(
        json.dumps(rounded(record), ensure_ascii=False, sort_keys=True)
        for record in iter_records(open_store(result.output))
    )


def rounded(value: Any) -> Any:  # noqa: ANN401 - any JSON value
    """Return a value with its floats rounded."""
    match value:
        case float():
            return float(f"{value:.{DIGITS}g}")
        case list() | tuple():
            return [rounded(each) for each in value]
        case dict():
            return {name: rounded(each) for name, each in value.items()}
    return value


def find_difference(expected: Iterable[str], found: Iterable[str]) -> tuple[str | None, str | None] | None:
    """Return the first record that only one of two outputs has, or as often, and its counterpart in the other.

    None if both hold the same records.
    """
    wanted, given = Counter(expected), Counter(found)
    missing, added = sorted((wanted - given).elements()), sorted((given - wanted).elements())
    if not missing and not added:
        return None
    first = min([*missing[:1], *added[:1]])
    key = key_of(first)
    return next((each for each in missing if key_of(each) == key), None), next(
        (each for each in added if key_of(each) == key), None
    )


def key_of(record: str) -> str:
    """Return the key of a record as text; the whole record if it has none."""
    decoded = json.loads(record)
    return json.dumps(decoded[0]) if isinstance(decoded, list) and decoded else record


def describe(first: Layout, other: Layout, difference: tuple[str | None, str | None]) -> str:
    """Return the text about two runs that disagree."""
    places = zip((first.name, other.name), difference, strict=True)
    lines = [f"  with {name}: {'no such record' if record is None else shorten(record)}" for name, record in places]
    remedy = (
        "what to do: let the output depend only on the record, or on the key and all its values; not on the order of "
        "the values or of a set, on the time, on chance, or on what an earlier record left behind"
    )
    return "\n".join(["the results do not agree; the first difference:", *lines, remedy])


def shorten(record: str) -> str:
    """Return a record for a message."""
    return record if len(record) <= MAX_SHOWN else f"{record[:MAX_SHOWN]}…"
