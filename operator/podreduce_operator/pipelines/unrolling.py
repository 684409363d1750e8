"""A pipeline as a list of nodes without loops: each iteration so far has a node for each step of the loop.

A loop is unrolled up to its first iteration that is not complete, or to its end. What reads the loop's output reads
that last iteration, and so it waits while the loop goes on.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from podreduce_operator.api.pipeline_spec import LoopSpec, PipelineSpec, StepInput, StepSpec, UntilSpec
from podreduce_operator.model.pipeline_records import Place
from podreduce_operator.model.pipelines import StepDigests
from podreduce_operator.pipelines.freshness import Node, Record, Source, is_fresh
from podreduce_operator.pipelines.loops import Loop, LoopEnd, LoopValue, StepOutcome, Until, end_after, read_values

__all__ = ["LoopProgress", "Unrolled", "find_results", "unroll"]


@dataclass(frozen=True, slots=True, kw_only=True)
class LoopProgress:
    """Where a loop stands.

    Attributes:
        iteration: the last one that has begun, or that is due.
        end: how the loop has ended; None while it goes on.
        values: the numbers of its conditions after the last complete iteration.
    """

    iteration: int
    end: LoopEnd | None = None
    values: tuple[LoopValue, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Unrolled:
    """The nodes so far, the place of each by its name, and where each loop stands."""

    nodes: Sequence[Node]
    places: Mapping[str, Place]
    loops: Mapping[str, LoopProgress]


def unroll(
    spec: PipelineSpec,
    digests: Mapping[str, StepDigests],
    records: Mapping[str, Record],
    outcomes: Mapping[str, StepOutcome],
) -> Unrolled:
    """Return the nodes of a pipeline.

    Args:
        spec: the pipeline.
        digests: by step.
        records: of the complete steps, by the node's name.
        outcomes: what they left, for the conditions of loops.

    Raises:
        LoopError: a condition of a loop cannot be evaluated.
    """
    unroller = Unroller(spec, digests, records, outcomes)
    for step in spec.steps:
        loop = spec.loop_of(step.name)
        if loop is None:
            unroller.add(step, Place(step=step.name))
        elif step.name == loop.steps[0]:
            unroller.add_loop(loop)
    return Unrolled(nodes=unroller.nodes, places=unroller.places, loops=unroller.loops)


class Unroller:
    """Adds node after node. A step's node comes after those that it reads."""

    def __init__(
        self,
        spec: PipelineSpec,
        digests: Mapping[str, StepDigests],
        records: Mapping[str, Record],
        outcomes: Mapping[str, StepOutcome],
    ) -> None:
        self._spec = spec
        self._digests = digests
        self._records = records
        self._outcomes = outcomes
        self._results = find_results(spec)
        self._fresh: dict[str, bool | None] = {}
        self.nodes: list[Node] = []
        self.places: dict[str, Place] = {}
        self.loops: dict[str, LoopProgress] = {}

    def add_loop(self, loop: LoopSpec) -> None:
        """Add the loop's iterations: those that are complete, and the next one if the loop has not ended."""
        body = [step for step in self._spec.steps if step.name in loop.steps]
        rule, complete, end = as_loop(loop), list[Mapping[str, StepOutcome]](), None
        while end is None:
            number = len(complete) + 1
            values = tuple(read_values(rule, complete)) if complete else ()
            self.loops[loop.name] = LoopProgress(iteration=number, values=values)
            places = [Place(step=step.name, iteration=number) for step in body]
            for step, place in zip(body, places, strict=True):
                self.add(step, place)
            if not all(self._fresh[str(place)] for place in places):
                return
            complete.append({place.step: self._outcomes[str(place)] for place in places})
            end = end_after(rule, complete)
        values = tuple(read_values(rule, complete))
        self.loops[loop.name] = LoopProgress(iteration=len(complete), end=end, values=values)
        self._show_results(loop)

    def add(self, step: StepSpec, place: Place) -> None:
        """Add the node of a step, in one iteration if it is in a loop."""
        digests = self._digests[step.name]
        node = Node(
            name=str(place),
            spec_digest=digests.spec,
            sources=tuple(self._source(each, place, digests) for each in step.all_inputs),
            after=tuple(dict.fromkeys(self._before(step, place))),
            is_seen=not place.iteration and step.name in self._results,
            is_asked_for=bool(place.iteration),
        )
        self.nodes.append(node)
        self.places[node.name] = place
        self._fresh[node.name] = is_fresh(node, self._fresh, self._records)

    def _before(self, step: StepSpec, place: Place) -> Iterator[str]:
        """Yield the nodes that a step waits for besides those that it reads.

        Of another loop these are all nodes of its iteration, because the next one may follow: only the last is read.
        """
        yield from (self._name(each, place) for each in step.depends_on)
        for name in (*step.depends_on, *(each for source in step.all_inputs for each in source.read_steps)):
            loop = self._spec.loop_of(name)
            if loop is not None and step.name not in loop.steps:
                yield from (self._name(each, place) for each in loop.steps)

    def _show_results(self, loop: LoopSpec) -> None:
        """Mark the results of a loop that has ended: those of its last iteration."""
        last = self.loops[loop.name].iteration
        for number, node in enumerate(self.nodes):
            place = self.places[node.name]
            if place.step in loop.steps and place.iteration == last and place.step in self._results:
                self.nodes[number] = replace(node, is_seen=True)

    def _source(self, each: StepInput, place: Place, digests: StepDigests) -> Source:
        """Return what a step reads, in the given iteration."""
        if each.previous is not None:
            if place.iteration > 1:
                return Source(step=str(Place(step=each.previous, iteration=place.iteration - 1)))
            uris, producer = (None, None) if each.first is None else (each.first.uris, each.first.from_)
        else:
            uris, producer = each.uris, each.from_
        if producer is not None:
            return Source(step=self._name(producer, place))
        return Source(listing=digests.listings[uris or ()])

    def _name(self, step: str, reader: Place) -> str:
        """Return the node of a step for its reader: in the same iteration, or in the last one of another loop."""
        loop = self._spec.loop_of(step)
        if loop is None:
            return step
        own = reader.iteration and reader.step in loop.steps
        return str(Place(step=step, iteration=reader.iteration if own else self.loops[loop.name].iteration))


def find_results(spec: PipelineSpec) -> set[str]:
    """Return the steps whose outputs are results: those with a URI, and those that no later step reads.

    A step that only reads its own output of the iteration before is such a step, too.
    """
    read = set[str]()
    for step in spec.steps:
        for each in step.all_inputs:
            read.update(name for name in (each.from_, each.first.from_ if each.first else None) if name is not None)
    return {step.name for step in spec.steps if step.output.uri is not None or step.name not in read}


def as_loop(loop: LoopSpec) -> Loop:
    """Return the rule of a loop."""
    return Loop(
        name=loop.name,
        max_iterations=loop.max_iterations,
        min_iterations=loop.min_iterations,
        until=tuple(as_until(until) for until in loop.until),
    )


def as_until(until: UntilSpec) -> Until:
    """Return a condition. `than` may be a decimal in quotes, because not every tool keeps a float as it is."""
    return Until(
        step=until.step,
        comparison=until.operator,
        than=float(until.than),
        counter=until.counter,
        output=until.output,
        value=until.value,
        of=until.of,
    )
