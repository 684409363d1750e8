"""Conditions about a run's pods (SeveralPods), and what it does to its store: Publishing, CleanedUp, CleanupFailed.

Rule: pure. Decisions read those about the store back, through `run_state`, while the store cannot be read.
"""

from collections.abc import Mapping
from typing import Any

from podreduce.contract.texts import cut_middle
from podreduce_operator.api.times import render_time
from podreduce_operator.model.decisions import Phase, Verdict
from podreduce_operator.model.observed import Observed
from podreduce_operator.policy.conditions import Condition
from podreduce_operator.policy.run_cleanup import gives_up_at, is_cleaned_up, is_given_up
from podreduce_operator.policy.run_state import CLEANED_UP, CLEANUP_FAILED, PUBLISHING, read_publishing

__all__ = ["MAX_MESSAGE", "SEVERAL_PODS", "run_conditions"]

SEVERAL_PODS = "SeveralPods"

MAX_MESSAGE = 300
"""The limit for the message of any condition."""

PUBLISHING_TEXTS = {True: ("CommitBegins", "only forward from here: the run publishes"), False: ("NotYet", "")}


def run_conditions(
    observed: Observed, verdict: Verdict, known: Mapping[str, Mapping[str, Any]], now: float
) -> dict[str, Condition]:
    """Return those of these conditions that apply; `known` are the conditions in the status, by type."""
    wanted: dict[str, Condition] = {}
    several = several_pods(observed, known.get(SEVERAL_PODS))
    if several is not None:
        wanted[SEVERAL_PODS] = several
    publishing = is_publishing(observed, verdict, known.get(PUBLISHING))
    if publishing is not None:
        wanted[PUBLISHING] = (publishing, *PUBLISHING_TEXTS[publishing])
    if is_cleaned_up(observed, now):
        wanted[CLEANED_UP] = (True, "NothingLeft", "only the output is left of this run")
    told = known.get(CLEANUP_FAILED)
    rests_with_leftovers = observed.is_at_rest and is_given_up(observed.job, observed.run, now)
    if observed.run.terminal is not None and (observed.faults or rests_with_leftovers):
        wanted[CLEANUP_FAILED] = cleanup_failed(observed, told, now)
    return wanted


def several_pods(observed: Observed, known: Mapping[str, Any] | None) -> Condition | None:
    """Return why the job's tasks do not share one pod. What is known stays while the plan is not seen."""
    plan = observed.plan
    if plan is None or observed.run.terminal is not None:
        return None if known is None or observed.superseded is not None else (True, known["reason"], known["message"])
    why = plan.several_pods
    return None if why is None else (True, why.reason, why.message)


def is_publishing(observed: Observed, verdict: Verdict, known: Mapping[str, Any] | None) -> bool | None:
    """Return what the condition Publishing says; None: it is left out.

    Once True it stays, because a leader that has lost its lease may have seen it. It becomes False only if the store
    shows that there is no intent.
    """
    if verdict.is_terminal:
        return None
    said = read_publishing(known)
    if said or observed.has_intent or verdict.phase is Phase.COMMITTING:
        return True
    return said if observed.is_store_unreadable or observed.superseded is not None else False


def cleanup_failed(observed: Observed, known: Mapping[str, Any] | None, now: float) -> Condition:
    """Return why a run that ended cannot be tidied, and until when this is tried. The message stays while that does.

    A store's words differ each time, by request ids for example, and each status write causes another pass.
    """
    until = f"; tried again at least once an hour until {render_time(gives_up_at(observed.job, observed.run, now))}"
    if known is not None and (not observed.faults or is_still_told(known, observed.faults[0].reason, until)):
        return True, str(known["reason"]), str(known["message"])
    fault = observed.faults[0]
    return True, fault.reason, cut_middle(fault.message, MAX_MESSAGE - len(until)) + until


def is_still_told(known: Mapping[str, Any], reason: str, until: str) -> bool:
    """Tell whether a condition already has this reason, and ends like this."""
    return known["reason"] == reason and str(known["message"]).endswith(until)
