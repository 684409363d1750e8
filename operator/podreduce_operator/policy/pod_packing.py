"""How many tasks a new pod takes: what `tasksPerPod` comes to.

A pod's start costs seconds, which a task of a second is not worth: where more tasks wait than there is room for pods, a
pod may take several, one after another. Rule: pure. Nothing waits longer for it: as many pods start as there is room
for, and a pod takes a second task only once each of these has one.

A number N lets a pod take up to N. `Auto` is guided self-scheduling (Polychronopoulos and Kuck, IEEE Transactions on
Computers 36, 1987): a pod takes its share of the tasks that are left, one part in `parallelism`, so that pods become
smaller towards the end and none is left working alone. It takes no more than 64 MiB of work and 32 tasks, for a pod
that ends early gives the rest back, to wait for another pod's start.

A worked example: 12 tasks of 1 MiB and room for 2. With 3, pods take 3 and 3, and whenever one has ended the next takes
3: four pods. With `Auto`, 6 and 6: two pods. With room for 20, each task has a pod of its own either way.
"""

from collections import deque
from collections.abc import Callable, Hashable, Sequence
from typing import Literal, TypeVar

__all__ = ["MOST_TASKS", "form_groups", "most_per_pod"]

AUTO_BYTES = 64 * 2**20
MOST_TASKS = 32
"""How many tasks a pod takes of its own accord."""

T = TypeVar("T")


def most_per_pod(wanted: int | Literal["Auto"], *, ready: int, parallelism: int, mean_bytes: float) -> int:
    """Return how many tasks a new pod may take, with so many `ready`, of `mean_bytes` each."""
    if wanted != "Auto":
        return wanted
    share = -(-ready // max(parallelism, 1))
    return max(1, min(share, int(AUTO_BYTES // max(mean_bytes, 1.0)), MOST_TASKS))


def form_groups(
    tasks: Sequence[T], *, room: int, most: int, kind: Callable[[T], Hashable | None]
) -> list[tuple[T, ...]]:
    """Return what the pods take that there is `room` for, in the order of `tasks`.

    Only tasks of the same `kind` go together, those of None alone. What then goes into no pod waits for the next.
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
    """Return how many tasks each new pod gets: of as many pods as there is room for, as evenly as can be."""
    pods = min(ready, room)
    if pods <= 0:
        return []
    each, more = divmod(min(ready, pods * most), pods)
    return [each + 1] * more + [each] * (pods - more)
