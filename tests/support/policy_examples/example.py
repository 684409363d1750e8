"""An example of the policy: a world, and the decision that it must get, as the decision log shows it.

Read the decision as `Phase/Reason: actions; wake seconds`. `create(m-0#2)` starts the second attempt of map 0, and
`create(m-0#1..m-2)` one pod for maps 0 to 2; `record` writes a failure down (`free`: it costs no attempt), `keep(2)`
writes down what is known of two attempts, `delete(m-1 why)` deletes a pod; `-` does nothing.
"""

from dataclasses import dataclass

from podreduce_operator.model.observed import Observed

__all__ = ["Example"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Example:
    """A world, a moment, and what to do then."""

    name: str
    observed: Observed
    now: float
    expected: str
