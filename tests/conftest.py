"""The fixtures with a lifetime that every tier shares, and the line at the end for each tier that did not run.

`minio` (session; needs Go once, no root): a MinIO server on loopback.
    .endpoint "http://127.0.0.1:PORT"  .region  .access_key  .secret_key
    .make_bucket(name) -> name     .store(bucket, prefix=None) -> obstore S3Store     .client() -> minio.Minio
    .stop() crashes it, .start() brings it back on the same port and data, .restart() does both
`helm` (session; needs Go once): the path of helm, for what it does without a cluster
`cluster` (session): a Kubernetes cluster that may be broken at will; see tests/cluster/cluster.py.
    .kubeconfig: Path              .provider: "named" | "kind" | "harness"
    .kubectl(*args, stdin=None, check=True, timeout=60) -> CompletedProcess[str]
    .helm(*args, check=True, timeout=300) -> CompletedProcess[str]
    .get(kind, name, namespace) -> dict | None         .list(kind, namespace, selector="") -> list[dict]
    .log(pod, namespace) -> str                        these three without a kubectl: ask as often as you like
    .apply(*manifests: dict, namespace=None)           kubectl apply, server-side, of Python manifests
    .namespace(prefix="e2e", restricted=True) -> str   a new namespace, deleted at the session's end; restricted puts
                                                       the label pod-security.kubernetes.io/enforce=restricted on it
    .load_image(archive: Path)                         a docker-archive into the nodes
    .reach(namespace, service, port) -> "127.0.0.1:40001" or "10.96.1.2:9000": an address the tests' machine can use
                                                       from now to the session's end, across restarts of the pods
    .wait_for(condition: Callable[[], T | None], what: str, timeout=60) -> T    polls every 0.2 s
`images` (session): the project's images, built from this checkout and loaded into the cluster.
    .runtime "localhost/podreduce-runtime:test"  .operator "localhost/podreduce-operator:test"
    .minio "localhost/minio:test"   (imagePullPolicy: Never or IfNotPresent)
`tests.cluster.object_store.deploy(cluster, namespace) -> ClusterMinio` runs a MinIO in that namespace and waits for it.
    .endpoint "http://minio.NAMESPACE.svc:9000" (for pods)   .outside "http://HOST:PORT" (for the tests)
    .access_key .secret_key .region  .make_bucket(name)  .store(bucket, prefix=None) -> obstore S3Store (from the tests)
    .restart()   kills the server's process; the kubelet restarts the container, data and pod stay
    .secret(work_uri) -> dict   the manifest of the Secret `podreduce-storage`

A tier is named by a marker: `integration` needs minio or helm, `e2e` needs cluster. With CI=true a tier that cannot run
fails.
"""

import asyncio
import os
import signal
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

import pytest
import structlog
from hypothesis import HealthCheck, settings

from tests.cluster import provider
from tests.cluster.build import BuildError, program
from tests.cluster.cluster import Cluster
from tests.cluster.images import Images, load_project_images
from tests.cluster.minio import MinioServer
from tests.cluster.minio import why_not as why_no_minio
from tests.support.searching import SEED, drawn
from tests.support.virtual_time import VirtualTimeLoop

# Wall-clock figures decide no test: a busy machine is no failure. A plain run draws the same cases each time.
settings.register_profile(
    "podreduce", deadline=None, derandomize=SEED == 0, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("podreduce")

TOLD = "told"
"""The property of a test's report that holds what it says to people."""

NOT_RUN: dict[str, str] = {}


@pytest.fixture(autouse=True)
def _usual_logs() -> None:
    """Let each test begin with the log of a new process: an earlier one may have run a command that sets it up."""
    structlog.reset_defaults()


def tier_cannot_run(tier: str, why: str) -> None:
    """End the test: a failure in continuous integration, a skip with its reason elsewhere."""
    NOT_RUN[tier] = why
    if os.environ.get("CI") == "true":
        pytest.fail(f"tier {tier} cannot run: {why}", pytrace=False)
    pytest.skip(f"tier {tier}: {why}")


def pytest_asyncio_loop_factories(item: pytest.Item) -> dict[str, Callable[[], asyncio.AbstractEventLoop]]:
    """Give the tests that ask for it an event loop that does not wait."""
    if item.get_closest_marker("virtual_time"):
        return {"virtual": VirtualTimeLoop}
    return {"real": asyncio.new_event_loop}


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> Iterator[None]:
    yield  # what follows comes after everything else
    for text in told(terminalreporter):
        terminalreporter.write_line(text)
    for tier, why in NOT_RUN.items():
        terminalreporter.write_line(f"tier {tier} did not run: {why}")
    if SEED:
        terminalreporter.write_line(f"{drawn()} cases drawn by seed {SEED}")


def told(terminalreporter: pytest.TerminalReporter) -> Iterator[str]:
    """Yield what tests had to say to people, from their reports: these may be of another process."""
    for reports in terminalreporter.stats.values():
        for report in reports:
            if isinstance(report, pytest.TestReport) and report.when == "call":
                yield from (str(text) for name, text in report.user_properties if name == TOLD)


@pytest.fixture
def tell(record_property: Callable[[str, object], None]) -> Callable[[str], None]:
    """Have a text shown to people when all tests are done, whether this one passes or not."""
    return lambda text: record_property(TOLD, text)


@pytest.fixture(scope="session", autouse=True)
def interrupts_are_heeded() -> None:
    """A shell lets what it starts in the background ignore Ctrl-C, and so would all that the tests start."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session", autouse=True)
def history_of_tests(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Local runs of tests go into a history of their own, and not into that of whoever runs them."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_STATE_HOME", str(tmp_path_factory.mktemp("state")))
        yield


@pytest.fixture(scope="session")
def visible_progress(pytestconfig: pytest.Config) -> Callable[[], AbstractContextManager[None]]:
    """Let what takes minutes once per machine be seen while it happens, past pytest's capture."""
    capture = pytestconfig.pluginmanager.getplugin("capturemanager")
    return capture.global_and_fixture_disabled if capture else nullcontext


@pytest.fixture(scope="session")
def minio(visible_progress: Callable[[], AbstractContextManager[None]]) -> Iterator[MinioServer]:
    if why := why_no_minio():
        tier_cannot_run("integration", why)
        return
    with visible_progress():
        server = MinioServer.create()
    yield server
    server.close()


@pytest.fixture(scope="session")
def helm(visible_progress: Callable[[], AbstractContextManager[None]]) -> Path | None:
    try:
        with visible_progress():
            return program("helm")
    except BuildError as error:
        tier_cannot_run("integration", str(error))
        return None


@pytest.fixture(scope="session")
def cluster(visible_progress: Callable[[], AbstractContextManager[None]]) -> Iterator[Cluster]:
    chosen = provider.choose()
    if isinstance(chosen, provider.NoCluster):
        tier_cannot_run("e2e", chosen.why)
        return
    with visible_progress():
        found = chosen.start()
    yield found
    found.close()


@pytest.fixture(scope="session")
def images(cluster: Cluster, visible_progress: Callable[[], AbstractContextManager[None]]) -> Images:
    with visible_progress():
        return load_project_images(cluster)
