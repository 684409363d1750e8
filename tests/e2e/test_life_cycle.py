"""Jobs deleted, replaced, suspended and run again, at inconvenient moments."""

import secrets

import pytest
from minio import MinioAdmin
from minio.credentials import StaticProvider

from podreduce.contract.environment import KEY_PATH
from tests.e2e.jobs import WORD_COUNT, JobWorld, make_manifest, slow_attempt
from tests.e2e.oracle import count_words, read_words

pytestmark = pytest.mark.e2e

WAITING = "waits for another key"
WAITS_FOR_ANOTHER_KEY = f"""\
import pathlib, time

KEY = pathlib.Path("{KEY_PATH}/accessKey")
UNTIL = time.monotonic() + 200

class WordCount:
    def map_func(self, key, value):
        while KEY.read_text().strip() == "FIRST" and time.monotonic() < UNTIL:
            print("{WAITING}", flush=True)
            time.sleep(0.5)
        for word in value.split():
            yield word, 1

    def reduce_func(self, key, values):
        yield key, sum(values)
"""


def test_deleting_a_running_job_removes_its_pods_and_its_data(world: JobWorld) -> None:
    world.start("gone", slow_attempt(WORD_COUNT, "m-2-1"))
    world.wait_for_progress("gone", "m-2-1")
    assert world.work_keys("gone")
    world.cluster.kubectl("delete", "mrj", "gone", "--namespace", world.namespace)
    world.cluster.wait_for(lambda: not world.pods("gone"), "the end of its pods", timeout=60)
    world.cluster.wait_for(lambda: not world.work_keys("gone"), "the end of its data", timeout=60)
    bucket, _, prefix = world.output_uri("gone").removeprefix("s3://").partition("/")
    world.cluster.wait_for(lambda: not world.keys(bucket, prefix), "the end of its claim and staging", timeout=30)


def test_deleting_a_finished_job_removes_its_records_and_not_its_output(world: JobWorld) -> None:
    world.run("over", WORD_COUNT)
    assert world.commits("over")
    world.cluster.kubectl("delete", "mrj", "over", "--namespace", world.namespace)
    world.cluster.wait_for(lambda: not world.pods("over"), "the end of its pods", timeout=60)
    world.cluster.wait_for(lambda: not world.work_keys("over"), "the end of its records", timeout=60)
    assert read_words(world.parts("over")) == count_words()


def test_deleting_the_namespace_removes_the_data_and_does_not_hang(world: JobWorld) -> None:
    world.start("gone", slow_attempt(WORD_COUNT, "m-2-1"))
    world.wait_for_progress("gone", "m-2-1")
    assert world.work_keys("gone")
    world.cluster.kubectl("delete", "namespace", world.namespace, "--timeout=90s", timeout=100)
    world.cluster.wait_for(lambda: not world.work_keys("gone"), "the end of its data", timeout=150)


def test_a_second_run_id_right_after_the_first_never_adopts_its_pods(world: JobWorld) -> None:
    output = {"uri": world.output_uri("again"), "ifExists": "Replace"}
    world.start("again", slow_attempt(WORD_COUNT, "m-2-1"), output=output)
    old = world.wait_for_progress("again", "m-2-1")
    before = {pod["metadata"]["uid"] for pod in world.pods("again")}
    world.patch("again", runId="2", program={"source": WORD_COUNT})
    job = world.wait("again", "Complete")
    assert job["status"]["runId"] == "2"
    assert old["metadata"]["uid"] in before
    attempts = {world.commit("again", f"m-{index}")["attemptId"].rsplit("-", 1)[0] for index in range(8)}
    assert not attempts & before
    assert read_words(world.parts("again")) == count_words()


def test_the_same_name_applied_again_at_once_never_adopts_the_old_pods(world: JobWorld) -> None:
    output = {"uri": world.output_uri("same"), "ifExists": "Replace"}
    world.start("same", slow_attempt(WORD_COUNT, "m-2-1"), output=output)
    world.wait_for_progress("same", "m-2-1")
    before = {pod["metadata"]["uid"] for pod in world.pods("same")}
    world.cluster.kubectl("delete", "mrj", "same", "--namespace", world.namespace)
    world.start("same", WORD_COUNT, output=output)
    world.wait("same", "Complete")
    attempts = {world.commit("same", f"m-{index}")["attemptId"].rsplit("-", 1)[0] for index in range(8)}
    assert not attempts & before
    assert read_words(world.parts("same")) == count_words()


def test_a_suspended_job_runs_no_pods_and_keeps_what_is_committed(world: JobWorld) -> None:
    world.start("paused", slow_attempt(WORD_COUNT, "m-7-1"))
    world.wait_for_progress("paused", "m-7-1")
    world.patch("paused", suspend=True)
    world.wait("paused", "Suspended", timeout=30)
    world.cluster.wait_for(lambda: not world.running_pods("paused"), "no running pods", timeout=60)
    kept = world.commit("paused", "m-0")["attemptId"]
    world.patch("paused", suspend=False)
    job = world.wait("paused", "Complete")
    assert world.commit("paused", "m-0")["attemptId"] == kept
    assert job["status"]["map"]["failed"] == 0
    assert read_words(world.parts("paused")) == count_words()


