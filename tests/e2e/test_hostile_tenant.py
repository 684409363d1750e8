"""A tenant that does what it can with its own key and its own namespace: other tenants' jobs and the operator go on."""

import json
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from typing import Any

import obstore
import pytest

from podreduce.contract.layout import (
    ATTEMPTS_TABLE_KEY,
    CLAIM_KEY,
    COMMIT_INTENT_KEY,
    PLAN_KEY,
    POST_MORTEM_KEY,
    attempts_key,
    blob_key,
    commit_key,
    failure_key,
    log_key,
    run_prefix,
    shard_page_key,
    shuffle_key,
)
from podreduce.contract.plan import JobIdentity, Program
from podreduce.contract.wire import encode
from podreduce_operator.api.spec import pinned_fields
from podreduce_operator.pods.pod_names import (
    GENERATION_LABEL,
    ORDINAL_LABEL,
    RUN_HASH_LABEL,
    TASK_INDEX_LABEL,
    hash_run,
)
from tests.cluster.images import Images
from tests.e2e.jobs import GATED, WORD_COUNT, JobWorld
from tests.e2e.oracle import count_words, read_words
from tests.support.builders.plans import make_plan
from tests.support.builders.tasks import map_task, reduce_task

pytestmark = pytest.mark.e2e

BUCKET = "hostile"
GARBAGE = b'\xff{"spec":[[['
LARGE_BYTES = 80 << 20
"""More than the largest record may have."""

MANY_OBJECTS = 500
LONG_NAME = "/".join(4 * ["n" * 200])
LARGE_TEXT = "a" * 100_000
"""Of an annotation, of which an object may have 256 KiB. More does not fit into an argument of kubectl."""

MOST_MEMORY_MIB = 200
"""Of the operator at its peak, beyond what it had before. The same operator has served other tests by then."""
KEYS = {
    "plan": PLAN_KEY,
    "page": shard_page_key(0),
    "map-commit": commit_key(map_task(0), 0),
    "reduce-commit": commit_key(reduce_task(0), 0),
    "failure": failure_key(map_task(0), "x-0"),
    "manifest": shuffle_key(0),
    "intent": COMMIT_INTENT_KEY,
    "post-mortem": POST_MORTEM_KEY,
    "table": ATTEMPTS_TABLE_KEY,
    "attempts": attempts_key(1.0, "0" * 16),
    "blob": blob_key(0, "x-0"),
    "log": log_key(map_task(0), "x-0"),
}
"""What a run reads, or writes."""
READ_BEFORE_A_TASK_RUNS = ("plan", "map-commit", "reduce-commit", "failure", "manifest", "intent")

FLOOD = """\
import json, os, socket, threading, time, urllib.request

URL = os.environ.get("PODREDUCE_PROGRESS_URL", "%s")
REPORT = {"attemptId": "x-0", "records": 1, "bytes": 1, "reduced": 1, "recordsOut": 1, "beats": 1, "fraction": 0.5}
BODIES = [b"", b"garbage", b"[" * 4000, b"x" * 1_000_000, json.dumps(REPORT).encode(),
          json.dumps({**REPORT, "attemptId": os.environ["PODREDUCE_POD_UID"] + "-0", "records": 10**18}).encode()]


def post(until):
    while time.monotonic() < until:
        for body in BODIES:
            token = os.environ.get("PODREDUCE_PROGRESS_TOKEN", "x")
            try:
                request = urllib.request.Request(URL, body, {"Authorization": f"Bearer {token}"})
                urllib.request.urlopen(request, timeout=2).read()
            except OSError:
                pass


def hold(until):
    host, _, port = URL.partition("://")[2].partition("/")[0].partition(":")
    sockets = []
    try:
        for _ in range(300):
            sockets.append(socket.create_connection((host, int(port)), timeout=2))
            sockets[-1].send(b"POST /v1/progress HTTP/1.1\\r\\nHost: x\\r\\nContent-Length: 4000\\r\\n\\r\\n{")
    except OSError:
        pass
    time.sleep(max(0, until - time.monotonic()))


class Flood:
    def map_func(self, key, value):
        until = time.monotonic() + 20
        threads = [threading.Thread(target=each, args=(until,)) for each in (post, post, post, post, hold)]
        for each in threads:
            each.start()
        for each in threads:
            each.join()
        yield "flooded", 1

    def reduce_func(self, key, values):
        yield key, sum(values)
"""


