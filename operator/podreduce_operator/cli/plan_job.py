"""`podreduce plan` of a job: what a run would read, cut, ask for and replace. Rule: changes nothing."""

import asyncio
import tempfile
from collections.abc import Iterator

from podreduce.contract.environment import StorageSettings
from podreduce.contract.errors import PodreduceError
from podreduce.contract.texts import render_count
from podreduce_operator.cli.overrides import Overrides
from podreduce_operator.cli.run import ExitStatus, InvalidFileError, RunOptions, load_job, read_any_file
from podreduce_operator.cli.terminal import complain, say
from podreduce_operator.cli.validate import find_local, find_uris
from podreduce_operator.cli.wording import render_bytes
from podreduce_operator.cluster.interface import JobStorage
from podreduce_operator.cluster.local.machine import count_cores
from podreduce_operator.cluster.local.processes import INSTALLATION
from podreduce_operator.model.errors import ActionError
from podreduce_operator.model.jobs import JobView
from podreduce_operator.model.limits import Limits
from podreduce_operator.planning.look_ahead import JobOutlook, Wave, WhatIsThere, look_ahead
from podreduce_operator.runs.run import RunCache

__all__ = ["plan_job_file", "render_job_outlook"]

INDENT = 10


def plan_job_file(path: str, overrides: Overrides, at: str | None) -> ExitStatus:
    """Print what a run of the job in a file would do now. A job whose URIs a cluster can reach is planned for one."""
    try:
        job = load_job(read_any_file(RunOptions(file=path, overrides=overrides, at=at)), overrides)
        is_local = bool(find_local(find_uris(job)))
        outlook = asyncio.run(look(job, overrides, is_local=is_local))
    except (InvalidFileError, ActionError, PodreduceError) as error:
        complain(str(error))
        return ExitStatus.INVALID
    where = "on this machine" if is_local else "on a cluster"
    lines = render_job_outlook(job, outlook, has_pods=not is_local)
    say("\n".join([f"{job.key.name}, as it would run {where} now:", *lines]))
    return ExitStatus.COMPLETE


async def look(job: JobView, overrides: Overrides, *, is_local: bool) -> JobOutlook:
    """Return what a run would do."""
    limit = count_cores() if is_local else Limits().parallelism
    parallelism = overrides.parallelism or job.spec.parallelism or limit
    with tempfile.TemporaryDirectory() as empty:
        storage = JobStorage(work_uri=f"file://{empty}/", installation=INSTALLATION, settings=StorageSettings())
        run = RunCache().open(job, job.spec.run_id, storage)
        return await look_ahead(run, parallelism=parallelism, packs=not is_local)


def render_job_outlook(job: JobView, outlook: JobOutlook, *, has_pods: bool) -> Iterator[str]:
    """Yield lines about what is read, the tasks, their pods or else processes, and the output."""
    describe = describe_pods if has_pods else describe_processes
    specs = {each.name: each for each in job.spec.all_inputs.values()}
    for name, objects in outlook.inputs.items():
        size = render_bytes(sum(each.size_bytes for each in objects))
        shown = f"{name}: " if len(outlook.inputs) > 1 else ""
        yield line("input", f"{shown}{render_count(len(objects), 'object')}, {size} as {specs[name].format}")
    for side in outlook.side_inputs:
        size = render_bytes(sum(each.bytes for each in side.objects))
        yield line("side", f"{side.name}: {render_count(len(side.objects), 'object')}, {size} into each pod")
    yield line("maps", describe_shards(outlook))
    if outlook.is_one_pod:
        yield line("", "one pod takes all tasks, because the input is small (execution: Auto)")
    else:
        yield line("", describe(outlook.maps))
        if outlook.several_pods is not None:
            yield line("", f"several pods: {outlook.several_pods.message}")
    if outlook.reduces is None:
        yield line("reduces", "none: what the maps write is the output")
    else:
        yield line("reduces", describe_partitions(outlook.reduces))
        if not outlook.is_one_pod:
            yield line("", describe(outlook.reduces))
    yield line("output", describe_output(job, outlook.output))


def line(title: str, text: str) -> str:
    """Return a line with its title."""
    return f"{title:<{INDENT}}{text}"


def describe_shards(outlook: JobOutlook) -> str:
    """Return `3 shards of 5 to 7 B; imbalance 6 B: the sum of their distances from the mean, 40.0 % of the input`."""
    sizes, off, total = outlook.shard_bytes, outlook.imbalance_bytes, outlook.input_bytes
    smallest, largest = render_bytes(min(sizes)), render_bytes(max(sizes))
    span = smallest if smallest == largest else f"{smallest} to {largest}"
    share = f", {100 * off / total:.1f} % of the input" if total else ""
    return (
        f"{render_count(len(sizes), 'shard')} of {span}; imbalance {render_bytes(off)}: "
        f"the sum of their distances from the mean{share}"
    )


def describe_partitions(reduces: Wave) -> str:
    """Return how many partitions there are."""
    partitions = render_count(reduces.tasks, "partition")
    if not reduces.is_estimate:
        return partitions
    return f"about {partitions}: chosen after the maps, here for an output of theirs as large as the input"


def describe_pods(wave: Wave) -> str:
    """Return `8 pods, 4 at a time; each requests 1 CPU, 2.0 GiB: together 4 CPU, 8.0 GiB`."""
    pods = render_count(wave.pods, "pod") + (f", {wave.at_a_time} at a time" if wave.at_a_time < wave.pods else "")
    one = render_requests(wave.requests.cpu_millis, wave.requests.memory_bytes)
    if not one:
        return f"{pods}; the job's templates request nothing, so each requests what the installation gives"
    if wave.at_a_time == 1:
        return f"{pods}; it requests {one}"
    cpu, memory = (
        None if each is None else each * wave.at_a_time
        for each in (wave.requests.cpu_millis, wave.requests.memory_bytes)
    )
    return f"{pods}; each requests {one}: together {render_requests(cpu, memory)}"


def describe_processes(wave: Wave) -> str:
    """Return `8 processes, 2 at a time`."""
    processes = render_count(wave.pods, "process", "processes")
    return f"{processes}, {wave.at_a_time} at a time" if wave.at_a_time < wave.pods else processes


def render_requests(cpu_millis: int | None, memory_bytes: int | None) -> str:
    """Return `1.5 CPU, 2.0 GiB`; empty if there is neither."""
    cpu = [] if cpu_millis is None else [f"{cpu_millis / 1000:g} CPU"]
    return ", ".join(cpu + ([] if memory_bytes is None else [render_bytes(memory_bytes)]))


def describe_output(job: JobView, found: WhatIsThere) -> str:
    """Return what becomes of what is at the output."""
    output = job.spec.output
    if found.claim is not None:
        holder = found.claim.job
        return f"{output.uri}: {holder.namespace}/{holder.name} (run {holder.run_id}) has claimed it"
    if not found.objects:
        return f"{output.uri}: nothing is there yet; {output.format} is written"
    amount = f"{render_count(found.objects, 'object')}, {render_bytes(found.bytes)}"
    if output.if_exists == "Fail":
        return f"{output.uri}: {amount} are there, so the run would fail (ifExists: Fail)"
    return f"{output.uri}: {amount} are there, and go when the new output is published (ifExists: Replace)"
