"""What must run again: examples, and random pipelines whose every run gives what a run from nothing gives."""

from dataclasses import dataclass, field, replace
from hashlib import sha256

from hypothesis import given, settings
from hypothesis import strategies as st

from podreduce_operator.model.pipelines import Data
from podreduce_operator.pipelines.freshness import Node, Record, Source, State, find_states, input_digest

CLEAN = Node(name="clean", spec_digest="c1", sources=(Source(listing="logs"),))
VISITS = Node(name="visits", spec_digest="v1", sources=(Source(step="clean"),))
FAULTS = Node(name="faults", spec_digest="f1", sources=(Source(step="clean"),))
REPORT = Node(name="report", spec_digest="r1", sources=(Source(step="visits"), Source(step="faults")), is_seen=True)
DIAMOND = [CLEAN, VISITS, FAULTS, REPORT]


def run_all(nodes: list[Node]) -> dict[str, Record]:
    """The records after a run of all steps."""
    records: dict[str, Record] = {}
    for node in nodes:
        records[node.name] = Record(
            spec_digest=node.spec_digest, input_digest=input_digest(node, records), output_digest=f"out {node.name}"
        )
    return records


def states(nodes: list[Node], records: dict[str, Record], **data: Data) -> str:
    """The states in one line, such as `clean:Run visits:Waiting`; reused steps are left out."""
    present = dict.fromkeys(records, Data.PRESENT)
    found = find_states(nodes, records, {**present, **data})
    return " ".join(f"{name}:{state}" for name, state in found.items() if state is not State.REUSED)


def test_everything_runs_the_first_time() -> None:
    assert states(DIAMOND, {}) == "clean:Run visits:Waiting faults:Waiting report:Waiting"


def test_nothing_runs_if_nothing_has_changed() -> None:
    assert states(DIAMOND, run_all(DIAMOND)) == ""


def test_an_edited_step_runs_and_those_behind_it_are_asked_again() -> None:
    edited = [CLEAN, replace(VISITS, spec_digest="v2"), FAULTS, REPORT]
    assert states(edited, run_all(DIAMOND)) == "visits:Run report:Waiting"


def test_a_changed_object_runs_what_reads_it() -> None:
    changed = [replace(CLEAN, sources=(Source(listing="more logs"),)), VISITS, FAULTS, REPORT]
    assert states(changed, run_all(DIAMOND)) == "clean:Run visits:Waiting faults:Waiting report:Waiting"


def test_the_work_ends_where_an_output_comes_out_as_before() -> None:
    changed = [replace(CLEAN, sources=(Source(listing="more logs"),)), VISITS, FAULTS, REPORT]
    records = run_all(DIAMOND)
    again = replace(records["clean"], input_digest=input_digest(changed[0], records), is_of_this_run=True)
    assert states(changed, records | {"clean": again}) == ""


def test_missing_data_that_nobody_reads_is_not_made_again() -> None:
    assert states(DIAMOND, run_all(DIAMOND), clean=Data.GONE, visits=Data.GONE, faults=Data.GONE) == ""


def test_missing_data_is_made_again_for_a_step_that_runs() -> None:
    edited = [CLEAN, VISITS, FAULTS, replace(REPORT, spec_digest="r2")]
    assert (
        states(edited, run_all(DIAMOND), clean=Data.GONE, visits=Data.GONE) == "clean:Run visits:Waiting report:Waiting"
    )


def test_a_result_that_somebody_replaced_is_made_again_and_other_data_only_for_its_readers() -> None:
    assert states(DIAMOND, run_all(DIAMOND), report=Data.REPLACED) == "report:Run"
    assert states(DIAMOND, run_all(DIAMOND), visits=Data.REPLACED) == ""
    edited = [CLEAN, VISITS, FAULTS, replace(REPORT, spec_digest="r2")]
    assert states(edited, run_all(DIAMOND), visits=Data.REPLACED) == "visits:Run report:Waiting"


def test_a_step_without_a_digest_is_never_reused() -> None:
    pinned = [CLEAN, replace(VISITS, spec_digest=None), FAULTS, REPORT]
    assert states(pinned, run_all(pinned)) == "visits:Run report:Waiting"


def test_a_record_that_is_asked_for_needs_no_data() -> None:
    asked = [CLEAN, replace(VISITS, is_asked_for=True)]
    assert states(asked, run_all(asked), clean=Data.GONE, visits=Data.GONE) == ""
    edited = [CLEAN, replace(VISITS, is_asked_for=True, spec_digest="v2")]
    assert states(edited, run_all(asked), clean=Data.GONE) == "clean:Run visits:Waiting"


def test_an_output_that_somebody_sees_is_made_again_if_it_is_gone() -> None:
    assert states(DIAMOND, run_all(DIAMOND), report=Data.GONE) == "report:Run"


