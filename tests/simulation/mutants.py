"""Wrong policies: a line of decide or its neighbours, replaced. Each must be caught, by a world or by an example.

Rule: `old` is found exactly once in the module's source; where the policy is rewritten, so is its mutant. `breaks`
names the invariant that a world with the mutant breaks; a mutant without one is caught by an example of the policy.
"""

from functools import partial

from tests.simulation import judge
from tests.simulation.mutation import Mutant

__all__ = ["MUTANTS"]


def replace_in(module: str, name: str, old: str, new: str, *, breaks: str = "", first_seed: int = 0) -> Mutant:
    return Mutant(name=name, module=module, old=old, new=new, breaks=breaks, first_seed=first_seed)


wave = partial(replace_in, "waves")
attempt = partial(replace_in, "run_wave")
end = partial(replace_in, "run_end")
cleanup = partial(replace_in, "run_cleanup")
deletion = partial(replace_in, "pod_deletion")
recording = partial(replace_in, "failure_recording")
cause = partial(replace_in, "failure_causes")
delay = partial(replace_in, "retry_delays")
failure_class = partial(replace_in, "failure_classes")
waiting = partial(replace_in, "stuck_pods")
twin = partial(replace_in, "speculation")
excess = partial(replace_in, "bad_record_limit")
keeping = partial(replace_in, "attempt_snapshots")
packed = partial(replace_in, "pod_packing")
sequence = partial(replace_in, "task_turns")
whole = partial(replace_in, "single_pod_jobs")
gang = partial(replace_in, "gangs")
policy = partial(replace_in, "decide")

