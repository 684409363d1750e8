"""The faults, each as what is done to a running job, and what the job is given besides.

Rule: a fault waits for its moment by itself (half of the maps committed), and mends what keeps the job from its end.
"""

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from tests.chaos import unreliable_store
from tests.chaos.stage import Stage
from tests.cluster import control_plane, spare_node
from tests.e2e.installation import Installation

__all__ = ["FAULTS", "Fault"]

KILL_THE_TASK = """\
import os, signal
for pid in filter(str.isdecimal, os.listdir('/proc')):
    with open(f'/proc/{pid}/cmdline', 'rb') as file:
        if b'podreduce' in file.read() and int(pid) != os.getpid():
            os.kill(int(pid), signal.SIGKILL)
"""
KILLED_TASKS = 3
OUTAGE_SECONDS = 30.0
CUT_SECONDS = 75.0
OPERATOR_KILL_SECONDS = 10.0
JUMPING_CLOCK = """\
import runpy, time
real, begun = time.time, time.monotonic()
time.time = lambda: real() + (3600 if time.monotonic() > begun + 25 else 0)
runpy.run_module("podreduce_operator", run_name="__main__", alter_sys=True)
"""
"""The operator, whose clock is set an hour ahead some 15 s after the job has begun."""

SMALL_DISK = {
    "spec": {
        "containers": [{"name": "task", "resources": {"limits": {"memory": "160Mi"}}}],
        "volumes": [{"name": "podreduce-scratch", "emptyDir": {"medium": "Memory", "sizeLimit": "16Mi"}}],
    }
}
"""One task spills onto it, and finds it full of litter in its first attempt; each attempt has a disk of its own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """A fault.

    Attributes:
        strike: called once the job is applied; returns when it has done its worst.
        prepare: called before, and returns the job's storage Secret.
        spec: what the job's spec has besides.
        failures: reasons of failed attempts that must be told of, or the fault has struck nobody.
        expected: how the job ends: `Complete`, or the reason of its failure.
    """

    name: str
    strike: Callable[[Stage], None] = lambda _: None
    prepare: Callable[[Stage], dict[str, Any]] = Stage.secret
    spec: Mapping[str, Any] = field(default_factory=dict)
    failures: frozenset[str] = frozenset()
    expected: str = "Complete"


def kill_tasks(stage: Stage) -> None:
    """Kill three tasks amid their work, a ninth of all there are, half-way through the maps."""
    stage.wait_until_half_way()
    stage.wait(lambda: len(stage.working()) >= KILLED_TASKS, "tasks at work")
    for name in stage.working()[:KILLED_TASKS]:
        command = ("exec", name, "--namespace", stage.namespace, "--", "python3", "-c", KILL_THE_TASK)
        stage.cluster.kubectl(*command, check=False)


def kill_operator(stage: Stage) -> None:
    """Kill the operator every ten seconds until the job has ended."""
    while stage.ended() is None:
        time.sleep(OPERATOR_KILL_SECONDS)
        delete_operator(stage.installation)


def delete_operator(installation: Installation) -> None:
    """Delete the operator's pod at once, without a word to its process."""
    selector = ("--selector=app.kubernetes.io/component=operator", "--namespace", installation.namespace)
    installation.cluster.kubectl("delete", "pod", *selector, "--grace-period=0", "--force", check=False)


def deploy_jumping_clock(stage: Stage) -> dict[str, Any]:
    """Have an operator whose clock will be set."""
    stage.installation.patch_container(command=["python", "-c", JUMPING_CLOCK], environment={})
    return stage.secret()


def restore_operator(stage: Stage) -> None:
    """Have the operator as it was, once the job has ended."""
    stage.wait(stage.ended, "the job's end")
    stage.installation.restore()


def restart_api(stage: Stage) -> None:
    """Kill etcd and the API server, and start them again."""
    stage.wait_until_half_way()
    control_plane.restart()


def take_store_away(stage: Stage) -> None:
    """Let nobody reach MinIO for half a minute."""
    stage.wait_until_half_way()
    place = ("service", "minio", "--namespace", stage.minio.namespace, "--type=merge")
    stage.cluster.kubectl("patch", *place, "--patch", '{"spec": {"selector": {"app": "nobody"}}}')
    time.sleep(OUTAGE_SECONDS)
    stage.cluster.kubectl("patch", *place, "--patch", '{"spec": {"selector": {"app": "minio"}}}')


def fill_store(stage: Stage) -> None:
    """Fill MinIO's disk until nothing more fits, and make room again after half a minute."""
    stage.wait_until_half_way()
    unreliable_store.fill(stage.minio)
    time.sleep(OUTAGE_SECONDS)
    unreliable_store.make_room(stage.minio)


def kill_node(stage: Stage) -> None:
    """Kill everything on the second node, which comes back for the next fault."""
    stage.wait_until_half_way()
    stage.wait(lambda: stage.running(spare_node.SPARE.name), "tasks on the second node")
    spare_node.kill()


def cut_node(stage: Stage) -> None:
    """Pull the second node's cable for longer than it takes to give it up; its tasks run on, and come back late."""
    stage.wait_until_half_way()
    stage.wait(lambda: stage.running(spare_node.SPARE.name), "tasks on the second node")
    spare_node.cut_off()
    time.sleep(CUT_SECONDS)
    spare_node.reconnect()


def in_background(strike: Callable[[Stage], None], stage: Stage) -> threading.Thread:
    """Strike while somebody else waits for the job."""
    thread = threading.Thread(target=strike, args=(stage,), name="fault", daemon=True)
    thread.start()
    return thread


FAULTS = (
    Fault(name="nothing"),
    Fault(name="11 % of the tasks killed half-way", strike=kill_tasks, failures=frozenset({"Killed"})),
    Fault(name="one straggler, 5 times as slow", spec={"slow_attempt": "-m-21-1"}),
    Fault(
        name="the same, with speculation", spec={"slow_attempt": "-m-21-1", "speculation": "Auto", "parallelism": 12}
    ),
    Fault(name="spec.chaos: 11 % killed, 5 % slow", spec={"chaos": {"killPercent": 11, "slowPercent": 5}}),
    Fault(
        name="disk full in a pod",
        spec={"full_attempt": "-m-5-1", "podTemplate": SMALL_DISK},
        failures=frozenset({"ScratchFull"}),
    ),
    Fault(name="operator killed every 10 s", strike=kill_operator),
    Fault(name="operator's clock set an hour ahead", prepare=deploy_jumping_clock, strike=restore_operator),
    Fault(name="API server and etcd restarted", strike=restart_api),
    Fault(name="MinIO away for 30 s", strike=take_store_away),
    Fault(name="MinIO full for 30 s", strike=fill_store),
    Fault(name="MinIO says 503 to 20 % of requests", prepare=unreliable_store.deploy),
    Fault(name="node cut off for 75 s", strike=cut_node),
    Fault(name="node killed", strike=kill_node, failures=frozenset({"Disrupted"})),
)
