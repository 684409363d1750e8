"""docs/troubleshooting.md, docs/cli.md: classes of failure and exit codes."""

import ast
import inspect
from collections.abc import Iterator
from enum import IntEnum
from itertools import pairwise
from textwrap import dedent
from typing import TypeVar

from docs.generator.tables import table
from podreduce.contract.exit_codes import ExitCode
from podreduce_operator.policy import failure_causes, failure_classes

Codes = TypeVar("Codes", bound=IntEnum)
COST_NOTES = {
    "memory": "the first is free, and the task gets `backoff.outOfMemoryFactor` times the memory "
    "(not with `backoffLimitPerTask: 0`); later ones: ",
    "setup": "the same error twice in a task fails the job; until then: ",
    "excess": "the job fails at once; if `maxBadRecords` was raised meanwhile: ",
}
OUTAGE_NOTE = "; with `backoffLimitPerTask: 0` each counts"


def list_failure_classes() -> str:
    """Return what each class of failure costs."""
    head = ("class", "reasons", "cost", "next attempt after", "when used up, the job fails with")
    return table(head, *map(describe_class, failure_classes.CLASSES))


def describe_class(known: failure_classes.FailureClass) -> tuple[str, ...]:
    """Return a class of failure as a row."""
    reasons = ", ".join(f"`{reason}`" for reason in sorted(known.reasons))
    if known.is_fatal:
        return known.name, reasons, "the job fails at once", "", "the reason itself"
    note = COST_NOTES.get(known.name, "")
    if known.is_counted:
        return known.name, reasons, f"{note}one of `backoffLimitPerTask`", "`backoff`", "`BackoffLimitExceeded`"
    outage = OUTAGE_NOTE if known in (failure_classes.OUTAGE, failure_classes.DENIAL) else ""
    delay = f"{known.first_delay_seconds:.0f} s, doubling to {known.max_delay_seconds:.0f} s"
    return known.name, reasons, f"{note}none, {known.limit - 1} times a task{outage}", delay, f"`{known.exhausted}`"


def list_exit_codes() -> str:
    """Return a task's exit codes, with the reasons of attempts that said nothing else."""
    reasons = failure_causes.REASONS_BY_EXIT_CODE | {ExitCode.OK: "CommitMissing"}
    codes = [(str(code.value), f"`{reasons.get(code, 'PodFailed')}`", text) for code, text in read_exit_codes(ExitCode)]
    killed = ("137", f"`{reasons[137]}`", "Killed with signal 9; for memory, Kubernetes says so: `OutOfMemory`.")
    other = ("others", "`PodFailed`", "The process ended without a message; from 129 on by signal code - 128.")
    return table(("exit code", "reason, without a message", "meaning"), *codes, killed, other)


def read_exit_codes(codes: type[Codes]) -> Iterator[tuple[Codes, str]]:
    """Yield each exit code with the text below it in the source."""
    body = ast.parse(dedent(inspect.getsource(codes))).body[0]
    for node, following in pairwise(body.body if isinstance(body, ast.ClassDef) else ()):
        if isinstance(node, ast.Assign) and isinstance(following, ast.Expr) and isinstance(node.targets[0], ast.Name):
            yield codes[node.targets[0].id], " ".join(ast.literal_eval(following.value).split())
