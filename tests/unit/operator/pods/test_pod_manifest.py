from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import msgspec
import pytest

from podreduce.contract.environment import CA_CERT_PATH, KEY_PATH, StorageSettings, TaskEnvironment
from podreduce.contract.task import TaskRef
from podreduce_operator.model.pods import Gang, PodRequest
from podreduce_operator.pods.pod_manifest import TASKS_ANNOTATION, PodDefaults, build_pod
from podreduce_operator.pods.pod_names import parse_labels
from podreduce_operator.pods.template_merge import PodTemplateError
from tests.support.builders.jobs import JOB_UID, make_job

DEFAULTS = PodDefaults(image="runtime:1", resources={"limits": {"memory": "512Mi"}})


def make_request(task: str = "m-3", spec: Mapping[str, Any] | None = None) -> PodRequest:
    job = make_job(namespace="team", spec=spec)
    environment = TaskEnvironment(
        run_uri="s3://work/run/", plan_digest="d", task=TaskRef.parse(task), generation=2, pod_uid="", pod_name=""
    )
    return PodRequest(
        name="wordcount-abc-m-3-1",
        job=job,
        run_hash="abc",
        ordinal=1,
        environment=environment,
        spec=job.raw_spec,
    )


def build(
    task: str = "m-3", *, has_ca_cert: bool = False, defaults: PodDefaults = DEFAULTS, **spec: Any
) -> dict[str, Any]:
    return build_pod(make_request(task, spec), defaults, has_ca_cert=has_ca_cert)


def task_container(pod: Mapping[str, Any]) -> dict[str, Any]:
    return next(container for container in pod["spec"]["containers"] if container["name"] == "task")


def environment(pod: Mapping[str, Any]) -> dict[str, Any]:
    return {variable["name"]: variable for variable in task_container(pod)["env"]}


def test_an_attempt_after_a_lack_of_memory_gets_more_of_it_whoever_named_it() -> None:
    container = {"name": "task", "resources": {"requests": {"memory": "1Gi"}}}
    request = replace(make_request(spec=template(containers=[container])), memory_factor=1.5)
    resources = task_container(build_pod(request, DEFAULTS, has_ca_cert=False))["resources"]
    assert resources["requests"] == {"memory": str(1536 * 2**20)}


def test_a_pod_of_several_tasks_says_which_to_the_operator_and_to_its_task() -> None:
    request = make_request()
    tasks = (TaskRef.parse("m-4"), TaskRef.parse("m-7"))
    several = replace(request, environment=msgspec.structs.replace(request.environment, more_tasks=tasks))
    pod = build_pod(several, DEFAULTS, has_ca_cert=False)
    assert pod["metadata"]["annotations"][TASKS_ANNOTATION] == "m-3 m-4 m-7"
    assert environment(pod)["PODREDUCE_MORE_TASKS"]["value"] == "m-4 m-7"
    attempt = parse_labels(pod["metadata"]["labels"])
    assert attempt is not None
    assert str(attempt.task) == "m-3"


def test_a_pod_of_one_task_says_nothing_of_more() -> None:
    pod = build()
    assert TASKS_ANNOTATION not in pod["metadata"]["annotations"]
    assert "PODREDUCE_MORE_TASKS" not in environment(pod)


def test_a_jobs_queue_is_its_pods() -> None:
    labels = {"kueue.x-k8s.io/queue-name": "team", "team": "a"}
    request = make_request()
    queued = replace(request, job=replace(request.job, labels=labels))
    found = build_pod(queued, DEFAULTS, has_ca_cert=False)["metadata"]["labels"]
    assert found["kueue.x-k8s.io/queue-name"] == "team"
    assert "team" not in found


