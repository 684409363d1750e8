import pytest

from podreduce_operator.model.actions import CreatePod
from podreduce_operator.policy import decide as policy
from podreduce_operator.policy.decide import decide
from tests.support.builders.observed import make_fault, make_observed
from tests.support.builders.plans import make_shuffle
from tests.support.builders.records import make_commit, make_failure
from tests.support.builders.tasks import map_task, reduce_task
from tests.support.policy_examples.example import Example
from tests.support.policy_examples.rules import RULES
from tests.support.policy_examples.whole_run import WORKED_EXAMPLE


@pytest.mark.parametrize("example", WORKED_EXAMPLE, ids=lambda example: example.name)
def test_worked_example_holds_line_by_line(example: Example) -> None:
    assert str(decide(example.observed, example.now)) == example.expected


@pytest.mark.parametrize("example", WORKED_EXAMPLE, ids=lambda example: example.name)
def test_docstring_tells_the_worked_example(example: Example) -> None:
    told = " ".join((policy.__doc__ or "").split())
    assert f"`{example.expected}`" in told


@pytest.mark.parametrize("example", RULES, ids=lambda example: example.name)
def test_rule_holds(example: Example) -> None:
    assert str(decide(example.observed, example.now)) == example.expected


def test_reduces_read_the_newest_manifest_and_attempts_the_newest_generation() -> None:
    lost = make_failure(reduce_task(0), counted=False, reason="MapOutputLost", lost=(map_task(0), 1))
    commits = [make_commit(map_task(0), generation=2), make_commit(map_task(1))]
    shuffle = make_shuffle(generation=3, map_generations=(2, 0))
    observed = make_observed(commits=commits, failures=[lost], shuffle=shuffle)
    assert decide(observed, 200.0).actions == (
        CreatePod(task=reduce_task(0), ordinal=2, generation=0, shuffle_generation=3),
    )


def test_lost_map_is_made_again_in_its_next_generation() -> None:
    lost = make_failure(reduce_task(0), counted=False, reason="MapOutputLost", lost=(map_task(0), 1))
    commits = [make_commit(map_task(0), generation=1), make_commit(map_task(1))]
    observed = make_observed(commits=commits, failures=[lost], shuffle=make_shuffle())
    assert decide(observed, 200.0).actions == (CreatePod(task=map_task(0), ordinal=1, generation=2),)


def test_create_names_generation_and_manifest() -> None:
    observed = make_observed(commits=[make_commit(map_task(0)), make_commit(map_task(1))], shuffle=make_shuffle())
    assert decide(observed, 100.0).actions == (
        CreatePod(task=reduce_task(0), ordinal=1, generation=0, shuffle_generation=0),
    )


def test_fault_is_told_in_the_verdict() -> None:
    verdict = decide(make_observed(faults=(make_fault("StorageUnavailable"),)), 0.0).verdict
    assert (verdict.reason, verdict.message) == ("StorageUnavailable", "StorageUnavailable: of the test's making")


def test_deciding_twice_gives_the_same_decision() -> None:
    for example in (*WORKED_EXAMPLE, *RULES):
        assert decide(example.observed, example.now) == decide(example.observed, example.now)


def test_examples_have_names_of_their_own() -> None:
    names = [example.name for example in (*WORKED_EXAMPLE, *RULES)]
    assert len(set(names)) == len(names)


def test_a_suspended_job_still_tells_how_many_maps_it_has() -> None:
    assert decide(make_observed(spec={"suspend": True}), 0.0).verdict.map_total == 2
    assert decide(make_observed(spec={"suspend": True}, plan=None), 0.0).verdict.map_total is None


def test_of_several_faults_the_first_is_told() -> None:
    faults = (make_fault("StorageUnavailable"), make_fault("StorageDenied"))
    assert decide(make_observed(faults=faults), 0.0).verdict.reason == "StorageUnavailable"
