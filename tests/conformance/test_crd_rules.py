"""The API server agrees with the local validator on every manifest of the table; the unit tests ask the validator."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from kubernetes.client import ApiClient, CustomObjectsApi
from kubernetes.client.exceptions import ApiException
from kubernetes.config import new_client_from_config

from podreduce_operator.api.crd import GROUP, PLURAL, VERSION, load_crd
from tests.cluster.cluster import Cluster
from tests.support.crd_cases import CRD_CASES, DEFAULTED_SPEC, CrdCase

pytestmark = pytest.mark.e2e


@pytest.fixture(scope="module")
def api(cluster: Cluster) -> Iterator[CustomObjectsApi]:
    crd: dict[str, Any] = dict(load_crd())
    cluster.apply(crd)
    cluster.kubectl("wait", "--for=condition=Established", f"crd/{crd['metadata']['name']}", "--timeout=30s")
    client: ApiClient = new_client_from_config(str(cluster.kubeconfig))
    api = CustomObjectsApi(client)
    cluster.wait_for(lambda: is_served(api), "the API of the CRD")
    yield api
    client.close()


def is_served(api: CustomObjectsApi) -> bool:
    try:
        api.list_namespaced_custom_object(GROUP, VERSION, "default", PLURAL)
    except ApiException:
        return False
    return True


def try_create(api: CustomObjectsApi, manifest: dict[str, Any]) -> dict[str, Any]:
    """What would become of the manifest; nothing is created, and unknown fields are refused as by kubectl."""
    created: dict[str, Any] = api.create_namespaced_custom_object(
        GROUP, VERSION, "default", PLURAL, manifest, dry_run="All", field_validation="Strict"
    )
    return created


@pytest.mark.parametrize("case", CRD_CASES, ids=lambda case: case.id)
def test_the_api_server_agrees_with_the_table(api: CustomObjectsApi, case: CrdCase) -> None:
    if case.refused_at is None:
        try_create(api, case.manifest())
        return
    with pytest.raises(ApiException) as refusal:
        try_create(api, case.manifest())
    status = json.loads(refusal.value.body)
    if case.is_unknown_field:
        assert f'unknown field "{case.refused_at}"' in status["message"]
        return
    assert case.refused_at in {cause["field"] for cause in status["details"]["causes"]}


def test_the_api_server_fills_in_the_same_defaults(api: CustomObjectsApi) -> None:
    assert try_create(api, CrdCase(id="plain").manifest())["spec"] == DEFAULTED_SPEC
