"""The API server agrees with the local validator on every manifest of the tables; the unit tests ask the validator."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from kubernetes.client import ApiClient, CustomObjectsApi
from kubernetes.client.exceptions import ApiException
from kubernetes.config import new_client_from_config

from podreduce_operator.api.crd import GROUP, JOBS, SCHEDULES, VERSION, ResourceNames, load_crd
from tests.cluster.cluster import Cluster
from tests.support.crd_cases import CRD_CASES, DEFAULTED_SPEC, JOB_CRD
from tests.support.manifest_cases import ManifestCase
from tests.support.schedule_cases import DEFAULTED_SCHEDULE, SCHEDULE_CASES, SCHEDULE_CRD

pytestmark = pytest.mark.e2e


@pytest.fixture(scope="module")
def api(cluster: Cluster) -> Iterator[CustomObjectsApi]:
    kinds = (JOBS, SCHEDULES)
    cluster.apply_crds(*map(load_crd, kinds))
    client: ApiClient = new_client_from_config(str(cluster.kubeconfig))
    api = CustomObjectsApi(client)
    cluster.wait_for(lambda: all(is_served(api, names) for names in kinds), "the API of the CRDs")
    yield api
    client.close()


def is_served(api: CustomObjectsApi, names: ResourceNames) -> bool:
    try:
        api.list_namespaced_custom_object(GROUP, VERSION, "default", names.plural)
    except ApiException:
        return False
    return True


def try_create(api: CustomObjectsApi, manifest: dict[str, Any]) -> dict[str, Any]:
    """What would become of the manifest; nothing is created, and unknown fields are refused as by kubectl."""
    plural = next(names.plural for names in (JOBS, SCHEDULES) if names.kind == manifest["kind"])
    created: dict[str, Any] = api.create_namespaced_custom_object(
        GROUP, VERSION, "default", plural, manifest, dry_run="All", field_validation="Strict"
    )
    return created


@pytest.mark.parametrize("case", [*CRD_CASES, *SCHEDULE_CASES], ids=lambda case: f"{case.crd.kind}-{case.id}")
def test_the_api_server_agrees_with_the_table(api: CustomObjectsApi, case: ManifestCase) -> None:
    if case.refused_at is None:
        try_create(api, case.manifest())
        return
    with pytest.raises(ApiException) as refusal:
        try_create(api, case.manifest())
    status = json.loads(refusal.value.body)
    if case.is_unknown_field:
        assert f'unknown field "{case.refused_at}"' in status["message"]
        return
    assert (case.refused_at or "<nil>") in {cause["field"] for cause in status["details"]["causes"]}


def test_the_api_server_fills_in_the_same_defaults(api: CustomObjectsApi) -> None:
    assert try_create(api, JOB_CRD.case("plain").manifest())["spec"] == DEFAULTED_SPEC
    assert try_create(api, SCHEDULE_CRD.case("plain").manifest())["spec"] == DEFAULTED_SCHEDULE
