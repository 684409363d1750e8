"""Certificate authorities by the openssl command, and the cluster's: a certificate and KUBECONFIG for each client.

Rule: the cluster's keys are made anew for each cluster, and never leave the state directory.
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

DAYS = "3650"
SERVER = f"https://{CONTROL_ADDRESS}:6443"


@dataclass(frozen=True, slots=True, kw_only=True)
class Certificate:
    """Paths of a certificate and its key."""

    certificate: Path
    key: Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Authority:
    """A certificate authority whose files lie in a directory; what it has made once, it finds again."""

    directory: Path

    def certificate(self) -> Certificate:
        """Return its own certificate."""
        made = self._paths("ca")
        if not made.certificate.exists():
            self.directory.mkdir(parents=True, exist_ok=True, mode=0o700)
            _new_key(made.key)
            usage = ("-addext", "keyUsage=critical,keyCertSign,cRLSign")
            whose = ("-subj", "/CN=podreduce-tests", "-days", DAYS)
            run(["openssl", "req", "-x509", "-new", "-key", made.key, *whose, *usage, "-out", made.certificate])
        return made

    def issue(self, name: str, *, subject: str, addresses: tuple[str, ...] = ()) -> Certificate:
        """Issue a certificate for a client and, where addresses are given (`IP:…`, `DNS:…`), for a server."""
        made = self._paths(name)
        if made.certificate.exists():
            return made
        signer = self.certificate()
        _new_key(made.key)
        request = run(["openssl", "req", "-new", "-key", made.key, "-subj", subject])
        extensions = self.directory / f"{name}.ext"
        names = f"subjectAltName={','.join(addresses)}\n" if addresses else ""
        extensions.write_text(f"{STRICT}extendedKeyUsage=clientAuth,serverAuth\n{names}")
        signing = ("-CA", signer.certificate, "-CAkey", signer.key, "-CAcreateserial")
        what = ("-days", DAYS, "-extfile", extensions, "-out", made.certificate)
        run(["openssl", "x509", "-req", *signing, *what], stdin=request)
        return made

    def service_account_key(self) -> Path:
        """Return the private key that signs service account tokens."""
        path = self.directory / "service-accounts.key"
        if not path.exists():
            _new_key(path)
        return path

    def _paths(self, name: str) -> Certificate:
        return Certificate(certificate=self.directory / f"{name}.crt", key=self.directory / f"{name}.key")


CLUSTER = Authority(directory=KEYS)


def authority() -> Certificate:
    """Return the certificate of the authority that signs all others of the cluster."""
    return CLUSTER.certificate()


def service_account_key() -> Path:
    """Return the private key that signs the cluster's service account tokens."""
    return CLUSTER.service_account_key()


def issue(name: str, *, subject: str, addresses: tuple[str, ...] = ()) -> Certificate:
    """Issue one of the cluster's certificates; see `Authority.issue`."""
    return CLUSTER.issue(name, subject=subject, addresses=addresses)


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


def _new_key(path: Path) -> None:
    run(["openssl", "ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", path])
