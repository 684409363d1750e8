"""Plans a run: pins the program, lists the input and tries it, claims the output, cuts the input, writes the plan last.

Rule: may be repeated at any point. The first `plan/plan.json` that is created is the plan.
"""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import islice

from podreduce.contract.layout import PLAN_KEY, shard_page_key, staging_prefix
from podreduce.contract.plan import InputOptions, PageRef, Plan, Program, ShardPage, SideInput
from podreduce.contract.wire import digest_bytes, encode
from podreduce.inputs import reads_whole_objects
from podreduce.storage import probe_conditional_create
from podreduce_operator.api.program_problems import find_program_problems, find_syntax_problem
from podreduce_operator.api.spec import JobSpec, ProgramSpec
from podreduce_operator.cluster.interface import Cluster
from podreduce_operator.concurrency import gather_bounded, in_thread_unless
from podreduce_operator.digests.run_digests import ListedObject, digest_inputs, digest_spec
from podreduce_operator.model.errors import ActionError
from podreduce_operator.model.jobs import JobKey, JobView
from podreduce_operator.planning.build_plan import (
    Digests,
    Planned,
    PlannedInputs,
    build_plan,
    plan_inputs,
    plan_shards,
    planned_inputs,
)
from podreduce_operator.planning.earlier_maps import EarlierMaps, MapWork, find_earlier_maps, write_carried_commits
from podreduce_operator.planning.input_access import check_readable
from podreduce_operator.planning.input_sample import settle_columns
from podreduce_operator.planning.list_input import list_input
from podreduce_operator.planning.packed_input import InputObject
from podreduce_operator.planning.program_files import check_files
from podreduce_operator.planning.shard_count import MIN_SHARD_BYTES, MIN_SHARD_BYTES_OF_PROCESS
from podreduce_operator.planning.side_inputs import plan_side_inputs
from podreduce_operator.pods.template_check import find_template_problem
from podreduce_operator.policy.run_state import is_over, read_plan_digest
from podreduce_operator.policy.single_pod_jobs import is_small_job
from podreduce_operator.runs.output_claim import (
    Claim,
    refuse_existing,
    release_output,
    take_over,
)
from podreduce_operator.runs.run import Run

__all__ = ["FoundInputs", "cut_inputs", "pin_program", "plan_run", "read_inputs"]

CONCURRENT_WRITES = 8

