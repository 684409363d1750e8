"""How many tasks a new pod takes (`tasksPerPod`).

Starting a pod takes seconds, which is too long for a task of one second. If more tasks wait than pods may start, a pod
may take several, one after another. Rule: pure. No task waits longer because of this: all free slots get a pod, and a
pod gets a second task only when each pod has one.

A number N lets a pod take up to N tasks. `Auto` is guided self-scheduling (Polychronopoulos and Kuck, IEEE Transactions
on Computers 36, 1987): a pod takes 1/`parallelism` of the remaining tasks. So pods take fewer tasks towards the end,
and no pod is left working alone. A pod takes at most 64 MiB of work and 32 tasks, because the tasks left over from a
pod that ends early have to wait for another pod.

A worked example: 12 tasks of 1 MiB and 2 free slots. With `tasksPerPod: 3` the first two pods take 3 tasks each, and
so do the next two: four pods. With `Auto`, two pods take 6 tasks each. With 20 free slots each task gets its own pod.
"""

from collections import deque
from collections.abc import Callable, Hashable, Sequence
from typing import Literal, TypeVar

__all__ = ["MOST_TASKS", "form_groups", "most_per_pod"]

AUTO_BYTES = 64 * 2**20
MOST_TASKS = 32
"""How many tasks a pod takes at most with `Auto`."""

T = TypeVar("T")


def most_per_pod(wanted: int | Literal["Auto"], *, ready: int, parallelism: int, mean_bytes: float) -> int:
    """Return how many tasks a new pod may take. `ready` tasks of `mean_bytes` each may start now."""
    if wanted != "Auto":
        return wanted
    share = -(-ready // max(parallelism, 1))
    return max(1, min(share, int(AUTO_BYTES // max(mean_bytes, 1.0)), MOST_TASKS))


def form_groups(
    tasks: Sequence[T], *, room: int, most: int, kind: Callable[[T], Hashable | None]
) -> list[tuple[T, ...]]:
    """Return the tasks of each new pod, at most `room` pods, in the order of `tasks`.

    Only tasks of the same `kind` share a pod. A task of kind None gets a pod alone. Tasks that fit into no pod wait
    for the next one.
    """
    waiting = deque(tasks)
    groups = []
    for size in share_out(len(tasks), room, most):
        group = [waiting.popleft()]
        shared = kind(group[0])
        while shared is not None and waiting and len(group) < size and kind(waiting[0]) == shared:
            group.append(waiting.popleft())
        groups.append(tuple(group))
    return groups


def share_out(ready: int, room: int, most: int) -> list[int]:
    """Return how many tasks each new pod gets. All free slots get a pod, and tasks are shared out evenly."""
    pods = min(ready, room)
    if pods <= 0:
        return []
    each, more = divmod(min(ready, pods * most), pods)
    return [each + 1] * more + [each] * (pods - more)
