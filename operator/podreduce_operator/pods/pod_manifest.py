"""Builds an attempt's pod: the base, the installation's template and the user's, then the fields that podreduce sets.

Rule: pure. The base follows the pod security standard `restricted`. Templates may change it; the cluster's own policy
decides in the end. podreduce sets only the fields that the loop needs: see `force_spec` and `force_task`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from posixpath import basename, dirname
from typing import Any

from podreduce.contract.environment import CA_CERT_PATH, KEY_PATH, POD_NAME, POD_UID, StorageSettings
from podreduce.contract.process_variables import INTERPRETER_VARIABLES
from podreduce.contract.task import TaskType
from podreduce_operator.api.crd import API_VERSION, GROUP, KIND
from podreduce_operator.api.storage_secret import CA_CERT_KEY, KEY_FILES, OPTIONAL_KEYS, REQUIRED_KEYS
from podreduce_operator.model.jobs import JobView
from podreduce_operator.model.pods import Gang, PodRequest
from podreduce_operator.pods.pod_names import AttemptLabels, pod_labels
from podreduce_operator.pods.pod_resources import raise_memory, remaining_defaults, request_scratch
from podreduce_operator.pods.template_merge import PodTemplateError, merge_template, refuse_unknown

__all__ = [
    "GANG_ANNOTATION",
    "INSTALLATION_TEMPLATE",
    "PROGRESS_TOKEN_ANNOTATION",
    "TASKS_ANNOTATION",
    "TASK_CONTAINER",
    "TASK_USER",
    "PodDefaults",
    "build_pod",
    "digest_token",
]

TASK_CONTAINER = "task"
TASK_COMMAND = ("python", "-P", "-m", "podreduce")
SCRATCH_VOLUME = "podreduce-scratch"
CA_VOLUME = "podreduce-storage-ca"
KEY_VOLUME = "podreduce-storage-keys"
TASK_USER = 65532
"""Not root, whatever the image says. An image only needs files that every user may read."""

INSTALLATION_TEMPLATE = "tasks.podTemplate"
"""Where the chart has the installation's template."""

CA_MOUNT = {"name": CA_VOLUME, "mountPath": dirname(CA_CERT_PATH), "readOnly": True}
KEY_MOUNT = {"name": KEY_VOLUME, "mountPath": KEY_PATH, "readOnly": True}
"""Not with `subPath`: the kubelet would not refresh it."""

TASKS_ANNOTATION = "podreduce.dev/tasks"
"""All tasks of a pod that takes several, in order. Its labels name the first."""

PROGRESS_TOKEN_ANNOTATION = "podreduce.dev/progress-token-sha256"  # noqa: S105 - an annotation's name
TOKEN_DIGEST_CHARACTERS = 32
GANG_ANNOTATION = "podreduce.dev/gang"
"""Size and name of the gang that a pod is admitted with."""

QUEUE_LABELS = ("kueue.x-k8s.io/queue-name", "kueue.x-k8s.io/priority-class")
QUEUE_GROUP_LABEL = "kueue.x-k8s.io/pod-group-name"
QUEUE_GROUP_SIZE_ANNOTATION = "kueue.x-k8s.io/pod-group-total-count"
QUEUE_GROUP_ENDS_ANNOTATIONS = {"kueue.x-k8s.io/retriable-in-group": "false"}
"""The group ends when all its pods have ended, including failed ones. Pods that replace them are admitted alone."""
LOST_NODE_TAINTS = ("node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable")
PREFERRED = "preferredDuringSchedulingIgnoredDuringExecution"
DOWNWARD_FIELDS = {POD_UID: "metadata.uid", POD_NAME: "metadata.name"}


@dataclass(frozen=True, slots=True, kw_only=True)
class PodDefaults:
    """The installation's settings for task pods.

    Attributes:
        image: the runtime image for jobs that name none.
        pull_policy: the pull policy for this image only.
        resources: the resources of the task container, as in a pod.
        scratch_size: the size limit of the scratch volume, such as `10Gi`; None means no limit.
        grace_seconds: how long a task may take to stop.
        node_lost_seconds: how long after its node stopped answering a pod is given up and replaced.
        user: the user and group of the pod's processes and files; None leaves them to the cluster, as on OpenShift.
        pod_template: the installation's template for all task pods. The job's templates are merged over it.
    """

    image: str
    pull_policy: str = "IfNotPresent"
    resources: Mapping[str, Any] = field(default_factory=dict)
    scratch_size: str | None = None
    grace_seconds: int = 10
    node_lost_seconds: int = 20
    user: int | None = TASK_USER
    pod_template: Mapping[str, Any] = field(default_factory=dict)


