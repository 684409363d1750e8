"""The cluster as tests see it, whatever provides it.

Rule: tests change it through kubectl and helm, as users do; what they only look at they read from the API server
itself (see `reader`). Everything a test makes lies in a namespace of its own.
"""

import json
import os
import shutil
import subprocess
import time
import uuid
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from tests.cluster.build import program
from tests.cluster.paths import cache_directory
from tests.cluster.port_forward import PortForward
from tests.cluster.processes import ClusterError
from tests.cluster.reader import Reader

Found = TypeVar("Found")
RESTRICTED = {"pod-security.kubernetes.io/enforce": "restricted"}


class Cluster:
    """A cluster that tests may break. `close()` removes what was made through it."""

    def __init__(
        self,
        *,
        provider: str,
        kubeconfig: Path,
        load: Callable[[Path], None],
        release: Callable[[], None],
        services_are_reachable: bool = False,
    ) -> None:
        self.provider = provider
        self.kubeconfig = kubeconfig
        self._reader = Reader(kubeconfig)
        self._load = load
        self._release = release
        self._services_are_reachable = services_are_reachable
        self._namespaces: list[str] = []
        self._forwards: dict[tuple[str, str, int], PortForward] = {}

    def kubectl(
        self, *arguments: str | Path, stdin: str | None = None, check: bool = True, timeout: float = 60
    ) -> subprocess.CompletedProcess[str]:
        """Run kubectl as the administrator; with `check` a failure raises with what kubectl said."""
        return self._run(self._program("kubectl"), *arguments, stdin=stdin, check=check, timeout=timeout)

    def helm(
        self, *arguments: str | Path, check: bool = True, timeout: float = 300
    ) -> subprocess.CompletedProcess[str]:
        """Run helm as the administrator."""
        return self._run(self._program("helm"), *arguments, stdin=None, check=check, timeout=timeout)

    def get(self, kind: str, name: str, namespace: str) -> dict[str, Any] | None:
        """Return an object, or None where there is none."""
        return self._reader.get(kind, name, namespace)

    def list(self, kind: str, namespace: str, selector: str = "") -> list[dict[str, Any]]:
        """Return the objects of a kind in a namespace."""
        return self._reader.list(kind, namespace, selector)

    def log(self, pod: str, namespace: str) -> str:
        """Return what a pod of one container has printed; empty while it cannot be read."""
        return self._reader.log(pod, namespace)

    def apply(self, *manifests: dict[str, Any], namespace: str | None = None) -> None:
        """Apply manifests, server-side, in a namespace where one is given."""
        place = ("--namespace", namespace) if namespace else ()
        items = json.dumps({"apiVersion": "v1", "kind": "List", "items": manifests})
        self.kubectl("apply", "--server-side", "--force-conflicts", *place, "-f", "-", stdin=items)

    def namespace(self, prefix: str = "e2e", *, restricted: bool = True) -> str:
        """Create a namespace of a new name, removed when the cluster is given back."""
        name = f"{prefix}-{uuid.uuid4().hex[:8]}"
        labels = RESTRICTED if restricted else {}
        self.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}})
        self._namespaces.append(name)
        account = ("serviceaccount", "default", name)
        self.wait_for(lambda: self.get(*account), f"the default service account of {name}")
        return name

    def has_made(self, namespace: str) -> bool:
        """Tell whether a namespace was created through this cluster."""
        return namespace in self._namespaces

    def load_image(self, archive: Path) -> None:
        """Load an image archive into every node; a second time does nothing on the harness."""
        self._load(archive)

    def reach(self, namespace: str, service: str, port: int) -> str:
        """Return HOST:PORT at which this machine reaches a Service, now and after its pods were replaced."""
        if self._services_are_reachable:
            found = self.get("service", service, namespace)
            if found is None:
                raise ClusterError(f"there is no service {service} in namespace {namespace}")
            return f"{found['spec']['clusterIP']}:{port}"
        place = (namespace, service, port)
        if place not in self._forwards:
            command = (
                self._program("kubectl"),
                f"--kubeconfig={self.kubeconfig}",
                "port-forward",
                "--namespace",
                namespace,
            )
            self._forwards[place] = PortForward(command, f"service/{service}", port)
        return self._forwards[place].address

    def apply_crds(self, *crds: Mapping[str, Any]) -> None:
        """Apply CRDs, and wait until the API server has established them.

        For a moment a new one has no conditions, and kubectl refuses to wait for one of them.
        """
        self.apply(*map(dict, crds))
        names = [f"crd/{crd['metadata']['name']}" for crd in crds]
        wait = partial(self.kubectl, "wait", "--for=condition=Established", *names, "--timeout=30s", check=False)
        self.wait_for(lambda: wait().returncode == 0, f"{', '.join(names)}: the condition Established")

    def wait_for(self, condition: Callable[[], Found | None], what: str, timeout: float = 60) -> Found:
        """Poll until the condition returns something, and return that.

        Raises:
            ClusterError: it did not within the time; the message says what was awaited.
        """
        deadline = time.monotonic() + timeout
        while time.monotonic() < deadline:
            if found := condition():
                return found
            time.sleep(0.2)
        raise ClusterError(f"waited {timeout:.0f} s in vain for {what}")

    def close(self) -> None:
        """Remove the namespaces and give the cluster back."""
        for forward in self._forwards.values():
            forward.close()
        if self._namespaces:
            self.kubectl("delete", "namespace", *self._namespaces, "--wait=false", "--ignore-not-found", check=False)
        self._release()

    def _program(self, name: str) -> Path:
        """Return the harness's own program; on another's cluster rather the one that is installed."""
        installed = None if self.provider == "harness" else shutil.which(name)
        return Path(installed) if installed else program(name)

    def _run(
        self, *argv: str | Path, stdin: str | None, check: bool, timeout: float
    ) -> subprocess.CompletedProcess[str]:
        finished = subprocess.run(
            argv,
            input=stdin,
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
            env=os.environ | {"KUBECONFIG": str(self.kubeconfig), "KUBECACHEDIR": str(cache_directory() / "kubectl")},
        )
        if check and finished.returncode != 0:
            words = " ".join(str(word) for word in (argv[0].name if isinstance(argv[0], Path) else argv[0], *argv[1:]))
            raise ClusterError(f"`{words}` ended with {finished.returncode}:\n{finished.stderr}{finished.stdout}")
        return finished
