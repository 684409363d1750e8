"""Wrong operators, stores and clusters, for invariants that a wrong policy alone does not break.

Rule: as for the mutants of the policy.
"""

from functools import partial

from tests.simulation import judge
from tests.simulation.mutation import Mutant

__all__ = ["MODEL_MUTANTS"]

actor = partial(Mutant, module="actions")
world = partial(Mutant, module="world")
cluster = partial(Mutant, module="pods")
sighting = partial(Mutant, module="expected_commits")

MODEL_MUTANTS = (
    sighting(
        name="nobody looks for the commits of pods that have ended",
        old="ended = {each for pod in pods if not pod.is_active",
        new="ended = {each for pod in pods if False",
        breaks=judge.COMMITS_SEEN,
    ),
    Mutant(
        name="a listing leaves the failures out",
        module="sight",
        old="self.commits, self.failures, self._listed_at = run.commits.copy(), run.failures.copy(), now",
        new="self.commits, self._listed_at = run.commits.copy(), now",
        breaks=judge.COMMITS_SEEN,
    ),
    actor(
        name="a story tells only of the pods that are there",
        old="frozenset(run.known_attempts() | {record.attempt_id for record in action.attempts})",
        new="frozenset({record.attempt_id for record in action.attempts})",
        breaks=judge.STORY_IS_WHOLE,
    ),
    world(
        name="an intent is taken for an output",
        old="published = run.intent is not None and output.is_published(run_id)",
        new="published = run.intent is not None",
        breaks=judge.COMPLETE_IS_PUBLISHED,
    ),
    actor(
        name="the mark goes with what lies between maps and reduces",
        old="        self.store.run(run_id).blobs.clear()\n",
        new="        self.store.run(run_id).blobs.clear()\n        self.store.output.success = False\n",
        breaks=judge.ENDS_PUBLISHED,
    ),
    actor(
        name="a replaced run is published as it goes",
        old="                self.store.run(run_id).was_discarded = True\n",
        new="                self.store.run(run_id).was_discarded = True\n"
        "                self.store.output.published.append(run_id)\n",
        breaks=judge.DISCARDED_IS_SILENT,
    ),
    cluster(
        name="a program exits before it has committed anything",
        old="            case _:\n                self.at(work, pod, self.in_turn(pod, self.commit))\n",
        new="            case _:\n                self.at(work, pod, self.in_turn(pod, self.exit_early))\n",
        breaks=judge.COMPLETES_WITHOUT_FAULTS,
        faultless=True,
    ),
    Mutant(
        name="an output prefix is never empty",
        module="object_store",
        old="        return bool(self.parts) or self.success",
        new="        return True or self.success",
        breaks=judge.COMPLETES_WITHOUT_FAULTS,
        faultless=True,
    ),
)
