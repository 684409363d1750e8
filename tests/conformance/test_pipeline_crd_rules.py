"""The API server takes the CRD of pipelines, whose rules have a price, and agrees with the local validator about it."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from kubernetes.client import ApiClient, CustomObjectsApi
from kubernetes.client.exceptions import ApiException
from kubernetes.config import new_client_from_config

from podreduce_operator.api.crd import GROUP, PIPELINES, VERSION, load_crd
from podreduce_operator.api.validation import apply_crd_defaults, find_rule_problems, find_schema_problems
from tests.cluster.cluster import Cluster
from tests.support.manifest_cases import ManifestCase
from tests.support.pipeline_cases import PIPELINE_CASES, PIPELINE_CRD, largest_pipeline

pytestmark = pytest.mark.e2e


@pytest.fixture(scope="module")
def api(cluster: Cluster) -> Iterator[CustomObjectsApi]:
    cluster.apply_crds(load_crd(PIPELINES))
    client: ApiClient = new_client_from_config(str(cluster.kubeconfig))
    api = CustomObjectsApi(client)
    cluster.wait_for(lambda: is_served(api), "the API of the CRD")
    yield api
    client.close()


def is_served(api: CustomObjectsApi) -> bool:
    try:
        api.list_namespaced_custom_object(GROUP, VERSION, "default", PIPELINES.plural)
    except ApiException:
        return False
    return True


def try_create(api: CustomObjectsApi, manifest: dict[str, Any]) -> dict[str, Any]:
    """What would become of the manifest; nothing is created, and unknown fields are refused as by kubectl."""
    created: dict[str, Any] = api.create_namespaced_custom_object(
        GROUP, VERSION, "default", PIPELINES.plural, manifest, dry_run="All", field_validation="Strict"
    )
    return created


@pytest.mark.parametrize("case", PIPELINE_CASES, ids=lambda case: case.id)
def test_the_api_server_agrees_with_the_table(api: CustomObjectsApi, case: ManifestCase) -> None:
    if case.refused_at is None:
        try_create(api, case.manifest())
        return
    with pytest.raises(ApiException) as refusal:
        try_create(api, case.manifest())
    causes = json.loads(refusal.value.body)["details"]["causes"]
    said = [cause["message"] for cause in causes if cause["field"] == case.refused_at]
    assert said
    words = words_of_rules(case)
    if words:
        assert any(word in message for word in words for message in said), (words, said)


def words_of_rules(case: ManifestCase) -> list[str]:
    """What the CRD's rules say of the field that is refused; nothing if its schema refuses it already."""
    manifest = apply_crd_defaults(case.manifest())
    found = () if find_schema_problems(manifest) else find_rule_problems(manifest)
    return [problem.message for problem in found if problem.path == case.refused_at]


def test_the_api_server_fills_in_the_same_defaults(api: CustomObjectsApi) -> None:
    manifest = PIPELINE_CRD.case("plain").manifest()
    assert try_create(api, manifest)["spec"] == apply_crd_defaults(manifest)["spec"]


def test_the_largest_pipeline_does_not_cost_too_much(api: CustomObjectsApi) -> None:
    manifest = largest_pipeline()
    assert len(try_create(api, manifest)["spec"]["steps"]) == len(manifest["spec"]["steps"])
