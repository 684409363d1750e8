from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from podreduce_operator.pods.template_merge import (
    DEFAULT_KEYS,
    LIST_KEYS,
    PodTemplateError,
    join_templates,
    merge_template,
)

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


LIST_MAPS = {
    "PodSpec.containers": ("name",),
    "PodSpec.ephemeralContainers": ("name",),
    "PodSpec.evictionResponders": ("name",),
    "PodSpec.hostAliases": ("ip",),
    "PodSpec.imagePullSecrets": ("name",),
    "PodSpec.initContainers": ("name",),
    "PodSpec.resourceClaims": ("name",),
    "PodSpec.schedulingGates": ("name",),
    "PodSpec.topologySpreadConstraints": ("topologyKey", "whenUnsatisfiable"),
    "PodSpec.volumes": ("name",),
    "Container.env": ("name",),
    "Container.ports": ("containerPort", "protocol"),
    "Container.volumeDevices": ("devicePath",),
    "Container.volumeMounts": ("mountPath",),
    "ResourceRequirements.claims": ("name",),
}
"""Each list-map below PodSpec, and its keys: `x-kubernetes-list-map-keys` in the OpenAPI of Kubernetes v1.37."""

KEYS = {place.partition(".")[2]: keys for place, keys in LIST_MAPS.items()}


def make_item(keys: tuple[str, ...], marks: str, **fields: Any) -> dict[str, Any]:
    """An item whose keys are these letters, one a key."""
    return dict(zip(keys, marks, strict=True)) | fields


def merge_lists(name: str, *lists: list[Any]) -> Any:
    merged: dict[str, Any] = {}
    for items in lists:
        merged = merge_template(merged, {name: items}, "spec")
    return merged[name]


def test_the_keys_are_those_of_the_api() -> None:
    assert LIST_KEYS == KEYS


@pytest.mark.parametrize(("name", "keys"), KEYS.items(), ids=KEYS)
def test_items_that_differ_in_any_key_stay_apart(name: str, keys: tuple[str, ...]) -> None:
    one = make_item(keys, "a" * len(keys), said="one")
    others = [make_item(keys, "a" * n + "b" + "a" * (len(keys) - n - 1), said=str(n)) for n in range(len(keys))]
    assert merge_lists(name, [one], others) == [one, *others]
    assert merge_lists(name, [one, *others]) == [one, *others]


@pytest.mark.parametrize(("name", "keys"), KEYS.items(), ids=KEYS)
def test_an_item_with_the_same_keys_takes_the_place_of_the_old_one(name: str, keys: tuple[str, ...]) -> None:
    old = [make_item(keys, "a" * len(keys), said="old"), make_item(keys, "b" * len(keys))]
    new = make_item(keys, "a" * len(keys), said="new")
    assert merge_lists(name, old, [new]) == [new, old[1]]


@pytest.mark.parametrize(("name", "keys"), KEYS.items(), ids=KEYS)
def test_items_of_one_list_are_never_merged_with_each_other(name: str, keys: tuple[str, ...]) -> None:
    twice = [make_item(keys, "a" * len(keys), said=said) for said in ("one", "two")]
    assert merge_lists(name, twice) == twice
    assert merge_lists(name, [make_item(keys, "a" * len(keys))], twice) == twice


@pytest.mark.parametrize(
    ("name", "key", "default"),
    [
        ("ports", "containerPort", ("protocol", "TCP")),
        ("topologySpreadConstraints", "topologyKey", ("whenUnsatisfiable", "DoNotSchedule")),
    ],
)
def test_a_key_that_is_left_out_has_the_default_of_the_api(name: str, key: str, default: tuple[str, str]) -> None:
    assert DEFAULT_KEYS[default[0]] == default[1]
    assert merge_lists(name, [{key: 1}], [{key: 1, default[0]: default[1]}]) == [{key: 1, default[0]: default[1]}]
    assert len(merge_lists(name, [{key: 1}], [{key: 1, default[0]: "other"}])) == 2


# Two templates as one

VALUES = st.sampled_from(["a", "b"])


def fields(**values: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    """Mappings with some of the fields, each of which may be null."""
    return st.fixed_dictionaries({}, optional={name: st.none() | value for name, value in values.items()})


def items(**values: st.SearchStrategy[Any]) -> st.SearchStrategy[list[dict[str, Any]]]:
    """Lists of items with different names."""
    return st.lists(
        st.builds(lambda name, rest: {"name": name, **rest}, VALUES, fields(**values)),
        unique_by=lambda item: item["name"],
        max_size=2,
    )


TEXTS = fields(x=VALUES, y=VALUES)
CONTAINERS = items(image=VALUES, env=items(value=VALUES), resources=fields(requests=TEXTS, limits=TEXTS))
TEMPLATES = fields(
    metadata=fields(labels=TEXTS),
    spec=fields(
        containers=CONTAINERS,
        nodeSelector=TEXTS,
        priorityClassName=VALUES,
        tolerations=st.lists(fields(key=VALUES), max_size=2),
        volumes=items(emptyDir=TEXTS),
    ),
)


def without_nulls(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: without_nulls(each) for name, each in value.items() if each is not None}
    return [without_nulls(each) for each in value] if isinstance(value, list) else value


def without_removed(first: Any, second: Any) -> Any:
    """`second` without the mappings and lists that `first` removes: no template can say remove, then set."""
    if isinstance(second, list):
        by_name = {item.get("name"): item for item in first or []}
        return [without_removed(by_name.get(item.get("name"), {}), item) for item in second]
    if not isinstance(second, dict) or not isinstance(first, dict):
        return second
    return {
        name: without_removed(first.get(name, {} if isinstance(value, dict) else []), value)
        for name, value in second.items()
        if first.get(name, 0) is not None or not isinstance(value, dict | list)
    }


@given(TEMPLATES.map(without_nulls), TEMPLATES, TEMPLATES)
def test_two_templates_as_one_do_what_they_do_one_after_the_other(
    pod: dict[str, Any], first: dict[str, Any], drawn: dict[str, Any]
) -> None:
    second = without_removed(first, drawn)
    one_by_one = merge_template(merge_template(pod, first, "first"), second, "second")
    together = merge_template(pod, join_templates(first, second, "second"), "both")
    assert without_nulls(together) == without_nulls(one_by_one)
