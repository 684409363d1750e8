"""The README's quick start, and within it the tutorial, run as written: one bash, the blocks in their order.

Among the last of this tier by its name, since it installs an operator of its own for the whole cluster and so takes
away the other tests' one. The cluster and the images are there already; their names are the only thing that the
commands are told besides. `make kind` runs it with nothing left out.
"""

import os
from pathlib import Path

import pytest

from tests.cluster.build import program
from tests.cluster.cluster import Cluster
from tests.cluster.images import Images
from tests.e2e.installation import uninstall_all
from tests.support.quick_start import as_script, assert_it_worked, make_place, run_bash
from tests.support.tutorial import read_script, read_shown

IMAGES = """
docker() { :; }
kind() { :; }
helm() {
  if [ "$1" = install ]; then set -- "$@" --set %s; fi
  command helm "$@"
}
"""


TUTORIAL = """
echo "### the tutorial, after $SECONDS s"
(
make() { :; }
%s
)
"""


@pytest.mark.e2e
@pytest.mark.timeout(900)
def test_the_quick_start_works_as_written(cluster: Cluster, images: Images, tmp_path: Path) -> None:
    uninstall_all(cluster)
    place = make_place(tmp_path)
    kubeconfig = place / "kubeconfig"
    kubeconfig.write_bytes(cluster.kubeconfig.read_bytes())
    if cluster.provider == "harness":
        for name in ("kubectl", "helm"):
            (place / "bin" / name).symlink_to(program(name))
    choose = f"kubectl config set-context --current --namespace={cluster.namespace('quickstart')}\n"
    environment = {
        "KUBECONFIG": str(kubeconfig),
        "PATH": f"{place / 'bin'}:{os.environ['PATH']}",
        "XDG_STATE_HOME": str(place / "state"),
    }
    tutorial = TUTORIAL % (read_script("tutorial") + read_script("tutorial-cluster"))
    ran = run_bash(rename_images(images) + choose + as_script(tutorial), place=place, environment=environment)
    assert_it_worked(ran, place / "counts")
    _, _, on_cluster = ran.stdout.partition("### the tutorial")
    shown = [*read_shown("tutorial"), *read_shown("tutorial-cluster")]
    assert [line for line in shown if line not in on_cluster] == [], ran.stdout


def rename_images(images: Images) -> str:
    """Return the shell's functions that stand for what is done already."""
    repository, _, tag = images.operator.rpartition(":")
    values = {
        "image.repository": repository,
        "image.tag": tag,
        "runtimeImage": images.runtime,
        "minio.image": images.minio,
    }
    return IMAGES % ",".join(f"{name}={value}" for name, value in values.items())
