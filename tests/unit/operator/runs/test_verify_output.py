"""Outputs as tasks write them and runs publish them, damaged in every way, in each format and compression."""

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from podreduce.contract.layout import OUTPUT_MANIFEST_KEY, SUCCESS_KEY
from podreduce.contract.output_files import FileRef
from podreduce.contract.task import OutputManifest, OutputPart
from podreduce.contract.wire import decode, digest_bytes, encode
from podreduce.outputs import open_part
from podreduce.storage import ObjectStore, open_store
from podreduce_operator.runs.publishing import build_intent, build_manifest, publish, remove_staged
from podreduce_operator.runs.run_totals import add_up
from podreduce_operator.runs.verify_output import Difference, Problem, verify_output
from tests.support.builders.jobs import JOB_UID
from tests.support.builders.plans import make_plan
from tests.support.builders.records import make_commit
from tests.support.builders.tasks import reduce_task

Publish = Callable[..., Awaitable[ObjectStore]]

COMPRESSED = ("Text", "JSONLines", "CSV")
LAYOUTS = [
    *((name, compression) for name in COMPRESSED for compression in ("None", "Gzip", "Bzip2", "Zstd")),
    ("Parquet", "None"),
    ("Pairs", "None"),
]
REPORT = b"<html>"
RECORDS = [[("a", "x"), ("b", "a\nb")], [], [(f"key {number}", f'"{number}"') for number in range(1000)]]
"""Of each part; a value with a newline, which some formats keep as it is, and a part without records."""


@pytest.fixture
def published(tmp_path: Path) -> Publish:
    """Publishes three parts and a file."""

    async def publish_parts(output_format: str = "Text", compression: str = "None") -> ObjectStore:
        output = open_store(f"file://{tmp_path}/counts/")
        plan = make_plan(
            partitions=len(RECORDS), output_format=output_format, output_compression=compression, output_uri=output.uri
        )
        commits = []
        for index, records in enumerate(RECORDS):
            with open_part(output, plan, reduce_task(index), "a-0") as part:
                part.write_all(records)
            commits.append(make_commit(reduce_task(index), part=part.part_ref()))
        key = f"_podreduce-{JOB_UID}-1/r-0-a-0-file-0"
        output.put(key, REPORT)
        file = FileRef(name="report.html", key=key, bytes=len(REPORT), sha256=digest_bytes(REPORT))
        commits[0] = msgspec.structs.replace(commits[0], files=(file,))
        intent = build_intent(plan, commits, add_up(commits, {}))
        await publish(output, intent, build_manifest(plan, "digest", intent))
        await remove_staged(output, plan.job)
        return output

    return publish_parts


def read_manifest(output: ObjectStore) -> OutputManifest:
    return decode(output.get(OUTPUT_MANIFEST_KEY), OutputManifest)


def rewrite(output: ObjectStore, **changes: Any) -> None:
    output.put(OUTPUT_MANIFEST_KEY, encode(msgspec.structs.replace(read_manifest(output), **changes)))


def found_in(output: ObjectStore) -> set[tuple[str, Problem]]:
    return {(each.name, each.problem) for each in verify_output(output).differences}


@pytest.mark.parametrize(("output_format", "compression"), LAYOUTS)
async def test_an_output_as_it_was_published_is_whole(published: Publish, output_format: str, compression: str) -> None:
    found = verify_output(await published(output_format, compression))
    assert found.differences == ()
    assert found.manifest is not None
    assert found.manifest.records == sum(map(len, RECORDS))
    assert ("were not counted" in found.unchecked[0]) == (output_format not in {"Text", "JSONLines", "Parquet"})


def flip(data: bytes) -> bytes:
    return data[:-1] + bytes([data[-1] ^ 1])


DAMAGES: dict[str, tuple[Callable[[bytes], bytes], Problem]] = {
    "a-bit": (flip, Problem.DIGEST),
    "its-first-byte": (lambda data: b"?" + data[1:], Problem.DIGEST),
    "one-byte-less": (lambda data: data[:-1], Problem.SIZE),
    "one-byte-more": (lambda data: data + b"\n", Problem.SIZE),
    "nothing-left": (lambda _: b"", Problem.SIZE),
}