def test_a_gang_is_kueues_pod_group_and_its_pods_say_so_whatever_the_template_says() -> None:
    own = {"metadata": {"labels": {"kueue.x-k8s.io/pod-group-name": "mine"}}}
    request = make_request(spec={"podTemplate": own})
    metadata = build_pod(replace(request, gang=Gang(name="first", size=3)), DEFAULTS, has_ca_cert=False)["metadata"]
    assert metadata["labels"]["kueue.x-k8s.io/pod-group-name"] == "first"
    assert metadata["annotations"] == {
        "kubectl.kubernetes.io/default-container": "task",
        "podreduce.dev/gang": "3 first",
        "kueue.x-k8s.io/pod-group-total-count": "3",
        "kueue.x-k8s.io/retriable-in-group": "false",
    }
    single = build_pod(request, DEFAULTS, has_ca_cert=False)["metadata"]
    assert single["labels"]["kueue.x-k8s.io/pod-group-name"] == "mine"
    assert set(single["annotations"]) == {"kubectl.kubernetes.io/default-container"}


def test_a_pod_whose_node_does_not_answer_is_given_up_soon() -> None:
    tolerations = build(defaults=replace(DEFAULTS, node_lost_seconds=7))["spec"]["tolerations"]
    assert [(each["key"], each["effect"], each["tolerationSeconds"]) for each in tolerations] == [
        ("node.kubernetes.io/not-ready", "NoExecute", 7),
        ("node.kubernetes.io/unreachable", "NoExecute", 7),
    ]


def template(**spec: Any) -> dict[str, Any]:
    return {"podTemplate": {"spec": spec}}


@pytest.mark.parametrize(
    "own",
    [
        {"key": "gpu", "operator": "Exists"},
        {"operator": "Exists"},
        {"key": "node.kubernetes.io/not-ready", "operator": "Exists", "effect": "NoSchedule"},
    ],
    ids=["another taint", "all taints", "another effect"],
)
def test_tolerations_of_a_template_leave_those_of_lost_nodes(own: dict[str, Any]) -> None:
    tolerations = build(**template(tolerations=[own]))["spec"]["tolerations"]
    assert tolerations[0] == own
    assert tolerations[1:] == build()["spec"]["tolerations"]


@pytest.mark.parametrize(
    "tolerations",
    [
        [{"key": f"node.kubernetes.io/{name}", "tolerationSeconds": 5} for name in ("not-ready", "unreachable")],
        "wrong",
        ["wrong"],
    ],
    ids=["lost-nodes", "text", "texts"],
)
def test_tolerations_that_speak_of_lost_nodes_stay_as_they_are(tolerations: Any) -> None:
    assert build(**template(tolerations=tolerations))["spec"]["tolerations"] == tolerations


FAST = {"matchExpressions": [{"key": "disk", "operator": "In", "values": ["ssd"]}]}
PREFERRED = "preferredDuringSchedulingIgnoredDuringExecution"


def test_a_twin_avoids_the_slow_node_and_keeps_the_wishes_of_its_template() -> None:
    wish = {"weight": 1, "preference": FAST}
    required = {"nodeSelectorTerms": [FAST]}
    of_nodes = {PREFERRED: [wish], "requiredDuringSchedulingIgnoredDuringExecution": required}
    affinity = {"nodeAffinity": of_nodes, "podAffinity": {}}
    request = replace(make_request(spec=template(affinity=affinity)), slow_node="node-7")
    built = build_pod(request, DEFAULTS, has_ca_cert=False)["spec"]["affinity"]
    assert {**built, "nodeAffinity": {**built["nodeAffinity"], PREFERRED: [wish]}} == affinity
    (added,) = built["nodeAffinity"][PREFERRED][1:]
    assert added["preference"]["matchExpressions"][0]["values"] == ["node-7"]
    assert build(**template(affinity=affinity))["spec"]["affinity"] == affinity


