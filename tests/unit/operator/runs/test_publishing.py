import asyncio
from collections.abc import Awaitable, Callable
from typing import Any
from uuid import uuid4

import msgspec
import pytest

from podreduce.contract.errors import ObjectNotFoundError
from podreduce.contract.layout import CLAIM_KEY
from podreduce.contract.output_files import FileRef, OutputFile
from podreduce.contract.plan import JobIdentity, Owner
from podreduce.contract.task import (
    CommitIntent,
    IntentPart,
    OutputManifest,
    OutputPart,
    PartRef,
    RunTotals,
    SlotSeconds,
)
from podreduce.storage import ObjectStore, open_store
from podreduce_operator.model.errors import ActionError
from podreduce_operator.runs.output_claim import Claim, claim_output, refuse_existing, release_output
from podreduce_operator.runs.publishing import (
    build_intent,
    build_manifest,
    find_lost,
    has_leftovers,
    publish,
    read_published,
    remove_old,
    remove_staged,
)
from podreduce_operator.runs.run_totals import add_up
from tests.support.builders.jobs import JOB_UID
from tests.support.builders.plans import make_plan
from tests.support.builders.records import make_commit
from tests.support.builders.tasks import map_task, reduce_task
from tests.support.fake_s3 import fake_s3


class OperatorDiedError(Exception):
    """The operator's process is gone."""


@pytest.fixture
def output() -> ObjectStore:
    return open_store(f"memory://{uuid4().hex}/counts/")


def make_claim(run_id: str = "1") -> Claim:
    return Claim(
        installation="local", job=JobIdentity(namespace="default", name="wordcount", uid=JOB_UID, run_id=run_id)
    )


def stage(output: ObjectStore, texts: list[str], if_exists: str = "Fail") -> tuple[CommitIntent, OutputManifest]:
    plan = make_plan(partitions=len(texts), if_exists=if_exists)
    commits = []
    for index, text in enumerate(texts):
        key = f"_podreduce-{JOB_UID}-1/r-{index}-a"
        output.put(key, text.encode())
        part = PartRef(key=key, bytes=len(text), records=text.count("\n"), sha256="0" * 64)
        commits.append(make_commit(reduce_task(index), part=part))
    intent = build_intent(plan, commits, add_up(commits, {}))
    return intent, build_manifest(plan, "digest", intent)


def dying(output: ObjectStore, steps: int) -> ObjectStore:
    """The same store, whose changing operations work `steps` times and then no more."""
    left = [steps]

    def limit(call: Callable[..., Awaitable[object]]) -> Callable[..., Awaitable[object]]:
        async def limited(*args: object) -> object:
            if left[0] == 0:
                raise OperatorDiedError
            left[0] -= 1
            return await call(*args)

        return limited

    class Dying:
        uri = output.uri
        uri_of = output.uri_of
        list_async = output.list_async
        head_async = output.head_async
        exists_async = output.exists_async
        get_small_async = output.get_small_async
        delete_async = staticmethod(limit(output.delete_async))
        copy_async = staticmethod(limit(output.copy_async))
        put_async = staticmethod(limit(output.put_async))

    return Dying()  # type: ignore[return-value]


def visible(output: ObjectStore) -> dict[str, bytes]:
    keys = [found.key for found in output.list("") if not found.key.startswith("_podreduce-")]
    return {key: output.get(key) for key in keys}


async def test_the_first_claim_holds_and_its_run_may_claim_again(output: ObjectStore) -> None:
    assert await claim_output(output, make_claim("1")) is None
    assert await claim_output(output, make_claim("1")) is None
    assert await claim_output(output, make_claim("2")) == make_claim("1")
    await release_output(output, make_claim("2"))
    assert await claim_output(output, make_claim("2")) == make_claim("1")
    await release_output(output, make_claim("1"))
    assert await claim_output(output, make_claim("2")) is None


