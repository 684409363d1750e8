"""The operator's errors and their condition reasons.

Rule: an `ActionError` is for the job's author and becomes a condition. Any other error is a bug; it is logged, and the
pass is repeated.
"""

from podreduce_operator.model.observed import Fault

__all__ = ["ActionError", "OperatorError"]


class OperatorError(Exception):
    """The root of the errors. The message names the object, its place and the remedy."""


class ActionError(OperatorError):
    """An action or observation that failed.

    Attributes:
        reason: the condition's reason in CamelCase, such as `InputNotFound`.
        permanent: if true, repeating does not help and the job fails. Otherwise it is tried again.
    """

    def __init__(self, reason: str, message: str, *, permanent: bool) -> None:
        super().__init__(message)
        self.reason = reason
        self.permanent = permanent

    def as_fault(self) -> Fault:
        """Return this error as `decide` sees it."""
        return Fault(reason=self.reason, message=str(self), permanent=self.permanent)