def build_pod(request: PodRequest, defaults: PodDefaults, *, has_ca_cert: bool) -> dict[str, Any]:
    """Return the manifest of the attempt's pod; `has_ca_cert` says whether the storage Secret has certificates.

    Raises:
        PodTemplateError: a pod template does not have the shape of a pod.
    """
    template = base_template(request, defaults)
    queue = {"metadata": {"labels": queue_labels(request.job)}}
    installation = (INSTALLATION_TEMPLATE, defaults.pod_template)
    for path, patch in (installation, ("metadata.labels", queue), *user_templates(request)):
        refuse_unknown(patch, path)
        template = merge_template(template, patch, path)
    spec = avoid_node(leave_lost_nodes(template.get("spec") or {}, defaults), request.slow_node)
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": force_metadata(request, template.get("metadata") or {}),
        "spec": force_spec(request, spec, has_ca_cert=has_ca_cert),
    }


def user_templates(request: PodRequest) -> tuple[tuple[str, Mapping[str, Any]], ...]:
    """Return the pod templates for this task, with their paths. Later ones win."""
    task_type = "map" if request.environment.task.type is TaskType.MAP else "reduce"
    return (
        ("spec.podTemplate", request.spec.get("podTemplate") or {}),
        (f"spec.{task_type}.podTemplate", (request.spec.get(task_type) or {}).get("podTemplate") or {}),
    )


def base_template(request: PodRequest, defaults: PodDefaults) -> dict[str, Any]:
    """Return the pod before templates are merged."""
    size = {"sizeLimit": defaults.scratch_size} if defaults.scratch_size else {}
    user = {} if defaults.user is None else dict.fromkeys(("runAsUser", "runAsGroup", "fsGroup"), defaults.user)
    return {
        "metadata": {},
        "spec": {
            "terminationGracePeriodSeconds": defaults.grace_seconds,
            "enableServiceLinks": False,
            "securityContext": {
                "runAsNonRoot": True,
                **user,
                "seccompProfile": {"type": "RuntimeDefault"},
            },
            "containers": [base_container(request, defaults)],
            "volumes": [{"name": SCRATCH_VOLUME, "emptyDir": size}],
        },
    }


def avoid_node(spec: Mapping[str, Any], name: str | None) -> dict[str, Any]:
    """Return `spec` with a preference, besides the template's own, not to run on the node `name`, where one is slow."""
    affinity: Any = spec.get("affinity") or {}
    of_nodes: Any = (affinity.get("nodeAffinity") or {}) if isinstance(affinity, Mapping) else None
    wishes: Any = (of_nodes.get(PREFERRED) or []) if isinstance(of_nodes, Mapping) else None
    if not name or not isinstance(wishes, list):
        return dict(spec)  # a wrong shape is for the API server to refuse
    elsewhere = {"matchExpressions": [{"key": "kubernetes.io/hostname", "operator": "NotIn", "values": [name]}]}
    wishes = [*wishes, {"weight": 100, "preference": elsewhere}]
    return {**spec, "affinity": {**affinity, "nodeAffinity": {**of_nodes, PREFERRED: wishes}}}


def tolerate(taint: str, seconds: int) -> dict[str, Any]:
    """Return a toleration of a node's taint for `seconds`. Kubernetes' default is five minutes."""
    return {"key": taint, "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": seconds}


def leave_lost_nodes(spec: Mapping[str, Any], defaults: PodDefaults) -> dict[str, Any]:
    """Return `spec` with the tolerations of lost nodes, where the template's own say nothing of these taints.

    Without them Kubernetes would let the pod wait for five minutes, or for ever under a toleration of all taints: of
    several that match, the shortest time holds.
    """
    tolerations = spec.get("tolerations") or []
    if not isinstance(tolerations, list) or not all(isinstance(each, Mapping) for each in tolerations):
        return dict(spec)  # for the API server to refuse
    named = {each.get("key") for each in tolerations if each.get("effect") in {None, "", "NoExecute"}}
    missing = [taint for taint in LOST_NODE_TAINTS if taint not in named]
    return {**spec, "tolerations": [*tolerations, *(tolerate(taint, defaults.node_lost_seconds) for taint in missing)]}


