"""The first attempt to commit wins; another deletes what it has staged, and tells of it."""

import itertools
from typing import Any

import pytest
from structlog.testing import capture_logs

from podreduce.contract.errors import PodreduceError
from podreduce.contract.output_files import FileRef
from podreduce.contract.task import BlobRef, CommitRecord, PartRef, QuarantineRef
from podreduce.contract.wire import decode
from podreduce.storage import ObjectStore, open_store
from podreduce.task.commit import conclude
from tests.support.builders.records import make_commit
from tests.support.builders.tasks import map_task

NUMBERS = itertools.count()


def open_stores() -> tuple[ObjectStore, ObjectStore]:
    root = f"memory://commit-{next(NUMBERS)}/"
    return open_store(f"{root}run/"), open_store(f"{root}output/")


def commit_of(attempt_id: str, **fields: Any) -> CommitRecord:
    part = PartRef(key=f"staged/{attempt_id}", bytes=1, records=1, sha256="")
    return make_commit(map_task(3), attempt_id=attempt_id, **{"part": part, "blob": None, **fields})


STAGED: dict[str, Any] = {
    "blob": BlobRef(key="staged/b-0", bytes=1, footer_offset=0, footer_crc32=0),
    "part": PartRef(key="staged/b-0", bytes=1, records=1, sha256=""),
    "quarantine": QuarantineRef(key="staged/b-0", records=1, kept=1),
    "files": (FileRef(name="report", key="staged/b-0", bytes=1, sha256=""),),
}
IN_RUN = ("blob", "quarantine")


def test_the_first_commit_wins_and_the_beaten_twin_tidies_up() -> None:
    run, output = open_stores()
    output.put("staged/a-0", b"a")
    output.put("staged/b-0", b"b")
    assert conclude(run, output, commit_of("a-0")).attempt_id == "a-0"
    assert conclude(run, output, commit_of("b-0")).attempt_id == "a-0"
    assert decode(run.get("commits/m-3-0.json"), CommitRecord).attempt_id == "a-0"
    assert [meta.key for meta in output.list()] == ["staged/a-0"]


def test_an_attempt_whose_answer_was_lost_has_won() -> None:
    run, output = open_stores()
    output.put("staged/a-0", b"a")
    conclude(run, output, commit_of("a-0"))
    assert conclude(run, output, commit_of("a-0")).attempt_id == "a-0"
    assert output.exists("staged/a-0")


@pytest.mark.parametrize("kind", STAGED)
def test_the_beaten_twin_deletes_all_that_it_has_staged_where_it_lies(kind: str) -> None:
    stores = run, output = open_stores()
    for store in stores:
        store.put("staged/b-0", b"b")
    conclude(run, output, commit_of("a-0"))
    nothing = dict.fromkeys(STAGED) | {"files": ()}
    with capture_logs() as logs:
        conclude(run, output, commit_of("b-0", **nothing | {kind: STAGED[kind]}))
    assert [store.exists("staged/b-0") for store in stores] == [kind not in IN_RUN, kind in IN_RUN]
    assert [(log["event"], log["task"], log["other"]) for log in logs] == [
        ("another attempt committed first", "m-3", "a-0")
    ]


def test_an_output_that_cannot_be_deleted_is_left_to_the_clean_up() -> None:
    run, output = open_stores()

    class Refusing:
        uri_of = staticmethod(output.uri_of)

        def delete(self, key: str) -> None:
            raise PodreduceError(f"no right to delete {key}")

    conclude(run, output, commit_of("a-0"))
    with capture_logs() as logs:
        assert conclude(run, Refusing(), commit_of("b-0")).attempt_id == "a-0"  # type: ignore[arg-type]
    assert [(log["uri"], log["error"]) for log in logs if log["log_level"] == "warning"] == [
        (output.uri_of("staged/b-0"), "no right to delete staged/b-0")
    ]


def test_an_attempt_that_has_won_says_nothing_of_others() -> None:
    run, output = open_stores()
    with capture_logs() as logs:
        for _ in range(2):
            conclude(run, output, commit_of("a-0"))
    assert logs == []
