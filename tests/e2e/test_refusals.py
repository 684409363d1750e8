"""What cannot work says so within a minute, and leaves no pod running."""

import time
from collections.abc import Callable
from datetime import datetime
from itertools import pairwise
from typing import Any

import obstore
import pytest

from tests.e2e.jobs import WORD_COUNT, JobWorld, make_manifest

pytestmark = [pytest.mark.e2e, pytest.mark.usefixtures("schedules")]  # minutes pass meanwhile

RAISING = """\
class Raising:
    def map_func(self, key, value):
        if "import antigravity" in value or "zlib" in value:
            raise ValueError(f"cannot take {value!r}")
        yield value, 1
"""


def occupy_output(world: JobWorld) -> dict[str, Any]:
    bucket, _, prefix = world.output_uri("refused").removeprefix("s3://").partition("/")
    obstore.put(world.minio.store(bucket), f"{prefix}part-r-00000.txt", b"somebody's\n")
    return {}


def break_credentials(world: JobWorld) -> dict[str, Any]:
    secret = world.minio.secret("s3://work/")
    secret["stringData"]["secretKey"] = "not-the-secret-key"
    world.cluster.apply(secret, namespace=world.namespace)
    return {}


def remove_secret(world: JobWorld) -> dict[str, Any]:
    world.cluster.kubectl("delete", "secret", "podreduce-storage", "--namespace", world.namespace)
    return {}


NO_SUCH_IMAGE = {
    "image": "localhost/no-such-image:1",
    "podTemplate": {"spec": {"containers": [{"name": "task", "imagePullPolicy": "Never"}]}},
}
"""Never pulled: a registry that does not answer, as none does here, is an outage and may be away for ten minutes."""

REFUSALS: dict[str, tuple[Callable[[JobWorld], dict[str, Any]], str, str]] = {
    "a missing input": (lambda _: {"input_uri": "s3://corpus/none/"}, "InputNotFound", "s3://corpus/none/"),
    "an existing output": (occupy_output, "OutputExists", "part-r-00000.txt"),
    "wrong credentials": (break_credentials, "StorageDenied", "secretKey"),
    "a missing Secret": (remove_secret, "StorageSecretNotFound", "podreduce-storage"),
    "a bad image": (lambda _: NO_SUCH_IMAGE, "ImageUnavailable", "no-such-image"),
    "a missing bucket": (lambda _: {"input_uri": "s3://no-such-bucket/a/"}, "StorageDenied", "no-such-bucket"),
}


@pytest.mark.parametrize(("prepare", "reason", "word"), REFUSALS.values(), ids=REFUSALS.keys())
def test_what_cannot_work_fails_within_a_minute(
    world: JobWorld, prepare: Callable[[JobWorld], dict[str, Any]], reason: str, word: str
) -> None:
    spec = prepare(world)
    started = time.monotonic()
    world.start("refused", WORD_COUNT, **spec)
    world.wait("refused", "Failed", timeout=60)
    assert time.monotonic() - started < 60
    condition = world.condition("refused", "Failed")
    assert condition["reason"] == reason
    assert word in condition["message"], condition
    world.cluster.wait_for(lambda: not world.running_pods("refused"), "the end of all pods", timeout=40)


def test_an_invalid_spec_is_refused_by_apply_with_the_remedy(world: JobWorld) -> None:
    manifest = make_manifest("invalid", WORD_COUNT, input_uri="s3://corpus/words/", output_uri="s3://output/x/")
    manifest["spec"]["program"]["module"] = "jobs"
    with pytest.raises(Exception, match="exactly one of") as refused:
        world.cluster.apply(manifest, namespace=world.namespace)
    assert "source" in str(refused.value)


def test_a_raising_program_fails_after_its_attempts_with_its_traceback(world: JobWorld) -> None:
    backoff = {"initialSeconds": 2, "factor": 5, "maxSeconds": 60}
    world.start("raising", RAISING, map={"shards": 1}, reduce={"partitions": 1}, backoffLimitPerTask=2, backoff=backoff)
    job = world.wait("raising", "Failed", timeout=120)
    assert world.condition("raising", "Failed")["reason"] == "BackoffLimitExceeded"
    failures = job["status"]["failures"]
    assert [failure["reason"] for failure in failures] == ["ProgramError"] * 3
    assert job["status"]["map"]["failed"] == 3
    assert "raise ValueError" in failures[0]["traceback"]
    assert "cannot take" in failures[0]["message"]
    assert "s3://corpus/words/" in failures[0]["record"]

    times = sorted(datetime.fromisoformat(failure["finishedAt"]) for failure in failures)
    first, second = ((later - earlier).total_seconds() for earlier, later in pairwise(times))
    assert first >= 2
    assert second >= 10 > first
    assert not world.running_pods("raising")
    events = world.cluster.kubectl("get", "events", "--namespace", world.namespace).stdout
    assert "AttemptFailed" in events
    assert "BackoffLimitExceeded" in events
