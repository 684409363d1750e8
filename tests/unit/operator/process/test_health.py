import pytest

from podreduce_operator.leadership.election import Standing
from podreduce_operator.process.health import (
    MAX_LAG_SECONDS,
    MAX_OVERDUE_SECONDS,
    MAX_SILENCE_SECONDS,
    HealthFigures,
    find_liveness_problems,
    find_readiness_problems,
)

LISTED = HealthFigures(is_synced=True)


@pytest.mark.parametrize(
    ("figures", "problems"),
    [
        (HealthFigures(), ()),
        (HealthFigures(loop_lag_seconds=MAX_LAG_SECONDS), ()),
        (HealthFigures(loop_lag_seconds=MAX_LAG_SECONDS + 1), ("the event loop is 16 s late (at most 15)",)),
        (HealthFigures(silence_seconds=MAX_SILENCE_SECONDS), ()),
        (
            HealthFigures(silence_seconds=MAX_SILENCE_SECONDS + 1),
            ("the API server has said nothing for 601 s (at most 600)",),
        ),
        (HealthFigures(overdue_seconds=MAX_OVERDUE_SECONDS), ()),
        (
            HealthFigures(overdue_seconds=MAX_OVERDUE_SECONDS + 1),
            ("a pass has been due or running for 1801 s (at most 1800)",),
        ),
        (HealthFigures(standing=Standing.NEITHER, lease_error="forbidden"), ()),
    ],
    ids=["new", "lag", "lags", "silence", "too-silent", "overdue", "stuck", "no-lease"],
)
def test_only_what_a_restart_mends_is_an_illness(figures: HealthFigures, problems: tuple[str, ...]) -> None:
    assert find_liveness_problems(figures) == problems


def test_every_illness_is_told() -> None:
    assert (
        len(find_liveness_problems(HealthFigures(loop_lag_seconds=1e6, silence_seconds=1e6, overdue_seconds=1e6))) == 3
    )


@pytest.mark.parametrize(
    ("figures", "word"),
    [
        (HealthFigures(), "not listed yet"),
        (LISTED, None),
        (HealthFigures(is_synced=True, standing=Standing.LEADER), None),
        (HealthFigures(is_synced=True, standing=Standing.STANDBY), None),
        (HealthFigures(is_synced=True, standing=Standing.NEITHER), "about to be taken"),
        (HealthFigures(is_synced=True, standing=Standing.NEITHER, lease_error="forbidden"), "forbidden"),
        (HealthFigures(is_synced=False, standing=Standing.LEADER), "not listed yet"),
    ],
    ids=["new", "no-election", "leader", "standby", "no-leader", "no-right", "leader-that-sees-nothing"],
)
def test_ready_is_who_knows_the_cluster_and_its_part_in_it(figures: HealthFigures, word: str | None) -> None:
    problems = find_readiness_problems(figures)
    assert (word is None and problems == ()) or word in problems[0]
