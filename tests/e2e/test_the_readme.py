"""The README's quick start, run as written: one bash, the blocks in their order, the output against a Counter.

Among the last of this tier by its name, since it installs an operator of its own for the whole cluster and so takes
away the other tests' one. The images are loaded already; their names are the only thing that the commands are told
besides.
"""

import os
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from tests.cluster.build import program
from tests.cluster.cluster import Cluster
from tests.cluster.images import Images
from tests.cluster.paths import CHECKOUT
from tests.e2e.installation import uninstall_all

BLOCK = re.compile(r"<!-- quickstart: (\w+) -->\n```bash\n(.*?)```", re.DOTALL)
IMAGES = """
docker() { :; }
kind() { :; }
helm() {
  if [ "$1" = install ]; then set -- "$@" --set %s; fi
  command helm "$@"
}
"""


def read_blocks() -> dict[str, str]:
    """Return the README's blocks by name, in order."""
    return dict(BLOCK.findall((CHECKOUT / "README.md").read_text(encoding="utf-8")))


@pytest.mark.e2e
@pytest.mark.timeout(900)
def test_the_quick_start_works_as_written(cluster: Cluster, images: Images, tmp_path: Path) -> None:
    uninstall_all(cluster)
    script = "\n".join(f"echo '### {name}'\n{text}" for name, text in read_blocks().items())
    ran = run_script(rename_images(images) + script, cluster, tmp_path)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert "condition met" in ran.stdout
    assert re.search(r"wordcount +Complete +8/8 +3/3", ran.stdout), ran.stdout
    assert read_counts(tmp_path / "counts") == count_words(), ran.stdout


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


def run_script(script: str, cluster: Cluster, directory: Path) -> subprocess.CompletedProcess[str]:
    """Run `script` where the checkout's files are at hand and what it makes is out of the way."""
    for name in ("Dockerfile", "charts", "examples"):
        (directory / name).symlink_to(CHECKOUT / name)
    (directory / ".venv").symlink_to(sys.prefix)
    kubeconfig = directory / "kubeconfig"
    kubeconfig.write_bytes(cluster.kubeconfig.read_bytes())
    (directory / "bin").mkdir()
    if cluster.provider == "harness":
        for name in ("kubectl", "helm"):
            (directory / "bin" / name).symlink_to(program(name))
    environ = {**os.environ, "KUBECONFIG": str(kubeconfig), "PATH": f"{directory / 'bin'}:{os.environ['PATH']}"}
    namespace = cluster.namespace("quickstart")
    choose = f"kubectl config set-context --current --namespace={namespace}\n"
    return subprocess.run(
        ["bash", "-euo", "pipefail", "-c", choose + script],
        cwd=directory,
        env=environ,
        capture_output=True,
        text=True,
        timeout=850,
        check=False,
    )


def read_counts(directory: Path) -> dict[str, int]:
    """Return the output's words with their counts."""
    lines = [line for part in directory.glob("part-*") for line in part.read_text(encoding="utf-8").split("\n")[:-1]]
    pairs = [line.split("\t") for line in lines]
    return {word.replace("\\\\", "\\"): int(count) for word, count in pairs}


def count_words() -> dict[str, int]:
    """Count the words of the example's books."""
    words: Counter[str] = Counter()
    for book in (CHECKOUT / "examples" / "wordcount" / "books").iterdir():
        words.update(book.read_text(encoding="utf-8").split())
    return dict(words)