def test_an_edit_is_seen_and_with_on_change_it_runs_again_whoever_made_the_run_id(world: JobWorld) -> None:
    output = {"uri": world.output_uri("edited"), "ifExists": "Replace"}
    world.start("edited", slow_attempt(WORD_COUNT, "m-7-1"), output=output)
    pod = world.wait_for_progress("edited", "m-7-1")
    world.cluster.wait_for(lambda: 0 < find_percent(world) < 100, "a part of the maps", timeout=60)
    world.go_on(pod)
    world.wait("edited", "Complete")
    assert "wave" not in world.job("edited")["status"]
    world.patch("edited", program={"source": WORD_COUNT})
    world.cluster.wait_for(lambda: world.condition("edited", "SpecChanged"), "SpecChanged", timeout=30)
    row = world.cluster.kubectl("get", "mrj", "edited", "--no-headers", "--namespace", world.namespace).stdout.split()
    assert row[4] == "True"
    assert "SpecChanged" in world.describe("edited")
    world.patch("edited", runPolicy="OnChange")
    world.cluster.wait_for(lambda: world.job("edited")["status"]["runId"] == "1-g3", "another run", timeout=60)
    job = world.wait("edited", "Complete")
    assert (job["spec"]["runId"], job["status"]["specRunId"]) == ("1", "1")
    assert "SpecChanged" not in {each["type"] for each in job["status"]["conditions"]}
    assert read_words(world.parts("edited")) == count_words()


def find_percent(world: JobWorld) -> int:
    percent: int = world.job("edited")["status"].get("wave", {}).get("percent", 0)
    return percent


def test_finished_records_go_after_their_ttl_and_the_output_stays(world: JobWorld) -> None:
    world.start("brief", WORD_COUNT, ttlSecondsAfterFinished=5)
    world.cluster.wait_for(lambda: world.work_keys("brief"), "the first record", timeout=60)
    world.wait("brief", "Complete")
    world.cluster.wait_for(lambda: not world.work_keys("brief"), "the end of the records", timeout=60)
    assert read_words(world.parts("brief")) == count_words()
    assert world.condition("brief", "Complete")["status"] == "True"


def test_intermediate_data_is_gone_when_the_job_is_complete(world: JobWorld) -> None:
    manifest = make_manifest(
        "tidy", WORD_COUNT, input_uri=world.input_uri("words"), output_uri=world.output_uri("tidy")
    )
    world.cluster.apply(manifest, namespace=world.namespace)
    world.wait("tidy", "Complete")
    world.cluster.wait_for(
        lambda: not [key for key in world.work_keys("tidy") if "/data/" in key], "the end of the blobs", timeout=30
    )
    assert [key for key in world.work_keys("tidy") if "/commits/" in key]


@pytest.mark.timeout(600)
def test_running_tasks_go_on_with_the_key_that_the_kubelet_brings(world: JobWorld) -> None:
    """The old key ends when the Secret has the new one: whoever reads no files is refused."""
    first, second = add_user(world), add_user(world)
    use_key(world, *first)
    world.start("rotated", WAITS_FOR_ANOTHER_KEY.replace("FIRST", first[0]), map={"shards": 4}, speculation="Never")
    world.cluster.wait_for(lambda: count_waiting(world, "rotated") == 4, "the maps", timeout=90)
    maps = {pod["metadata"]["uid"] for pod in world.pods("rotated")}
    use_key(world, *second)
    admin_of(world).user_remove(first[0])
    job = world.wait("rotated", "Complete", timeout=400)
    assert (job["status"]["map"]["failed"], job["status"]["reduce"]["failed"]) == (0, 0)
    assert {world.commit("rotated", f"m-{index}")["attemptId"].rsplit("-", 1)[0] for index in range(4)} == maps
    assert read_words(world.parts("rotated")) == count_words()


def count_waiting(world: JobWorld, name: str) -> int:
    """Return in how many of the job's pods the program waits."""
    return sum(WAITING in world.cluster.log(pod["metadata"]["name"], world.namespace) for pod in world.pods(name))


def admin_of(world: JobWorld) -> MinioAdmin:
    provider = StaticProvider(world.minio.access_key, world.minio.secret_key)
    return MinioAdmin(endpoint=world.minio.outside.removeprefix("http://"), credentials=provider, secure=False)


def add_user(world: JobWorld) -> tuple[str, str]:
    """Make a user of the store who may do everything; return the key."""
    name, secret = f"user-{secrets.token_hex(4)}", secrets.token_hex(16)
    admin_of(world).user_add(name, secret)
    admin_of(world).attach_policy(["readwrite"], user=name)
    return name, secret


def use_key(world: JobWorld, access_key: str, secret_key: str) -> None:
    """Put a key into the namespace's storage Secret."""
    secret = world.minio.secret(f"s3://{world.work_bucket}/")
    secret["stringData"] |= {"accessKey": access_key, "secretKey": secret_key}
    world.cluster.apply(secret, namespace=world.namespace)
