"""What changes a digest and what does not; and that no release changes one."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from podreduce.contract.plan import Program, ProgramFile
from podreduce.contract.task import OutputPart
from podreduce_operator.digests.run_digests import digest_input, digest_output, digest_spec
from tests.support.builders.jobs import make_raw_output, make_raw_spec, make_spec

IMAGE = "registry.example/jobs@sha256:" + "0" * 64
SOURCE = "class Job:\n    def map_func(self, key, value):\n        yield value, 1\n"


def digest(program: dict[str, Any] | None = None, *, runs_in_image: bool = True, **changes: Any) -> str | None:
    given_program = {"source": SOURCE, "className": "Job", "parameters": {"a": "1"}} | (program or {})
    spec = make_spec(program=given_program, **changes)
    fields = {"source": given_program["source"], "class_name": given_program["className"]}
    pinned = Program(module=given_program.get("module"), parameters=given_program["parameters"], **fields)
    return digest_spec(spec, pinned, runs_in_image=runs_in_image)


def input_of(**changes: Any) -> dict[str, Any]:
    return make_raw_spec()["input"] | changes


COUNT: dict[str, dict[str, Any]] = {
    "code": {"program": {"source": SOURCE.replace("1", "2")}},
    "class": {"program": {"className": None}},
    "parameters": {"program": {"parameters": {"a": "2"}}},
    "image": {"image": "registry.example/jobs:2"},
    "input format": {"input": input_of(format="JSONLines")},
    "input option": {"input": input_of(format="CSV", csv={"delimiter": ";"})},
    "another input option": {"input": input_of(format="CSV", csv={"delimiter": "|"})},
    "sample": {"input": input_of(sample={"fraction": 0.5})},
    "another seed": {"input": input_of(sample={"fraction": 0.5, "seed": 1})},
    "encoding errors": {"input": input_of(encodingErrors="Replace")},
    "output format": {"output": make_raw_output(format="JSONLines")},
    "compression": {"output": make_raw_output(compression="Gzip")},
    "columns": {"output": make_raw_output(format="CSV", columns=["a"])},
    "order": {"output": make_raw_output(order="Total")},
    "partitions": {"reduce": {"partitions": 3}},
    "partition key": {"reduce": {"partitionKeyLength": 1}},
    "partitioning": {"reduce": {"partitions": 3, "partitioning": "Hash"}},
    "bad records": {"badRecords": "Skip"},
}
DO_NOT_COUNT: dict[str, dict[str, Any]] = {
    "uris": {"input": input_of(uris=["s3://elsewhere/"])},
    "output uri": {"output": make_raw_output(uri="s3://elsewhere/out/")},
    "if exists": {"output": make_raw_output(ifExists="Replace")},
    "shards": {"map": {"shards": 7}},
    "template": {"reduce": {"podTemplate": {"spec": {}}}},
    "the default of partitioning": {"reduce": {"partitioning": "Balanced"}},
    "parallelism": {"parallelism": 3},
    "retries": {"backoffLimitPerTask": 0},
    "deadline": {"activeDeadlineSeconds": 5},
    "run": {"runId": "2"},
    "suspend": {"suspend": True},
    "bad record limit": {"maxBadRecords": 5},
    "a default that is written out": {"input": input_of(format="Text", keyLength=0, unknownFields="Fail")},
}


def test_every_part_of_what_a_run_does_has_a_digest_of_its_own() -> None:
    found = [digest(), *(digest(**changes) for changes in COUNT.values())]
    assert None not in found
    assert len(set(found)) == len(COUNT) + 1


@pytest.mark.parametrize("changes", DO_NOT_COUNT.values(), ids=DO_NOT_COUNT)
def test_how_a_run_gets_there_does_not_count(changes: dict[str, Any]) -> None:
    assert digest(**changes) == digest()


def test_digests_are_the_same_in_every_release() -> None:
    """If this fails, every output in people's buckets counts as changed: raise DIGEST_VERSION if it must be."""
    assert digest() == "d2e1401effbfe1330aef24eca9584fceea5c780582e026a8bbce07b2cece6fc7"
    everything: dict[str, Any] = {}
    for name in ("parameters", "another input option", "columns", "partition key", "bad records"):
        everything |= COUNT[name]
    assert digest(**everything, image=IMAGE) == "6f198a70f313ff59387ea07f6b54e2be914fdada0d3925b18bd6876b9aae137e"
    assert (
        digest_input([("s3://a/é", 7, '"tag"'), ("s3://a/b", 0, None)])
        == "f7a7e6aca3a41efbb92f31cc4be93e85bb238aee4c029434abe02166997d4c98"
    )
    assert (
        digest_output([OutputPart(name="part-r-00000.txt", records=1, bytes=2, sha256="ab")])
        == "fb8a5bf0c54a68abd8e06d3b4befd3fde163f5623fc8dafb7c185a4defbadd48"
    )


@pytest.mark.parametrize(
    ("image", "runs_in_image", "is_known"),
    [(IMAGE, True, True), (IMAGE, False, False), ("jobs:1", True, False), (None, True, False)],
)
def test_the_code_of_a_module_is_known_only_by_its_images_digest(
    image: str | None, *, runs_in_image: bool, is_known: bool
) -> None:
    module = {"source": None, "module": "shop.visits"}
    given_image = {} if image is None else {"image": image}
    found = digest(module, runs_in_image=runs_in_image, **given_image)
    assert (found is not None) == is_known
    assert found is None or found != digest({**module, "module": "shop.faults"}, runs_in_image=True, image=image)
    assert digest(runs_in_image=runs_in_image) is not None


OBJECTS = st.lists(
    st.tuples(st.sampled_from(["a", "b", "a\n", 'a",1']), st.integers(0, 2**50), st.none() | st.sampled_from(["", "1"]))
)


@given(OBJECTS, OBJECTS)
def test_other_objects_and_another_order_have_another_input_digest(one: list[Any], other: list[Any]) -> None:
    assert (digest_input(one) == digest_input(other)) == (one == other)


def test_the_output_digest_is_over_names_and_contents() -> None:
    def part(number: int, **changes: Any) -> OutputPart:
        return OutputPart(**{"name": f"part-r-{number:05}.txt", "records": 1, "bytes": 2, "sha256": "ab"} | changes)

    parts = [part(0), part(1)]
    assert digest_output(parts) == digest_output(reversed(parts)) == digest_output([part(0, records=9), part(1)])
    others = [[part(0)], [part(0), part(2)], [part(0), part(1, sha256="ac")], [part(0, sha256="ac"), part(1)]]
    assert len({digest_output(parts), *map(digest_output, others)}) == len(others) + 1


def file_of(digit: str, uri: str = "s3://jobs/a.zip") -> ProgramFile:
    return ProgramFile(uri=uri, digest=f"sha256:{digit * 64}")


def test_the_code_of_a_module_in_an_archive_is_its_content_wherever_it_lies() -> None:
    spec = make_spec(program={"module": "jobs"})
    programs = {
        "no archive": Program(module="jobs"),
        "archive": Program(module="jobs", archive=file_of("0")),
        "elsewhere": Program(module="jobs", archive=file_of("0", "s3://other/b.zip")),
        "another archive": Program(module="jobs", archive=file_of("1")),
        "another module": Program(module="words", archive=file_of("0")),
        "with a wheel": Program(module="jobs", archive=file_of("0"), requirements=(file_of("2"),)),
    }
    digests = {name: digest_spec(spec, program, runs_in_image=False) for name, program in programs.items()}
    assert digests["no archive"] is None
    assert digests["archive"] == digests.pop("elsewhere")
    assert len({*digests.values()}) == len(digests)
