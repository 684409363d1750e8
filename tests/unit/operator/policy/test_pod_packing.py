import pytest

from podreduce_operator.policy.pod_packing import form_groups, most_per_pod, share_out

MIB = 2**20


@pytest.mark.parametrize(
    ("ready", "room", "most", "expected"),
    [
        (0, 4, 3, []),
        (5, 0, 3, []),
        (2, 4, 3, [1, 1]),
        (4, 4, 3, [1, 1, 1, 1]),
        (5, 4, 3, [2, 1, 1, 1]),
        (12, 4, 3, [3, 3, 3, 3]),
        (13, 4, 3, [3, 3, 3, 3]),
        (12, 2, 3, [3, 3]),
        (6, 1, 3, [3]),
        (100, 3, 1, [1, 1, 1]),
        (7, 3, 100, [3, 2, 2]),
    ],
    ids=str,
)
def test_tasks_are_shared_out_evenly_over_all_the_pods_there_is_room_for(
    ready: int, room: int, most: int, expected: list[int]
) -> None:
    assert share_out(ready, room, most) == expected


@pytest.mark.parametrize(
    ("ready", "parallelism", "mean_bytes", "expected"),
    [
        (4, 4, MIB, 1),
        (5, 4, MIB, 2),
        (40, 4, MIB, 10),
        (12, 1, MIB, 12),
        (1000, 1, MIB, 32),
        (1000, 1, 2 * MIB, 32),
        (1000, 1, 2 * MIB + 1, 31),
        (1000, 1, 32 * MIB, 2),
        (1000, 1, 33 * MIB, 1),
        (1000, 1, 128 * MIB, 1),
        (1000, 1, 0.0, 32),
        (3, 0, MIB, 3),
    ],
    ids=str,
)
def test_auto_takes_a_pods_share_of_what_is_left_within_bytes_and_number(
    ready: int, parallelism: int, mean_bytes: float, expected: int
) -> None:
    assert most_per_pod("Auto", ready=ready, parallelism=parallelism, mean_bytes=mean_bytes) == expected


def test_a_number_is_taken_as_it_is() -> None:
    assert most_per_pod(7, ready=1, parallelism=100, mean_bytes=1e12) == 7


def groups(kinds: str, *, room: int, most: int) -> list[str]:
    """The groups of tasks whose kinds are letters; `-` is none."""
    tasks = list(enumerate(kinds))
    formed = form_groups(tasks, room=room, most=most, kind=lambda task: None if task[1] == "-" else task[1])
    assert [task for group in formed for task in group] == tasks[: sum(map(len, formed))]
    return ["".join(kind for _, kind in group) for group in formed]


@pytest.mark.parametrize(
    ("kinds", "room", "most", "expected"),
    [
        ("aaaaaa", 2, 3, ["aaa", "aaa"]),
        ("aaaaaaa", 2, 3, ["aaa", "aaa"]),
        ("-aaaaa", 2, 3, ["-", "aaa"]),
        ("aa-aaa", 2, 3, ["aa", "-"]),
        ("aabbbb", 2, 3, ["aa", "bbb"]),
        ("--aa", 4, 3, ["-", "-", "a", "a"]),
        ("", 4, 3, []),
    ],
)
def test_only_tasks_of_a_kind_go_together_and_those_of_none_alone(
    kinds: str, room: int, most: int, expected: list[str]
) -> None:
    assert groups(kinds, room=room, most=most) == expected


def test_tasks_of_no_kind_share_no_pod() -> None:
    assert form_groups(["a", "b", "c"], room=1, most=3, kind=lambda _: None) == [("a",)]
    assert form_groups(["a", "b", "c"], room=1, most=3, kind=lambda _: 0) == [("a", "b", "c")]
