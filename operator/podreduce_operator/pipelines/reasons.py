"""Why a step runs, or does not run, in words. Rule: pure. `freshness` decides; here it is explained."""

from collections.abc import Mapping, Sequence

from podreduce_operator.model.pipelines import Data
from podreduce_operator.pipelines.freshness import Node, Record, State, find_fresh, find_states

__all__ = ["explain_states"]


def explain_states(
    nodes: Sequence[Node],
    records: Mapping[str, Record],
    data: Mapping[str, Data],
    never_reused: Mapping[str, str],
) -> dict[str, str]:
    """Return why each step runs, may run, or is reused.

    Args:
        nodes: the steps in order.
        records: of the steps that have one.
        data: what is left of the recorded outputs.
        never_reused: why a step is never reused, by its name; only of such steps.
    """
    states, fresh = find_states(nodes, records, data), find_fresh(nodes, records)
    return {
        node.name: "nothing that it depends on has changed"
        if states[node.name] is State.REUSED
        else explain(node, records, data, fresh, never_reused)
        for node in nodes
    }


def explain(
    node: Node,
    records: Mapping[str, Record],
    data: Mapping[str, Data],
    fresh: Mapping[str, bool | None],
    never_reused: Mapping[str, str],
) -> str:
    """Return why a step runs or may run."""
    record = records.get(node.name)
    if record is None:
        return "it has not run yet"
    if node.spec_digest is None:
        return never_reused.get(node.name) or "it is never reused"
    if record.spec_digest != node.spec_digest:
        return "its program, parameters or options have changed"
    undecided = [name for name in node.producers if not fresh[name]]
    if fresh[node.name] is None:
        return f"only if the output of {' or '.join(undecided)} comes out otherwise"
    if not fresh[node.name]:
        return "what it reads has changed"
    return (
        "somebody else replaced its output"
        if data.get(node.name) is Data.REPLACED
        else "its output is not at its place"
    )
