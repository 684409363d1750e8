"""What the operator can run into, mapped once to condition reasons.

Rule: an `ActionError` is for the job's author and becomes a condition; anything else is a bug, retried and logged.
"""

from podreduce_operator.model.observed import Fault

__all__ = ["ActionError", "OperatorError"]


class OperatorError(Exception):
    """The root. The message names the thing, its place and the remedy."""


class ActionError(OperatorError):
    """An action or observation that could not be done.

    Attributes:
        reason: the condition's reason, CamelCase, e.g. `InputNotFound`.
        permanent: repeating will not help: the job fails. Otherwise it is tried again.
    """

    def __init__(self, reason: str, message: str, *, permanent: bool) -> None:
        super().__init__(message)
        self.reason = reason
        self.permanent = permanent

    def as_fault(self) -> Fault:
        """Return what `decide` gets to see of it."""
        return Fault(reason=self.reason, message=str(self), permanent=self.permanent)
