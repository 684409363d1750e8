"""Checks the installation's pod template when the operator starts.

Rule: pure. A job's template is wrong for one job, and its condition says so; the installation's would fail every job.
What only the API server knows, such as the names of a pod's fields, is not checked here.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from podreduce_operator.pods.pod_manifest import INSTALLATION_TEMPLATE, TASK_CONTAINER
from podreduce_operator.pods.template_merge import PodTemplateError, merge_template, refuse_unknown

__all__ = ["check_installation_template"]

SET_ELSEWHERE = {"image": "runtimeImage", "resources": "tasks.resources"}
"""What the template may not say of the task's container, and the chart's value that says it.

Over the image the job's own could not win, and of resources the job's and these would be mixed.
"""

SHAPE: Mapping[str, Any] = {
    "metadata": {"labels": {}, "annotations": {}},
    "spec": {
        "affinity": {},
        "containers": [
            {"name": TASK_CONTAINER, "env": [], "ports": [], "securityContext": {}, "volumeMounts": []},
        ],
        "hostAliases": [],
        "imagePullSecrets": [],
        "initContainers": [],
        "nodeSelector": {},
        "securityContext": {},
        "topologySpreadConstraints": [],
        "volumes": [],
    },
}
"""A pod in which the fields are mappings and lists that must be some in every pod."""

OF_A_CONTAINER = ("env", "envFrom", "image", "volumeMounts")
"""What a pod's spec does not have and is easily written there."""

TEXTS = (("metadata", "labels"), ("metadata", "annotations"), ("spec", "nodeSelector"))


def check_installation_template(template: Mapping[str, Any]) -> None:
    """Check the template's shape.

    Raises:
        PodTemplateError: no job could have a pod with it, or it says what another setting says.
    """
    refuse_unknown(template, INSTALLATION_TEMPLATE)
    merged = merge_template(SHAPE, template, INSTALLATION_TEMPLATE)
    for problem in find_problems(merged.get("metadata") or {}, merged.get("spec") or {}):
        raise PodTemplateError(f"{INSTALLATION_TEMPLATE}.{problem}")


def find_problems(metadata: Mapping[str, Any], spec: Mapping[str, Any]) -> Iterator[str]:
    """Yield what is wrong with a merged template, each with its place."""
    for part, name in TEXTS:
        texts = (metadata if part == "metadata" else spec).get(name) or {}
        yield from (
            f"{part}.{name}.{key}: expected a text; put it in quotes"
            for key, value in texts.items()
            if not isinstance(value, str)
        )
    yield from (
        f"spec.{name}: put it into spec.containers, into the container named {TASK_CONTAINER}"
        for name in OF_A_CONTAINER
        if name in spec
    )
    tolerations = spec.get("tolerations") or []
    if not isinstance(tolerations, list) or not all(isinstance(each, Mapping) for each in tolerations):
        yield "spec.tolerations: expected a list of mappings"
    task = next((each for each in spec.get("containers") or [] if each["name"] == TASK_CONTAINER), None)
    if task is None:
        yield f"spec.containers: the container {TASK_CONTAINER!r} was removed"
        return
    yield from (
        f"spec.containers[name={TASK_CONTAINER}].{name}: set {setting} instead"
        for name, setting in SET_ELSEWHERE.items()
        if name in task
    )
