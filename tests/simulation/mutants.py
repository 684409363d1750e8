"""Wrong policies, one or more for each invariant of the judge: a line of decide or its neighbours, replaced.

Rule: `old` is found exactly once in the module's source; where the policy is rewritten, so is its mutant. `breaks`
names the invariant that a world with the mutant breaks. What the examples and the unit tests notice is not listed here:
`make mutants` makes those changes by itself.
"""

from functools import partial

from tests.simulation import judge
from tests.simulation.mutation import Mutant

__all__ = ["MUTANTS"]


def replace_in(module: str, name: str, old: str, new: str, *, breaks: str, first_seed: int = 0) -> Mutant:
    return Mutant(name=name, module=module, old=old, new=new, breaks=breaks, first_seed=first_seed)


wave = partial(replace_in, "waves")
attempt = partial(replace_in, "run_wave")
end = partial(replace_in, "run_end")
cleanup = partial(replace_in, "run_cleanup")
deletion = partial(replace_in, "pod_deletion")
recording = partial(replace_in, "failure_recording")
cause = partial(replace_in, "failure_causes")
stuck = partial(replace_in, "stuck_pods")
delay = partial(replace_in, "retry_delays")
failure_class = partial(replace_in, "failure_classes")
twin = partial(replace_in, "speculation")
keeping = partial(replace_in, "attempt_snapshots")
packed = partial(replace_in, "pod_packing")
sequence = partial(replace_in, "task_sequences")
whole = partial(replace_in, "single_pod_jobs")
gang = partial(replace_in, "gangs")
policy = partial(replace_in, "decide")
choice = partial(replace_in, "run_choice")

