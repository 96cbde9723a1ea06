"""The certificates of the local cloud: a private authority and one leaf for 127.0.0.1 and localhost (RFC 5280)."""

import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import uuid4

import trustme
from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.serialization import load_pem_private_key

NAMES = ("127.0.0.1", "localhost")
LIFETIME = timedelta(days=365)
SHORTEST_REST = timedelta(days=1)


@dataclass(frozen=True)
class Tls:
    """Three PEM files: what clients trust, and what servers show them."""

    ca: Path
    certificate: Path
    key: Path

    @property
    def folder(self) -> Path:
        return self.ca.parent

    @property
    def environment(self) -> Mapping[str, str]:
        """What makes clients trust the local cloud alone: sync Azure SDKs read the first, aio ones the second."""
        return {"REQUESTS_CA_BUNDLE": str(self.ca), "SSL_CERT_FILE": str(self.ca)}

    def server_context(self) -> ssl.SSLContext:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(self.certificate, self.key)
        return context


def ensure(folder: Path, *, now: datetime | None = None) -> Tls:
    """The certificates in `folder`, made where there are none or where they end within a day.

    Whoever starts several parts calls this before the first one: parts that make them at once would mix them up.
    """
    now = now or datetime.now(UTC)
    folder = folder.resolve()  # clients and servers run in other working directories
    tls = Tls(folder / "ca.pem", folder / "certificate.pem", folder / "key.pem")
    if not _usable(tls, now):
        _create(tls, now)
    return tls


def _usable(tls: Tls, now: datetime) -> bool:
    try:
        ca = x509.load_pem_x509_certificate(tls.ca.read_bytes())
        leaf = x509.load_pem_x509_certificate(tls.certificate.read_bytes())
        key = load_pem_private_key(tls.key.read_bytes(), password=None)
        leaf.verify_directly_issued_by(ca)
    except (OSError, ValueError, TypeError, InvalidSignature):
        return False
    begins = max(ca.not_valid_before_utc, leaf.not_valid_before_utc)
    ends = min(ca.not_valid_after_utc, leaf.not_valid_after_utc)
    return key.public_key() == leaf.public_key() and begins <= now < ends - SHORTEST_REST


def _create(tls: Tls, now: datetime) -> None:
    tls.folder.mkdir(parents=True, exist_ok=True)
    authority = trustme.CA(organization_name="Local cloud")
    leaf = authority.issue_cert(*NAMES, not_after=now + LIFETIME)
    _write(tls.ca, authority.cert_pem.bytes())
    _write(tls.certificate, leaf.cert_chain_pems[0].bytes())
    _write(tls.key, leaf.private_key_pem.bytes())


def _write(path: Path, content: bytes) -> None:
    """Puts the whole file in place at once, readable by its owner alone: a reader never sees half of it."""
    new = path.with_name(f".{path.name}.{uuid4().hex}")
    new.touch(mode=0o600)
    new.write_bytes(content)
    new.replace(path)