@pytest.mark.parametrize("affinity", ["wrong", {"nodeAffinity": "wrong"}, {"nodeAffinity": {PREFERRED: "wrong"}}])
def test_an_affinity_of_a_wrong_shape_is_left_for_the_api_server_to_refuse(affinity: Any) -> None:
    request = replace(make_request(spec=template(affinity=affinity)), slow_node="node-7")
    assert build_pod(request, DEFAULTS, has_ca_cert=False)["spec"]["affinity"] == affinity


def test_two_containers_of_one_name_are_left_for_the_api_server_to_refuse() -> None:
    sidecars = [{"name": "sidecar", "image": "a"}, {"name": "sidecar", "image": "b"}]
    names = [each["name"] for each in build(**template(containers=sidecars))["spec"]["containers"]]
    assert names == ["task", "sidecar", "sidecar"]


def test_a_template_with_containers_beside_its_spec_is_refused() -> None:
    with pytest.raises(PodTemplateError, match=r"^spec\.podTemplate\.containers: .* into spec\.podTemplate\.spec"):
        build(podTemplate={"containers": []})


def test_a_pod_belongs_to_its_job_without_holding_up_its_deletion() -> None:
    pod = build()
    assert pod["metadata"]["namespace"] == "team"
    assert pod["metadata"]["ownerReferences"] == [
        {
            "apiVersion": "podreduce.dev/v1beta1",
            "kind": "MapReduceJob",
            "name": "wordcount",
            "uid": JOB_UID,
            "controller": True,
            "blockOwnerDeletion": False,
        }
    ]


def test_a_pods_labels_say_which_attempt_it_is() -> None:
    attempt = parse_labels(build()["metadata"]["labels"])
    assert attempt is not None
    assert (attempt.run_hash, str(attempt.task), attempt.ordinal, attempt.generation) == ("abc", "m-3", 1, 2)


def test_a_task_reads_from_its_environment_what_the_operator_wrote() -> None:
    values = {name: variable.get("value", "from-the-pod") for name, variable in environment(build()).items()}
    told = TaskEnvironment.from_environ(values)
    assert (str(told.task), told.run_uri, told.generation, told.pod_uid) == ("m-3", "s3://work/run/", 2, "from-the-pod")


def test_identity_comes_from_the_pod_itself() -> None:
    variables = environment(build())
    paths = {
        name: variables[name]["valueFrom"]["fieldRef"]["fieldPath"]
        for name in ("PODREDUCE_POD_UID", "PODREDUCE_POD_NAME")
    }
    assert paths == {"PODREDUCE_POD_UID": "metadata.uid", "PODREDUCE_POD_NAME": "metadata.name"}


def test_credentials_are_references_to_the_secret_and_never_values() -> None:
    variables = environment(build(storage={"secretRef": {"name": "mine"}}))
    references = {
        field: variables[name]["valueFrom"]["secretKeyRef"]
        for field, name in StorageSettings.VARIABLES.items()
        if "valueFrom" in variables.get(name, {})
    }
    assert references == {
        "endpoint": {"name": "mine", "key": "endpoint"},
        "region": {"name": "mine", "key": "region"},
        "access_key": {"name": "mine", "key": "accessKey"},
        "secret_key": {"name": "mine", "key": "secretKey"},
        "session_token": {"name": "mine", "key": "sessionToken", "optional": True},
    }


def test_keys_are_files_that_the_kubelet_refreshes() -> None:
    pod = build(storage={"secretRef": {"name": "mine"}})
    assert environment(pod)["PODREDUCE_S3_KEY_DIRECTORY"]["value"] == KEY_PATH
    (mount,) = [mount for mount in task_container(pod)["volumeMounts"] if mount["mountPath"] == KEY_PATH]
    (volume,) = [volume for volume in pod["spec"]["volumes"] if volume["name"] == mount["name"]]
    assert "subPath" not in mount
    assert volume["secret"] == {
        "secretName": "mine",
        "optional": True,
        "items": [{"key": key, "path": key} for key in ("accessKey", "secretKey", "sessionToken")],
    }


