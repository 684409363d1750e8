"""Which right each request of the operator needs, and which ones are known to be missing."""

import pytest

from podreduce_operator.cluster.kubernetes.api import core_path, custom_path
from podreduce_operator.cluster.kubernetes.missing_rights import MOST_KEPT, MissingRights, Right, right_of

JOBS = "podreduce.dev/v1beta1"


@pytest.mark.parametrize(
    ("method", "path", "watches", "expected"),
    [
        ("GET", core_path("pods", "team"), False, "list pods in the namespace team"),
        ("GET", core_path("pods", "team"), True, "watch pods in the namespace team"),
        ("GET", core_path("pods"), True, "watch pods"),
        ("GET", core_path("pods", "team", "a"), False, "get pods in the namespace team"),
        ("GET", core_path("pods", "team", "a", "log"), False, "get pods/log in the namespace team"),
        ("POST", core_path("pods", "team"), False, "create pods in the namespace team"),
        ("DELETE", core_path("pods", "team", "a"), False, "delete pods in the namespace team"),
        ("PATCH", core_path("events", "team", "a"), False, "patch events in the namespace team"),
        ("GET", core_path("namespaces", name="kube-system"), False, "get namespaces"),
        ("GET", custom_path(JOBS, "mapreducejobs"), False, "list mapreducejobs"),
        (
            "PUT",
            custom_path(JOBS, "mapreducejobs", "team", "a", "status"),
            False,
            "update mapreducejobs/status in the namespace team",
        ),
        ("GET", custom_path(JOBS, ""), False, "None"),
        ("GET", "/openapi/v3/apis/podreduce.dev/v1beta1", False, "None"),
    ],
)
def test_the_right_of_a_request(method: str, path: str, watches: bool, expected: str) -> None:
    assert str(right_of(method, path, watches=watches)) == expected


LIST, GET = Right("list", "pods", "team"), Right("get", "pods", "team")
REFUSAL = 'pods is forbidden: User "operator" cannot list resource "pods" in API group "" in the namespace "team"'


def test_a_right_is_missing_until_a_request_that_needs_it_succeeds() -> None:
    rights = MissingRights()
    rights.note(LIST, 403, REFUSAL)
    for right, status in ((GET, 200), (LIST, 403), (LIST, 500), (None, 200)):
        rights.note(right, status, REFUSAL)
        assert list(rights) == [LIST]
    rights.note(LIST, 200, "")
    assert list(rights) == []


def test_a_quota_is_no_missing_right() -> None:
    rights = MissingRights()
    rights.note(Right("create", "pods", "team"), 403, 'pods "a" is forbidden: exceeded quota: pods, requested: 1')
    assert list(rights) == []


def test_no_more_than_some_are_kept() -> None:
    rights = MissingRights()
    for number in range(10 * MOST_KEPT):
        rights.note(Right("list", "pods", f"team-{number}"), 403, REFUSAL)
    assert len(list(rights)) == MOST_KEPT
