"""The tests take away releases of theirs alone, where the cluster is somebody's."""

import json
from subprocess import CompletedProcess
from typing import TYPE_CHECKING, Any, cast

import pytest

from tests.e2e.installation import uninstall_all

if TYPE_CHECKING:
    from tests.cluster.cluster import Cluster

OURS = {"name": "podreduce", "namespace": "podreduce-system-1", "chart": "podreduce-0.1.0"}
FOREIGN = {"name": "batch", "namespace": "data", "chart": "podreduce-0.1.0"}
OTHER = {"name": "prometheus", "namespace": "monitoring", "chart": "prometheus-27.0.0"}


class ListedCluster:
    """A cluster with releases, of which the tests have made one namespace."""

    def __init__(self, provider: str, *releases: dict[str, str]) -> None:
        self.provider, self.releases = provider, releases
        self.uninstalled: list[str] = []

    def has_made(self, namespace: str) -> bool:
        return namespace == OURS["namespace"]

    def helm(self, command: str, *arguments: str, **_: Any) -> CompletedProcess[str]:
        if command == "uninstall":
            self.uninstalled.append(arguments[0])
        return CompletedProcess((), 0, stdout=json.dumps(self.releases))


@pytest.mark.parametrize("provider", ["named", "kind", "harness"])
def test_releases_of_the_tests_are_taken_away(provider: str) -> None:
    cluster = ListedCluster(provider, OURS, OTHER)
    uninstall_all(cast("Cluster", cluster))
    assert cluster.uninstalled == ["podreduce"]


def test_in_a_cluster_for_tests_what_an_earlier_session_left_goes_too() -> None:
    cluster = ListedCluster("harness", OURS, FOREIGN)
    uninstall_all(cast("Cluster", cluster))
    assert cluster.uninstalled == ["podreduce", "batch"]


def test_in_a_cluster_of_somebodys_nothing_goes_and_the_test_says_why() -> None:
    cluster = ListedCluster("named", OURS, FOREIGN)
    with pytest.raises(pytest.skip.Exception, match="batch in the namespace data"):
        uninstall_all(cast("Cluster", cluster))
    assert cluster.uninstalled == []
