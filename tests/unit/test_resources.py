from typing import Any

import pytest

from podreduce_operator.resources import remaining_defaults

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
