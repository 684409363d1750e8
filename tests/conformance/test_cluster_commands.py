"""The commands for jobs on a cluster, as a person calls them, on a real API server and a real MinIO.

No operator runs: the tests write the status that one would have written.
"""

import json
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import obstore
import pytest
import yaml

from podreduce.contract.layout import run_prefix
from podreduce_operator.model.decisions import Phase, Verdict
from podreduce_operator.policy.status import build_status
from tests.cluster.cluster import Cluster
from tests.cluster.minio import MinioServer
from tests.conformance.person import Person, appear
from tests.support import job_manifests
from tests.support.builders.observed import make_observed
from tests.support.job_manifests import (
    FAILURE,
    complete_job,
    failed_job,
    make_job,
    make_pipeline_manifest,
    make_schedule,
    running_job,
)

pytestmark = pytest.mark.e2e

VIEWER = "viewer"
DOCUMENTED = Path(__file__).parents[2] / "docs" / "jobs.md"
PAGE = Path(__file__).parents[2] / "docs" / "cli.md"
SOURCE = "class Words:\n    def map_func(self, key, value):\n        yield value, 1\n"
READ_ONLY = {"apiGroups": ["podreduce.dev"], "resources": ["mapreducejobs"], "verbs": ["get", "list"]}


@pytest.fixture
def person(cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> Iterator[Person]:
    with appear(cluster, monkeypatch) as found:
        yield found


def test_jobs_and_schedules_are_listed_as_kubectl_names_them(person: Person) -> None:
    person.has(running_job())
    person.has(complete_job("done"))
    person.has(make_schedule())
    listed = person.types("list").stdout.splitlines()
    assert [line.split()[:4] for line in listed[1:]] == [
        ["done", "Complete", "16/16", "4/4"],
        ["wordcount", "Mapping", "4/16", "0/4"],
    ]
    assert (
        person.types("list", "-o", "name").stdout.splitlines()
        == person.cluster.kubectl("get", "mrj", "-n", person.namespace, "-o", "name").stdout.splitlines()
    )
    assert person.types("list", "mrs").stdout.splitlines()[1].split()[:6] == ["nightly", "0", "2", "*", "*", "*"]
    everywhere = [line.split()[:2] for line in person.types("list", "-A").stdout.splitlines()]
    assert [person.namespace, "wordcount"] in everywhere


def test_a_status_is_a_tree_or_the_resource_itself(person: Person) -> None:
    person.has(running_job("QuotaExceeded", "exceeded quota: few"))
    tree = person.types("status", "wordcount").stdout
    assert f"mrj/wordcount in {person.namespace}: Mapping, run 1" in tree
    assert "├─ waits: QuotaExceeded: exceeded quota: few" in tree
    assert "├─ map 4/16 (31%), 4 active" in tree
    whole = yaml.safe_load(person.types("status", "mrj/wordcount", "-o", "yaml").stdout)
    assert whole["status"]["phase"] == "Mapping"
    assert "managedFields" not in whole["metadata"]


def test_a_wait_ends_when_the_run_fails_and_says_what_failed(person: Person) -> None:
    person.has(running_job())
    later = threading.Timer(2.0, person.write_status, ("mrj", "wordcount", failed_job()["status"]))
    later.start()
    waited = person.types("wait", "wordcount", "--timeout", "60")
    later.join()
    assert waited.exit_code == 1
    told = waited.stderr.splitlines()
    assert told[0] == "mrj/wordcount: Mapping"
    assert told[1] == f"wordcount.py:4: {FAILURE['message']}"
    assert told[2] == f"at the record: {FAILURE['record']}"


@pytest.mark.parametrize("phase", [Phase.COMPLETE, Phase.FAILED], ids=str)
def test_kubectls_wait_as_the_docs_have_it_ends_however_the_run_ends(person: Person, phase: Phase) -> None:
    """The same for the condition Complete ends on success alone."""
    (line,) = [line for line in DOCUMENTED.read_text(encoding="utf-8").splitlines() if "kubectl wait" in line[:20]]
    command = [word.replace("NAME", "wordcount").replace("2h", "30s") for word in line.split()[1:]]
    person.has(running_job())

    def statuses(verdict: Verdict) -> dict[str, Any]:
        return build_status(make_observed(), verdict, time.time(), None)

    person.write_status("mrj", "wordcount", statuses(Verdict(phase=Phase.MAPPING)))
    early = person.cluster.kubectl(
        *(word.replace("30s", "1s") for word in command), "-n", person.namespace, check=False
    )
    assert (early.returncode, "timed out" in early.stderr) == (1, True)
    later = threading.Timer(2.0, person.write_status, ("mrj", "wordcount", statuses(Verdict(phase=phase, reason="X"))))
    later.start()
    ended = person.cluster.kubectl(*command, "-n", person.namespace, check=False)
    later.join()
    assert (ended.returncode, ended.stdout) == (0, "mapreducejob.podreduce.dev/wordcount condition met\n"), ended.stderr


def test_a_wait_ends_when_the_run_is_complete_suspended_deleted_or_late(person: Person) -> None:
    person.has(complete_job("done"))
    assert person.types("wait", "done").exit_code == 0
    person.has(job_manifests.suspended_job(), "paused")
    assert person.types("wait", "paused").exit_code == 3
    assert person.types("wait", "done", "paused").exit_code == 3
    person.has(running_job())
    assert person.types("wait", "wordcount", "--timeout", "1").exit_code == 4
    delete = ("delete", "mrj", "wordcount", "-n", person.namespace)
    later = threading.Timer(1.0, person.cluster.kubectl, delete)
    later.start()
    gone = person.types("wait", "wordcount", "--timeout", "60")
    later.join()
    assert gone.exit_code == 5
    assert "mrj/wordcount was deleted" in gone.stderr


def test_suspend_resume_and_rerun_change_the_spec_and_nothing_else(person: Person) -> None:
    person.has(complete_job())
    before = person.get("mrj", "wordcount")["spec"]
    assert person.types("suspend", "wordcount").exit_code == 0
    assert person.get("mrj", "wordcount")["spec"] == before | {"suspend": True}
    assert person.types("resume", "wordcount").exit_code == 0
    again = person.types("rerun", "wordcount")
    assert again.exit_code == 0
    assert "OutputExists" in again.stderr
    assert person.get("mrj", "wordcount")["spec"] == before | {"runId": "2"}
    assert "run 2 is asked for, and has not begun" in person.types("status", "wordcount").stdout
    fields = person.cluster.kubectl(
        "get", "mrj", "wordcount", "-n", person.namespace, "-o", "json", "--show-managed-fields"
    )
    managers = {entry["manager"] for entry in json.loads(fields.stdout)["metadata"]["managedFields"]}
    assert "podreduce-cli" in managers


def test_a_schedule_is_suspended_and_resumed_as_well(person: Person) -> None:
    person.has(make_schedule())
    assert person.types("suspend", "mrs/nightly").exit_code == 0
    assert person.get("mrs", "nightly")["spec"]["suspend"] is True
    assert person.types("resume", "mrs/nightly").exit_code == 0
    assert person.get("mrs", "nightly")["spec"]["suspend"] is False


def test_cancel_asks_for_a_yes_and_leaves_an_ended_job(person: Person) -> None:
    person.has(running_job())
    refused = person.types("cancel", "wordcount", typed="n\n")
    assert refused.exit_code == 2
    assert "say --yes" in refused.stderr
    assert person.types("cancel", "wordcount", "--yes").exit_code == 0
    assert person.cluster.get("mrj", "wordcount", person.namespace) is None
    person.has(complete_job())
    assert person.types("cancel", "wordcount", "--yes").exit_code == 0
    assert person.get("mrj", "wordcount")["status"]["phase"] == "Complete"


def test_events_are_listed_in_the_order_of_time(person: Person) -> None:
    uid = person.has(running_job())
    for reason, seconds in (("Mapping", 30), ("AttemptFailed", 10)):
        at = job_manifests.time_before(seconds)
        involved = {"apiVersion": "podreduce.dev/v1beta1", "kind": "MapReduceJob", "name": "wordcount", "uid": uid,
                    "namespace": person.namespace}  # fmt: skip
        person.cluster.apply(
            {
                "apiVersion": "v1",
                "kind": "Event",
                "metadata": {"name": f"wordcount.{reason.lower()}", "namespace": person.namespace},
                "involvedObject": involved,
                "type": "Warning",
                "reason": reason,
                "message": f"said {reason}",
                "count": 1,
                "firstTimestamp": at,
                "lastTimestamp": at,
            }
        )
    listed = person.types("events", "wordcount").stdout.splitlines()
    assert [line.split()[2] for line in listed[1:]] == ["Mapping", "AttemptFailed"]


def test_each_wrong_question_says_how_to_ask(person: Person) -> None:
    person.has(running_job())
    near = person.types("status", "wordcuont")
    assert (near.exit_code, "like it: wordcount" in near.stderr) == (5, True)
    both = person.types("logs", "wordcount", "3")
    assert (both.exit_code, "say m-3 or r-3" in both.stderr) == (2, True)
    kind = person.types("list", "mapreducejob5")
    assert (kind.exit_code, "did you mean mapreducejobs?" in kind.stderr) == (2, True)
    nobody = person.types("diagnose", "wordcount", "--context", "nowhere")
    assert (nobody.exit_code, "there is no context 'nowhere'" in nobody.stderr) == (5, True)


def test_a_person_with_fewer_rights_is_told_which_are_missing(
    person: Person, tmp_path_factory: pytest.TempPathFactory
) -> None:
    person.has(failed_job())
    limited = limit(person, tmp_path_factory.mktemp("viewer"), [READ_ONLY])
    assert limited.types("list").stdout.splitlines()[1].startswith("wordcount")
    diagnosis = limited.types("diagnose", "wordcount")
    assert diagnosis.exit_code == 0
    assert diagnosis.stdout.splitlines()[0] == f"wordcount.py:4: {FAILURE['message']}"
    assert 'not known: the pods were not listed: pods is forbidden: User "system:serviceaccount:' in diagnosis.stdout
    refused = limited.types("suspend", "wordcount")
    assert refused.exit_code == 5
    assert 'cannot patch resource "mapreducejobs"' in refused.stderr
    assert "the Role in docs/cli.md" in refused.stderr


def test_the_role_of_the_docs_is_enough_for_every_command(
    person: Person, tmp_path_factory: pytest.TempPathFactory
) -> None:
    text = PAGE.read_text(encoding="utf-8")
    role = yaml.safe_load(text[text.index("```yaml") + len("```yaml") :].partition("```")[0])
    person.has(complete_job())
    person.has(make_schedule())
    web = make_pipeline_manifest(loops=[], loop="", criticalPath={"seconds": 1, "steps": []})
    web["spec"] = {"program": {"source": SOURCE}, "steps": [
        {"name": name, "inputs": [{"uris": ["s3://corpus/books/"]}]} for name in ("seed", "sum", "top")
    ]}  # fmt: skip
    person.has(web)
    user = limit(person, tmp_path_factory.mktemp("user"), role["rules"])
    words = [
        *(("list",), ("list", "mrs"), ("status", "wordcount"), ("events", "wordcount"), ("diagnose", "wordcount")),
        *(("logs", "wordcount"), ("output", "wordcount"), ("suspend", "wordcount"), ("resume", "wordcount")),
        *(("rerun", "wordcount"), ("cancel", "wordcount", "--yes")),
        *(
            ("list", "mrp"),
            *((word, "mrp/web") for word in ("status", "events", "diagnose", "logs", "output", "replay")),
        ),
        *(("logs", "mrs/nightly"), ("diagnose", "mrs/nightly"), ("status", "web"), ("rerun", "mrp/web", "--yes")),
    ]
    assert [line for each in words for line in user.types(*each).output.splitlines() if "forbidden" in line] == []


def limit(person: Person, directory: Path, rules: list[dict[str, Any]]) -> Person:
    """Return a person who has only these rights, as a service account."""
    place = {"name": VIEWER, "namespace": person.namespace}
    subject = {"kind": "ServiceAccount", "name": VIEWER, "namespace": person.namespace}
    group = "rbac.authorization.k8s.io"
    person.cluster.apply(
        {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": place},
        {"apiVersion": f"{group}/v1", "kind": "Role", "metadata": place, "rules": rules},
        {
            "apiVersion": f"{group}/v1",
            "kind": "RoleBinding",
            "metadata": place,
            "subjects": [subject],
            "roleRef": {"apiGroup": group, "kind": "Role", "name": VIEWER},
        },
    )
    token = person.cluster.kubectl("create", "token", VIEWER, "-n", person.namespace).stdout.strip()
    config = yaml.safe_load(person.cluster.kubeconfig.read_text())
    config["users"] = [{"name": user["name"], "user": {"token": token}} for user in config["users"]]
    kubeconfig = directory / "kubeconfig"
    kubeconfig.write_text(json.dumps(config))
    limited = Cluster(provider="named", kubeconfig=kubeconfig, load=lambda _: None, release=lambda: None)
    return Person(cluster=limited, namespace=person.namespace)


def test_an_output_and_kept_logs_are_read_with_the_jobs_secret(person: Person, minio: MinioServer) -> None:
    bucket = minio.make_bucket("commands")
    person.has_storage(minio, bucket)
    job = complete_job(output={"uri": f"s3://{bucket}/counts/", "records": 2, "bytes": 8})
    uid = person.has(job)
    store = minio.store(bucket)
    obstore.put(store, "counts/part-r-00000.txt", b"a\t1\nb\t2\n")
    obstore.put(store, "counts/_SUCCESS", b"")
    log = f"work/{run_prefix('one', person.namespace, 'wordcount', uid, '1')}logs/m-3-uid-0.log"
    obstore.put(store, log, b"it went well\n")

    assert person.types("output", "wordcount").stdout == "a\t1\nb\t2\n"
    assert person.types("output", "wordcount", "--head", "1").stdout == "a\t1\n"
    assert person.types("logs", "wordcount", "m-3").stdout == "it went well\n"
    printed = [person.types(*words) for words in (("logs", "wordcount"), ("diagnose", "wordcount"))]
    assert all(minio.secret_key not in result.output for result in printed)
    away = person.types("output", "wordcount", "--endpoint", "http://127.0.0.1:1")
    assert away.exit_code == 5
    assert "--endpoint URL" in away.stderr


def test_a_job_that_nobody_takes_is_found(person: Person) -> None:
    person.has(make_job())
    assert "no status yet" in person.types("status", "wordcount").stdout
    waited = person.types("wait", "wordcount", "--timeout", "1")
    assert waited.exit_code == 4
    assert waited.stderr.startswith("mrj/wordcount: no status yet")
