from typing import Any

import pytest

from podreduce_operator.pods.template_merge import PodTemplateError, merge_template

BASE: dict[str, Any] = {
    "metadata": {"labels": {"team": "a"}},
    "spec": {
        "tolerations": [{"key": "old"}],
        "containers": [
            {
                "name": "task",
                "image": "base",
                "env": [{"name": "A", "value": "1"}, {"name": "B", "value": "2"}],
                "resources": {"requests": {"cpu": "100m", "memory": "1Gi"}},
            }
        ],
        "volumes": [{"name": "scratch", "emptyDir": {}}],
    },
}


def task(**changes: Any) -> dict[str, Any]:
    return {"spec": {"containers": [{"name": "task", **changes}]}}


MERGES: dict[str, tuple[dict[str, Any], tuple[Any, ...], Any]] = {
    "a scalar is replaced": (task(image="mine"), ("containers", 0, "image"), "mine"),
    "a mapping is merged by field": (
        task(resources={"requests": {"memory": "2Gi"}}),
        ("containers", 0, "resources", "requests"),
        {"cpu": "100m", "memory": "2Gi"},
    ),
    "a null removes": (task(resources={"requests": None}), ("containers", 0, "resources"), {}),
    "env is merged by name and keeps its order": (
        task(env=[{"name": "C", "value": "3"}, {"name": "A", "value": "9"}]),
        ("containers", 0, "env"),
        [{"name": "A", "value": "9"}, {"name": "B", "value": "2"}, {"name": "C", "value": "3"}],
    ),
    "an env entry is replaced whole": (
        task(env=[{"name": "A", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}}]),
        ("containers", 0, "env", 0),
        {"name": "A", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}},
    ),
    "a volume is replaced whole": (
        {"spec": {"volumes": [{"name": "scratch", "ephemeral": {"volumeClaimTemplate": {}}}]}},
        ("volumes", 0),
        {"name": "scratch", "ephemeral": {"volumeClaimTemplate": {}}},
    ),
    "a container of another name is added": (
        {"spec": {"containers": [{"name": "sidecar"}]}},
        ("containers", 1),
        {"name": "sidecar"},
    ),
    "a list without a key is replaced": (
        {"spec": {"tolerations": [{"key": "new"}]}},
        ("tolerations",),
        [{"key": "new"}],
    ),
    "a label named like a list is a label": (
        {"spec": {"nodeSelector": {"env": "prod"}}},
        ("nodeSelector",),
        {"env": "prod"},
    ),
    "a field of its own is taken": ({"spec": {"nodeSelector": {"disk": "ssd"}}}, ("nodeSelector",), {"disk": "ssd"}),
}


@pytest.mark.parametrize(("patch", "path", "expected"), MERGES.values(), ids=MERGES.keys())
def test_a_template_is_merged(patch: dict[str, Any], path: tuple[Any, ...], expected: Any) -> None:
    found: Any = merge_template(BASE, patch, "spec.podTemplate")["spec"]
    for part in path:
        found = found[part]
    assert found == expected


def test_merging_leaves_the_base_alone() -> None:
    before = repr(BASE)
    merge_template(BASE, task(image="mine", env=[{"name": "A", "value": "9"}]), "spec.podTemplate")
    assert repr(BASE) == before


def test_an_empty_template_changes_nothing() -> None:
    assert merge_template(BASE, {}, "spec.podTemplate") == BASE


REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "a spec that is a string": ({"spec": "x"}, "spec.podTemplate.spec: expected a mapping"),
    "containers that are a mapping": (
        {"spec": {"containers": {}}},
        "spec.podTemplate.spec.containers: expected a list",
    ),
    "a container without a name": ({"spec": {"containers": [{}]}}, "each have 'name'"),
    "env inside a container": (task(env=["A=1"]), "spec.podTemplate.spec.containers[name=task].env: expected a list"),
}


@pytest.mark.parametrize(("patch", "words"), REFUSED.values(), ids=REFUSED.keys())
def test_a_template_of_another_shape_is_refused_with_its_path(patch: dict[str, Any], words: str) -> None:
    with pytest.raises(PodTemplateError) as refused:
        merge_template(BASE, patch, "spec.podTemplate")
    assert words in str(refused.value)
