"""A stand-in for the image that the Dockerfile builds on, where no registry can be reached.

Rule: the harness's base image under the name that the Dockerfile gives, with this machine's certificate authorities,
so that pip reaches the package registry from inside a plain `docker build`.
"""

import re
import tarfile
import tempfile
from pathlib import Path

from tests.cluster.base_image import base_archive
from tests.cluster.image_archive import Image, image_of_one_layer, unpack_archive, write_archive
from tests.cluster.paths import CHECKOUT

AUTHORITIES = Path("/etc/ssl/certs/ca-certificates.crt")
PIP_SETTINGS = f"[global]\ncert = {AUTHORITIES}\n"


def name_in_dockerfile() -> str:
    """Return the default of the Dockerfile's `BASE`."""
    (name,) = re.findall(r"^ARG BASE=(\S+)$", (CHECKOUT / "Dockerfile").read_text(encoding="utf-8"), re.MULTILINE)
    return str(name)


def write_base_archive(target: Path) -> None:
    """Write the archive of the stand-in."""
    with tempfile.TemporaryDirectory(prefix="podreduce-base-") as scratch:
        base = unpack_archive(base_archive(), Path(scratch) / "base")
        trusting = _layer_of_trust(Path(scratch))
        write_archive([_with_layer(base, trusting, name_in_dockerfile())], target)


def _layer_of_trust(scratch: Path) -> Path:
    settings = scratch / "pip.conf"
    settings.write_text(PIP_SETTINGS)
    layer = scratch / "trust.tar"
    with tarfile.open(layer, "w") as archive:
        archive.add(AUTHORITIES.resolve(), str(AUTHORITIES).lstrip("/"))
        archive.add(settings, "etc/pip.conf")
    return layer


def _with_layer(base: Image, layer: Path, reference: str) -> Image:
    added = image_of_one_layer(reference, layer=layer, configuration={})
    root = base.configuration["rootfs"]
    diff_ids = [*root["diff_ids"], *added.configuration["rootfs"]["diff_ids"]]
    history = [*base.configuration["history"], *added.configuration["history"]]
    configuration = base.configuration | {"rootfs": root | {"diff_ids": diff_ids}, "history": history}
    return Image(reference=reference, configuration=configuration, layers=(*base.layers, layer))