def test_a_template_does_not_replace_the_keys() -> None:
    mount, volume = {"name": "own", "mountPath": KEY_PATH}, {"name": "podreduce-storage-keys", "emptyDir": {}}
    containers = [{"name": "task", "volumeMounts": [mount]}]
    pod = build(podTemplate={"spec": {"containers": containers, "volumes": [volume]}})
    mounts = [mount["name"] for mount in task_container(pod)["volumeMounts"] if mount["mountPath"] == KEY_PATH]
    assert mounts == ["podreduce-storage-keys"]
    assert volume not in pod["spec"]["volumes"]


def test_certificates_are_mounted_where_the_task_is_told_to_look() -> None:
    pod = build(has_ca_cert=True)
    assert environment(pod)["PODREDUCE_S3_CA_CERT"]["value"] == CA_CERT_PATH
    (mount,) = [mount for mount in task_container(pod)["volumeMounts"] if mount["name"] == "podreduce-storage-ca"]
    (volume,) = [volume for volume in pod["spec"]["volumes"] if volume["name"] == "podreduce-storage-ca"]
    (item,) = volume["secret"]["items"]
    assert f"{mount['mountPath']}/{item['path']}" == CA_CERT_PATH
    assert item["key"] == "caCert"


def test_without_certificates_nothing_is_said_of_them() -> None:
    pod = build()
    assert "PODREDUCE_S3_CA_CERT" not in environment(pod)
    assert [volume["name"] for volume in pod["spec"]["volumes"]] == ["podreduce-scratch", "podreduce-storage-keys"]


def test_a_pod_keeps_to_restricted_pod_security() -> None:
    pod = build()
    spec, container = pod["spec"], task_container(pod)
    assert spec["securityContext"]["runAsNonRoot"] is True
    assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert spec["automountServiceAccountToken"] is False
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }


@pytest.mark.parametrize(
    ("spec", "image", "policy"),
    [({}, "runtime:1", "IfNotPresent"), ({"image": "mine:2"}, "mine:2", None)],
    ids=["the installation's", "the job's"],
)
def test_the_image_is_the_jobs_or_the_installations(spec: dict[str, Any], image: str, policy: str | None) -> None:
    container = task_container(build(**spec))
    assert (container["image"], container.get("imagePullPolicy")) == (image, policy)


def test_scratch_has_the_size_the_installation_sets() -> None:
    pod = build(defaults=PodDefaults(image="runtime:1", scratch_size="10Gi"))
    assert pod["spec"]["volumes"][0] == {"name": "podreduce-scratch", "emptyDir": {"sizeLimit": "10Gi"}}


def with_scratch(**more: Any) -> PodDefaults:
    return PodDefaults(image="runtime:1", scratch_size="10Gi", **more)


def test_the_scheduler_is_asked_for_the_disk_that_scratch_may_fill() -> None:
    resources = {"requests": {"cpu": "1"}, "limits": {"memory": "1Gi"}}
    asked = task_container(build(defaults=with_scratch(resources=resources)))["resources"]
    assert asked == {"requests": {"cpu": "1", "ephemeral-storage": "10Gi"}, "limits": {"memory": "1Gi"}}
    assert task_container(build())["resources"] == DEFAULTS.resources


@pytest.mark.parametrize("kind", ["requests", "limits"])
def test_a_disk_that_somebody_asked_for_is_all_that_is_asked(kind: str) -> None:
    own = {kind: {"ephemeral-storage": "3Gi"}}
    by_job = build(defaults=with_scratch(), **template(containers=[{"name": "task", "resources": own}]))
    by_installation = build(defaults=with_scratch(resources=own))
    for pod in (by_job, by_installation):
        resources = task_container(pod)["resources"]
        assert [amounts for amounts in resources.values() if amounts] == [{"ephemeral-storage": "3Gi"}]