BRIEF_SOURCE = 16_384
BRIEF_OBJECTS = 1_000
"""What is done to a program of so many characters, or to a listing, takes some thousandths of a second."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundInputs:
    """What a job reads: the objects and the options of each input, and the side inputs."""

    listings: Sequence[Sequence[InputObject]]
    options: Sequence[InputOptions]
    side_inputs: tuple[SideInput, ...]

    def count_objects(self) -> int:
        """Return how many objects these are together."""
        return sum(map(len, self.listings)) + sum(len(each.objects) for each in self.side_inputs)


async def plan_run(run: Run, cluster: Cluster) -> None:
    """Make the run's plan.

    Raises:
        ActionError: the input, output, program or storage does not allow the run; the reason says which.
    """
    await probe_conditional_create(run.work)
    await probe_conditional_create(run.output, staging_prefix(run.job.uid, run.run_id))
    program = await pin_program(run.job, cluster)
    await check_files(program, run.storage.open)
    spec = run.job.spec
    # In threads, here and below: with a large program or many gzips it takes seconds, and other jobs must not wait.
    await in_thread_unless(len(program.source or "") <= BRIEF_SOURCE, partial(refuse_invalid, program, spec))
    refuse_templates(spec)
    found = await read_inputs(run)
    await take_output(run, cluster)
    is_brief = found.count_objects() <= BRIEF_OBJECTS
    cut = partial(cut_inputs, spec, found.listings, starts_pods=cluster.starts_pods)
    planned = await in_thread_unless(is_brief, cut)
    earlier = await look_for_maps(run, cluster, program, found, planned)
    planned = planned if earlier is None else earlier.planned
    digest = partial(digest_run, spec, program, found, runs_in_image=cluster.runs_images)
    plan = build_plan(
        job=run.identity,
        spec=spec,
        input_options=found.options,
        side_inputs=found.side_inputs,
        raw_spec=dict(run.job.raw_spec),
        program=program,
        planned=planned,
        pages=await write_pages(run, planned, is_brief=is_brief),
        digests=await in_thread_unless(is_brief, digest),
        owner=run.job.owner,
        buckets=None if earlier is None else earlier.buckets,
    )
    is_new = await write_plan(run, plan)
    if is_new and earlier is not None:
        await write_carried_commits(run, earlier.commits)


async def write_plan(run: Run, plan: Plan) -> bool:
    """Write the plan, and return whether it is the first.

    Raises:
        ActionError: the run has begun with another plan.
    """
    data = encode(plan)
    refuse_successor(run, digest_bytes(data))
    run.records.written_plan = digest_bytes(data)
    return await run.work.create_async(PLAN_KEY, data)


async def read_inputs(run: Run) -> FoundInputs:
    """List the inputs and the side inputs, and read samples where their columns are not given.

    Raises:
        ActionError: the input does not allow the run; the reason says which.
    """
    listings, options = [], []
    for place, each in run.job.spec.all_inputs.items():
        listing = await list_input(each.uris, run.storage.open, output_uri=run.output.uri, place=place)
        await check_readable(each.uris, listing, run.storage.open)
        options.append(await settle_columns(each, listing, run.storage.open, place=place))
        listings.append(listing)
    return FoundInputs(listings=listings, options=options, side_inputs=await plan_side_inputs(run))


def cut_inputs(spec: JobSpec, listings: Sequence[Sequence[InputObject]], *, starts_pods: bool) -> Planned:
    """Cut the listed inputs into shards, smaller ones if a task is a process and no pod."""
    whole = [reads_whole_objects(each.format, each.options) for each in spec.all_inputs.values()]
    cut: Callable[..., Planned] = partial(plan_inputs, listings, whole_objects=whole)
    if spec.input is not None:
        cut = partial(plan_shards, listings[0], whole_objects=whole[0])
    least = MIN_SHARD_BYTES if starts_pods else MIN_SHARD_BYTES_OF_PROCESS
    return cut(
        shards=spec.map.shards,
        shard_bytes=spec.map.shard_bytes,
        parallelism=spec.parallelism,
        least_bytes=least,
    )


async def look_for_maps(
    run: Run, cluster: Cluster, program: Program, found: FoundInputs, planned: Planned
) -> EarlierMaps | None:
    """Return map output that an earlier iteration has kept for this run. A job of one pod maps faster than it looks."""
    spec = run.job.spec
    is_one_pod = cluster.starts_pods and is_small_job(run.job.raw_spec, planned.cuts[-1], len(planned))
    if is_one_pod or not isinstance(planned, PlannedInputs):
        return None
    work = MapWork(
        program=program,
        inputs=planned_inputs(spec, found.options),
        side_inputs=found.side_inputs,
        planned=planned,
        shards=spec.map.shards,
    )
    return await find_earlier_maps(run, cluster, work)


def digest_run(spec: JobSpec, program: Program, read: FoundInputs, *, runs_in_image: bool) -> Digests:
    """Return the digests of what the run reads and does."""
    side = {each.name: [(found.uri, found.bytes, found.etag) for found in each.objects] for each in read.side_inputs}
    return Digests(
        input=digest_inputs([map(as_listed, listing) for listing in read.listings], side),
        spec=digest_spec(spec, program, runs_in_image=runs_in_image),
    )


def as_listed(found: InputObject) -> ListedObject:
    """Return what the digest of the input is over."""
    return found.uri, found.size_bytes, found.etag


def refuse_successor(run: Run, digest: str) -> None:
    """Make sure that a run whose plan is gone goes on with the same plan: its work was done by that one.

    Raises:
        ActionError: the status names another plan than the one that would be written.
    """
    named = read_plan_digest(run.job.status, run.run_id)
    if named is None or named == digest:
        return
    raise ActionError(
        "PlanGone",
        f"the plan that this run started with is not at {run.work.uri_of(PLAN_KEY)}, and what it was made of has "
        "changed: set a new spec.runId to start over",
        permanent=True,
    )


async def pin_program(job: JobView, cluster: Cluster) -> Program:
    """Return the program as it is now. The text of a ConfigMap becomes part of the plan.

    Raises:
        ActionError: there is no such ConfigMap, or it cannot be read.
    """
    program = job.spec.program
    source = program.source
    if program.source_from is not None:
        reference = program.source_from.config_map_key_ref
        source = await cluster.read_source(job, reference.name, reference.key)
    return program.as_program(source)


def refuse_invalid(program: Program, spec: JobSpec) -> None:
    """Make sure that the program is not certainly wrong, before any pod starts. Its text is read and never run.

    A job's own image may have a newer Python: only a task knows what that compiles.

    Raises:
        ActionError: it does not compile, or it has no job class with the right members.
    """
    if program.source is None or (names_image(spec) and find_syntax_problem(program.source) is not None):
        return
    for problem in find_program_problems(program.source, program.class_name)[:1]:
        place = f", line {problem.line}, column {problem.column}" if problem.line else ""
        raise ActionError("ProgramInvalid", f"{name_source(spec.program)}{place}: {problem.message}", permanent=True)


def refuse_templates(spec: JobSpec) -> None:
    """Make sure that a pod can be made of the job's templates, as long as a change to them still takes effect.

    Raises:
        ActionError: it cannot.
    """
    problem = find_template_problem(spec)
    if problem is not None:
        raise ActionError("PodRejected", problem, permanent=True)


def names_image(spec: JobSpec) -> bool:
    """Tell whether the tasks may have another image than the installation's."""
    templates = [spec.pod_template, spec.map.pod_template, spec.reduce.pod_template]
    return spec.image is not None or '"image"' in json.dumps(templates)


