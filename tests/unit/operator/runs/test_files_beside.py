"""The files of a run: each once, from the attempts that count, and none in the place of another."""

from uuid import uuid4

import pytest
from msgspec.structs import replace

from podreduce.contract.output_files import MOST_FILES_OF_RUN, FileRef
from podreduce.contract.task import CommitIntent, CommitRecord, OutputFile, OutputManifest, TaskRef
from podreduce.contract.wire import decode
from podreduce.storage import ObjectStore, open_store
from podreduce_operator.model.errors import ActionError
from podreduce_operator.runs import files_beside
from podreduce_operator.runs.files_beside import choose_files
from podreduce_operator.runs.publishing import build_intent, build_manifest, publish, remove_staged
from podreduce_operator.runs.run_totals import add_up
from podreduce_operator.runs.stored_records import check_commit, check_intent
from tests.support.builders.jobs import JOB_UID
from tests.support.builders.plans import make_plan
from tests.support.builders.records import make_commit
from tests.support.builders.tasks import reduce_task

STAGED = f"_podreduce-{JOB_UID}-1/"


@pytest.fixture
def output() -> ObjectStore:
    return open_store(f"memory://{uuid4().hex}/counts/")


def file_of(task: TaskRef, name: str, *, key: str | None = None) -> FileRef:
    return FileRef(name=name, key=key or f"{STAGED}{task}-{name.replace('/', '-')}", bytes=len(name), sha256="0" * 64)


def commit_of(index: int, *names: str) -> CommitRecord:
    """The commit of a reduce that wrote files, each of its own name."""
    task = reduce_task(index)
    return make_commit(task, files=tuple(file_of(task, name) for name in names))


def stage(output: ObjectStore, *commits: CommitRecord, if_exists: str = "Fail") -> tuple[CommitIntent, OutputManifest]:
    plan = make_plan(partitions=len(commits), if_exists=if_exists)
    for commit in commits:
        assert commit.part is not None
        output.put(commit.part.key, b"0123456789")
        for each in commit.files:
            output.put(each.key, each.name.encode())
    intent = build_intent(plan, list(commits), add_up(commits, {}))
    check_intent(intent, plan, "intent")
    return intent, build_manifest(plan, "digest", intent)


async def test_files_are_published_beside_the_parts_and_the_manifest_lists_them(output: ObjectStore) -> None:
    intent, manifest = stage(output, commit_of(0, "z.html", "plots/a.png"), commit_of(1), commit_of(2, "b.html"))
    for _ in range(2):  # repeating it is harmless
        await publish(output, intent, manifest)
    await remove_staged(output, make_plan().job)
    found = {meta.key: output.get(meta.key) for meta in output.list() if meta.key.startswith("_files/")}
    assert found == {f"_files/{name}": name.encode() for name in ("b.html", "plots/a.png", "z.html")}
    written = decode(output.get("_MANIFEST.json"), OutputManifest)
    assert [each.name for each in written.files] == sorted(found)
    assert written.files[0] == OutputFile(name="_files/b.html", bytes=6, sha256="0" * 64)
    assert (len(written.parts), written.bytes) == (3, 30)
    assert [meta.key for meta in output.list() if meta.key.startswith("_podreduce")] == []


async def test_a_publication_that_broke_off_is_carried_on_after_the_staged_file_is_gone(output: ObjectStore) -> None:
    intent, manifest = stage(output, commit_of(0, "a", "b"))
    await publish(output, intent, manifest)
    output.delete("_SUCCESS", "_MANIFEST.json", intent.files[0].part.key)
    await publish(output, intent, manifest)
    assert output.get("_files/a") == b"a"


async def test_a_replaced_output_keeps_none_of_its_files(output: ObjectStore) -> None:
    output.put("_files/old.html", b"old")
    output.put("_files/kept.html", b"old")
    intent, manifest = stage(output, commit_of(0, "kept.html"), if_exists="Replace")
    await publish(output, intent, manifest)
    assert [meta.key for meta in output.list("_files/")] == ["_files/kept.html"]
    assert output.get("_files/kept.html") == b"kept.html"


@pytest.mark.parametrize(
    ("names", "message"),
    [
        ((["report.html"], ["report.html"]), "r-0 wrote _files/report.html, and r-1 wrote _files/report.html"),
        ((["a/b"], ["x", "a"]), "r-1 wrote _files/a, and r-0 wrote _files/a/b"),
        ((["a"], ["a-b", "a/b/c"]), "r-0 wrote _files/a, and r-1 wrote _files/a/b/c"),
        ((["a"], ["ab", "b/a"]), None),
    ],
    ids=["one name", "a directory", "a directory of a directory", "no clash"],
)
def test_two_tasks_that_wrote_one_name_fail_the_run_and_both_are_named(
    names: tuple[list[str], list[str]], message: str | None
) -> None:
    commits = [commit_of(index, *files) for index, files in enumerate(names)]
    for each in (commits, commits[::-1]):
        if message is None:
            assert len(choose_files(each)) == 3
            continue
        with pytest.raises(ActionError, match="two tasks wrote a file of one name: ") as refused:
            choose_files(each)
        assert (refused.value.reason, refused.value.permanent) == ("OutputFileClash", True)
        assert message in str(refused.value)


def test_a_run_has_a_limit_of_files(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files_beside, "MOST_FILES_OF_RUN", 3)
    assert MOST_FILES_OF_RUN > 3
    assert len(choose_files([commit_of(0, "a", "b"), commit_of(1, "c")])) == 3
    with pytest.raises(ActionError, match=r"the tasks wrote 4 files with context\.output_file, and 3 is the limit"):
        choose_files([commit_of(0, "a", "b"), commit_of(1, "c", "d")])


@pytest.mark.parametrize(
    ("name", "key"), [("part-r-00000.txt", None), ("_files/../x", None), ("_files/a", "_podreduce-other/a")]
)
def test_an_intent_of_another_writer_publishes_nothing_elsewhere(
    output: ObjectStore, name: str, key: str | None
) -> None:
    intent, _ = stage(output, commit_of(0, "a"))
    [part] = intent.files
    part = replace(part, name=name, part=replace(part.part, key=key or part.part.key))
    with pytest.raises(ActionError, match="is not what podreduce wrote there"):
        check_intent(replace(intent, files=(part,)), make_plan(partitions=1), "intent")


def test_a_commit_of_another_writer_has_no_more_files_than_a_task() -> None:
    commit = commit_of(0, *(f"f{number}" for number in range(101)))
    with pytest.raises(ActionError, match="it has 101 files"):
        check_commit("commits/r-0-0.json", commit, make_plan(partitions=1), "commit")