@pytest.fixture
def hostile(world: JobWorld) -> JobWorld:
    """Another namespace of the installation, with a bucket of its own."""
    namespace = world.cluster.namespace("hostile")
    world.minio.make_bucket(BUCKET)
    world.cluster.apply(world.minio.secret(f"s3://{BUCKET}/"), namespace=namespace)
    return replace(world, namespace=namespace, work_bucket=BUCKET)


def run_keys(hostile: JobWorld, name: str, run_id: str = "1") -> str:
    """Return the prefix of a job's run, which exists as soon as the job does."""
    hostile.cluster.wait_for(lambda: hostile.job(name).get("status", {}).get("installation"), f"adoption of {name}")
    job = hostile.job(name)
    installation = job["status"]["installation"]
    return run_prefix(installation, hostile.namespace, name, job["metadata"]["uid"], run_id)


def put(hostile: JobWorld, key: str, data: bytes) -> None:
    obstore.put(hostile.minio.store(BUCKET), key, data)


def prepare(hostile: JobWorld, name: str, source: str = WORD_COUNT, **spec: Any) -> str:
    """Make a job that waits for `release`; return the prefix of its run."""
    small: dict[str, Any] = {"map": {"shards": 1}, "reduce": {"partitions": 1}, "parallelism": 1}
    hostile.start(name, source, **{**small, "backoffLimitPerTask": 0, "suspend": True, **spec})
    return run_keys(hostile, name)


def plan_of(hostile: JobWorld, name: str, run_id: str = "1", **changes: Any) -> bytes:
    """Return a plan that the job could have, but for `changes`."""
    job = hostile.job(name)
    identity = JobIdentity(namespace=hostile.namespace, name=name, uid=job["metadata"]["uid"], run_id=run_id)
    spec = {**job["spec"], "runId": run_id}
    fields = {
        "job": identity,
        "program": Program(source=spec["program"]["source"]),
        "spec": pinned_fields(spec),
        "output_uri": spec["output"]["uri"],
    }
    return encode(make_plan(**{**fields, **changes}))


def plant_garbage(hostile: JobWorld) -> list[str]:
    """Put garbage where one record belongs, in a job for each."""
    for name, key in KEYS.items():
        put(hostile, prepare(hostile, f"garbage-{name}") + key, GARBAGE)
    bucket, _, prefix = hostile.output_uri("garbage-claim").removeprefix("s3://").partition("/")
    prepare(hostile, "garbage-claim")
    obstore.put(hostile.minio.store(bucket), prefix + CLAIM_KEY, GARBAGE)
    return [*(f"garbage-{name}" for name in KEYS), "garbage-claim"]


def plant_large(hostile: JobWorld) -> list[str]:
    """Put 80 MB where one record belongs."""
    for name in READ_BEFORE_A_TASK_RUNS:
        prefix = prepare(hostile, f"large-{name}")
        put(hostile, prefix + KEYS[name], b"[" * LARGE_BYTES)
    return [f"large-{name}" for name in READ_BEFORE_A_TASK_RUNS]


def plant_many(hostile: JobWorld) -> list[str]:
    """Put hundreds of objects with long names below a run: where commits belong, and where nobody looks."""
    names = {"many-commits": "commits/m-{}-0.json", "many-others": "{}/" + LONG_NAME}
    for name, key in names.items():
        prefix = prepare(hostile, name)
        with ThreadPoolExecutor(16) as threads:
            keys = [prefix + key.format(number) for number in range(MANY_OBJECTS)]
            list(threads.map(partial(put, hostile, data=GARBAGE), keys))
    return list(names)


def annotate(hostile: JobWorld, names: list[str]) -> None:
    """Give jobs a large annotation."""
    text = json.dumps({"metadata": {"annotations": {"hostile.example/large": LARGE_TEXT}}})
    for name in names:
        hostile.cluster.kubectl("patch", "mrj", name, "--namespace", hostile.namespace, "--type=merge", "--patch", text)


