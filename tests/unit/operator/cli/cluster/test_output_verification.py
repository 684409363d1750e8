"""`podreduce verify`: what it says, its exit codes, and which output of a job it compares."""

import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from podreduce.contract.layout import OUTPUT_MANIFEST_KEY, SUCCESS_KEY
from podreduce.contract.task import OutputManifest, OutputPart
from podreduce.contract.wire import digest_bytes, encode
from podreduce_operator.cli.cluster.connection import Connection, open_connection
from podreduce_operator.cli.cluster.errors import CommandError, CommandExit
from podreduce_operator.cli.cluster.kinds import parse_reference
from podreduce_operator.cli.cluster.output_format import Format
from podreduce_operator.cli.cluster.output_verification import (
    MOST_SHOWN,
    ReadBytes,
    show_verification,
    show_verification_at,
)
from podreduce_operator.cli.cluster.place import Place
from tests.support.job_manifests import NAMESPACE, complete_job, running_job
from tests.support.kube_api import KubeApi, serve

TEXT = b"a\t1\nb\t2\n"


@pytest.fixture
async def api(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[KubeApi]:
    """A cluster whose storage Secret may not be read; own keys are set, and not used for a directory."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "own")
    async with serve(tmp_path) as served:
        yield served


@pytest.fixture
async def connection(api: KubeApi) -> AsyncIterator[Connection]:
    async with open_connection(Place(kubeconfig=api.kubeconfig, namespace=NAMESPACE)) as opened:
        yield opened


def write_output(directory: Path, parts: int = 1, records: int = 2) -> str:
    """Write the output of a run with equal parts, and return its URI."""
    directory.mkdir()
    names = [f"part-r-{index:05}.txt" for index in range(parts)]
    for name in names:
        (directory / name).write_bytes(TEXT)
    manifest = OutputManifest(
        job="wordcount",
        namespace="default",
        uid="uid",
        run_id="7",
        plan_digest="0" * 64,
        format="Text",
        records=records * parts,
        bytes=len(TEXT) * parts,
        parts=tuple(OutputPart(name=name, records=2, bytes=len(TEXT), sha256=digest_bytes(TEXT)) for name in names),
    )
    (directory / OUTPUT_MANIFEST_KEY).write_bytes(encode(manifest))
    (directory / SUCCESS_KEY).touch()
    return f"file://{directory}"


def test_a_whole_output_is_named_with_its_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    uri = write_output(tmp_path / "counts")
    assert show_verification_at(uri, None) is CommandExit.DONE
    whole, unchecked = capsys.readouterr().out.splitlines()
    assert whole == f"{uri}/: whole: 1 part, 2 records, 8 B; made by the run 7 of default/wordcount"
    assert unchecked.startswith("not checked: the manifest itself")


def test_what_differs_is_named_with_what_to_do(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    uri = write_output(tmp_path / "counts", parts=3)
    (tmp_path / "counts" / "part-r-00000.txt").unlink()
    (tmp_path / "counts" / "part-r-00001.txt").write_bytes(TEXT + b"c\t3\n")
    (tmp_path / "counts" / "part-r-00002.txt").write_bytes(TEXT.upper())
    (tmp_path / "counts" / "part-r-00003.txt").write_bytes(TEXT)
    (tmp_path / "counts" / SUCCESS_KEY).unlink()
    assert show_verification_at(uri, None) is CommandExit.FAILED
    lines = capsys.readouterr().out.splitlines()
    digests = f"its SHA-256 is {digest_bytes(TEXT.upper())}, and the manifest says {digest_bytes(TEXT)}"
    assert lines[:6] == [
        f"{uri}/: differs from its manifest in 5 places",
        "_SUCCESS: missing, so the output is not complete: a run writes it last",
        "part-r-00000.txt: missing",
        "part-r-00001.txt: 12 bytes, and the manifest says 8",
        f"part-r-00002.txt: other bytes: {digests}",
        "part-r-00003.txt: it is not in the manifest",
    ]
    assert lines[6].startswith("what to do: ")


def test_a_total_that_differs_is_counted_in_the_parts(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    uri = write_output(tmp_path / "counts", records=3)
    assert show_verification_at(uri, None) is CommandExit.FAILED
    assert f"{OUTPUT_MANIFEST_KEY}: 2 records in its parts, and the manifest says 3" in capsys.readouterr().out


def test_of_many_differences_the_first_are_shown_and_json_has_all(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    uri = write_output(tmp_path / "counts", parts=MOST_SHOWN + 5)
    for part in (tmp_path / "counts").glob("part-*"):
        part.unlink()
    show_verification_at(uri, None)
    assert "and 5 more: -o json lists them all" in capsys.readouterr().out
    assert show_verification_at(uri, Format.JSON) is CommandExit.FAILED
    found = json.loads(capsys.readouterr().out)
    assert (found["whole"], found["manifest"]["parts"], len(found["differences"])) == (False, 25, 25)
    assert found["differences"][0] == {
        "name": "part-r-00000.txt", "problem": "missing", "expected": "", "found": ""
    }  # fmt: skip


def test_a_place_without_a_manifest_has_nothing_to_compare(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert show_verification_at(f"file://{tmp_path}", None) is CommandExit.FAILED
    assert capsys.readouterr().out.splitlines()[:2] == [
        f"file://{tmp_path}/: nothing to compare with",
        "_MANIFEST.json: missing; every run writes it: is this the output of a job?",
    ]


async def test_of_a_job_the_output_in_its_status_is_compared(
    api: KubeApi, connection: Connection, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    uri = write_output(tmp_path / "counts")
    api.put(complete_job(output={"uri": uri, "records": 2, "bytes": 8}))
    assert await show_verification(connection, parse_reference("wordcount"), None, None) is CommandExit.DONE
    assert "whole: 1 part" in capsys.readouterr().out
    with pytest.raises(CommandError, match="a job has no steps"):
        await show_verification(connection, parse_reference("wordcount"), None, None, "x")


async def test_a_run_that_has_not_published_has_no_output_to_compare(api: KubeApi, connection: Connection) -> None:
    api.put(running_job())
    with pytest.raises(CommandError, match="has not published yet"):
        await show_verification(connection, parse_reference("wordcount"), None, None)


def test_a_long_comparison_says_how_far_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    quick, slow = ReadBytes(interval_seconds=60), ReadBytes(interval_seconds=0)
    quick(1024)
    assert capsys.readouterr().err == ""
    slow(1024)
    slow(1024)
    assert capsys.readouterr().err.splitlines() == ["1.0 KiB read", "2.0 KiB read"]
