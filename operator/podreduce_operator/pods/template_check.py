"""What no pod template may look like, told before any pod is made of it.

Rule: pure. What only the API server knows, such as the names of a pod's fields, is not checked here.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from podreduce_operator.api.spec import JobSpec
from podreduce_operator.pods.pod_manifest import TASK_CONTAINER
from podreduce_operator.pods.template_merge import PodTemplateError, join_templates, merge_template, refuse_unknown

__all__ = ["check_template", "find_template_problem"]

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


def find_template_problem(spec: JobSpec) -> str | None:
    """Return why no pod can be made of a job's templates: the first problem, with its place. None if there is none."""
    templates = (
        ("spec.podTemplate", spec.pod_template),
        ("spec.map.podTemplate", spec.map.pod_template),
        ("spec.reduce.podTemplate", spec.reduce.pod_template),
    )
    try:
        for path, template in templates:
            check_template(template, path)
        for path, template in templates:
            refuse_imageless(template if template is spec.pod_template else joined(spec, template, path), path)
    except PodTemplateError as error:
        return str(error)
    return None


def joined(spec: JobSpec, template: Mapping[str, Any], path: str) -> Mapping[str, Any]:
    """Return the template of a type of tasks over that of all tasks."""
    return join_templates(spec.pod_template, template, path)


def refuse_imageless(template: Mapping[str, Any], path: str) -> None:
    """Refuse a further container without an image: whoever wrote it mostly meant the task's.

    Raises:
        PodTemplateError: there is one.
    """
    fields = template.get("spec") or {}
    for kind in ("containers", "initContainers"):
        for container in fields.get(kind) or ():
            name = container["name"]
            if container.get("image") or (kind, name) == ("containers", TASK_CONTAINER):
                continue
            what = f"{path}.spec.{kind}[name={name}]: it has no image"
            hint = (
                f"the task's own container is named {TASK_CONTAINER!r}; name it so, or " if kind == "containers" else ""
            )
            raise PodTemplateError(f"{what}: {hint}give it an image")


def check_template(template: Mapping[str, Any], path: str) -> dict[str, Any]:
    """Return the template merged over a pod of the usual shape; `path` names it in errors.

    Raises:
        PodTemplateError: no pod can be made of it.
    """
    refuse_unknown(template, path)
    merged = merge_template(SHAPE, template, path)
    for problem in find_problems(merged.get("metadata") or {}, merged.get("spec") or {}):
        raise PodTemplateError(f"{path}.{problem}")
    return merged


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
    if not any(each["name"] == TASK_CONTAINER for each in spec.get("containers") or []):
        yield f"spec.containers: the container {TASK_CONTAINER!r} was removed"