def plant_plans(hostile: JobWorld) -> list[str]:
    """Put plans in the way of runs: of 10^12 shards, with 4 million lists, with another image."""
    huge = prepare(hostile, "plan-huge")
    put(hostile, huge + PLAN_KEY, plan_of(hostile, "plan-huge", shards=10**12, virtual_buckets=10**12))
    deep = prepare(hostile, "plan-deep")
    spec = {"lists": [[] for _ in range(4_000_000)]}
    put(hostile, deep + PLAN_KEY, plan_of(hostile, "plan-deep", spec=spec))
    other = prepare(hostile, "plan-other")
    image = {**hostile.job("plan-other")["spec"], "image": "localhost/evil:1"}
    put(hostile, other + PLAN_KEY, plan_of(hostile, "plan-other", spec=image))
    return ["plan-huge", "plan-deep", "plan-other"]


def plant_next_run(hostile: JobWorld) -> list[str]:
    """Plant the plan and the intent of the run that follows, which the operator reads when the runId changes."""
    prefix = prepare(hostile, "next")
    following = prefix.removesuffix("-1/") + "-2/"
    put(hostile, following + PLAN_KEY, plan_of(hostile, "next", "2", output_uri="s3://output/"))
    put(hostile, following + COMMIT_INTENT_KEY, GARBAGE)
    hostile.patch("next", runId="2")
    return ["next"]


def forge_pods(hostile: JobWorld, theirs: Mapping[str, Any], model: Mapping[str, Any], images: Images) -> None:
    """Make pods that say they are tasks of the hostile job, and of the victim's, whose pod is the model."""
    prepare(hostile, "forged")
    uid = hostile.job("forged")["metadata"]["uid"]
    pods = []
    for number, changes in enumerate(forged_labels()):
        for owner, name in ((uid, "forged"), (theirs["uid"], theirs["name"])):
            reference = {**model["metadata"]["ownerReferences"][0], "uid": owner, "name": name}
            reference.pop("blockOwnerDeletion", None)
            metadata = {
                "name": f"forged-{number}-{name}",
                "labels": {**model["metadata"]["labels"], RUN_HASH_LABEL: hash_run(owner, "1"), **changes},
                "annotations": {**model["metadata"].get("annotations", {}), "hostile.example/large": 2 * LARGE_TEXT},
                "ownerReferences": [reference],
            }
            pods.append({"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": forged_spec(images)})
    hostile.cluster.apply(*pods, namespace=hostile.namespace)
    hostile.patch("forged", suspend=False)


def forged_labels() -> Iterator[dict[str, str]]:
    """Yield changes to the labels of a task's pod."""
    for label in (TASK_INDEX_LABEL, ORDINAL_LABEL, GENERATION_LABEL):
        for value in ("0", "1", "9" * 60, "x"):
            yield {label: value}
    yield {RUN_HASH_LABEL: "0123456789"}


def forged_spec(images: Images) -> dict[str, Any]:
    """Return the spec of a pod that never runs."""
    security = {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}
    return {
        "schedulingGates": [{"name": "hostile.example/never"}],
        "securityContext": {"runAsNonRoot": True, "runAsUser": 1000, "seccompProfile": {"type": "RuntimeDefault"}},
        "containers": [{"name": "task", "image": images.runtime, "securityContext": security}],
    }


def point_at_the_api_server(hostile: JobWorld) -> None:
    """Have the operator ask the API server instead of a store."""
    secret = hostile.minio.secret(f"s3://{BUCKET}/", "api-server")
    secret["stringData"]["endpoint"] = "https://kubernetes.default.svc"
    hostile.cluster.apply(secret, namespace=hostile.namespace)
    hostile.start("api-server", WORD_COUNT, storage={"secretRef": {"name": "api-server"}})


def spoil_pages(hostile: JobWorld) -> None:
    """Write over the page of a plan after its writing and before the start of its task."""
    prefix = prepare(hostile, "spoiled-page", podTemplate=GATED)
    hostile.patch("spoiled-page", suspend=False)
    pod = hostile.cluster.wait_for(lambda: next(iter(hostile.pods("spoiled-page")), None), "its pod")
    put(hostile, prefix + shard_page_key(0), b'{"shards":[{"index":0,"pieces":[]}]}')
    hostile.open_gate(pod["metadata"]["name"])


