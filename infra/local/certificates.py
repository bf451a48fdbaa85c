"""The certificate with which the internal servers of the embedded store recognise each other."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

from infra import private_file

#: A server reads its certificate at its start, and each start writes a new one.
_VALIDITY = timedelta(days=3650)


def write(certificate: Path, key: Path) -> None:
    """Write a new certificate and its private key. It is self-signed and its own authority.

    Raises:
        OSError: the folder cannot be written.
    """
    # The import takes a tenth of a second, and only the start of a server needs it.
    from cryptography import x509  # noqa: PLC0415
    from cryptography.hazmat.primitives import hashes, serialization  # noqa: PLC0415
    from cryptography.hazmat.primitives.asymmetric import ec  # noqa: PLC0415
    from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID  # noqa: PLC0415

    private = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    usages = [ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]
    signed = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(private.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))  # the clock may be set back
        .not_valid_after(now + _VALIDITY)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .add_extension(x509.ExtendedKeyUsage(usages), critical=False)
        .sign(private, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    secret = private.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    private_file.write(key, secret.decode())
    private_file.write(certificate, signed.public_bytes(pem).decode())