async def test_only_our_own_objects_may_lie_in_an_output_that_must_be_new(output: ObjectStore) -> None:
    await claim_output(output, make_claim())
    output.put(f"_podreduce-{JOB_UID}-1/r-0-a", b"staged")
    await refuse_existing(output)
    output.put("part-r-00000.txt", b"old")
    with pytest.raises(ActionError, match=r"already holds part-r-00000\.txt: remove it, choose another") as caught:
        await refuse_existing(output)
    assert caught.value.reason == "OutputExists"
    assert caught.value.permanent


async def test_the_output_is_complete_only_with_success_and_this_runs_manifest(output: ObjectStore) -> None:
    intent, manifest = stage(output, ["a\t1\n", "b\t2\n"])
    assert await read_published(output, JOB_UID, "1") is None
    await publish(output, intent, manifest)
    published = await read_published(output, JOB_UID, "1")
    assert published is not None
    assert (published.records, published.bytes) == (2, 8)
    assert await read_published(output, JOB_UID, "2") is None


@pytest.mark.parametrize("if_exists", ["Fail", "Replace"])
@pytest.mark.parametrize("steps", range(8))
async def test_publishing_is_carried_on_from_wherever_it_stopped(
    output: ObjectStore, steps: int, if_exists: str
) -> None:
    if if_exists == "Replace":
        for name in ("part-r-00000.txt", "part-r-00007.txt", "_SUCCESS"):
            output.put(name, b"old")
    intent, manifest = stage(output, ["a\t1\n", "b\t2\n"], if_exists)
    try:
        await publish(dying(output, steps), intent, manifest)
    except OperatorDiedError:
        complete = await read_published(output, JOB_UID, "1")
        assert complete is None
        assert "_SUCCESS" not in visible(output) or steps == 0
    await publish(output, intent, manifest)
    objects = visible(output)
    assert set(objects) == {"part-r-00000.txt", "part-r-00001.txt", "_SUCCESS", "_MANIFEST.json"}
    assert (objects["part-r-00000.txt"], objects["part-r-00001.txt"]) == (b"a\t1\n", b"b\t2\n")


async def test_publishing_again_after_the_end_changes_nothing(output: ObjectStore) -> None:
    intent, manifest = stage(output, ["a\t1\n"])
    await publish(output, intent, manifest)
    before = visible(output)
    await publish(dying(output, 0), intent, manifest)
    assert visible(output) == before


@pytest.mark.parametrize(
    ("output_format", "compression", "name"),
    [
        ("Text", "None", "part-r-00000.txt"),
        ("Text", "Gzip", "part-r-00000.txt.gz"),
        ("JSONLines", "Zstd", "part-r-00000.jsonl.zst"),
        ("CSV", "Bzip2", "part-r-00000.csv.bz2"),
        ("Parquet", "None", "part-r-00000.parquet"),
        ("FixedLength", "None", "part-r-00000.bin"),
        ("Pairs", "None", "part-r-00000.pairs"),
    ],
)
def test_a_parts_name_ends_as_its_format_and_compression_do(output_format: str, compression: str, name: str) -> None:
    plan = make_plan(output_format=output_format, output_compression=compression)
    commits = [make_commit(reduce_task(0))]
    assert [part.name for part in build_intent(plan, commits, add_up(commits, {})).parts] == [name]


TOTALS = RunTotals(
    counters={"podreduce": {"mapRecordsIn": 5}},
    omitted_counters=3,
    bytes_in=100,
    slot_seconds=SlotSeconds(map=1.5, reduce=2.5),
)
STAGED = PartRef(key="staged/r-0-a", bytes=7, records=2, sha256="5" * 64)
WROTE = FileRef(name="report.html", key="staged/report", bytes=9, sha256="9" * 64)


