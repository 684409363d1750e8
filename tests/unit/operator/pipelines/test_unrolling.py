from typing import Any

import pytest

from podreduce_operator.api.pipeline_spec import PipelineSpec, decode_pipeline_spec
from podreduce_operator.model.pipelines import Data, StepDigests
from podreduce_operator.pipelines.freshness import Node, Record, Source, State, find_states, input_digest
from podreduce_operator.pipelines.loops import LoopEnd, LoopError, StepOutcome
from podreduce_operator.pipelines.unrolling import Unrolled, find_results, unroll

LINKS = ("s3://web/links/",)
PAGERANK: dict[str, Any] = {
    "steps": [
        {"name": "seed", "inputs": [{"uris": LINKS}]},
        {"name": "spread", "inputs": [{"uris": LINKS}, {"previous": "sum", "first": {"from": "seed"}}]},
        {"name": "sum", "inputs": [{"from": "spread"}]},
        {"name": "top", "inputs": [{"from": "sum"}], "output": {"uri": "s3://web/top/"}},
    ],
    "loops": [
        {
            "name": "rank",
            "steps": ["spread", "sum"],
            "maxIterations": 4,
            "until": [{"step": "sum", "counter": "rank/micro", "operator": "Less", "than": "1000"}],
        }
    ],
}
KMEANS: dict[str, Any] = {
    "steps": [
        {"name": "seed", "inputs": [{"uris": LINKS}]},
        {
            "name": "assign",
            "inputs": [{"uris": LINKS}],
            "sideInputs": [{"name": "centres", "previous": "assign", "first": {"from": "seed"}}],
        },
    ],
    "loops": [{"name": "lloyd", "steps": ["assign"], "maxIterations": 2}],
}


def make_spec(fields: dict[str, Any]) -> PipelineSpec:
    defaults = {
        "onStepFailure": "FinishRunning",
        "reuse": "Unchanged",
        "intermediates": "UntilTTL",
        "runId": "1",
        "suspend": False,
        "ttlSecondsAfterFinished": 60,
    }
    return decode_pipeline_spec(defaults | fields)


class World:
    """A pipeline whose steps are run one after another; each iteration counts what it is told to."""

    def __init__(self, fields: dict[str, Any], *counts: int) -> None:
        self.spec = make_spec(fields)
        self.counts = counts
        self.records: dict[str, Record] = {}
        self.outcomes: dict[str, StepOutcome] = {}

    def unroll(self) -> Unrolled:
        digests = {step.name: StepDigests(spec=step.name, listings={LINKS: "links"}) for step in self.spec.steps}
        return unroll(self.spec, digests, self.records, self.outcomes)

    def run(self, *names: str) -> None:
        """Complete these nodes."""
        for name in names:
            node = next(node for node in self.unroll().nodes if node.name == name)
            self.records[name] = Record(
                spec_digest=node.spec_digest,
                input_digest=input_digest(node, self.records),
                output_digest=f"out {name}",
            )
            _, _, iteration = name.partition("/")
            counted = {"rank/micro": self.counts[int(iteration) - 1]} if name.startswith("sum") else {}
            self.outcomes[name] = StepOutcome(records=1, bytes=1, counters=counted)


def reads(unrolled: Unrolled) -> list[str]:
    return [
        f"{node.name} <- {' '.join(source.step or source.listing or '' for source in node.sources)}"
        for node in unrolled.nodes
    ]


def seen(unrolled: Unrolled) -> list[str]:
    return [node.name for node in unrolled.nodes if node.is_seen]


def test_a_loop_begins_with_its_first_iteration_and_its_reader_waits_for_it() -> None:
    world = World(PAGERANK)
    assert reads(world.unroll()) == [
        "seed <- links",
        "spread/1 <- links seed",
        "sum/1 <- spread/1",
        "top <- sum/1",
    ]


