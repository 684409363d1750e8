"""What is killed in the middle is done again, and the output is the same."""

import pytest

from tests.e2e.jobs import LOG_ANALYSIS, SHARED_PROCESSES, WORD_COUNT, JobWorld, slow_attempt
from tests.e2e.oracle import count_urls_by_timestamp, count_words, read_urls_by_timestamp, read_words

pytestmark = pytest.mark.e2e


@pytest.mark.parametrize(("task", "corpus"), [("m-3", "words"), ("r-1", "logs")], ids=["map", "reduce"])
def test_a_killed_attempt_is_made_again(world: JobWorld, task: str, corpus: str) -> None:
    source = WORD_COUNT if corpus == "words" else LOG_ANALYSIS
    world.start("killed", slow_attempt(source, f"{task}-1"), corpus=corpus, podTemplate=SHARED_PROCESSES)
    pod = world.wait_for_progress("killed", f"{task}-1")
    world.kill(pod)
    job = world.wait("killed", "Complete")

    assert world.records_logged(pod) > 0
    commit = world.commit("killed", task)
    assert not commit["attemptId"].startswith(pod["metadata"]["uid"])
    failures = [(failure["task"], failure["reason"]) for failure in job["status"]["failures"]]
    assert failures == [(task, "Killed")]
    if corpus == "words":
        assert read_words(world.parts("killed")) == count_words()
    else:
        assert read_urls_by_timestamp(world.parts("killed")) == count_urls_by_timestamp()


def test_a_pod_deleted_by_hand_is_replaced_and_does_not_count(world: JobWorld) -> None:
    world.start("deleted", slow_attempt(WORD_COUNT, "m-5-1"), backoffLimitPerTask=0)
    pod = world.wait_for_progress("deleted", "m-5-1")
    world.cluster.kubectl("delete", "pod", pod["metadata"]["name"], "--namespace", world.namespace)
    job = world.wait("deleted", "Complete")
    assert not world.commit("deleted", "m-5")["attemptId"].startswith(pod["metadata"]["uid"])
    assert job["status"]["map"]["failed"] == 0
    assert read_words(world.parts("deleted")) == count_words()


def test_a_restart_of_minio_in_the_middle_loses_nothing(world: JobWorld) -> None:
    world.start("restarted", slow_attempt(WORD_COUNT, "m-0-1"))
    pod = world.wait_for_progress("restarted", "m-0-1")
    world.minio.restart()
    world.go_on(pod)
    world.wait("restarted", "Complete")
    assert read_words(world.parts("restarted")) == count_words()
