"""Reads and writes image archives (the `docker save` format) without any image builder.

Rule: an archive appears whole or not at all, and holds each layer once, however many of its images share it. Source:
docker image specification 1.2, combined image JSON and filesystem changeset format.
"""

import hashlib
import io
import json
import os
import tarfile
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Image:
    """An image: its reference, its configuration as the format has it, and its layers' files, the base first."""

    reference: str
    configuration: dict[str, Any]
    layers: tuple[Path, ...]


def image_of_one_layer(reference: str, *, layer: Path, configuration: Mapping[str, Any]) -> Image:
    """Make an image of one layer; `configuration` is its `config` object: Entrypoint, User, Env and so on."""
    whole = {
        "architecture": ARCHITECTURES[os.uname().machine],
        "os": "linux",
        "config": dict(configuration),
        "rootfs": {"type": "layers", "diff_ids": [f"sha256:{_digest(layer)}"]},
        "history": [{"created_by": "podreduce's test harness"}],  # buildah counts layers by it
    }
    return Image(reference=reference, configuration=whole, layers=(layer,))


def with_last_layer(image: Image, layer: Path) -> Image:
    """Return the image with another last layer."""
    root = image.configuration["rootfs"]
    diff_ids = [*root["diff_ids"][:-1], f"sha256:{_digest(layer)}"]
    configuration = image.configuration | {"rootfs": root | {"diff_ids": diff_ids}}
    return Image(reference=image.reference, configuration=configuration, layers=(*image.layers[:-1], layer))


def write_program_archive(
    reference: str, programs: Mapping[str, Path], target: Path, *, configuration: Mapping[str, Any]
) -> None:
    """Write the archive of an image that holds nothing but programs, each at its absolute path."""
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent) as scratch:
        layer = Path(scratch) / "layer.tar"
        layer_of_programs(programs, layer)
        write_archive([image_of_one_layer(reference, layer=layer, configuration=configuration)], target)


def write_archive(
    images: Sequence[Image], target: Path, *, repositories: Mapping[str, Mapping[str, str]] | None = None
) -> None:
    """Write images into one archive; `repositories`, the names in the format's oldest form, come first if given."""
    target.parent.mkdir(parents=True, exist_ok=True)
    partial = target.with_suffix(".partial")
    entries = []
    written: set[str] = set()
    with tarfile.open(partial, "w") as archive:
        if repositories is not None:
            _add_text(archive, "repositories", json.dumps(repositories).encode())
        for image in images:
            names = [f"{it.removeprefix('sha256:')}.tar" for it in image.configuration["rootfs"]["diff_ids"]]
            for name, layer in zip(names, image.layers, strict=True):
                if name not in written:
                    archive.add(layer, name)
                    written.add(name)
            text = json.dumps(image.configuration).encode()
            name = f"{hashlib.sha256(text).hexdigest()}.json"
            _add_text(archive, name, text)
            entries.append({"Config": name, "RepoTags": [image.reference], "Layers": names})
        _add_text(archive, "manifest.json", json.dumps(entries).encode())
    partial.rename(target)


def unpack_archive(archive: Path, directory: Path) -> Image:
    """Unpack an archive of one image into a directory, each layer's file named by its digest."""
    with tarfile.open(archive) as packed:
        packed.extractall(directory, filter="data")
    return read_unpacked(directory)


def read_unpacked(directory: Path) -> Image:
    """Read an archive of one image that was unpacked before."""
    (entry,) = json.loads((directory / "manifest.json").read_text())
    configuration = json.loads((directory / entry["Config"]).read_text())
    layers = tuple(directory / name for name in entry["Layers"])
    return Image(reference=entry["RepoTags"][0], configuration=configuration, layers=layers)


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


def layer_of_directory(directory: Path, place: str, target: Path) -> None:
    """Write a layer that holds a directory's content at an absolute path, owned by root."""

    def owned_by_root(entry: tarfile.TarInfo) -> tarfile.TarInfo:
        entry.uid = entry.gid = 0
        entry.uname = entry.gname = ""
        entry.mtime = 0
        return entry

    with tarfile.open(target, "w") as layer:
        layer.add(directory, place.lstrip("/"), filter=owned_by_root)


def _digest(layer: Path) -> str:
    with layer.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()


def _add_text(archive: tarfile.TarFile, name: str, text: bytes) -> None:
    entry = tarfile.TarInfo(name)
    entry.size = len(text)
    archive.addfile(entry, io.BytesIO(text))