def test_each_complete_iteration_makes_the_next_one_until_the_condition_holds() -> None:
    world = World(PAGERANK, 5000, 900)
    world.run("seed", "spread/1", "sum/1")
    going = world.unroll()
    assert reads(going)[3:] == ["spread/2 <- links sum/1", "sum/2 <- spread/2", "top <- sum/2"]
    assert going.loops["rank"].end is None
    assert [value.number for value in going.loops["rank"].values] == [5000]
    world.run("spread/2", "sum/2")
    ended = world.unroll()
    assert (ended.loops["rank"].iteration, ended.loops["rank"].end) == (2, LoopEnd.CONVERGED)
    assert reads(ended)[-1] == "top <- sum/2"


def test_a_loop_that_does_not_converge_ends_at_its_limit() -> None:
    world = World(PAGERANK, *[5000] * 4)
    world.run("seed", *[f"{step}/{number}" for number in range(1, 5) for step in ("spread", "sum")])
    assert world.unroll().loops["rank"].end is LoopEnd.LIMIT_REACHED


def test_an_iteration_whose_record_is_gone_is_the_next_one() -> None:
    world = World(PAGERANK, 5000, 900)
    world.run("seed", "spread/1", "sum/1", "spread/2", "sum/2")
    del world.records["sum/1"]
    assert world.unroll().loops["rank"].iteration == 1


def test_a_loop_that_reads_its_own_output_gives_that_of_the_last_iteration() -> None:
    world = World(KMEANS)
    world.run("seed", "assign/1")
    assert seen(world.unroll()) == []
    world.run("assign/2")
    assert reads(world.unroll()) == ["seed <- links", "assign/1 <- links seed", "assign/2 <- links assign/1"]
    assert seen(world.unroll()) == ["assign/2"]


def test_results_have_a_uri_or_no_reader() -> None:
    assert find_results(make_spec(PAGERANK)) == {"top"}
    assert find_results(make_spec(KMEANS)) == {"assign"}


def test_a_counter_that_nobody_counts_names_the_step() -> None:
    world = World(PAGERANK, 1)
    world.run("seed", "spread/1", "sum/1")
    world.outcomes["sum/1"] = StepOutcome(records=1, bytes=1)
    with pytest.raises(LoopError, match="the step sum has not counted rank/micro"):
        world.unroll()


def test_a_thousand_iterations_are_unrolled_in_one_go() -> None:
    fields = KMEANS | {"loops": [{"name": "lloyd", "steps": ["assign"], "maxIterations": 1000}]}
    world = World(fields)
    world.run("seed")
    previous = "seed"
    for number in range(1, 1000):
        node = Node(name="x", spec_digest="", sources=(Source(listing="links"), Source(step=previous)))
        previous = f"assign/{number}"
        world.records[previous] = Record(
            spec_digest="assign", input_digest=input_digest(node, world.records), output_digest=previous
        )
        world.outcomes[previous] = StepOutcome(records=1, bytes=1)
    assert world.unroll().loops["lloyd"].iteration == 1000


def test_a_reader_waits_for_the_whole_iteration_and_not_only_for_the_step_of_it_that_it_reads() -> None:
    """`sum` may say that the loop goes on: then the output of `spread` is not the last one."""
    *steps, top = PAGERANK["steps"]
    fields = {**PAGERANK, "steps": [*steps, {**top, "inputs": [{"from": "spread"}]}]}
    spec = make_spec(fields)
    digests = {step.name: StepDigests(spec=step.name, listings={LINKS: "links"}) for step in spec.steps}
    known = Record(spec_digest="", input_digest="", output_digest="1", is_of_this_run=True)
    records = dict.fromkeys(["seed", "spread/1"], known)
    found = unroll(
        spec, digests, records, dict.fromkeys(records, StepOutcome(records=1, bytes=1, counters={}, values={}))
    )
    data = dict.fromkeys(records, Data.PRESENT)
    states = find_states(found.nodes, records, data)
    assert (states["sum/1"], states["top"]) == (State.RUN, State.WAITING)
