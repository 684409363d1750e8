"""`spec.failurePolicy`: the job author's rules on which failures fail the job, are free, or count.

Rule: pure. As in batch/v1's podFailurePolicy, the first matching rule decides. Without one, the failure class does.
"""

from collections.abc import Sequence

from podreduce_operator.api.spec import ExitCodesRule, FailureRule
from podreduce_operator.model.pods import PodView

__all__ = ["find_action"]


def find_action(rules: Sequence[FailureRule], pod: PodView, reason: str) -> str | None:
    """Return the action of the first matching rule (`FailJob`, `Ignore` or `Count`), or None if no rule matches."""
    return next((rule.action for rule in rules if fits(rule, pod, reason)), None)


def fits(rule: FailureRule, pod: PodView, reason: str) -> bool:
    """Tell whether a rule matches this attempt. The CRD makes sure that a rule has exactly one criterion."""
    if rule.on_exit_codes is not None:
        return has_exit_code(rule.on_exit_codes, pod.exit_code)
    if rule.on_reasons:
        return reason in rule.on_reasons
    return any((wanted.type, wanted.status) in pod.conditions for wanted in rule.on_pod_conditions)


def has_exit_code(rule: ExitCodesRule, code: int | None) -> bool:
    """Tell whether the container's exit code matches the rule. Exit code 0 never matches."""
    if not code:
        return False
    return (code in rule.values) == (rule.operator == "In")