def test_a_scratch_volume_of_the_templates_own_asks_for_none_of_the_nodes_disk() -> None:
    claim = {"name": "podreduce-scratch", "persistentVolumeClaim": {"claimName": "mine"}}
    pod = build(defaults=with_scratch(), **template(volumes=[claim]))
    assert [each for each in pod["spec"]["volumes"] if each["name"] == claim["name"]] == [claim]
    assert task_container(pod)["resources"] == {}


def test_a_pod_has_the_user_of_the_installation_or_none_where_the_cluster_assigns_it() -> None:
    context = build()["spec"]["securityContext"]
    assert [context[name] for name in ("runAsUser", "runAsGroup", "fsGroup")] == [65532] * 3
    assigned = build(defaults=replace(DEFAULTS, user=None))["spec"]["securityContext"]
    assert assigned == {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}}


INSTALLATION = {
    "metadata": {"labels": {"team": "all", "cost": "batch"}, "annotations": {"note": "ours"}},
    "spec": {
        "serviceAccountName": "tasks",
        "imagePullSecrets": [{"name": "registry"}],
        "nodeSelector": {"pool": "batch"},
        "tolerations": [{"key": "batch", "operator": "Exists"}],
        "securityContext": {"runAsUser": 1000},
        "containers": [{"name": "task", "env": [{"name": "HTTPS_PROXY", "value": "http://proxy:3128"}]}],
    },
}


def test_the_installations_template_is_below_the_jobs() -> None:
    ours = replace(DEFAULTS, pod_template=INSTALLATION)
    pod = build(defaults=ours)
    spec = pod["spec"]
    assert (pod["metadata"]["labels"]["cost"], pod["metadata"]["annotations"]["note"]) == ("batch", "ours")
    assert (spec["serviceAccountName"], spec["imagePullSecrets"]) == ("tasks", [{"name": "registry"}])
    assert (spec["nodeSelector"], spec["tolerations"][0]["key"]) == ({"pool": "batch"}, "batch")
    assert (spec["securityContext"]["runAsUser"], spec["securityContext"]["runAsGroup"]) == (1000, 65532)
    assert environment(pod)["HTTPS_PROXY"]["value"] == "http://proxy:3128"

    own = {
        "metadata": {"labels": {"team": "a"}},
        "spec": {
            "serviceAccountName": None,
            "nodeSelector": {"pool": "gpu"},
            "imagePullSecrets": [{"name": "mine"}],
            "containers": [{"name": "task", "env": [{"name": "HTTPS_PROXY", "value": ""}]}],
        },
    }
    pod = build(defaults=ours, podTemplate=own)
    assert (pod["metadata"]["labels"]["team"], pod["metadata"]["labels"]["cost"]) == ("a", "batch")
    assert "serviceAccountName" not in pod["spec"]
    assert pod["spec"]["nodeSelector"] == {"pool": "gpu"}
    assert [each["name"] for each in pod["spec"]["imagePullSecrets"]] == ["registry", "mine"]
    assert environment(pod)["HTTPS_PROXY"]["value"] == ""


def test_what_the_loop_relies_on_is_forced_over_the_installations_template_too() -> None:
    forged = {"metadata": {"labels": {"podreduce.dev/run-hash": "other"}}, "spec": INSISTENT}
    pod = build(defaults=replace(DEFAULTS, pod_template=forged))
    assert pod["metadata"]["labels"]["podreduce.dev/run-hash"] == "abc"
    assert (pod["spec"]["restartPolicy"], environment(pod)["PODREDUCE_TASK"]["value"]) == ("Never", "m-3")


def test_a_jobs_queue_wins_over_the_installations() -> None:
    name = "kueue.x-k8s.io/queue-name"
    ours = replace(DEFAULTS, pod_template={"metadata": {"labels": {name: "all"}}})
    request = make_request()
    queued = replace(request, job=replace(request.job, labels={name: "team"}))
    assert build_pod(request, ours, has_ca_cert=False)["metadata"]["labels"][name] == "all"
    assert build_pod(queued, ours, has_ca_cert=False)["metadata"]["labels"][name] == "team"


