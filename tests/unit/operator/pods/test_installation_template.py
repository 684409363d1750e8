from typing import Any

import pytest

from podreduce_operator.pods.installation_template import check_installation_template
from podreduce_operator.pods.template_merge import PodTemplateError


def with_task(**fields: Any) -> dict[str, Any]:
    return {"spec": {"containers": [{"name": "task", **fields}]}}


@pytest.mark.parametrize(
    "template",
    [
        {},
        {"metadata": {"labels": {"team": "a"}}},
        {"spec": {"securityContext": {"runAsUser": None}, "imagePullSecrets": [{"name": "x"}]}},
        {"spec": {"tolerations": [{"operator": "Exists"}], "containers": [{"name": "sidecar", "image": "x"}]}},
        with_task(env=[{"name": "HTTPS_PROXY", "value": "http://proxy:3128"}]),
    ],
    ids=["empty", "labels", "security", "sidecar", "environment"],
)
def test_a_template_of_the_shape_of_a_pod_is_taken(template: dict[str, Any]) -> None:
    check_installation_template(template)


@pytest.mark.parametrize(
    ("template", "problem"),
    [
        ({"nodeSelector": {}}, r"\.nodeSelector: a pod template has metadata and spec"),
        ({"spec": []}, r"\.spec: expected a mapping, not list"),
        ({"spec": {"nodeSelector": ["a"]}}, r"\.spec\.nodeSelector: expected a mapping, not list"),
        ({"spec": {"nodeSelector": {"ssd": True}}}, r"\.spec\.nodeSelector\.ssd: expected a text; put it in quotes"),
        ({"metadata": {"labels": {"year": 2026}}}, r"\.metadata\.labels\.year: expected a text"),
        ({"metadata": {"annotations": {"a": {}}}}, r"\.metadata\.annotations\.a: expected a text"),
        ({"spec": {"imagePullSecrets": ["x"]}}, r"\.spec\.imagePullSecrets: expected a list of mappings .* 'name'"),
        ({"spec": {"tolerations": {"key": "x"}}}, r"\.spec\.tolerations: expected a list of mappings"),
        ({"spec": {"containers": None}}, r"\.spec\.containers: the container 'task' was removed"),
        (with_task(env={"A": "b"}), r"\.env: expected a list of mappings"),
        ({"spec": {"env": []}}, r"\.spec\.env: put it into spec\.containers, into the container named task"),
        (with_task(image="x"), r"\.spec\.containers\[name=task\]\.image: set runtimeImage instead"),
        (with_task(resources={}), r"\.spec\.containers\[name=task\]\.resources: set tasks\.resources instead"),
    ],
    ids=lambda case: None if isinstance(case, dict) else case.partition(":")[0].replace("\\", ""),
)
def test_a_template_that_would_fail_every_job_is_refused(template: dict[str, Any], problem: str) -> None:
    with pytest.raises(PodTemplateError, match=rf"^tasks\.podTemplate.*{problem}"):
        check_installation_template(template)
