"""Writes an image archive (the `docker save` format) of one layer, without any image builder.

Rule: the same content gives the same bytes. For what is one static program or one root directory: the pause image,
MinIO, the base image.
"""

import hashlib
import io
import json
import os
import tarfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}


def layer_of_programs(programs: Mapping[str, Path], target: Path) -> None:
    """Write a layer that holds programs at absolute paths, and a /tmp and /data for everybody."""
    with tarfile.open(target, "w") as layer:
        for name in ("tmp", "data"):
            directory = tarfile.TarInfo(name)
            directory.type, directory.mode = tarfile.DIRTYPE, 0o1777
            layer.addfile(directory)
        for place, source in sorted(programs.items()):
            entry = tarfile.TarInfo(place.lstrip("/"))
            entry.size, entry.mode = source.stat().st_size, 0o755
            with source.open("rb") as content:
                layer.addfile(entry, content)


def write_archive(reference: str, *, layer: Path, configuration: Mapping[str, Any], target: Path) -> None:
    """Write an archive of one layer under a reference such as `localhost/pause:test`.

    `configuration` is the image's `config` object: Entrypoint, User, Env and so on. The archive appears whole or not
    at all.
    """
    with layer.open("rb") as content:
        digest = hashlib.file_digest(content, "sha256").hexdigest()
    image = json.dumps(
        {
            "architecture": ARCHITECTURES[os.uname().machine],
            "os": "linux",
            "config": dict(configuration),
            "rootfs": {"type": "layers", "diff_ids": [f"sha256:{digest}"]},
            "history": [{"created_by": "podreduce tests"}],
        }
    ).encode()
    name = f"{hashlib.sha256(image).hexdigest()}.json"
    manifest = json.dumps([{"Config": name, "RepoTags": [reference], "Layers": [f"{digest}.tar"]}]).encode()
    target.parent.mkdir(parents=True, exist_ok=True)
    partial = target.with_suffix(".partial")
    with tarfile.open(partial, "w") as archive:
        archive.add(layer, f"{digest}.tar")
        for path, text in ((name, image), ("manifest.json", manifest)):
            entry = tarfile.TarInfo(path)
            entry.size = len(text)
            archive.addfile(entry, io.BytesIO(text))
    partial.rename(target)