def base_container(request: PodRequest, defaults: PodDefaults) -> dict[str, Any]:
    """Return the task's container, before templates."""
    image = request.spec.get("image")
    templates = [defaults.pod_template, *(template for _, template in user_templates(request))]
    resources = request_scratch(defaults.resources, None if replaces_scratch(templates) else defaults.scratch_size)
    container: dict[str, Any] = {
        "name": TASK_CONTAINER,
        "image": image or defaults.image,
        "env": [{"name": "PYTHONUNBUFFERED", "value": "1"}, {"name": "HOME", "value": scratch(request)}],
        "resources": remaining_defaults(resources, templates, TASK_CONTAINER),
        "volumeMounts": [{"name": SCRATCH_VOLUME, "mountPath": scratch(request)}],
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        },
    }
    return container if image else {**container, "imagePullPolicy": defaults.pull_policy}


def replaces_scratch(templates: Sequence[Mapping[str, Any]]) -> bool:
    """Tell whether a template has a scratch volume of its own. A wrong shape has none; it is refused later."""
    specs = (template.get("spec") for template in templates)
    volumes = (spec.get("volumes") for spec in specs if isinstance(spec, Mapping))
    named = (volume for listed in volumes if isinstance(listed, list) for volume in listed)
    return any(isinstance(volume, Mapping) and volume.get("name") == SCRATCH_VOLUME for volume in named)


def scratch(request: PodRequest) -> str:
    """Return the path of the scratch volume in the container."""
    return request.environment.scratch_directory


def force_metadata(request: PodRequest, template: Mapping[str, Any]) -> dict[str, Any]:
    """Return the pod's metadata. Only labels and annotations come from the template, and podreduce's win."""
    attempt = AttemptLabels(
        run_hash=request.run_hash,
        task=request.environment.task,
        ordinal=request.ordinal,
        generation=request.environment.generation,
    )
    return {
        "name": request.name,
        "namespace": request.job.key.namespace,
        "labels": {
            **without_own(template.get("labels")),
            **({} if request.gang is None else {QUEUE_GROUP_LABEL: request.gang.name}),
            **pod_labels(request.job.key.name, attempt),
        },
        "annotations": {
            "kubectl.kubernetes.io/default-container": TASK_CONTAINER,
            **without_own(template.get("annotations")),
            **tasks_annotation(request),
            **gang_annotations(request.gang),
            **progress_annotation(request),
        },
        "ownerReferences": [owner_reference(request.job)],
    }


def without_own(names: Mapping[str, str] | None) -> dict[str, str]:
    """Return a template's labels or annotations without podreduce's: by these the operator knows what a pod is."""
    return {name: value for name, value in (names or {}).items() if not name.startswith(f"{GROUP}/")}


def queue_labels(job: JobView) -> dict[str, str]:
    """Return the job's Kueue labels. They are copied to the pods, because Kueue admits pods and not jobs."""
    return {name: job.labels[name] for name in QUEUE_LABELS if name in job.labels}


def gang_annotations(gang: Gang | None) -> dict[str, str]:
    """Return the annotations that describe the gang to the operator and to Kueue; none without a gang."""
    if gang is None:
        return {}
    size = str(gang.size)
    return {
        GANG_ANNOTATION: f"{size} {gang.name}",
        QUEUE_GROUP_SIZE_ANNOTATION: size,
        **QUEUE_GROUP_ENDS_ANNOTATIONS,
    }


def tasks_annotation(request: PodRequest) -> dict[str, str]:
    """Return the annotation that lists the pod's tasks, if it has more than one."""
    environment = request.environment
    return {TASKS_ANNOTATION: " ".join(map(str, environment.tasks))} if environment.more_tasks else {}


def progress_annotation(request: PodRequest) -> dict[str, str]:
    """Return the annotation by which any operator can check that a progress report comes from this attempt."""
    token = request.environment.progress_token
    return {PROGRESS_TOKEN_ANNOTATION: digest_token(token)} if token else {}


def digest_token(token: str) -> str:
    """Return the digest of a token, which the pod shows. It identifies the token but does not reveal it."""
    return sha256(token.encode()).hexdigest()[:TOKEN_DIGEST_CHARACTERS]


def owner_reference(job: JobView) -> dict[str, Any]:
    """Return the owner reference, so that the pod is deleted with its job. It does not delay the job's deletion."""
    return {
        "apiVersion": API_VERSION,
        "kind": KIND,
        "name": job.key.name,
        "uid": job.uid,
        "controller": True,
        "blockOwnerDeletion": False,
    }