def test_the_map_template_wins_over_the_jobs_and_leaves_reduces_alone() -> None:
    spec = {
        **template(nodeSelector={"disk": "hdd", "zone": "a"}),
        "map": {"podTemplate": {"spec": {"nodeSelector": {"disk": "ssd"}}}},
    }
    assert build("m-0", **spec)["spec"]["nodeSelector"] == {"disk": "ssd", "zone": "a"}
    assert build("r-0", **spec)["spec"]["nodeSelector"] == {"disk": "hdd", "zone": "a"}


def test_a_template_adds_labels_and_annotations_but_no_finalizers() -> None:
    metadata = {"labels": {"team": "a"}, "annotations": {"note": "b"}, "finalizers": ["x/y"], "name": "other"}
    found = build(podTemplate={"metadata": metadata})["metadata"]
    assert found["labels"]["team"] == "a"
    assert found["annotations"]["note"] == "b"
    assert found["name"] == "wordcount-abc-m-3-1"
    assert "finalizers" not in found


INSISTENT = {
    "restartPolicy": "Always",
    "automountServiceAccountToken": True,
    "containers": [
        {
            "name": "task",
            "command": ["sh"],
            "args": ["-c", "true"],
            "restartPolicyRules": [{}],
            "terminationMessagePolicy": "FallbackToLogsOnError",
            "env": [
                {"name": "PODREDUCE_TASK", "value": "r-9"},
                {"name": "PYTHONHASHSEED", "value": "random"},
                {"name": "MINE", "value": "$(PODREDUCE_TASK)"},
            ],
        },
        {"name": "sidecar", "image": "x", "restartPolicy": "Always"},
    ],
}


def test_what_the_loop_relies_on_is_forced() -> None:
    pod = build(**template(**INSISTENT))
    spec, container = pod["spec"], task_container(pod)
    assert (spec["restartPolicy"], spec["automountServiceAccountToken"]) == ("Never", False)
    assert container["command"] == ["python", "-P", "-m", "podreduce"]
    assert "args" not in container
    assert "restartPolicyRules" not in container
    assert container["terminationMessagePolicy"] == "File"
    assert environment(pod)["PODREDUCE_TASK"] == {"name": "PODREDUCE_TASK", "value": "m-3"}
    assert environment(pod)["PYTHONHASHSEED"] == {"name": "PYTHONHASHSEED", "value": "0"}
    assert container["env"][-1] == {"name": "MINE", "value": "$(PODREDUCE_TASK)"}
    assert spec["containers"][1] == {"name": "sidecar", "image": "x"}


def test_a_forged_label_loses() -> None:
    forged = {"metadata": {"labels": {"podreduce.dev/run-hash": "other"}}}
    assert build(podTemplate=forged)["metadata"]["labels"]["podreduce.dev/run-hash"] == "abc"


@pytest.mark.parametrize(
    "pod_template",
    [{"spec": {"containers": None}}, {"spec": None}, {"spec": {"containers": "x"}}, {"spec": []}],
    ids=["no-containers", "no-spec", "text", "list"],
)
def test_a_template_that_leaves_no_task_is_refused(pod_template: dict[str, Any]) -> None:
    with pytest.raises(PodTemplateError, match=r"spec\.podTemplate\.spec"):
        build(podTemplate=pod_template)


@pytest.mark.parametrize("kind", ["labels", "annotations"])
def test_a_template_says_nothing_of_what_the_operator_knows_a_pod_by(kind: str) -> None:
    own = {f"podreduce.dev/{name}": "9" * 5000 for name in ("tasks", "gang", "ordinal", "new")}
    plain = build()["metadata"][kind]
    found = build(podTemplate={"metadata": {kind: {**own, "team": "a"}}})["metadata"][kind]
    assert found == plain | {"team": "a"}