MUTANTS = (
    gang("gangs never form", "is_idle and len(creates) > 1:", "False:", breaks=judge.GANG_IF_SEVERAL),
    gang("every wave is a gang", "is_idle and len(creates) > 1:", "len(creates) > 1:", breaks=judge.GANG_FROM_NOTHING),
    gang(
        "gangs where none is wanted",
        '.admission != "Gang" or not creates:',
        '.admission == "" or not creates:',
        breaks=judge.GANG_WHERE_WANTED,
    ),
    gang(
        "gangs are dissolved as they form",
        "if len(pods) + more < gang.size or",
        "if len(pods) < gang.size or",
        breaks=judge.BROKEN_GANGS_ONLY,
    ),
    gang(
        "admitted gangs are taken for forming",
        "if not any(map(was_admitted, pods))",
        "if True",
        breaks=judge.GANG_WHERE_WANTED,
        first_seed=12,
    ),
    gang(
        "a gang takes more than it lacks",
        "for create in creates[:lacking]]",
        "for create in creates]",
        breaks=judge.GANG_IF_SEVERAL,
        first_seed=30,
    ),
    gang(
        "a preempted gang starts again pod by pod",
        "return max(taken) + SETTLE_SECONDS if taken",
        "return 0.0 if taken",
        breaks=judge.GANG_SETTLES,
    ),
    policy(
        "a failed run is decided again",
        "if observed.run.terminal is not None:",
        'if observed.run.terminal == "Complete":',
        breaks=judge.TERMINAL_IS_FINAL,
        first_seed=5,
    ),
    policy(
        "a complete run is decided again",
        "if observed.run.terminal is not None:",
        'if observed.run.terminal == "Failed":',
        breaks=judge.ENDED_IS_IDLE,
    ),
    policy("published is not noticed", "if observed.published is not None:", "if False:", breaks=judge.PROGRESS),
    policy("nothing ever fails", "if failed is not None:", "if False:", breaks=judge.ATTEMPTS_BOUNDED),
    policy("suspension is ignored", "if observed.job.spec.suspend:", "if False:", breaks=judge.SUSPENDED_IS_IDLE),
    wave("maps are not waited for", "    if pending:\n", "    if False:\n", breaks=judge.DOES_NOT_RAISE),
    deletion(
        "pods of the run before go on",
        "others = [pod for pod in observed.foreign_pods if not pod.deleting]",
        "others: list[PodView] = []",
        breaks=judge.OLD_RUN_STOPS_FIRST,
        first_seed=10,
    ),
    cleanup(
        "a run that takes another's place has failed",
        'verdict = Verdict(phase=Phase.PLANNING, reason="Superseding"',
        'verdict = Verdict(phase=Phase.FAILED, reason="Superseding"',
        breaks=judge.VERDICT_WAITS,
    ),
    wave("reduces start one map early", "    if pending:\n", "    if len(pending) > 1:\n", breaks=judge.POSSIBLE),
    attempt(
        "parallelism is off by one",
        "return max(0, parallelism(self.observed) - len(self.active))",
        "return max(0, parallelism(self.observed) - len(self.active) + 1)",
        breaks=judge.PARALLELISM_HELD,
    ),
    attempt(
        "retried at once",
        "ready=[task for task, at in due.items() if at <= now]",
        "ready=list(due)",
        breaks=judge.BACKOFF_HELD,
    ),
    attempt(
        "a second attempt beside the first",
        "return pod.is_active and pod.generation == generation and pod.uid not in deleted_uids",
        "return False",
        breaks=judge.ONE_AT_A_TIME,
    ),
    packed(
        "pods take several while others could start",
        "pods = min(ready, room)",
        "pods = min(1, ready, room)",
        breaks=judge.PACKED_FOR_WANT_OF_ROOM,
    ),
    packed(
        "pods take more than they may", "min(ready, pods * most), pods)", "ready, pods)", breaks=judge.PACKED_IF_FRESH
    ),
    whole("a whole job starts beside its own tasks", " or len(ready) < plan.shards", "", breaks=judge.PACKED_IF_FRESH),
    whole("any job is small", "not (plan.is_small and", "not (True and", breaks=judge.WHOLE_IF_SMALL),
    sequence(
        "reduces that do not exist are waited for",
        "task.index < partitions)",
        "True)",
        breaks=judge.FAILED_WHERE_IT_WAS,
        first_seed=39,
    ),
    sequence(
        "a program that is map-only is waited for to reduce",
        "            partitions = 0\n",
        "            pass\n",
        breaks=judge.FAILED_WHERE_IT_WAS,
        first_seed=39,
    ),
    sequence(
        "a pod is for ever at its first task",
        "if not self.is_over(",
        "if True or not self.is_over(",
        breaks=judge.FAILURES_DURABLE,
        first_seed=8,
    ),
    Mutant(
        name="a pod fails again at each task that it still commits",
        module="task_sequences",
        old="        if attempt_id in self.failed:\n            return False\n",
        new="",
        breaks=judge.FAILED_ONCE,
        first_seed=600,
    ),
    sequence(
        "another's commit is a turn that is over",
        "and commit.attempt_id == attempt_id)",
        ")",
        breaks=judge.POINTLESS_PODS_GO,
    ),
    attempt("ordinals do not count pods", "(*(pod.ordinal for pod in pods), *", "(0, *", breaks=judge.ORDINAL_RISES),
    wave(
        "no generation is opened", "failure.lost.generation + 1)", "failure.lost.generation)", breaks=judge.REDUCES_WAIT
    ),
    attempt(
        "lost output is made again in its old generation",
        "        generation=view.generations.get(task, 0),\n",
        "        generation=0,\n",
        breaks=judge.NEEDED,
    ),
    wave(
        "reduces read the first manifest",
        "shuffle_generation=shuffle.generation,",
        "shuffle_generation=0,",
        breaks=judge.REDUCES_WAIT,
    ),
    wave(
        "the last reduce is not waited for",
        "left = [task for task in reduces if",
        "left = [task for task in reduces[:-1] if",
        breaks=judge.PUBLISHED_COMMITTED,
    ),
    attempt(
        "needless pods stay",
        "deletes = delete_needless(observed, generations, now)",
        "deletes = ()",
        breaks=judge.POINTLESS_PODS_GO,
    ),
    end(
        "the deadline is ignored",
        "if deadline is None or now < deadline or",
        "if True or",
        breaks=judge.DEADLINE_ENDS,
    ),
    end(
        "the deadline counts from nowhere",
        "else started_at + seconds",
        "else 2 * started_at + seconds",
        breaks=judge.DEADLINE_ENDS,
    ),
    end(
        "the intent does not protect from the deadline",
        "return None if may_publish(observed) else find_overrun(observed, now)",
        "return find_overrun(observed, now)",
        breaks=judge.INTENT_ROLLS_FORWARD,
        first_seed=28,
    ),
    end(
        "blind runs fail past their intent",
        "is_bound = observed.has_intent or (observed.is_store_unreadable and was_planned(observed))",
        "is_bound = observed.has_intent",
        breaks=judge.INTENT_ROLLS_FORWARD,
        first_seed=89,
    ),
    end(
        "blind runs overrun past their intent",
        "    return was_planned(observed) if said is None else said\n",
        "    return False\n",
        breaks=judge.INTENT_ROLLS_FORWARD,
        first_seed=28,
    ),
    end(
        "blind runs have no deadline",
        "    if observed.has_intent or not observed.is_store_unreadable:\n        return observed.has_intent\n",
        "    if observed.has_intent or observed.is_store_unreadable:\n        return True\n",
        breaks=judge.DEADLINE_ENDS,
    ),
    policy(
        "the intent is written before the status says it",
        "if observed.run.is_publishing or",
        "if True or",
        breaks=judge.TOLD_FIRST,
    ),
    policy(
        "a suspension waits for the store",
        "if observed.job.spec.suspend and observed.superseded is None and",
        "if False and",
        breaks=judge.SUSPENDED_STOPS,
    ),
    end(
        "one attempt too few",
        "if len(counted) > limit:",
        "if len(counted) >= max(limit, 1):",
        breaks=judge.FAILURE_JUSTIFIED,
    ),
    end("a fatal failure is retried", "if fatal is not None:", "if False:", breaks=judge.FATAL_ENDS, first_seed=80),
    cleanup(
        "data goes while pods run",
        "if observed.has_intermediates and not unfinished:",
        "if observed.has_intermediates:",
        breaks=judge.DATA_STAYS,
    ),
    cleanup("data stays", "if observed.has_intermediates and not unfinished:", "if False:", breaks=judge.ENDS_CLEAN),
    cleanup(
        "records go while pods run",
        "if observed.has_records and expired and not unfinished:",
        "if observed.has_records and expired:",
        breaks=judge.DATA_STAYS,
        first_seed=61,
    ),
    cleanup(
        "no story is told",
        "if wants_post_mortem(observed, now) and not unfinished",
        "if False and not unfinished",
        breaks=judge.STORY_IS_TOLD,
    ),
    cleanup(
        "a story is told while pods run",
        "if wants_post_mortem(observed, now) and not unfinished:",
        "if wants_post_mortem(observed, now):",
        breaks=judge.STORY_AFTER_THE_END,
    ),
    cleanup(
        "a story is told again and again",
        "has_post_mortem = observed.plan is None or observed.post_mortem is not None",
        "has_post_mortem = observed.plan is None",
        breaks=judge.STORY_ONCE,
    ),
    keeping("nothing is kept", "    if not news:\n", "    if True:\n", breaks=judge.KEPT_FIRST),
    keeping(
        "attempts are kept again and again",
        "if observed.kept.get(pod.attempt_id, 0) < (",
        "if 0 < (",
        breaks=judge.KEPT_ONCE,
    ),
    keeping(
        "pods of other runs are kept",
        "for pod in observed.run_pods\n",
        "for pod in observed.pods\n",
        breaks=judge.KEPT_WITH_ITS_RUN,
        first_seed=45,
    ),
    keeping(
        "attempts are kept after their story is told",
        "return observed.run.terminal is None or wants_post_mortem(observed, now)",
        "return True",
        breaks=judge.KEPT_IN_TIME,
    ),
    recording(
        "committed attempts are recorded as failed",
        "        and not commits_own_generation(observed, pod)\n",
        "",
        breaks=judge.COMMITTED_IS_NO_FAILURE,
    ),
    recording(
        "everything counts", "counted=classification.counted,", "counted=True,", breaks=judge.COUNTED_IF_DESERVED
    ),
    recording(
        "failures are dated by the operator",
        "finished_at=now if pod.finished_at is None else max(pod.finished_at, 0.0),",
        "finished_at=now,",
        breaks=judge.FINISH_IS_THE_PODS,
    ),
    recording(
        "waiting pods are given up by an old list",
        "if_waiting=is_unstarted(pod)",
        "if_waiting=False",
        breaks=judge.COUNTED_IF_DESERVED,
        first_seed=1577,
    ),
    deletion(
        "running pods are deleted as needless",
        "if commit is None or commit.generation < pod.generation:\n        return None",
        "if commit is None:\n        return 'needless'",
        breaks=judge.HEALTHY_STAYS,
    ),
    delay(
        "the delay counts from the first failure",
        "return max(finished) + min(delay, maximum)",
        "return min(finished) + min(delay, maximum)",
        breaks=judge.BACKOFF_HELD,
    ),
    delay("uncounted failures are retried at once", "*others, 0.0)", "0.0)", breaks=judge.BACKOFF_HELD),
    delay(
        "memory stays as it was",
        "return spec.backoff.out_of_memory_factor if may",
        "return 1.0 if may",
        breaks=judge.MEMORY_RAISED,
    ),
    stuck(
        "usual memory is said to be missing",
        "    if memory_factor(earlier, observed.job.spec) == 1.0:\n        return None\n",
        "",
        breaks=judge.GIVEN_UP_IF_RAISED,
        first_seed=250,
    ),
    delay(
        "memory that no node has is asked for again",
        "    if any(failure.reason == MEMORY_UNAVAILABLE for failure in failures):\n        return 1.0\n",
        "",
        breaks=judge.MEMORY_RAISED,
        first_seed=100,
    ),
    cause(
        "an outage is not waited out",
        "failure_class in (OUTAGE, DENIAL) and",
        "failure_class in (OUTAGE, DENIAL) or",
        breaks=judge.COUNTED_IF_DESERVED,
    ),
    cause(
        "a denial counts",
        "failure_class in (OUTAGE, DENIAL) and spec.backoff_limit_per_task == 0",
        "failure_class is DENIAL",
        breaks=judge.COUNTED_IF_DESERVED,
    ),
    end(
        "a denial fails a planned run",
        "if fault.reason == DENIED_REASON and was_planned(observed):",
        "if False:",
        breaks=judge.FAILURE_JUSTIFIED,
        first_seed=100,
    ),
    failure_class(
        "a denial ends the job",
        '    exhausted="StorageDenied",\n',
        '    exhausted="StorageDenied",\n    is_fatal=True,\n',
        breaks=judge.COUNTED_IF_DESERVED,
    ),
    failure_class(
        "an eviction for its own use does not count",
        'DISRUPTION = FailureClass(name="disruption", reasons=frozenset({',
        'DISRUPTION = FailureClass(name="disruption", reasons=frozenset({"Evicted", ',
        breaks=judge.COUNTED_IF_DESERVED,
    ),
    failure_class(
        "an exit without a commit does not count",
        'DISRUPTION = FailureClass(name="disruption", reasons=frozenset({',
        'DISRUPTION = FailureClass(name="disruption", reasons=frozenset({"CommitMissing", ',
        breaks=judge.COUNTED_IF_DESERVED,
    ),
    twin("twins of twins", "attempts[pod.task] == 1 and", "", breaks=judge.ONE_AT_A_TIME),
    Mutant(
        name="twins where none are wanted",
        module="speculation",
        old='if mode == "Never" or',
        new="if",
        breaks=judge.TWINS_BOUNDED,
        first_seed=80,
    ),
    attempt(
        "twins while tasks wait for room",
        "    if len(view.ready) < view.room:\n",
        "    if True:\n",
        breaks=judge.PARALLELISM_HELD,
        first_seed=20,
    ),
    attempt(
        "twins before their time",
        "if task not in view.recording and attempt_due_at(view.observed, task) <= view.now",
        "if True",
        breaks=judge.BACKOFF_HELD,
        first_seed=5,
    ),
    deletion(
        "pods get no grace to end",
        "in gone_at.items() if now >= at)",
        "in gone_at.items() if True)",
        breaks=judge.FORCED_IF_LOST,
    ),
    choice(
        "a change goes on with its run",
        'return f"{job.spec.run_id}-g{job.generation}"',
        "return current",
        breaks=judge.NEWEST_SPEC,
    ),
    choice(
        "an earlier spec takes the name of its earlier run",
        'return f"{job.spec.run_id}-g{job.generation}"',
        'return f"{job.spec.run_id}-g{digest_pinned(job.raw_spec)[:6]}"',
        breaks=judge.DISCARDED_IS_SILENT,
        first_seed=70,
    ),
    choice(
        "an edit takes back the run that the status names",
        "    if successor is not None:\n",
        "    if False:\n",
        breaks=judge.STORY_IS_WHOLE,
        first_seed=4270,
    ),
)