def force_spec(request: PodRequest, template: Mapping[str, Any], *, has_ca_cert: bool) -> dict[str, Any]:
    """Return the pod's spec: no restarts (a retry is a new pod), no token, and the required task container."""
    containers = [never_restart(container) for container in template.get("containers") or []]
    if all(container["name"] != TASK_CONTAINER for container in containers):
        raise PodTemplateError(f"spec.podTemplate.spec.containers: the container {TASK_CONTAINER!r} was removed")
    volumes = [volume for volume in template.get("volumes") or [] if volume["name"] not in (CA_VOLUME, KEY_VOLUME)]
    return {
        **template,
        "restartPolicy": "Never",
        "automountServiceAccountToken": False,
        "containers": [
            force_task(request, container, has_ca_cert=has_ca_cert)
            if container["name"] == TASK_CONTAINER
            else container
            for container in containers
        ],
        "volumes": [*volumes, key_volume(request), *([ca_volume(request)] if has_ca_cert else [])],
    }


def never_restart(container: Mapping[str, Any]) -> dict[str, Any]:
    """Return the container without its own restart rules."""
    return {name: value for name, value in container.items() if name not in {"restartPolicy", "restartPolicyRules"}}


def force_task(request: PodRequest, template: Mapping[str, Any], *, has_ca_cert: bool) -> dict[str, Any]:
    """Return the task's container with podreduce's command, environment and path for the termination message."""
    forced = forced_environment(request, has_ca_cert=has_ca_cert)
    names = {variable["name"] for variable in forced}
    kept = [variable for variable in template.get("env") or [] if variable["name"] not in names]
    mounted = (KEY_MOUNT, *([CA_MOUNT] if has_ca_cert else []))
    paths = (KEY_MOUNT["mountPath"], CA_MOUNT["mountPath"])
    mounts = [mount for mount in template.get("volumeMounts") or [] if mount["mountPath"] not in paths]
    container = {
        **template,
        "command": list(TASK_COMMAND),
        "resources": raise_memory(template.get("resources") or {}, request.memory_factor),
        "env": [*forced, *kept],
        "volumeMounts": [*mounts, *mounted],
        "terminationMessagePath": request.environment.termination_log,
        "terminationMessagePolicy": "File",
    }
    container.pop("args", None)
    return container


def forced_environment(request: PodRequest, *, has_ca_cert: bool) -> list[dict[str, Any]]:
    """Return the variables of the contract: values, fields of the pod, keys of the storage Secret.

    The access key is among them although the task reads it from files: an image of an earlier release does not.
    """
    contract = INTERPRETER_VARIABLES | request.environment.to_environ()
    plain = {name: value for name, value in contract.items() if name not in DOWNWARD_FIELDS}
    secret, variables = storage_secret(request), StorageSettings.VARIABLES
    return [
        *({"name": name, "value": value} for name, value in plain.items()),
        *({"name": name, "valueFrom": {"fieldRef": {"fieldPath": path}}} for name, path in DOWNWARD_FIELDS.items()),
        *(secret_variable(variables[setting], secret, key) for setting, key in REQUIRED_KEYS.items()),
        *(secret_variable(variables[setting], secret, key, optional=True) for setting, key in OPTIONAL_KEYS.items()),
        {"name": variables["key_directory"], "value": KEY_PATH},
        *([{"name": variables["ca_cert"], "value": CA_CERT_PATH}] if has_ca_cert else []),
    ]


def secret_variable(name: str, secret: str, key: str, *, optional: bool = False) -> dict[str, Any]:
    """Return a variable that the kubelet reads from the Secret."""
    reference = {"name": secret, "key": key, **({"optional": True} if optional else {})}
    return {"name": name, "valueFrom": {"secretKeyRef": reference}}


def key_volume(request: PodRequest) -> dict[str, Any]:
    """Return the volume with the keys of the storage Secret, which the kubelet refreshes.

    It is optional, because a pod without the Secret is refused for its variables, with a clearer message.
    """
    items = [{"key": key, "path": key} for key in KEY_FILES]
    return {
        "name": KEY_VOLUME,
        "secret": {"secretName": storage_secret(request), "items": items, "optional": True},
    }


def ca_volume(request: PodRequest) -> dict[str, Any]:
    """Return the volume with the certificates of the storage's endpoint."""
    items = [{"key": CA_CERT_KEY, "path": basename(CA_CERT_PATH)}]
    return {"name": CA_VOLUME, "secret": {"secretName": storage_secret(request), "items": items}}


def storage_secret(request: PodRequest) -> str:
    """Return the name of the job's storage Secret."""
    return str(request.spec["storage"]["secretRef"]["name"])
