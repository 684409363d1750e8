"""Imports an image archive into a containerd, without the layers that it holds already.

Rule: what goes in is an OCI layout made on the fly from our own archives, whose layers are named by their digests;
containerd takes a missing blob from its own store. After a change of source that is 2 MB in place of 560.
Source: OCI image specification 1.1, image layout; containerd's annotation for a whole reference.
"""

import hashlib
import io
import json
import re
import subprocess
import tarfile
from collections.abc import Sequence
from pathlib import Path
from typing import IO, Any

from tests.cluster.commands import run
from tests.cluster.processes import ClusterError

MANIFEST = "application/vnd.oci.image.manifest.v1+json"
CONFIGURATION = "application/vnd.oci.image.config.v1+json"
LAYER = "application/vnd.oci.image.layer.v1.tar"
NAME = "io.containerd.image.name"


def import_archive(ctr: Sequence[str | Path], archive: Path) -> None:
    """Import all images of an archive; `ctr` is the beginning of a command to the containerd.

    Raises:
        ClusterError: containerd refused the archive.
    """
    if not _names_layers_by_digest(archive):
        run([*ctr, "images", "import", "--local", archive])
        return
    known = set(run([*ctr, "content", "ls", "--quiet"]).split())
    command = [*ctr, "images", "import", "--local", "-"]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    ) as importing:
        if importing.stdin is None or importing.stdout is None:
            raise ClusterError("ctr has no input to write the archive to")
        with importing.stdin, tarfile.open(archive) as source:
            write_layout(source, importing.stdin, known)
        said = importing.stdout.read().decode(errors="replace")
    if importing.returncode != 0:
        raise ClusterError(f"containerd did not take {archive}: {said[-2000:]}")


def _names_layers_by_digest(archive: Path) -> bool:
    """Tell our own archives from those of a docker or podman, which name layers in other ways."""
    with tarfile.open(archive) as source:
        entries = json.loads(_read(source, "manifest.json"))
    return all(re.fullmatch(r"[0-9a-f]{64}\.tar", name) for entry in entries for name in entry["Layers"])


def write_layout(source: tarfile.TarFile, target: IO[bytes], known: set[str]) -> None:
    """Write an archive (the `docker save` format, layers named by digest) as an OCI layout less the known blobs."""
    entries = json.loads(_read(source, "manifest.json"))
    with tarfile.open(fileobj=target, mode="w|") as layout:
        _add(layout, "oci-layout", json.dumps({"imageLayoutVersion": "1.0.0"}).encode())
        manifests = [_add_image(layout, source, entry, known) for entry in entries]
        index = {"schemaVersion": 2, "manifests": manifests}
        _add(layout, "index.json", json.dumps(index).encode())


def _add_image(
    layout: tarfile.TarFile, source: tarfile.TarFile, entry: dict[str, Any], known: set[str]
) -> dict[str, Any]:
    layers = []
    for name in entry["Layers"]:
        member = source.getmember(name)
        digest = f"sha256:{name.removesuffix('.tar')}"
        layers.append({"mediaType": LAYER, "digest": digest, "size": member.size})
        if digest not in known:
            known.add(digest)
            blob = tarfile.TarInfo(_blob(digest))
            blob.size = member.size
            layout.addfile(blob, source.extractfile(member))
    configuration = _add_blob(layout, CONFIGURATION, _read(source, entry["Config"]))
    manifest = {"schemaVersion": 2, "mediaType": MANIFEST, "config": configuration, "layers": layers}
    described = _add_blob(layout, MANIFEST, json.dumps(manifest).encode())
    return described | {"annotations": {NAME: entry["RepoTags"][0]}}


def _add_blob(layout: tarfile.TarFile, media_type: str, content: bytes) -> dict[str, Any]:
    digest = f"sha256:{hashlib.sha256(content).hexdigest()}"
    _add(layout, _blob(digest), content)
    return {"mediaType": media_type, "digest": digest, "size": len(content)}


def _blob(digest: str) -> str:
    return f"blobs/{digest.replace(':', '/')}"


def _add(layout: tarfile.TarFile, name: str, content: bytes) -> None:
    entry = tarfile.TarInfo(name)
    entry.size = len(content)
    layout.addfile(entry, io.BytesIO(content))


def _read(source: tarfile.TarFile, name: str) -> bytes:
    file = source.extractfile(name)
    if file is None:
        raise ClusterError(f"{source.name!r} holds no file {name}: it is no image archive")
    return file.read()
