import pytest

from podreduce_operator.model.pipelines import Data
from podreduce_operator.pipelines.freshness import Node, Record, Source, State, combine_digests, find_states
from podreduce_operator.pipelines.reasons import explain_states

OBJECTS = Source(listing="objects 1")
CLEAN = Node(name="clean", spec_digest="clean", sources=(OBJECTS,))
COUNT = Node(name="count", spec_digest="count", sources=(Source(step="clean"),), is_seen=True)
PRESENT = {"clean": Data.PRESENT, "count": Data.PRESENT}
CHANGED = "its program, parameters or options have changed"
UNCHANGED = "nothing that it depends on has changed"


def records(clean_input: str = "objects objects 1", **changed: str) -> dict[str, Record]:
    read = {"clean": combine_digests([clean_input]), "count": combine_digests(["step out clean"])}
    return {
        name: Record(spec_digest=changed.get(name, name), input_digest=read[name], output_digest=f"out {name}")
        for name in read
    }


@pytest.mark.parametrize(
    ("known", "data", "clean", "count"),
    [
        (records(), PRESENT, UNCHANGED, UNCHANGED),
        ({}, {}, "it has not run yet", "it has not run yet"),
        (records(count="old"), PRESENT, UNCHANGED, CHANGED),
        (
            records(clean="old"),
            PRESENT,
            CHANGED,
            "only if the output of clean comes out otherwise",
        ),
        (
            records("objects objects 0"),
            PRESENT,
            "what it reads has changed",
            "only if the output of clean comes out otherwise",
        ),
        (records(), PRESENT | {"count": Data.GONE}, UNCHANGED, "its output is not at its place"),
        (records(), PRESENT | {"count": Data.REPLACED}, UNCHANGED, "somebody else replaced its output"),
        (records(count="old"), PRESENT | {"clean": Data.GONE}, "its output is not at its place", CHANGED),
        (records(), PRESENT | {"clean": Data.GONE}, UNCHANGED, UNCHANGED),
    ],
)
def test_each_state_has_its_reason(known: dict[str, Record], data: dict[str, Data], clean: str, count: str) -> None:
    assert explain_states([CLEAN, COUNT], known, data, {}) == {"clean": clean, "count": count}
    states = find_states([CLEAN, COUNT], known, data)
    assert [states[name] is State.REUSED for name in ("clean", "count")] == [clean == UNCHANGED, count == UNCHANGED]


def test_a_step_that_is_never_reused_says_why() -> None:
    never = Node(name="count", spec_digest=None, sources=COUNT.sources, is_seen=True)
    found = explain_states([CLEAN, never], records(), PRESENT, {"count": "the module m is on this machine"})
    assert found["count"] == "the module m is on this machine"
