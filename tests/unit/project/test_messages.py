"""Every message that the runtime has for a user's mistake can be read: in the status, in the events, after the run."""

import ast
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

import podreduce
from podreduce.contract.errors import PodreduceError, ProgramError
from podreduce.contract.task import TaskOutcome
from podreduce.contract.wire import decode
from podreduce.encoding.keys import UnsupportedTypeError
from podreduce.encoding.unwritable import UnwritableError
from podreduce.outputs.line_output import unwritable
from podreduce.program.calling import cannot_travel
from podreduce.storage.place import Place
from podreduce.storage.store_codes import MEANINGS
from podreduce.storage.store_errors import AnswerError, translate
from podreduce.watching.outcome import fit_outcome, outcome_of
from podreduce_operator.cli.report import Kept, render_failed
from podreduce_operator.model.decisions import Phase, Verdict
from podreduce_operator.policy.job_events import events_between
from podreduce_operator.policy.status import build_status
from tests.support.builders.observed import make_observed
from tests.support.builders.records import make_failure
from tests.support.builders.tasks import map_task

SOURCES: Final = Path(podreduce.__file__).parent
SHOWN: Final = "k" * 200
"""What `show` and the like leave of the user's data."""
FILLING: Final = "o" * 60
"""What stands for a name, a number, an error of a library's."""
RECORD: Final = f"s3://corpus/logs/a.txt at byte 7: {'r' * 1024}"
TRACEBACK: Final = "Traceback (most recent call last):\n" + '  File "job.py", line 4, in map_func\n' * 100
OURS: Final = frozenset({"InternalError", "PodreduceError"})
"""These are for us to read."""


def error_names() -> frozenset[str]:
    """Return the names of the errors that end an attempt, or become the message of one that does."""
    found, waiting = set(), [PodreduceError]
    while waiting:
        kind = waiting.pop()
        found.add(kind.__name__)
        waiting.extend(kind.__subclasses__())
    return frozenset(found - OURS | {"UnsupportedTypeError", "UnwritableError"})


def find_messages() -> Iterator[tuple[str, str]]:
    """Yield the kind of each error that the runtime makes, and its message with data in its places."""
    names = error_names()
    for path in sorted(SOURCES.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in names and node.args:
                text = fill(node.args[0])
                if text:
                    yield node.func.id, text


def fill(node: ast.expr) -> str:
    """Return a literal or f-string with data in its places; nothing for what is put together elsewhere."""
    if isinstance(node, ast.Constant):
        return str(node.value)
    if not isinstance(node, ast.JoinedStr):
        return ""
    return "".join(
        str(part.value) if isinstance(part, ast.Constant) else SHOWN if "show" in ast.dump(part) else FILLING
        for part in node.values
    )


def as_raised(kind: str, text: str) -> PodreduceError:
    """Return the error as it leaves the task, its record at hand."""
    if kind == "UnwritableError":
        error = unwritable(SHOWN, UnwritableError(text))
    elif kind == "UnsupportedTypeError":
        error = cannot_travel("WordCount.map_func", SHOWN, UnsupportedTypeError(text))
    else:
        error = ProgramError(text)
    error.record = RECORD
    return error


MESSAGES: Final = sorted(set(find_messages()))


def test_the_search_finds_the_messages() -> None:
    texts = " ".join(text for _, text in MESSAGES)
    assert len(MESSAGES) > 60
    assert "cannot be a" in texts
    assert "which is not a pair: yield key, value" in texts


@pytest.mark.parametrize(("kind", "text"), MESSAGES, ids=[f"{kind} {text[:40]}" for kind, text in MESSAGES])
def test_a_message_comes_out_whole(kind: str, text: str) -> None:
    error = as_raised(kind, text)
    outcome = decode(fit_outcome(outcome_of(error)), TaskOutcome)
    earlier = [
        make_failure(map_task(index), finished_at=index, message=text, traceback=TRACEBACK, record=RECORD)
        for index in range(1, 10)
    ]
    failure = make_failure(map_task(0), finished_at=99.0, message=outcome.message, record=outcome.record)
    observed = make_observed(failures=[*earlier, failure])
    verdict = Verdict(phase=Phase.FAILED, reason="BackoffLimitExceeded", message=f"m-0 (pod): ProgramError: {error}")
    status = build_status(observed, verdict, 100.0, None)
    report = render_failed("wordcount", status, Kept())
    events = " ".join(event.message for event in events_between({}, status))
    assert status["failures"][0]["message"] == str(error)
    assert str(error) in report
    assert str(error) in events
    assert RECORD[:100] in report
    assert len(json.dumps(status, ensure_ascii=False).encode()) < 10_240


def test_of_a_cut_message_the_beginning_and_the_remedy_are_left() -> None:
    text = f"Job.map_func yielded {'x' * 3000}: yield str(value)"
    verdict = Verdict(phase=Phase.FAILED, reason="ProgramError", message=text)
    older = make_failure(map_task(1), finished_at=1.0, message=text)
    status = build_status(make_observed(failures=[make_failure(message=text), older]), verdict, 100.0, None)
    said = [failure["message"] for failure in status["failures"]]
    said += [condition["message"] for condition in status["conditions"] if condition["message"]]
    assert len(said) == 5
    for message in said:
        assert message.startswith("Job.map_func yielded x")
        assert message.endswith("x: yield str(value)")


@pytest.mark.parametrize("code", [code for code, (_, remedy) in MEANINGS.items() if remedy])
def test_a_condition_keeps_the_remedy_of_the_stores_refusal_however_long_the_name(code: str) -> None:
    uri = f"s3://work/{'directory/' * 80}part-0"
    answer = f"<Error><Code>{code}</Code><Key>{uri}</Key></Error>"
    refused = AnswerError(answer, code=code, status=400)
    error = translate(refused, Place(verb="write", uri=uri, endpoint="http://minio.storage.svc.cluster.local:9000"))
    verdict = Verdict(phase=Phase.FAILED, reason=error.reason, message=str(error))
    conditions = build_status(make_observed(), verdict, 100.0, None)["conditions"]
    (message,) = [each["message"] for each in conditions if each["type"] == "Failed"]
    assert message.startswith("s3://work/directory/")
    assert message.endswith(f": {MEANINGS[code][1]}")
