"""Keeps records of attempts during a run, for its post-mortem, because their pods are deleted.

Rule: pure. An attempt is kept again whenever it reaches a new stage. All attempts of a pass go into one object, before
the first pod is created or deleted, so a pod costs a kilobyte and no separate request. Nothing else waits for this. If
the store fails, the next pass tries again, and pods that must stop are stopped anyway.
"""

from dataclasses import replace

from podreduce.contract.attempts import AttemptRecord
from podreduce_operator.model.actions import CreatePod, DeletePod, KeepAttempts
from podreduce_operator.model.decisions import Decision
from podreduce_operator.model.observed import Observed
from podreduce_operator.model.pods import Stage
from podreduce_operator.policy.attempt_record import describe_attempt, past_attempts, stage_of
from podreduce_operator.policy.run_cleanup import wants_post_mortem

__all__ = ["keep_attempts"]


def keep_attempts(decision: Decision, observed: Observed, now: float) -> Decision:
    """Add an action that keeps the attempts with a new stage, before their pods are deleted."""
    news = find_news(decision, observed, now) if has_story(observed, now) else ()
    if not news:
        return decision
    of_pods = (index for index, action in enumerate(decision.actions) if isinstance(action, CreatePod | DeletePod))
    before = next(of_pods, len(decision.actions))
    actions = (*decision.actions[:before], KeepAttempts(attempts=news), *decision.actions[before:])
    return replace(decision, actions=actions)


def has_story(observed: Observed, now: float) -> bool:
    """Tell whether the run's attempts should still be kept and the store works."""
    if observed.plan is None or observed.faults:
        return False
    return observed.run.terminal is None or wants_post_mortem(observed, now)


def find_news(decision: Decision, observed: Observed, now: float) -> tuple[AttemptRecord, ...]:
    """Return the attempts with a stage that is not kept yet, including those about to be deleted."""
    deleted = {action.uid: action.why for action in decision.actions if isinstance(action, DeletePod)}
    past = (turn for pod in observed.run_pods if pod.sequence for turn in past_attempts(pod, observed.commits))
    done = tuple(describe_attempt(turn, now) for turn in past if observed.kept.get(turn.attempt_id, 0) < Stage.DONE)
    return done + tuple(
        describe_attempt(pod, now, deleted.get(pod.uid, ""))
        for pod in observed.run_pods
        if observed.kept.get(pod.attempt_id, 0) < (Stage.GONE if pod.uid in deleted else stage_of(pod))
    )
