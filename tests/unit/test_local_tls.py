import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path

from local.tls import ensure

NOW = datetime.now(UTC)


def test_certificates_are_made_once(tmp_path: Path) -> None:
    first = ensure(tmp_path / "new" / "tls")
    before = first.certificate.read_bytes(), first.ca.read_bytes(), first.key.read_bytes()
    second = ensure(tmp_path / "new" / "tls")
    assert second == first
    assert (second.certificate.read_bytes(), second.ca.read_bytes(), second.key.read_bytes()) == before


def test_certificates_that_end_within_a_day_are_replaced(tmp_path: Path) -> None:
    old = ensure(tmp_path).certificate.read_bytes()
    assert ensure(tmp_path, now=NOW + timedelta(days=363)).certificate.read_bytes() == old
    assert ensure(tmp_path, now=NOW + timedelta(days=364, hours=1)).certificate.read_bytes() != old


def test_files_that_do_not_belong_together_are_replaced(tmp_path: Path) -> None:
    ours, theirs = ensure(tmp_path / "ours"), ensure(tmp_path / "theirs")
    for name in ("ca", "certificate", "key"):
        foreign = getattr(theirs, name).read_bytes()
        getattr(ours, name).write_bytes(foreign)
        ensure(tmp_path / "ours")
        assert getattr(ours, name).read_bytes() != foreign


def test_a_broken_file_is_replaced(tmp_path: Path) -> None:
    tls = ensure(tmp_path)
    tls.certificate.write_text("-----BEGIN CERTIFICATE-----\n")
    ensure(tmp_path)
    tls.server_context()


def test_the_key_is_readable_by_its_owner_alone(tmp_path: Path) -> None:
    assert ensure(tmp_path).key.stat().st_mode & 0o077 == 0


def test_both_names_are_accepted_by_a_client_that_trusts_the_authority(tmp_path: Path) -> None:
    tls = ensure(tmp_path)
    client = ssl.create_default_context(cafile=tls.environment["SSL_CERT_FILE"])
    for name in ("127.0.0.1", "localhost"):
        assert _handshake(client, tls.server_context(), name)


def _handshake(client: ssl.SSLContext, server: ssl.SSLContext, name: str) -> bool:
    """In memory, until both sides are done; raises what the client objects to."""
    to_client, to_server = ssl.MemoryBIO(), ssl.MemoryBIO()
    sides = [client.wrap_bio(to_client, to_server, server_hostname=name)]
    sides.append(server.wrap_bio(to_server, to_client, server_side=True))
    for _ in range(10):
        waiting = False
        for side in sides:
            try:
                side.do_handshake()
            except ssl.SSLWantReadError:
                waiting = True
        if not waiting:
            return True
    return False