MUTANTS = (
    gang("gangs never form", "is_idle and len(creates) > 1:", "False:", breaks=judge.GANG_IF_SEVERAL),
    gang("every wave is a gang", "is_idle and len(creates) > 1:", "len(creates) > 1:", breaks=judge.GANG_FROM_NOTHING),
    gang(
        "gangs where none is wanted",
        '.admission != "Gang" or not creates:',
        '.admission == "" or not creates:',
        breaks=judge.GANG_WHERE_WANTED,
    ),
    gang("broken gangs wait for ever", "if len(pods) + more < gang.size or", "if False or"),
    gang(
        "gangs are dissolved as they form",
        "if len(pods) + more < gang.size or",
        "if len(pods) < gang.size or",
        breaks=judge.BROKEN_GANGS_ONLY,
    ),
    gang("gangs that have become too large wait for ever", "or gang.size > most for", "or False for"),
    gang("a new gang takes what room there is", "(is_soon or lacks_room)", "is_soon"),
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
    gang("a new gang waits for nobody", "any(now < at <= now + GATHER_SECONDS for at in due_at)", "False"),
    gang(
        "a preempted gang starts again pod by pod",
        "return max(taken) + SETTLE_SECONDS if taken",
        "return 0.0 if taken",
        breaks=judge.GANG_SETTLES,
    ),
    gang("the first pod that is taken is the last", "in (*known, *records) if", "in known if"),
    attempt(
        "twins start while pods are being taken", "return []\n    creates", "return start_twins(scene)\n    creates"
    ),
    policy("a run begins before the status names it", "    if observed.run.started_at is None:\n", "    if False:\n"),
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
    policy(
        "no pause after a fault",
        "return retry_later(decision, observed) if observed.faults else decision",
        "return decision",
    ),
    policy("a replaced run is forgotten", "if observed.superseded is not None:", "if False:"),
    policy("the intent is forgotten", "if observed.has_intent:", "if False:"),
    policy(
        "suspension weighs more than the intent",
        "if observed.has_intent:",
        "if observed.has_intent and not observed.job.spec.suspend:",
    ),
    policy("suspension is ignored", "if observed.job.spec.suspend:", "if False:", breaks=judge.SUSPENDED_IS_IDLE),
    policy("suspended pods run on", "(*delete_foreign(observed), *delete_all(observed.active_pods, SUSPENDED))", "()"),
    policy("planned anew on each pass", "if observed.plan is None:", "if not observed.commits:"),
    wave("maps are not waited for", "    if pending:\n", "    if False:\n", breaks=judge.DOES_NOT_RAISE),
    deletion(
        "pods of the run before go on",
        "doomed = [pod for pod in observed.foreign_pods if not pod.deleting]",
        "doomed: list[PodView] = []",
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
    wave("reduces start at once", "    if pending:\n", "    if pending and shuffle is None:\n"),
    attempt(
        "parallelism is ignored",
        "return max(0, parallelism(self.observed) - len(self.active))",
        "return len(self.wave.tasks)",
    ),
    attempt(
        "parallelism is off by one",
        "return max(0, parallelism(self.observed) - len(self.active))",
        "return max(0, parallelism(self.observed) - len(self.active) + 1)",
        breaks=judge.PARALLELISM_HELD,
    ),
    attempt(
        "parallelism is for each pass",
        "return max(0, parallelism(self.observed) - len(self.active))",
        "return parallelism(self.observed)",
    ),
    wave("the operator's limit is ignored", "min(wanted, observed.limits.parallelism)", "wanted"),
    attempt(
        "retried at once",
        "return [task for task, at in self.due.items() if at <= self.now]",
        "return list(self.due)",
        breaks=judge.BACKOFF_HELD,
    ),
    attempt(
        "retried before the record is seen",
        "for task in untried if task not in recording}",
        "for task in untried}",
    ),
    attempt(
        "a second attempt beside the first",
        "return pod.is_active and pod.generation == generation and pod.uid not in doomed",
        "return False",
        breaks=judge.ONE_AT_A_TIME,
    ),
    attempt("tasks that wait for their turn are not tried", "and task in pod.tasks_ahead", "and task == pod.task"),
    attempt(
        "tasks that have failed share a pod",
        "for task in ready if task not in observed.failures}",
        "for task in ready}",
    ),
    attempt(
        "tasks made anew share a pod with others",
        "fresh = {task: scene.generations.get(task, 0) for task",
        "fresh = {task: 0 for task",
    ),
    attempt(
        "a pod's ordinal is that of its first task",
        "for each in (task, *more_tasks)),",
        "for each in (task,)),",
    ),
    attempt("pods are known by one task alone", "for task in pod.all_tasks:", "for task in (pod.task,):"),
    packed(
        "pods take several while others could start",
        "pods = min(ready, room)",
        "pods = min(1, ready, room)",
        breaks=judge.PACKED_FOR_WANT_OF_ROOM,
    ),
    packed(
        "pods take more than they may", "min(ready, pods * most), pods)", "ready, pods)", breaks=judge.PACKED_IF_FRESH
    ),
    packed("tasks of a wave are packed whatever their size", "int(AUTO_BYTES // max(mean_bytes, 1.0))", "MOST_TASKS"),
    packed("tasks of any kind go together", "and kind(waiting[0]) == shared:", "and True:"),
    whole(
        "a whole job is tried again after it has begun",
        "has_begun = bool(observed.commits or observed.failures) or",
        "has_begun =",
    ),
    whole("a whole job starts beside its own tasks", " or len(ready) < plan.shards", "", breaks=judge.PACKED_IF_FRESH),
    whole("any job is small", "not (plan.is_small and", "not (True and", breaks=judge.WHOLE_IF_SMALL),
    whole("a whole job is cloned", 'or observed.job.spec.speculation == "Always":', "or False:"),
    whole("nobody looks for what a pod waits for", "    if observed.shuffle is not None:\n", "    if True:\n"),
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
        module="task_turns",
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
    attempt(
        "ended pods are waited for",
        "return pod.is_active and pod.generation == generation",
        "return pod.generation == generation",
    ),
    attempt(
        "pods of other runs are adopted", "pods = pods_by_task(observed.run_pods)", "pods = pods_by_task(observed.pods)"
    ),
    attempt("ordinals do not count records", "*(failure.ordinal for failure in failures)), default=0", "), default=0"),
    attempt("ordinals do not count pods", "(*(pod.ordinal for pod in pods), *", "(0, *", breaks=judge.ORDINAL_RISES),
    attempt("the ordinal is not incremented", "return 1 + max((*(pod.ordinal", "return max((1, *(pod.ordinal"),
    wave(
        "no generation is opened", "failure.lost.generation + 1)", "failure.lost.generation)", breaks=judge.REDUCES_WAIT
    ),
    wave(
        "a part that is gone is not made again",
        "left = [task for task in reduces if not is_committed(observed, task, generations)]",
        "left = [task for task in reduces if task not in observed.commits]",
    ),
    wave("any generation is good enough", "commit.generation >= generations.get(task, 0)", "commit.generation >= 0"),
    attempt(
        "lost output is made again in its old generation",
        "        generation=scene.generations.get(task, 0),\n",
        "        generation=0,\n",
        breaks=judge.NEEDED,
    ),
    wave(
        "the manifest of old generations stays",
        "if shuffle is None or shuffle.map_generations != wanted:",
        "if shuffle is None:",
    ),
    wave(
        "the manifest is frozen again and again",
        "if shuffle is None or shuffle.map_generations != wanted:",
        "if shuffle is None or observed.failures:",
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
    wave(
        "a map-only program is not noticed",
        "if observed.commits[maps[0]].part is not None:",
        "if plan.partitions == 0:",
    ),
    attempt(
        "higher indexes first",
        "plan, ready = scene.observed, scene.plan, scene.ready",
        "plan, ready = scene.observed, scene.plan, scene.ready[::-1]",
    ),
    attempt("failures are not recorded", "records = record_failures(observed, now)", "records = ()"),
    attempt(
        "needless pods stay",
        "deletes = delete_needless(observed, generations, now)",
        "deletes = ()",
        breaks=judge.POINTLESS_PODS_GO,
    ),
    attempt(
        "pods come before room is made for them",
        "*stops, *delete_foreign(scene.observed), *steps, *creates,",
        "*delete_foreign(scene.observed), *steps, *creates, *stops,",
    ),
    attempt("what has ended goes before successors come", "*steps, *creates, *tidies)", "*steps, *tidies, *creates)"),
    attempt("time is not waited for", "return min(later, default=None)", "return None"),
    end(
        "the deadline is ignored",
        "if deadline is not None and now >= deadline and",
        "if False and",
        breaks=judge.DEADLINE_HELD,
    ),
    end("the deadline runs on while suspended", "now >= deadline and not observed.job.spec.suspend", "now >= deadline"),
    end(
        "the deadline counts from nowhere",
        "else started_at + seconds",
        "else 2 * started_at + seconds",
        breaks=judge.DEADLINE_HELD,
    ),
    end(
        "the intent does not protect from the deadline",
        "return observed.has_intent or (observed.is_blind and was_planned)",
        "return observed.is_blind",
        breaks=judge.INTENT_ROLLS_FORWARD,
        first_seed=48,
    ),
    end(
        "blind runs fail past their intent",
        "return observed.has_intent or (observed.is_blind and was_planned)",
        "return observed.has_intent",
    ),
    end(
        "a run fails before it has begun",
        "if observed.superseded is not None:\n        return None\n    rolls_forward",
        "rolls_forward",
    ),
    end("a part that is gone is waited for", "fault.reason == PART_GONE_REASON or", "False or"),
    end(
        "one attempt too few",
        "if len(counted) > limit:",
        "if len(counted) >= max(limit, 1):",
        breaks=judge.FAILURE_JUSTIFIED,
    ),
    end("one attempt too many", "if len(counted) > limit:", "if len(counted) > limit + 1:"),
    end(
        "uncounted failures count",
        "counted = [failure for failure in failures if failure.counted]",
        "counted = list(failures)",
    ),
    end("no disruption is one too many", "if len(uncounted) >= budget.limit:", "if False:"),
    end("a fatal failure is retried", "if fatal is not None:", "if False:", breaks=judge.FATAL_ENDS, first_seed=80),
    end("what is awaited gets no grace", "if fault.reason not in AWAITED_REASONS:", "if True:"),
    end("a passing fault fails the run", "        return fault.permanent\n", "        return True\n"),
    cleanup(
        "an ended run's pods run on",
        "if not pod.deleting and pod not in kept]",
        "if pod.is_finished and not pod.deleting and pod not in kept]",
    ),
    cleanup(
        "data goes while pods run",
        "if observed.has_intermediates and not unfinished:",
        "if observed.has_intermediates:",
        breaks=judge.DATA_STAYS,
    ),
    cleanup("data stays", "if observed.has_intermediates and not unfinished:", "if False:", breaks=judge.ENDS_CLEAN),
    cleanup(
        "records go at once",
        "if observed.has_records and expired and not unfinished:",
        "if observed.has_records and not unfinished:",
    ),
    cleanup(
        "records go while pods run",
        "if observed.has_records and expired and not unfinished:",
        "if observed.has_records and expired:",
    ),
    cleanup("records stay", "if observed.has_records and expired and not unfinished:", "if False:"),
    cleanup("the ttl is ignored", "kept = [] if expired else kept_failed_pods(pods)", "kept = kept_failed_pods(pods)"),
    cleanup(
        "a replaced run is discarded while its pods run",
        "if any(not pod.is_finished for pod in observed.foreign_pods):",
        "if False:",
    ),
    end("any number of bad records passes", "or find_excess(observed)", ""),
    excess("one bad record too few", "if count > limit else None", "if count >= limit else None"),
    excess("one bad record too many", "if count > limit else None", "if count > limit + 1 else None"),
    excess("an attempt with just enough bad records is too bad", "if alone > limit:", "if alone >= limit:"),
    excess("a limit of 0 is none", "    if limit is None:\n", "    if not limit:\n"),
    cleanup(
        "no story is told",
        "if wants_post_mortem(observed, now) and not unfinished",
        "if False and not unfinished",
        breaks=judge.STORY_IS_TOLD,
    ),
    cleanup(
        "a story is told while pods run",
        "and not unfinished and not observed.faults",
        "and not observed.faults",
        breaks=judge.STORY_AFTER_THE_END,
    ),
    cleanup(
        "a story is told again and again",
        "is_told = observed.plan is None or observed.post_mortem is not None",
        "is_told = observed.plan is None",
        breaks=judge.STORY_ONCE,
    ),
    cleanup(
        "a story is told of runs without a plan",
        "is_told = observed.plan is None or observed.post_mortem is not None",
        "is_told = observed.post_mortem is not None",
    ),
    cleanup(
        "a story is told after the ttl",
        "not is_told and now < run_expires_at(observed, now)",
        "not is_told",
    ),
    cleanup(
        "stories are told that nobody wants",
        "is_wanted = observed.run.terminal in observed.limits.post_mortem_of",
        "is_wanted = observed.run.terminal is not None",
    ),
    keeping("nothing is kept", "    if not news:\n", "    if True:\n", breaks=judge.KEPT_FIRST),
    keeping(
        "pods go before what they know is kept",
        "before = next(of_pods, len(decision.actions))",
        "before = len(decision.actions)",
    ),
    keeping("turns that are over are not kept", "return done + tuple(", "return tuple("),
    keeping(
        "turns that are over are kept again and again",
        "if observed.kept.get(turn.attempt_id, 0) < Stage.DONE",
        "if True",
    ),
    keeping(
        "attempts are kept again and again",
        "if observed.kept.get(pod.attempt_id, 0) < (",
        "if 0 < (",
        breaks=judge.KEPT_ONCE,
    ),
    keeping(
        "pods that are about to go are not kept",
        "(Stage.GONE if pod.uid in doomed else stage_of(pod))",
        "stage_of(pod)",
    ),
    keeping(
        "a fault of the store saves the pods", "observed.plan is None or observed.faults:", "observed.plan is None:"
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
    Mutant(
        name="what others delete is not kept",
        module="attempt_record",
        old="    if pod.deleting:\n        return Stage.GONE\n",
        new="",
    ),
    policy(
        "suspended pods run on while the store takes nothing",
        "stops = decision.actions if verdict.phase is Phase.SUSPENDED else ()",
        "stops = ()",
    ),
    deletion(
        "a pod goes before its failure is recorded",
        "if why is None and pod.attempt_id in recorded:",
        "if why is None and pod.is_finished:",
    ),
    recording(
        "committed attempts are recorded as failed",
        "        and not commits_own_generation(observed, pod)\n",
        "",
        breaks=judge.COMMITTED_IS_NO_FAILURE,
    ),
    recording(
        "failures are recorded again and again",
        "        if pod.attempt_id not in recorded\n        and not",
        "        if not",
    ),
    recording(
        "the first task is blamed for the others",
        "        task=pod.task,\n        generation",
        "        task=pod.all_tasks[0],\n        generation",
    ),
    recording(
        "the tasks behind a failed one have failed",
        "        for pod in observed.run_pods\n        if pod.attempt_id not in recorded\n",
        "        for one in observed.run_pods\n"
        "        for task in one.tasks_ahead\n"
        "        for pod in (replace(one, task=task, sequence=one.all_tasks.index(task)),)\n"
        "        if pod.attempt_id not in recorded\n",
    ),
    recording(
        "everything counts", "counted=classification.counted,", "counted=True,", breaks=judge.COUNTED_IF_DESERVED
    ),
    recording("nothing counts", "counted=classification.counted,", "counted=False,"),
    recording(
        "failures are dated by the operator",
        "finished_at=now if pod.finished_at is None else pod.finished_at,",
        "finished_at=now,",
        breaks=judge.FINISH_IS_THE_PODS,
    ),
    recording(
        "the lost map output is not written down", "lost=None if outcome is None else outcome.lost,", "lost=None,"
    ),
    recording("waiting pods are given up by an old list", "if_waiting=is_unstarted(pod)", "if_waiting=False"),
    deletion("the twin is not deleted", 'return "beaten by a twin"', "return None"),
    deletion("the winner is deleted with its twin", "if commit.attempt_id != pod.attempt_id:", "if True:"),
    deletion("attempts of a lost generation run on", "if pod.generation < generations.get(pod.task, 0):", "if False:"),
    deletion(
        "who lingers is left alone", "if now >= commit.finished_at + LINGER_SECONDS else None", "if False else None"
    ),
    deletion("all failed pods are kept", "[-KEPT_FAILED_PODS:]", "[:]"),
    deletion("the first failed pods are kept", "[-KEPT_FAILED_PODS:]", "[:KEPT_FAILED_PODS]"),
    deletion("no failed pod is kept", "[-KEPT_FAILED_PODS:]", "[:0]"),
    deletion(
        "running pods are deleted as needless",
        "if commit is None or commit.generation < pod.generation:\n        return None",
        "if commit is None:\n        return 'needless'",
        breaks=judge.HEALTHY_STAYS,
    ),
    delay("the delay does not grow", "factor ** (len(finished) - 1)", "factor ** 0"),
    delay("the delay grows one failure early", "factor ** (len(finished) - 1)", "factor ** len(finished)"),
    delay("the delay has no maximum", "return max(finished) + min(delay, maximum)", "return max(finished) + delay"),
    delay(
        "the delay counts from the first failure",
        "return max(finished) + min(delay, maximum)",
        "return min(finished) + min(delay, maximum)",
        breaks=judge.BACKOFF_HELD,
    ),
    delay("uncounted failures are retried at once", "*others, 0.0)", "0.0)"),
    cause("a disruption counts", "counted = failure_class.is_counted or", "counted = reason == 'Disrupted' or"),
    cause("a lost map output counts", "counted = failure_class.is_counted or", "counted = reason != 'PodDeleted' or"),
    cause("a deletion by hand counts", "counted = failure_class.is_counted or", "counted = reason == 'PodDeleted' or"),
    cause("the first lack of memory counts", "if failure_class is MEMORY and", "if False and"),
    cause("no lack of memory counts", "and not ran_out_of_memory(earlier):", "and True:"),
    delay(
        "memory stays as it was",
        "return spec.backoff.out_of_memory_factor if may",
        "return 1.0 if may",
        breaks=judge.MEMORY_RAISED,
    ),
    delay("memory is raised for everybody", "and ran_out_of_memory(failures) else 1.0", "else 1.0"),
    cause(
        "an outage is not waited out",
        "failure_class is OUTAGE and",
        "failure_class is OUTAGE or",
        breaks=judge.COUNTED_IF_DESERVED,
    ),
    cause("the failure policy is not asked", "match find_action(spec.failure_policy.rules", "match find_action(()"),
    failure_class(
        "too many bad records use up an attempt",
        'FailureClass(name="excess",',
        'FailureClass(name="excess", is_counted=True,',
    ),
    failure_class("an outage counts", "    limit=20,\n", "    limit=20,\n    is_counted=True,\n"),
    failure_class("an outage is waited for as a disruption is", "    first_delay_seconds=5.0,\n", ""),
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
    waiting("an image gets no grace", "if deadline is None or now < deadline:", "if deadline is None:"),
    waiting("an image is waited for without end", "if deadline is None or now < deadline:", "if True:"),
    waiting("nodes are waited for without end", "return deadlines.unschedulable_seconds", "return None"),
    waiting("time without a node counts", "if pod.scheduled_at is None else pod.scheduled_at", ""),
    waiting("nobody is told why pods wait", "    if not waiting:\n", "    if True:\n"),
    Mutant(name="nothing hangs", module="stuck_pods", old="if at is None or now < at:", new="if True:"),
    Mutant(name="everything hangs", module="stuck_pods", old="if at is None or now < at:", new="if at is None:"),
    twin("nobody is slow", "and each.is_worth_a_twin]", "and False]"),
    twin("everybody is slow", "and each.is_worth_a_twin]", "]"),
    twin("twins of twins", "attempts[pod.task] == 1 and", "", breaks=judge.ONE_AT_A_TIME),
    twin("twins without end", "max(1, int(active * TWIN_SHARE)) - twins", "active"),
    Mutant(
        name="twins where none are wanted",
        module="speculation",
        old='if mode == "Never" or',
        new="if",
        breaks=judge.TWINS_BOUNDED,
        first_seed=80,
    ),
    twin("twins of old generations", "and tasks.get(pod.task) == pod.generation", ""),
    attempt(
        "twins while tasks wait for room",
        "    if len(scene.ready) < scene.room:\n",
        "    if True:\n",
        breaks=judge.PARALLELISM_HELD,
        first_seed=20,
    ),
    attempt(
        "twins before their time",
        "if task not in recording and attempt_due_at(scene.observed, task) <= scene.now",
        "if True",
    ),
    deletion("lost pods are waited for", "in gone_at.items() if now >= at)", "in gone_at.items() if False)"),
    deletion(
        "pods get no grace to end",
        "in gone_at.items() if now >= at)",
        "in gone_at.items() if True)",
        breaks=judge.FORCED_IF_LOST,
    ),
)
