from collections.abc import Callable

import pytest

from podreduce_operator.policy.decide import decide
from tests.simulation.chaos import POD_FAULTS, USER_FAULTS, FaultKind
from tests.simulation.draw import draw_world, run_world
from tests.simulation.judge import ViolationError
from tests.simulation.mutation import load_policy
from tests.simulation.runner import Summary, render_coverage, render_failure, run_worlds
from tests.simulation.seeds import NAMED_SEEDS, NamedSeed, find_mutant
from tests.support.searching import count_drawn, first_seed, tries

WORLDS = tries(5000)
MIN_WORLDS_OF_A_FAULT = max(1, WORLDS // 250)
WORLDS_WITHOUT_FAULTS = 100


@pytest.fixture(scope="module")
def summary() -> Summary:
    """What happened in `WORLDS` hostile worlds."""
    found = run_worlds(WORLDS, first_seed=first_seed())
    count_drawn(found.counted)
    return found


def test_invariants_hold_in_hostile_worlds(summary: Summary, tell: Callable[[str], None]) -> None:
    tell(render_coverage(summary))
    assert not summary.violations, "\n\n".join(map(render_failure, summary.violations))
    assert summary.counted >= WORLDS


@pytest.mark.parametrize("kind", list(FaultKind))
def test_fault_really_happens(kind: FaultKind, summary: Summary) -> None:
    assert summary.worlds_with[kind] >= MIN_WORLDS_OF_A_FAULT


def test_worlds_end_in_both_ways(summary: Summary) -> None:
    complete = summary.verdicts["Complete/OutputCommitted"]
    assert summary.worlds * 0.3 < complete < summary.worlds * 0.9
    assert {
        "Failed/BackoffLimitExceeded",
        "Failed/DeadlineExceeded",
        "Failed/StorageDenied",
        "Failed/PodRejected",
    } <= set(summary.verdicts)


@pytest.mark.parametrize("seed", range(WORLDS_WITHOUT_FAULTS))
def test_world_without_faults_completes(seed: int) -> None:
    result = run_world(seed, faultless=True)
    assert (result.violation, result.verdict, result.faults) == ("", "Complete/OutputCommitted", 0)


@pytest.mark.parametrize("named", NAMED_SEEDS, ids=lambda named: named.name)
def test_named_seed_holds_and_would_show_the_fault_again(named: NamedSeed) -> None:
    assert run_world(named.seed).violation == ""
    assert run_world(named.seed, load_policy(find_mutant(named.mutant))).violation, named.sentence


def test_world_follows_from_its_seed() -> None:
    first, second = (draw_world(7, decide) for _ in range(2))
    first.run()
    second.run()
    assert list(first.render_log()) == list(second.render_log())


def test_failing_world_tells_its_seed_and_its_log() -> None:
    result = run_world(0, load_policy(find_mutant("uncounted failures are retried at once")))
    text = render_failure(result)
    assert "create(m-" in text
    assert text.endswith(f"seed 0: {result.violation}")


def test_policy_that_raises_is_a_violation() -> None:
    def raising(*_: object) -> None:
        raise ZeroDivisionError

    world = draw_world(0, raising)  # type: ignore[arg-type]
    with pytest.raises(ViolationError, match="decide answers: ZeroDivisionError"):
        world.run()


def test_every_fault_has_its_source() -> None:
    assert not set(POD_FAULTS) & set(USER_FAULTS)
