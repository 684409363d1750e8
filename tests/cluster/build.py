"""Builds the cluster's programs from their Go modules, once per machine and pin.

Rule: a tool's directory name holds the digest of everything that decides its bytes, so a present directory is a
finished build. Each tool is built alone and on demand: MinIO is needed where Kubernetes is not.
"""

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

from tests.cluster.locks import only_caller
from tests.cluster.paths import HARNESS, cache_directory

KUBERNETES_VERSION = "v1.37.2"


class BuildError(Exception):
    """A tool could not be built; the message holds the compiler's last lines."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tool:
    """One Go module under `tools/` and the programs taken from it (program name -> Go package).

    `is_rarely_needed`: it is built when it is first asked for, not beforehand. `compiler_flags` is no part of what
    the representation shows, and so of no digest of a tool without them.
    """

    name: str
    programs: dict[str, str]
    linker_flags: str = ""
    tags: str = ""
    cgo: bool = False
    is_rarely_needed: bool = False
    compiler_flags: str = field(default="", repr=False)


def _kubernetes_version_flags() -> str:
    major, minor, _ = KUBERNETES_VERSION.removeprefix("v").split(".")
    values = {"gitVersion": KUBERNETES_VERSION, "gitMajor": major, "gitMinor": minor, "gitTreeState": "clean"}
    return " ".join(f"-X k8s.io/component-base/version.{name}={value}" for name, value in values.items())


_KUBERNETES = ("kube-apiserver", "kube-controller-manager", "kube-scheduler", "kubelet", "kube-proxy", "kubectl")
_CONTAINERD = ("containerd", "containerd-shim-runc-v2", "ctr")

TOOLS = {
    tool.name: tool
    for tool in (
        Tool(name="minio", programs={"minio": "github.com/minio/minio"}),
        Tool(
            name="kubernetes",
            programs={name: f"k8s.io/kubernetes/cmd/{name}" for name in _KUBERNETES},
            linker_flags=_kubernetes_version_flags(),
        ),
        Tool(name="etcd", programs={"etcd": "go.etcd.io/etcd/server/v3"}),
        Tool(
            name="containerd",
            programs={name: f"github.com/containerd/containerd/v2/cmd/{name}" for name in _CONTAINERD},
        ),
        Tool(name="runc", programs={"runc": "github.com/opencontainers/runc"}, tags="seccomp", cgo=True),
        Tool(name="coredns", programs={"coredns": "podreduce.dev/tests/cluster/tools/coredns"}),
        Tool(name="helm", programs={"helm": "helm.sh/helm/v4/cmd/helm"}),
        Tool(name="kueue", programs={"kueue": "sigs.k8s.io/kueue/cmd/kueue"}, is_rarely_needed=True),
        Tool(name="kwok", programs={"kwok": "sigs.k8s.io/kwok/cmd/kwok"}, is_rarely_needed=True),
        Tool(
            name="dockerd",
            programs={name: f"github.com/moby/moby/v2/cmd/{name}" for name in ("dockerd", "docker-proxy")},
            is_rarely_needed=True,
        ),
        Tool(
            name="docker-cli",
            programs={"docker": "github.com/docker/cli/cmd/docker"},
            compiler_flags="github.com/docker/cli/...=-lang=go1.26",  # it has no go.mod, so go takes it for old
            is_rarely_needed=True,
        ),
        # Of 0.31: that module has the pages of its interface, which the code embeds. That of 0.35 has not.
        Tool(name="alertmanager", programs={"alertmanager": "github.com/prometheus/alertmanager/cmd/alertmanager"}),
        Tool(name="buildx", programs={"docker-buildx": "github.com/docker/buildx/cmd/buildx"}, is_rarely_needed=True),
        Tool(name="kind", programs={"kind": "sigs.k8s.io/kind"}, is_rarely_needed=True),
        Tool(
            name="kubeadm",
            programs={"kubeadm": "k8s.io/kubernetes/cmd/kubeadm"},
            linker_flags=_kubernetes_version_flags(),
            is_rarely_needed=True,
        ),
        Tool(name="crictl", programs={"crictl": "sigs.k8s.io/cri-tools/cmd/crictl"}, is_rarely_needed=True),
        Tool(
            name="coredns-of-kind",
            programs={"coredns-of-kind": "podreduce.dev/tests/cluster/tools/coredns-of-kind"},
            is_rarely_needed=True,
        ),
        Tool(
            name="local-path-provisioner",
            programs={"local-path-provisioner": "github.com/rancher/local-path-provisioner"},
            is_rarely_needed=True,
        ),
    )
}
PROGRAMS = {program: tool for tool in TOOLS.values() for program in tool.programs}


def module_directory(tool: Tool) -> Path:
    """Return the Go module that pins the tool."""
    return HARNESS / "tools" / tool.name


def pins_digest(tool: Tool) -> str:
    """Digest what decides the tool's bytes: its module's files, flags, and the platform."""
    digest = hashlib.sha256(repr((tool, os.uname().machine)).encode() + tool.compiler_flags.encode())
    for path in sorted(module_directory(tool).iterdir()):
        digest.update(path.name.encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()[:12]


def tool_directory(tool: Tool) -> Path:
    """Return where the tool's programs are, or will be."""
    return cache_directory() / "tools" / f"{tool.name}-{pins_digest(tool)}" / "bin"