def test_a_step_waits_for_one_whose_output_it_does_not_read() -> None:
    load = Node(name="load", spec_digest="l1", sources=(Source(listing="tables"),), after=("report",), is_seen=True)
    assert states([*DIAMOND, load], run_all(DIAMOND)) == "load:Run"
    edited = [CLEAN, VISITS, FAULTS, replace(REPORT, spec_digest="r2"), load]
    assert states(edited, run_all(DIAMOND)) == "report:Run load:Waiting"


# Random pipelines


@dataclass
class World:
    """A pipeline, the objects that it reads, and what its runs have left. An output is a hash of spec and inputs."""

    nodes: list[Node]
    records: dict[str, Record] = field(default_factory=dict)
    outputs: dict[str, str] = field(default_factory=dict)
    replaced: set[str] = field(default_factory=set)

    def compute(self, node: Node, read: dict[str, str]) -> str:
        """The output of a step. There are few different ones, so that outputs often come out as before."""
        inputs = [read[source.step] if source.step is not None else source.listing for source in node.sources]
        return str(int(sha256(f"{node.spec_digest} {inputs}".encode()).hexdigest(), 16) % 3)

    def data(self) -> dict[str, Data]:
        return {
            name: Data.REPLACED if name in self.replaced else Data.PRESENT if name in self.outputs else Data.GONE
            for name in self.records
        }

    def run(self) -> list[str]:
        """Run what must run until nothing is left; return the steps in the order in which they ran."""
        self.records = {name: replace(record, is_of_this_run=False) for name, record in self.records.items()}
        ran: list[str] = []
        while True:
            found = find_states(self.nodes, self.records, self.data())
            ready = [node for node in self.nodes if found[node.name] is State.RUN]
            if not ready:
                assert set(found.values()) <= {State.REUSED}
                return ran
            self.run_step(ready[-1])
            ran.append(ready[-1].name)

    def run_step(self, node: Node) -> None:
        assert all(step in self.outputs for step in node.producers), "a step reads what is not there"
        output = self.compute(node, self.outputs)
        self.outputs[node.name] = output
        self.replaced.discard(node.name)
        self.records[node.name] = Record(
            spec_digest=node.spec_digest,
            input_digest=input_digest(node, self.records),
            output_digest=output,
            is_of_this_run=True,
        )

    def from_nothing(self) -> dict[str, str]:
        outputs: dict[str, str] = {}
        for node in self.nodes:
            outputs[node.name] = self.compute(node, outputs)
        return outputs

    def seen(self) -> list[str]:
        return [node.name for node in self.nodes if node.is_seen]


@st.composite
def pipelines(draw: st.DrawFn) -> list[Node]:
    nodes: list[Node] = []
    for number in range(draw(st.integers(1, 6))):
        read = draw(st.lists(st.sampled_from([node.name for node in nodes]), max_size=3)) if nodes else []
        sources = tuple(Source(step=step) for step in read)
        if not sources or draw(st.booleans()):
            sources += (Source(listing=draw(st.sampled_from("xyz"))),)
        after = draw(st.lists(st.sampled_from([node.name for node in nodes]), max_size=1)) if nodes else []
        nodes.append(
            Node(
                name=f"s{number}",
                spec_digest="a",
                sources=sources,
                after=tuple(after),
                is_seen=draw(st.booleans()),
            )
        )
    return nodes


def disturb(world: World, data: st.DataObject) -> None:
    """An edit, a changed object, or data that is lost or replaced."""
    number = data.draw(st.integers(0, len(world.nodes) - 1))
    node = world.nodes[number]
    match data.draw(st.sampled_from(["spec", "never", "listing", "lose", "replace", "forget"])):
        case "spec":
            world.nodes[number] = replace(node, spec_digest=data.draw(st.sampled_from("ab")))
        case "never":
            world.nodes[number] = replace(node, spec_digest=None)
        case "listing":
            sources = tuple(
                source if source.listing is None else Source(listing=data.draw(st.sampled_from("xyz")))
                for source in node.sources
            )
            world.nodes[number] = replace(node, sources=sources)
        case "lose":
            world.outputs.pop(node.name, None)
        case "replace":
            if node.name in world.outputs:
                world.replaced.add(node.name)
        case "forget":
            world.records.pop(node.name, None)


@settings(max_examples=150)
@given(pipelines(), st.data())
def test_a_run_gives_what_a_run_from_nothing_gives_and_each_step_runs_once(
    nodes: list[Node], data: st.DataObject
) -> None:
    world = World(nodes=nodes)
    assert set(world.run()) == set(world.outputs)
    for _ in range(3):
        for _ in range(data.draw(st.integers(0, 3))):
            disturb(world, data)
        ran = world.run()
        assert len(ran) == len(set(ran))
        expected = world.from_nothing()
        assert {name: world.outputs[name] for name in world.seen()} == {name: expected[name] for name in world.seen()}
    never = [node.name for node in world.nodes if node.spec_digest is None]
    assert world.run() == [] or never