def name_source(program: ProgramSpec) -> str:
    """Return where the program's text is, for its author."""
    if program.source_from is None:
        return "spec.program.source"
    reference = program.source_from.config_map_key_ref
    return f"ConfigMap {reference.name}, key {reference.key}"


async def take_output(run: Run, cluster: Cluster) -> None:
    """Claim the output, also from a run that is over. If it must be empty, make sure that it is."""
    await take_over(run.output, run.claim, lambda holder: may_take(holder, run, cluster))
    if run.job.spec.output.if_exists == "Fail":
        try:
            await refuse_existing(run.output)
        except ActionError:
            await release_output(run.output, run.claim)
            raise


async def may_take(holder: Claim, run: Run, cluster: Cluster) -> bool:
    """Tell whether the run that holds a claim can no longer write. Only runs of this installation can be checked.

    A claim of the job itself is of a run that this one replaced, or of the installation that had the job before.
    """
    if holder.job.uid == run.job.uid:
        return True
    if holder.installation != run.storage.installation:
        return False
    key = JobKey(namespace=holder.job.namespace, name=holder.job.name)
    job = await cluster.find_job(key)
    return is_over(job, holder.job, is_unread=job is None and cluster.is_unread(key, holder.job.uid))


async def write_pages(run: Run, planned: Planned, *, is_brief: bool) -> list[PageRef]:
    """Write the shard pages, a few at a time, and return the references for the plan."""
    pages, refs = enumerate(planned.pages()), []

    def encode_some() -> list[tuple[PageRef, bytes]]:
        return [encode_page(*page) for page in islice(pages, CONCURRENT_WRITES)]

    while batch := await in_thread_unless(is_brief, encode_some):
        writes = [partial(run.work.put_async, shard_page_key(ref.number), data) for ref, data in batch]
        await gather_bounded(writes, limit=CONCURRENT_WRITES)
        refs += [ref for ref, _ in batch]
    return refs


def encode_page(number: int, page: ShardPage) -> tuple[PageRef, bytes]:
    """Return a page's reference and bytes."""
    data = encode(page)
    return PageRef(number=number, first_shard=page.shards[0].index, digest=digest_bytes(data)), data
