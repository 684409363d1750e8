"""Which rights the API server has refused to the operator, and has not granted since.

Rule: no I/O. Only refusals for want of a right count; a quota or a policy also answers 403. A job's condition cannot
always tell of a missing right: without it, the status may not be written, or the job not be listed.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from http import HTTPStatus
from urllib.parse import unquote

__all__ = ["MissingRights", "Right", "right_of"]

MOST_KEPT = 100
VERBS = {"POST": "create", "PUT": "update", "PATCH": "patch", "DELETE": "delete"}
GROUP_PARTS = {"api": 2, "apis": 3}
"""How many parts of a path name the group and its version."""


@dataclass(frozen=True, slots=True, order=True)
class Right:
    """What a Role grants; `namespace` is empty for what is in no namespace, or in all."""

    verb: str
    resource: str
    namespace: str = ""

    def __str__(self) -> str:
        return f"{self.verb} {self.resource}" + (f" in the namespace {self.namespace}" if self.namespace else "")


class MissingRights:
    """The rights that are missing, as far as requests have shown."""

    def __init__(self) -> None:
        self._missing: dict[Right, None] = {}

    def __iter__(self) -> Iterator[Right]:
        return iter(sorted(self._missing))

    def note(self, right: Right | None, status: int, message: str) -> None:
        """Note how a request ended that needs this right."""
        if right is None:
            return
        if status != HTTPStatus.FORBIDDEN:
            if self._missing and status < HTTPStatus.BAD_REQUEST:
                self._missing.pop(right, None)
        elif f"cannot {right.verb} resource" in message and len(self._missing) < MOST_KEPT:
            self._missing[right] = None


def right_of(method: str, path: str, *, watches: bool = False) -> Right | None:
    """Return the right that a request needs; None if it is not about a resource."""
    parts = path.strip("/").split("/")
    rest = [unquote(part) for part in parts[GROUP_PARTS.get(parts[0], len(parts)) :]]
    namespace = ""
    if rest[:1] == ["namespaces"] and rest[2:]:  # a shorter path is about the namespace itself
        namespace, rest = rest[1], rest[2:]
    if not rest:
        return None
    is_named = len(rest) > 1
    reads = "watch" if watches else "get" if is_named else "list"
    return Right(VERBS.get(method, reads), "/".join([rest[0], *rest[2:]]), namespace)
