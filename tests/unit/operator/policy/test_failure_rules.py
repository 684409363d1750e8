from typing import Any

import pytest

from podreduce_operator.model.pods import PodPhase
from podreduce_operator.policy.failure_rules import find_action
from tests.support.builders.jobs import make_spec
from tests.support.builders.pods import make_pod

PREEMPTED = (("DisruptionTarget", "True"), ("Ready", "False"))

RULES: dict[str, tuple[dict[str, Any], dict[str, Any], bool]] = {
    "code in the list": ({"onExitCodes": {"operator": "In", "values": [3, 42]}}, {"exit_code": 42}, True),
    "code not in the list": ({"onExitCodes": {"operator": "In", "values": [3]}}, {"exit_code": 42}, False),
    "code outside the list": ({"onExitCodes": {"operator": "NotIn", "values": [3]}}, {"exit_code": 42}, True),
    "code inside the list": ({"onExitCodes": {"operator": "NotIn", "values": [42]}}, {"exit_code": 42}, False),
    "no code": ({"onExitCodes": {"operator": "NotIn", "values": [42]}}, {"exit_code": None}, False),
    "success": ({"onExitCodes": {"operator": "NotIn", "values": [42]}}, {"exit_code": 0}, False),
    "reason": ({"onReasons": ["Evicted", "ProgramError"]}, {}, True),
    "another reason": ({"onReasons": ["Evicted"]}, {}, False),
    "condition": (
        {"onPodConditions": [{"type": "DisruptionTarget", "status": "True"}]},
        {"conditions": PREEMPTED},
        True,
    ),
    "any of the conditions": (
        {"onPodConditions": [{"type": "x", "status": "True"}, {"type": "Ready", "status": "False"}]},
        {"conditions": PREEMPTED},
        True,
    ),
    "condition of another status": (
        {"onPodConditions": [{"type": "DisruptionTarget", "status": "False"}]},
        {"conditions": PREEMPTED},
        False,
    ),
    "no conditions": ({"onPodConditions": [{"type": "DisruptionTarget", "status": "True"}]}, {}, False),
}


def action_of(rules: list[dict[str, Any]], fields: dict[str, Any]) -> str | None:
    pod = make_pod(**({"phase": PodPhase.FAILED, "exit_code": 64} | fields))
    return find_action(make_spec(failurePolicy={"rules": rules}).failure_policy.rules, pod, "ProgramError")


@pytest.mark.parametrize(("rule", "fields", "fits"), RULES.values(), ids=RULES.keys())
def test_rule_fits_what_it_names(rule: dict[str, Any], fields: dict[str, Any], fits: bool) -> None:
    assert action_of([{"action": "Ignore", **rule}], fields) == ("Ignore" if fits else None)


def test_first_rule_that_fits_decides() -> None:
    rules: list[dict[str, Any]] = [
        {"action": "FailJob", "onReasons": ["Evicted"]},
        {"action": "Count", "onReasons": ["ProgramError"]},
        {"action": "Ignore", "onExitCodes": {"operator": "In", "values": [64]}},
    ]
    assert action_of(rules, {}) == "Count"


def test_without_rules_nothing_is_said() -> None:
    assert action_of([], {}) is None