def program(name: str) -> Path:
    """Return the path of a program, building its tool first where this machine has not yet.

    Raises:
        BuildError: there is no such program, or the Go compiler is missing or refused.
    """
    if name not in PROGRAMS:
        raise BuildError(f"{name}: no program of the harness; it has {', '.join(PROGRAMS)}")
    return build(PROGRAMS[name]) / name


def build(tool: Tool) -> Path:
    """Build one tool if it is not built yet, and return the directory of its programs."""
    directory = tool_directory(tool)
    if directory.is_dir():
        return directory
    with only_caller(cache_directory() / "tools" / f"{tool.name}.lock"):
        if not directory.is_dir():
            _build_into(tool, directory)
    return directory


def _build_into(tool: Tool, directory: Path) -> None:
    if shutil.which("go") is None:
        raise BuildError(f"{tool.name} is built from its Go module: install Go (see {module_directory(tool)}/go.mod)")
    announce(f"building {tool.name} (once per machine)")
    started = time.monotonic()
    directory.parent.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=directory.parent.parent, prefix=f"{tool.name}-building-") as scratch:
        made = Path(scratch) / "made" / "bin"
        made.mkdir(parents=True)
        _compile(tool, made)
        made.parent.rename(directory.parent)
    announce(f"built {tool.name} in {time.monotonic() - started:.0f} s")


def _compile(tool: Tool, target: Path) -> None:
    flags = ["-trimpath", "-buildvcs=false", f"-ldflags=-s -w {tool.linker_flags}".rstrip(), f"-tags={tool.tags}"]
    if tool.compiler_flags:
        flags.append(f"-gcflags={tool.compiler_flags}")
    environment = os.environ | {"CGO_ENABLED": "1" if tool.cgo else "0", "GOWORK": "off", "GOFLAGS": ""}
    for name, package in tool.programs.items():
        finished = subprocess.run(
            ["go", "build", *flags, "-o", str(target / name), package],
            cwd=module_directory(tool),
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        if finished.returncode != 0:
            raise BuildError(f"go build of {package} failed:\n{finished.stderr[-4000:]}")


def announce(line: str) -> None:
    """Print one line of progress, past pytest's capture of standard output."""
    print(f"cluster: {line}", file=sys.__stderr__, flush=True)


def build_all() -> None:
    """Build every tool that tests need, the quickest to be needed first."""
    for tool in TOOLS.values():
        if not tool.is_rarely_needed:
            build(tool)