@pytest.mark.timeout(1200)
def test_a_tenant_harms_no_other_and_not_the_operator(world: JobWorld, hostile: JobWorld, images: Images) -> None:
    before, memory_before = operator_pod(world), read_mib(world, "VmRSS")
    said = [f"at the start {memory_of(world)}"]
    world.start("first", WORD_COUNT)
    model = world.cluster.wait_for(lambda: next(iter(world.pods("first")), None), "a pod of the victim")
    flood = FLOOD % f"http://podreduce-progress.{world.installation.namespace}.svc:8081/v1/progress"
    prepare(hostile, "flood", flood, input_uri=one_line(hostile))
    hostile.patch("flood", suspend=False)
    point_at_the_api_server(hostile)
    names = [*plant_garbage(hostile), *plant_large(hostile), *plant_plans(hostile), *plant_next_run(hostile)]
    names += plant_many(hostile)
    annotate(hostile, names)
    forge_pods(hostile, world.job("first")["metadata"], model, images)
    for name in names:
        hostile.patch(name, suspend=False)
    spoil_pages(hostile)
    world.start("second", WORD_COUNT)

    for name in ("first", "second"):
        world.wait(name, "Complete", timeout=120)
        assert read_words(world.parts(name)) == count_words()
    said.append(f"with the victim's jobs done {memory_of(world)}")
    ends = await_ends(hostile, [*names, "flood", "spoiled-page"])
    said.append(f"at the end {memory_of(world)}; ends: {ends}")
    print("\n".join(said))  # noqa: T201 - figures for people

    refused = {f"{kind}-{name}" for kind in ("garbage", "large") for name in READ_BEFORE_A_TASK_RUNS}
    refused |= {"garbage-claim", "plan-huge", "plan-deep", "many-commits"}
    assert {name: ends[name] for name in refused} == dict.fromkeys(refused, "RecordUnreadable")
    assert {ends["plan-other"], ends["next"]} == {"PlanMismatch"}
    assert ends["spoiled-page"] != "Complete"
    assert ends["many-others"] == "Complete"
    assert "apiVersion" not in json.dumps(hostile.job("api-server")["status"])
    assert read_mib(world, "VmHWM") < memory_before + MOST_MEMORY_MIB
    assert operator_pod(world) == before


def await_ends(hostile: JobWorld, names: list[str]) -> dict[str, str]:
    """Return, when all jobs have ended, `Complete` or the reason for the failure of each."""
    deadline = time.monotonic() + 240
    while True:
        jobs = hostile.cluster.list("mrj", hostile.namespace)
        ends = {job["metadata"]["name"]: end_of(job) for job in jobs}
        left = [name for name in names if not ends.get(name)]
        if not left:
            return {name: ends[name] for name in names}
        assert time.monotonic() < deadline, "\n".join([str(left), *(hostile.describe(name) for name in left[:2])])
        time.sleep(0.5)


def end_of(job: Mapping[str, Any]) -> str:
    true = {each["type"]: each for each in job.get("status", {}).get("conditions", ()) if each["status"] == "True"}
    return "Complete" if "Complete" in true else true.get("Failed", {}).get("reason", "")


def one_line(world: JobWorld) -> str:
    """Put an input of one line; return its prefix."""
    obstore.put(world.minio.store(world.corpus_bucket), f"{world.namespace}/line.txt", b"line\n")
    return f"s3://{world.corpus_bucket}/{world.namespace}/"


def operator_pod(world: JobWorld) -> list[tuple[str, int]]:
    """Return the operator's pods, each with how often its container was restarted."""
    pods = world.cluster.list("pods", world.installation.namespace, "app.kubernetes.io/component=operator")
    return [(pod["metadata"]["uid"], pod["status"]["containerStatuses"][0]["restartCount"]) for pod in pods]


def memory_of(world: JobWorld) -> str:
    """Return the operator's resident memory, now and at its peak."""
    return f"{read_mib(world, 'VmRSS')} MiB, at most {read_mib(world, 'VmHWM')} MiB"


def read_mib(world: JobWorld, figure: str) -> int:
    """Return a figure of the operator's memory: VmRSS is what is resident, VmHWM the most that ever was."""
    lines = world.installation.read_file("/proc/1/status").splitlines()
    return next(int(line.split()[1]) // 1024 for line in lines if line.startswith(f"{figure}:"))
