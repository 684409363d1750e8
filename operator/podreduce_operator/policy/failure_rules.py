"""`spec.failurePolicy`: the job author's word on which failures fail the job, cost nothing, or count.

Rule: pure. As batch/v1's podFailurePolicy: the first rule that fits an attempt decides; without one, its failure class.
"""

from collections.abc import Sequence

from podreduce_operator.api.spec import ExitCodesRule, FailureRule
from podreduce_operator.model.pods import PodView

__all__ = ["find_action"]


def find_action(rules: Sequence[FailureRule], pod: PodView, reason: str) -> str | None:
    """Return what the rules say of a failed attempt (`FailJob`, `Ignore` or `Count`); None if none fits it."""
    return next((rule.action for rule in rules if fits(rule, pod, reason)), None)


def fits(rule: FailureRule, pod: PodView, reason: str) -> bool:
    """Tell whether a rule speaks of this attempt. It has one criterion (the CRD sees to that)."""
    if rule.on_exit_codes is not None:
        return has_exit_code(rule.on_exit_codes, pod.exit_code)
    if rule.on_reasons:
        return reason in rule.on_reasons
    return any((wanted.type, wanted.status) in pod.conditions for wanted in rule.on_pod_conditions)


def has_exit_code(rule: ExitCodesRule, code: int | None) -> bool:
    """Tell whether the task's container ended with a code that the rule means; 0 is never meant."""
    if not code:
        return False
    return (code in rule.values) == (rule.operator == "In")