def test_the_intent_and_the_manifest_say_all_that_is_known_of_the_output() -> None:
    plan = make_plan(
        if_exists="Replace",
        output_format="JSONLines",
        input_digest="1" * 64,
        spec_digest="2" * 64,
        owner=Owner(kind="Pipeline", name="news", uid="u"),
    )
    intent = build_intent(plan, [make_commit(reduce_task(0), attempt_id="a", part=STAGED, files=(WROTE,))], TOTALS)
    file = PartRef(key=WROTE.key, bytes=9, records=0, sha256="9" * 64)
    assert intent == CommitIntent(
        output_uri=plan.output_uri,
        if_exists="Replace",
        totals=TOTALS,
        parts=(IntentPart(name="part-r-00000.jsonl", task=reduce_task(0), attempt_id="a", part=STAGED),),
        files=(IntentPart(name="_files/report.html", task=reduce_task(0), attempt_id="a", part=file),),
    )
    assert build_manifest(plan, "3" * 64, intent) == OutputManifest(
        job="wordcount",
        namespace="default",
        uid=JOB_UID,
        run_id="1",
        owner=plan.owner,
        plan_digest="3" * 64,
        input_digest="1" * 64,
        spec_digest="2" * 64,
        format="JSONLines",
        records=2,
        bytes=7,
        bytes_in=100,
        slot_seconds=TOTALS.slot_seconds,
        counters=TOTALS.counters,
        omitted_counters=3,
        parts=(OutputPart(name="part-r-00000.jsonl", records=2, bytes=7, sha256="5" * 64),),
        files=(OutputFile(name="_files/report.html", bytes=9, sha256="9" * 64),),
    )


def test_an_intent_of_an_earlier_release_has_no_totals() -> None:
    intent = msgspec.structs.replace(build_intent(make_plan(), [], TOTALS), totals=None)
    manifest = build_manifest(make_plan(), "digest", intent)
    assert (manifest.bytes_in, manifest.slot_seconds, manifest.counters) == (None, None, None)
    assert manifest.omitted_counters == 0


@pytest.mark.parametrize(
    ("key", "left"),
    [(None, False), (f"_podreduce-{JOB_UID}-1/r-0-a", True), (f"_podreduce-{JOB_UID}-2/r-0-a", False)],
    ids=["nothing", "its own", "another run's"],
)
async def test_what_a_run_has_staged_is_left_over(output: ObjectStore, key: str | None, *, left: bool) -> None:
    if key:
        output.put(key, b"staged")
    assert await has_leftovers(output, make_claim()) is left


async def test_a_claim_is_left_over_for_the_run_that_holds_it(output: ObjectStore) -> None:
    await claim_output(output, make_claim("1"))
    assert await has_leftovers(output, make_claim("1"))
    assert not await has_leftovers(output, make_claim("2"))


async def test_what_is_staged_is_removed_for_one_run(output: ObjectStore) -> None:
    for run_id in ("1", "2"):
        for name in ("r-0-a", "r-1-a.pending"):
            output.put(f"_podreduce-{JOB_UID}-{run_id}/{name}", b"staged")
    await remove_staged(output, make_claim("1").job)
    assert {found.key.split("/")[0] for found in output.list("")} == {f"_podreduce-{JOB_UID}-2"}


async def test_commits_without_a_part_have_lost_none(output: ObjectStore) -> None:
    assert await find_lost(output, [make_commit(map_task(0)), make_commit(reduce_task(0))]) == []


async def test_a_commit_has_lost_its_part_or_one_of_its_files(output: ObjectStore) -> None:
    gone = PartRef(key="staged/gone.pending", bytes=1, records=1, sha256="0" * 64)
    commits = [
        make_commit(reduce_task(0)),
        make_commit(reduce_task(1), part=gone),
        make_commit(reduce_task(2), files=(WROTE, FileRef(name="b", key=gone.key, bytes=1, sha256="0" * 64))),
        make_commit(reduce_task(3), files=(WROTE,)),
    ]
    assert await find_lost(output, commits) == commits[1:3]


async def test_a_success_without_a_manifest_is_another_programs(output: ObjectStore) -> None:
    output.put("_SUCCESS", b"")
    assert await read_published(output, JOB_UID, "1") is None
    output.put("_MANIFEST.json", b"no manifest")
    assert await read_published(output, JOB_UID, "1") is None


