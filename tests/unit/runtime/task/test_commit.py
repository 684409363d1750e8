import itertools

from podreduce.contract.task import CommitRecord, PartRef
from podreduce.contract.wire import decode
from podreduce.storage import ObjectStore, open_store
from podreduce.task.commit import conclude
from tests.support.builders.records import make_commit
from tests.support.builders.tasks import map_task

NUMBERS = itertools.count()


def stores() -> tuple[ObjectStore, ObjectStore]:
    root = f"memory://commit-{next(NUMBERS)}/"
    return open_store(f"{root}run/"), open_store(f"{root}output/")


def commit_of(attempt_id: str) -> CommitRecord:
    part = PartRef(key=f"staged/{attempt_id}", bytes=1, records=1, sha256="")
    return make_commit(map_task(3), attempt_id=attempt_id, part=part, blob=None)


def test_the_first_commit_wins_and_the_beaten_twin_tidies_up() -> None:
    run, output = stores()
    output.put("staged/a-0", b"a")
    output.put("staged/b-0", b"b")
    assert conclude(run, output, commit_of("a-0")).attempt_id == "a-0"
    assert conclude(run, output, commit_of("b-0")).attempt_id == "a-0"
    assert decode(run.get("commits/m-3-0.json"), CommitRecord).attempt_id == "a-0"
    assert [meta.key for meta in output.list()] == ["staged/a-0"]


def test_an_attempt_whose_answer_was_lost_has_won() -> None:
    run, output = stores()
    output.put("staged/a-0", b"a")
    conclude(run, output, commit_of("a-0"))
    assert conclude(run, output, commit_of("a-0")).attempt_id == "a-0"
    assert output.exists("staged/a-0")
