"""The cluster's keys: one authority, and a certificate and KUBECONFIG for each of its clients.

Rule: made anew for each cluster, by the openssl command, and never leaves the state directory.
"""

import json
from dataclasses import dataclass
from pathlib import Path

from tests.cluster.commands import run
from tests.cluster.network import CONTROL_ADDRESS
from tests.cluster.paths import STATE

KEYS = STATE / "keys"
STRICT = """\
basicConstraints=critical,CA:FALSE
keyUsage=critical,digitalSignature,keyEncipherment
subjectKeyIdentifier=hash
authorityKeyIdentifier=keyid
"""
"""What RFC 5280 asks of a certificate, and Python 3.13 of its peers."""

SERVER = f"https://{CONTROL_ADDRESS}:6443"


@dataclass(frozen=True, slots=True, kw_only=True)
class Certificate:
    """Paths of a certificate and its key."""

    certificate: Path
    key: Path


def authority() -> Certificate:
    """Return the authority that signs all others, made at first use."""
    made = _paths("ca")
    if not made.certificate.exists():
        KEYS.mkdir(parents=True, exist_ok=True, mode=0o700)
        _new_key(made.key)
        run(
            [
                "openssl",
                "req",
                "-x509",
                "-new",
                "-key",
                made.key,
                "-days",
                "3650",
                "-subj",
                "/CN=podreduce-tests",
                "-addext",
                "keyUsage=critical,keyCertSign,cRLSign",
                "-out",
                made.certificate,
            ]
        )
    return made


def service_account_key() -> Path:
    """Return the private key that signs service account tokens."""
    path = KEYS / "service-accounts.key"
    if not path.exists():
        _new_key(path)
    return path


def issue(name: str, *, subject: str, addresses: tuple[str, ...] = ()) -> Certificate:
    """Issue a certificate for a client and, where addresses are given (`IP:…`, `DNS:…`), for a server."""
    made = _paths(name)
    if made.certificate.exists():
        return made
    signer = authority()
    _new_key(made.key)
    request = run(["openssl", "req", "-new", "-key", made.key, "-subj", subject])
    extensions = KEYS / f"{name}.ext"
    names = f"subjectAltName={','.join(addresses)}\n" if addresses else ""
    extensions.write_text(f"{STRICT}extendedKeyUsage=clientAuth,serverAuth\n{names}")
    run(
        [
            "openssl",
            "x509",
            "-req",
            "-CA",
            signer.certificate,
            "-CAkey",
            signer.key,
            "-CAcreateserial",
            "-days",
            "3650",
            "-extfile",
            extensions,
            "-out",
            made.certificate,
        ],
        stdin=request,
    )
    return made


def kubeconfig(name: str, *, subject: str) -> Path:
    """Write the KUBECONFIG of one client, its keys within, and return its path."""
    path = STATE / f"{name}.kubeconfig"
    if path.exists():
        return path
    certificate = issue(name, subject=subject)
    user = {
        "client-certificate": str(certificate.certificate),
        "client-key": str(certificate.key),
    }
    server = {"server": SERVER, "certificate-authority": str(authority().certificate)}
    partial = path.with_suffix(".partial")
    partial.write_text(
        json.dumps(
            {
                "apiVersion": "v1",
                "kind": "Config",
                "clusters": [{"name": "podreduce", "cluster": server}],
                "users": [{"name": name, "user": user}],
                "contexts": [{"name": "podreduce", "context": {"cluster": "podreduce", "user": name}}],
                "current-context": "podreduce",
            },
            indent=1,
        )
    )
    partial.chmod(0o600)
    partial.rename(path)
    return path


def _paths(name: str) -> Certificate:
    return Certificate(certificate=KEYS / f"{name}.crt", key=KEYS / f"{name}.key")


def _new_key(path: Path) -> None:
    run(["openssl", "ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", path])