async def test_an_output_replaces_that_of_the_run_before(output: ObjectStore) -> None:
    await publish(output, *stage(output, ["a\t1\n", "b\t2\n"]))
    intent, manifest = stage(output, ["c\t3\n"], "Replace")
    await publish(output, intent, msgspec.structs.replace(manifest, run_id="2"))
    objects = visible(output)
    assert set(objects) == {"part-r-00000.txt", "_SUCCESS", "_MANIFEST.json"}
    assert objects["part-r-00000.txt"] == b"c\t3\n"
    assert await read_published(output, JOB_UID, "1") is None
    published = await read_published(output, JOB_UID, "2")
    assert published is not None
    assert published.uri == output.uri


async def test_files_are_published_beside_the_parts(output: ObjectStore) -> None:
    output.put(STAGED.key, b"a\t1\nb\t2")
    output.put(WROTE.key, b"<p>done")
    commits = [make_commit(reduce_task(0), part=STAGED, files=(WROTE,))]
    intent = build_intent(make_plan(if_exists="Replace"), commits, TOTALS)
    await publish(output, intent, build_manifest(make_plan(), "digest", intent))
    assert output.get("_files/report.html") == b"<p>done"


async def test_a_part_that_waited_as_an_upload_and_is_nowhere_is_missed(output: ObjectStore) -> None:
    pending = msgspec.structs.replace(STAGED, key="staged/r-0-a.pending")
    intent = build_intent(make_plan(), [make_commit(reduce_task(0), part=pending)], TOTALS)
    with pytest.raises(ObjectNotFoundError):
        await publish(output, intent, build_manifest(make_plan(), "digest", intent))
    assert not output.exists("_SUCCESS")


async def test_a_part_of_another_size_under_the_final_name_is_not_the_part(output: ObjectStore) -> None:
    intent, manifest = stage(output, ["a\t1\n"])
    await remove_staged(output, make_claim().job)
    output.put("part-r-00000.txt", b"another")
    with pytest.raises(ObjectNotFoundError):
        await publish(output, intent, manifest)


def test_a_commit_without_a_part_is_no_intent() -> None:
    with pytest.raises(ValueError, match="r-0 names no output part"):
        build_intent(make_plan(), [make_commit(reduce_task(0), part=None)], add_up([], {}))


async def test_a_second_leader_that_lost_sight_of_the_first_ends_with_the_same_output(output: ObjectStore) -> None:
    intent, manifest = stage(output, ["a\t1\n", "b\t2\n"])
    late = late_leader(output)
    publishing = asyncio.create_task(publish(late, intent, manifest))
    await late.is_waiting.wait()
    await publish(output, intent, manifest)
    await remove_staged(output, make_claim().job)
    before = visible(output)
    late.may_go_on.set()
    await publishing
    assert visible(output) == before
    assert await read_published(output, JOB_UID, "1") is not None


async def test_a_part_that_is_nowhere_is_missed(output: ObjectStore) -> None:
    intent, manifest = stage(output, ["a\t1\n"])
    await remove_staged(output, make_claim().job)
    with pytest.raises(ObjectNotFoundError):
        await publish(output, intent, manifest)
    assert await read_published(output, JOB_UID, "1") is None


def late_leader(output: ObjectStore) -> Any:
    """The same store, for a leader that sleeps after it has looked and before it deletes."""

    class Late:
        is_waiting = asyncio.Event()
        may_go_on = asyncio.Event()

        def __getattr__(self, name: str) -> object:
            return getattr(output, name)

        async def delete_async(self, *keys: str) -> None:
            self.is_waiting.set()
            await self.may_go_on.wait()
            await output.delete_async(*keys)

    return Late()


async def test_an_old_output_is_removed_as_it_is_listed() -> None:
    with fake_s3() as server:
        server.page_keys = 100
        kept = {"out/part-r-00000.txt", f"out/{CLAIM_KEY}", "out/_podreduce-x-1/r-0-a"}
        server.objects = dict.fromkeys([*kept, *(f"out/old-{number:05}" for number in range(2500))], b"x")
        await remove_old(server.open("out/"), {"part-r-00000.txt"})
    assert server.objects.keys() == kept
    assert server.most_ahead <= 1000 + 2 * server.page_keys