@pytest.mark.parametrize(("output_format", "compression"), LAYOUTS)
async def test_each_damage_to_each_object_is_found_and_named(
    published: Publish, output_format: str, compression: str
) -> None:
    output = await published(output_format, compression)
    manifest = read_manifest(output)
    for damage, (change, problem) in DAMAGES.items():
        for each in (*manifest.parts, *manifest.files):
            if each.bytes:
                before = output.get(each.name)
                output.put(each.name, change(before))
                assert found_in(output) == {(each.name, problem)}, damage
                output.put(each.name, before)
    assert found_in(output) == set()


@pytest.mark.parametrize(
    ("output_format", "compression"), [("Text", "Gzip"), ("JSONLines", "None"), ("Parquet", "None")]
)
async def test_a_manifest_that_counts_other_records_is_found(
    published: Publish, output_format: str, compression: str
) -> None:
    output = await published(output_format, compression)
    parts = read_manifest(output).parts
    wrong = tuple(msgspec.structs.replace(part, records=part.records + 1) for part in parts)
    rewrite(output, parts=wrong)
    assert found_in(output) == {
        (name, Problem.RECORDS) for name in (OUTPUT_MANIFEST_KEY, *(each.name for each in parts))
    }


async def test_missing_and_surplus_objects_are_named(published: Publish, tmp_path: Path) -> None:
    output = await published()
    first, *_ = read_manifest(output).parts
    for name in (first.name, "_files/report.html", SUCCESS_KEY):
        output.delete(name)
    for name in ("part-r-00009.txt", "_files/old.html", "notes/a.txt"):
        output.put(name, b"new")
    (tmp_path / "counts" / "x#1").write_text("a name that no store lists")
    assert found_in(output) == {
        *((name, Problem.MISSING) for name in (first.name, "_files/report.html", SUCCESS_KEY)),
        *((name, Problem.SURPLUS) for name in ("part-r-00009.txt", "_files/old.html", "notes/a.txt", "x#1")),
    }


async def test_what_another_run_stages_is_no_part_of_the_output_and_is_said(published: Publish) -> None:
    output = await published()
    output.put("_podreduce-another-2/r-0-a", b"staged")
    found = verify_output(output)
    assert found.differences == ()
    assert any("a run writes to this output now" in each for each in found.unchecked)


@pytest.mark.parametrize("text", [b"", b"{}", b"[1]", b"\xff", b'{"schema":1,"parts":[]}'])
async def test_another_object_in_the_manifests_place_is_one_difference(published: Publish, text: bytes) -> None:
    output = await published()
    output.put(OUTPUT_MANIFEST_KEY, text)
    found = verify_output(output)
    assert found.manifest is None
    assert [(each.name, each.problem) for each in found.differences] == [(OUTPUT_MANIFEST_KEY, Problem.UNREADABLE)]


def test_a_place_without_an_output_has_no_manifest_and_no_success(tmp_path: Path) -> None:
    assert verify_output(open_store(f"file://{tmp_path}/nothing/")).differences == (
        Difference(name=OUTPUT_MANIFEST_KEY, problem=Problem.MISSING),
        Difference(name=SUCCESS_KEY, problem=Problem.MISSING),
    )


async def test_a_part_with_the_right_digest_that_is_no_file_of_its_format_is_found(published: Publish) -> None:
    output = await published("Text", "Gzip")
    data = b"not gzip"
    output.put("part-r-00000.txt.gz", data)
    first, *rest = read_manifest(output).parts
    lie = OutputPart(name=first.name, records=0, bytes=len(data), sha256=digest_bytes(data))
    rewrite(output, parts=(lie, *rest), bytes=sum(each.bytes for each in (lie, *rest)), records=1000)
    assert found_in(output) == {(first.name, Problem.UNREADABLE)}


async def test_all_bytes_are_told_as_they_are_read(published: Publish) -> None:
    output, read = await published(), list[int]()
    verify_output(output, read.append)
    assert sum(read) == read_manifest(output).bytes + len(REPORT)
