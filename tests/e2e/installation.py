"""The operator as a platform engineer installs it: by its chart, with the images of this checkout."""

from dataclasses import dataclass

from tests.cluster.cluster import Cluster
from tests.cluster.images import Images
from tests.cluster.paths import CHECKOUT

__all__ = ["Installation"]

RELEASE = "podreduce"


@dataclass(frozen=True, slots=True, kw_only=True)
class Installation:
    """A release of the chart in a namespace of its own."""

    cluster: Cluster
    namespace: str

    @classmethod
    def install(cls, cluster: Cluster, images: Images) -> "Installation":
        """Install the chart and wait until the operator is ready."""
        namespace = cluster.namespace("podreduce-system")
        cluster.helm(
            *("install", RELEASE, CHECKOUT / "charts" / "podreduce", "--namespace", namespace),
            *("--set", f"image.repository={images.operator.rpartition(':')[0]}"),
            *("--set", f"image.tag={images.operator.rpartition(':')[2]}"),
            *("--set", f"runtimeImage={images.runtime}"),
            *("--wait", "--timeout", "120s"),
        )
        return cls(cluster=cluster, namespace=namespace)

    def uninstall(self) -> None:
        """Remove the release; the CRD stays, as helm leaves it."""
        self.cluster.helm("uninstall", RELEASE, "--namespace", self.namespace, "--wait", check=False)

    def logs(self, lines: int = 60) -> str:
        """Return the operator's last log lines."""
        command = ("logs", f"deployment/{RELEASE}", "--namespace", self.namespace, f"--tail={lines}")
        return self.cluster.kubectl(*command, check=False).stdout
