"""One look at a pipeline: its nodes, what is to be done about each, how urgent it is, and what lies below what."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from podreduce_operator.api.pipeline_spec import LoopSpec
from podreduce_operator.model.pipeline_records import StepRecord
from podreduce_operator.model.pipelines import PipelineObserved, StepJob
from podreduce_operator.pipelines.freshness import Record, State, find_states
from podreduce_operator.pipelines.loops import StepOutcome
from podreduce_operator.pipelines.ranks import critical_path, estimate_seconds, rank_steps
from podreduce_operator.pipelines.unrolling import Unrolled, unroll

__all__ = ["Picture", "as_outcome", "as_record", "look_at"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """What is known of the nodes of a pipeline.

    Attributes:
        states: by node.
        jobs: the job of each node that has one in this run.
        ranks: by node, in seconds.
        critical_path: the nodes of the longest way that is left.
    """

    unrolled: Unrolled
    states: Mapping[str, State]
    jobs: Mapping[str, StepJob]
    ranks: Mapping[str, float]
    critical_path: tuple[str, ...]

    @property
    def is_done(self) -> bool:
        """Whether no step has to run any more, and no loop goes on."""
        has_ended = all(loop.end is not None for loop in self.unrolled.loops.values())
        return has_ended and all(state is State.REUSED for state in self.states.values())

    def below(self, names: Iterable[str]) -> set[str]:
        """Return these nodes and all that wait for them."""
        found = set(names)
        for node in self.unrolled.nodes:
            if found.intersection((*node.producers, *node.after)):
                found.add(node.name)
        return found


def look_at(observed: PipelineObserved) -> Picture:
    """Return what is known of a pinned pipeline.

    Raises:
        LoopError: a condition of a loop cannot be evaluated.
    """
    spec = observed.pipeline.spec
    records = {name: as_record(record, observed) for name, record in observed.records.items()}
    outcomes = {name: as_outcome(record) for name, record in observed.records.items()}
    unrolled = unroll(spec, observed.digests, records, outcomes)
    states = find_states(unrolled.nodes, records, observed.data)
    jobs = {str(job.place): job for job in observed.run_jobs}
    consumers: dict[str, list[str]] = {node.name: [] for node in unrolled.nodes}
    for node in unrolled.nodes:
        for name in dict.fromkeys((*node.producers, *node.after)):
            consumers[name].append(node.name)
    estimates = estimate_all(observed, unrolled, states, jobs)
    return Picture(
        unrolled=unrolled,
        states=states,
        jobs=jobs,
        ranks=rank_steps(estimates, consumers),
        critical_path=tuple(name for name in critical_path(estimates, consumers) if estimates[name]),
    )


def as_record(record: StepRecord, observed: PipelineObserved) -> Record:
    """Return what reuse reads of a record."""
    return Record(
        spec_digest=record.spec_digest,
        input_digest=record.input_digest,
        output_digest=record.output_digest,
        is_of_this_run=observed.is_own(record),
    )


def as_outcome(record: StepRecord) -> StepOutcome:
    """Return what the conditions of loops read of a record."""
    return StepOutcome(records=record.records, bytes=record.bytes, counters=record.counters, values=record.values)


def estimate_all(
    observed: PipelineObserved, unrolled: Unrolled, states: Mapping[str, State], jobs: Mapping[str, StepJob]
) -> dict[str, float]:
    """Return how long each node still takes, in seconds; 0 if it does not run.

    The nodes of a loop that goes on stand for the iterations that are expected, too.
    """
    sizes: dict[str, float] = {}
    estimates: dict[str, float] = {}
    for node in unrolled.nodes:
        place = unrolled.places[node.name]
        record = find_record(observed, node.name, place.step)
        bytes_in = sum(sizes[name] for name in node.producers) + observed.digests[place.step].bytes_in
        sizes[node.name] = bytes_in * (record.bytes / record.bytes_in if record and record.bytes_in else 1.0)
        if states[node.name] is State.REUSED:
            estimates[node.name] = 0.0
            continue
        job, rate = jobs.get(node.name), None
        if record is not None and record.bytes_in:
            rate = record.slot_seconds / record.bytes_in
        seconds = estimate_seconds(job.bytes_left if job else bytes_in, observed.parallelism, rate)
        loop = observed.pipeline.spec.loop_of(place.step)
        estimates[node.name] = seconds * (1 if loop is None else iterations_left(loop, place.iteration))
    return estimates


def find_record(observed: PipelineObserved, name: str, step: str) -> StepRecord | None:
    """Return the node's record, or that of the step's last iteration that has one."""
    if name in observed.records:
        return observed.records[name]
    same = [record for record in observed.records.values() if record.place.step == step]
    return max(same, key=lambda record: record.place.iteration, default=None)


def iterations_left(loop: LoopSpec, iteration: int) -> int:
    """Return how many iterations are expected from this one on: to half of the limit, if nothing else is known."""
    expected = loop.max_iterations if not loop.until else max(loop.max_iterations // 2, loop.min_iterations)
    return max(expected - iteration + 1, 1)
