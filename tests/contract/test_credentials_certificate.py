"""An app that proves who it is by a certificate in the vault, instead of a client secret."""

import base64
from dataclasses import dataclass, replace
from uuid import uuid4

import pytest
import trustme
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import pkcs12

from shared.credentials import Credentials
from shared.sign_in import certificate
from tests.contract.signed_in_app import SignedInApp, refused
from tests.unit.gates import events, names

FORMS = (
    *("PKCS#12", "PKCS#12 with chain", "PEM, key first", "PEM, PKCS#8 key first", "PEM, certificate first"),
    *("PEM, key first, with chain", "PEM, certificate first, with chain", "PEM, with carriage returns"),
)


@dataclass(frozen=True)
class Certificates:
    """Two certificates of the app, one after the other, and the authority that issued them."""

    authority: trustme.CA
    old: trustme.LeafCert
    new: trustme.LeafCert


@pytest.fixture(scope="module")
def certificates() -> Certificates:
    authority = trustme.CA(key_type=trustme.KeyType.RSA)
    old, new = (authority.issue_cert(f"{name}.test", key_type=trustme.KeyType.RSA) for name in ("old", "new"))
    return Certificates(authority, old, new)


def pem(leaf: trustme.LeafCert) -> str:
    return leaf.cert_chain_pems[0].bytes().decode()


def key_pem(leaf: trustme.LeafCert) -> str:
    return leaf.private_key_pem.bytes().decode()


def pkcs12_of(leaf: trustme.LeafCert, *chain: str) -> str:
    """As Key Vault gives it."""
    key = serialization.load_pem_private_key(key_pem(leaf).encode(), None)
    assert isinstance(key, RSAPrivateKey)
    cas = [x509.load_pem_x509_certificate(text.encode()) for text in chain]
    own = x509.load_pem_x509_certificate(pem(leaf).encode())
    encryption = serialization.NoEncryption()
    return base64.b64encode(pkcs12.serialize_key_and_certificates(b"app", key, own, cas, encryption)).decode()


def forms(leaf: trustme.LeafCert, ca: str) -> dict[str, str]:
    key = serialization.load_pem_private_key(key_pem(leaf).encode(), None)
    pkcs8 = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode()
    return {
        "PKCS#12": pkcs12_of(leaf),
        "PKCS#12 with chain": pkcs12_of(leaf, ca),
        "PEM, key first": key_pem(leaf) + pem(leaf),
        "PEM, PKCS#8 key first": pkcs8 + pem(leaf),
        "PEM, certificate first": pem(leaf) + key_pem(leaf),
        "PEM, key first, with chain": pkcs8 + pem(leaf) + ca,
        "PEM, certificate first, with chain": pem(leaf) + ca + pkcs8,
        "PEM, with carriage returns": (pkcs8 + pem(leaf)).replace("\n", "\r\n"),
    }


def with_certificate(app: SignedInApp, value: str) -> Credentials:
    name = f"certificate-{uuid4().hex}"
    app.settings = replace(app.settings, client_certificate_name=name)
    app.secrets.set_secret(name, value)
    return app.credentials()


@pytest.mark.parametrize("form", FORMS)
def test_a_certificate_opens_the_token_endpoint_in_every_form(
    app: SignedInApp, certificates: Certificates, form: str
) -> None:
    value = forms(certificates.old, certificates.authority.cert_pem.bytes().decode())[form]
    app.partner.control("PUT", "client", {"certificate": pem(certificates.old)})
    app.put_client_secret("not used")
    assert app.api_status(with_certificate(app, value).get_token()) == 200
    shown = x509.load_pem_x509_certificate(certificate(value)["public_certificate"].encode())
    assert shown == x509.load_pem_x509_certificate(pem(certificates.old).encode()), "the leaf, not its issuer"


def test_a_certificate_that_is_replaced_is_picked_up_without_a_restart(
    app: SignedInApp, caplog: pytest.LogCaptureFixture, certificates: Certificates
) -> None:
    app.partner.control("PUT", "client", {"certificate": pem(certificates.old)})
    credentials = with_certificate(app, pkcs12_of(certificates.old))
    credentials.get_token()
    app.partner.control("PUT", "client", {"certificate": pem(certificates.new)})
    credentials.drop_token()
    error = refused(credentials)
    assert (error.code, error.aadsts) == ("invalid_client", 700027)
    app.secrets.set_secret(str(app.settings.client_certificate_name), pkcs12_of(certificates.new))
    assert app.api_status(credentials.get_token()) == 200
    assert names(caplog) == ["auth.renewed", "auth.credential_invalid", "auth.renewed"]


def test_what_is_no_certificate_is_refused_and_not_shown(app: SignedInApp, caplog: pytest.LogCaptureFixture) -> None:
    value = "c2VjcmV0LW5vdC1hLWNlcnRpZmljYXRl"
    error = refused(with_certificate(app, value))
    assert error.code == "invalid_certificate"
    ((event, fields),) = events(caplog)
    assert (event, fields["oauth_error"]) == ("auth.credential_invalid", "invalid_certificate")
    assert app.exchanges == []
    told = [f"{record.getMessage()} {record.exc_info}" for record in caplog.records] + [f"{error!r} {vars(error)}"]
    assert not [line for line in told if value in line or "secret-not-a-certificate" in line]
