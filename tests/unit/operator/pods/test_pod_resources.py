from typing import Any

import pytest

from podreduce_operator.model.pods import Requests
from podreduce_operator.pods.pod_resources import raise_memory, read_requests, remaining_defaults

DEFAULTS = {"requests": {"cpu": "100m", "memory": "512Mi"}, "limits": {"memory": "512Mi"}}


def template(resources: Any, name: str = "task") -> dict[str, Any]:
    return {"spec": {"containers": [{"name": name, "resources": resources}]}}


@pytest.mark.parametrize(
    ("templates", "left"),
    [
        pytest.param([], DEFAULTS, id="no template"),
        pytest.param(
            [template({"limits": {"memory": "256Mi"}})],
            {"requests": {"cpu": "100m"}, "limits": {}},
            id="a limit below the default request",
        ),
        pytest.param(
            [{}, template({"requests": {"memory": "2Gi"}})],
            {"requests": {"cpu": "100m"}, "limits": {}},
            id="a request above the default limit",
        ),
        pytest.param([template({"limits": {"memory": "1Gi"}}, name="sidecar")], DEFAULTS, id="of another container"),
        pytest.param([template({"limits": None}), template("much")], DEFAULTS, id="of another shape"),
        pytest.param([{"spec": {"containers": ["task"]}}, {"spec": []}], DEFAULTS, id="no pod at all"),
    ],
)
def test_a_resource_that_a_template_names_is_its_alone(templates: list[dict[str, Any]], left: dict[str, Any]) -> None:
    assert remaining_defaults(DEFAULTS, templates, "task") == left


@pytest.mark.parametrize(
    ("quantity", "raised"),
    [
        ("512Mi", str(768 * 2**20)),
        ("1Gi", str(1536 * 2**20)),
        ("1.5Gi", str(2304 * 2**20)),
        ("1G", "1500000000"),
        ("100k", "150000"),
        ("1e9", "1500000000"),
        ("1500m", "2"),
        (1000, "1500"),
        ("1000", "1500"),
        ("much", "much"),
        (None, None),
    ],
    ids=str,
)
def test_memory_is_multiplied_as_a_quantity(quantity: Any, raised: Any) -> None:
    assert raise_memory({"limits": {"memory": quantity}}, 1.5) == {"limits": {"memory": raised}}


def test_memory_is_raised_where_it_is_named_and_nothing_else() -> None:
    resources = {"limits": {"memory": "2Gi", "cpu": "1"}, "requests": {"memory": "1Gi"}, "claims": [{"name": "gpu"}]}
    assert raise_memory(resources, 2.0) == {
        "limits": {"memory": str(4 * 2**30), "cpu": "1"},
        "requests": {"memory": str(2 * 2**30)},
        "claims": [{"name": "gpu"}],
    }
    assert raise_memory(resources, 1.0) == resources
    assert raise_memory({"limits": None}, 2.0) == {"limits": None}


@pytest.mark.parametrize(
    ("resources", "expected"),
    [
        ({"requests": {"cpu": "250m", "memory": "512Mi"}, "limits": {"memory": "1Gi"}}, Requests(250, 512 * 2**20)),
        ({"requests": {"cpu": "2", "memory": "1e9"}}, Requests(2000, 10**9)),
        ({"requests": {"cpu": 0.5}}, Requests(500, None)),
        ({"requests": {"memory": "much"}}, Requests(None, None)),
        ({"requests": None}, Requests(None, None)),
        ({}, Requests(None, None)),
    ],
    ids=["both", "other units", "only cpu", "no quantity", "null", "nothing"],
)
def test_requests_are_read_as_numbers(resources: dict[str, Any], expected: Requests) -> None:
    assert read_requests(resources) == expected


def test_equal_requests_are_one_object_among_thousands_of_pods() -> None:
    resources = [{"requests": {"cpu": "100m", "memory": "64Mi"}} for _ in range(2)]
    assert read_requests(resources[0]) is read_requests(resources[1])
