"""Certificates that a user brings: reading PEM and tars without believing them, and making one.

Formats: PEM (RFC 7468), X.509 (RFC 5280); names are those of the subjectAltName (RFC 6125, 6.4.4).
"""

# cryptography costs 30 ms and 8 MB, and few commands look at a certificate: so it is imported where
# it is used.
from __future__ import annotations

import datetime as dt
import io
import re
import tarfile
from dataclasses import dataclass
from typing import TYPE_CHECKING

from paas.errors import InvalidName
from paas.model import Certificate, domain_name

if TYPE_CHECKING:
    from pathlib import Path

    from cryptography import x509
    from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes, PublicKeyTypes

INPUT_BYTES = 1024 * 1024  # of all that is read: chains have some 10 KB
MEMBERS = 100  # of a tar
CHAIN = 10  # certificates
DAYS = 365  # that a generated one lives, as Dokku's
BLOCK = re.compile(
    rb"-----BEGIN ([A-Z0-9 ]{1,40})-----\s[A-Za-z0-9+/=\s:,-]{1,65536}?-----END \1-----", re.ASCII
)
HOW = "Give certificate chain and key as PEM: cat chain.crt site.key | ... certs:add APP"


@dataclass(frozen=True)
class Facts:
    """What certs:report tells of a certificate."""

    hostnames: tuple[str, ...]
    issuer: str
    subject: str
    starts_at: dt.datetime
    expires_at: dt.datetime
    is_self_signed: bool
    serial: str  # hexadecimal, as openssl prints it
    fingerprint: str  # SHA-256, in pairs


def read_certificate(data: bytes) -> Certificate:
    """Return the certificate of PEM text, or of a tar that holds PEM files.

    Raises InvalidName when there is not exactly one private key, no certificate of that key, a
    damaged part, or when it has expired.
    """
    if len(data) > INPUT_BYTES:
        raise InvalidName("This is too large for a certificate", hint=HOW)
    text = data if b"-----BEGIN " in data[:4096] else _read_tar(data)
    blocks = [(match[1], match[0]) for match in BLOCK.finditer(text)]
    keys = [block for kind, block in blocks if kind.endswith(b"PRIVATE KEY")]
    chain = [block for kind, block in blocks if kind == b"CERTIFICATE"]
    if len(keys) != 1 or not 0 < len(chain) <= CHAIN:
        raise InvalidName(
            f"One private key and its certificates were expected, not {len(keys)} and {len(chain)}",
            hint=HOW,
        )
    return _fit(keys[0], chain)


def describe(certificate: Certificate) -> Facts:
    """Return what the certificate says of itself."""
    from cryptography import x509  # noqa: PLC0415 - see the top
    from cryptography.hazmat.primitives import hashes  # noqa: PLC0415 - see the top

    leaf = x509.load_pem_x509_certificate(certificate.chain.encode())
    return Facts(
        hostnames=_names(leaf),
        issuer=leaf.issuer.rfc4514_string(),
        subject=leaf.subject.rfc4514_string(),
        starts_at=leaf.not_valid_before_utc,
        expires_at=leaf.not_valid_after_utc,
        is_self_signed=leaf.issuer == leaf.subject,
        serial=f"{leaf.serial_number:02X}".rjust(2, "0"),
        fingerprint=leaf.fingerprint(hashes.SHA256()).hex(":").upper(),
    )


def is_trusted(certificate: Certificate, bundle: Path) -> bool:
    """Whether browsers that trust the host's authorities trust it (RFC 5280 path validation)."""
    from cryptography import x509  # noqa: PLC0415 - see the top
    from cryptography.x509 import verification  # noqa: PLC0415 - see the top

    leaf, *issuers = x509.load_pem_x509_certificates(certificate.chain.encode())
    try:
        roots = x509.load_pem_x509_certificates(bundle.read_bytes())
        name = x509.DNSName(certificate.names[0].replace("*", "any", 1))
        policy = verification.PolicyBuilder().store(verification.Store(roots))
        policy.build_server_verifier(name).verify(leaf, issuers)
    except (OSError, ValueError, IndexError, verification.VerificationError):
        return False
    return True


def generate(domain: str) -> Certificate:
    """Return a new self-signed certificate for a domain. Raises InvalidName."""
    from cryptography import x509  # noqa: PLC0415 - see the top
    from cryptography.hazmat.primitives import hashes, serialization  # noqa: PLC0415 - see the top
    from cryptography.hazmat.primitives.asymmetric import ec  # noqa: PLC0415 - see the top

    name = domain_name(domain)
    key = ec.generate_private_key(ec.SECP256R1())
    now = dt.datetime.now(dt.UTC)
    # A common name holds 64 characters (RFC 5280, A.1); clients look at the other name.
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name[:64])])
    made = (
        x509.CertificateBuilder(subject, subject, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(minutes=5))
        .not_valid_after(now + dt.timedelta(days=DAYS))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    secret = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    return Certificate(made.public_bytes(pem).decode(), secret.decode(), (name,))


def _read_tar(data: bytes) -> bytes:
    """Return the text of all plain files of a tar; links and the rest are passed over."""
    try:
        with tarfile.open(fileobj=io.BytesIO(data), mode="r:") as tar:
            texts: list[bytes] = []
            for member in tar:
                file = tar.extractfile(member) if member.isreg() else None
                is_ours = not member.name.rpartition("/")[2].startswith("._")  # of a Mac's tar
                if file and is_ours and len(texts) < MEMBERS:
                    texts.append(file.read())
            return b"\n".join(texts)
    except tarfile.TarError as error:
        raise InvalidName("This is neither PEM nor a tar", hint=HOW) from error


def _fit(key_pem: bytes, blocks: list[bytes]) -> Certificate:
    """Return the key with its certificate first and the issuers behind it."""
    from cryptography import x509  # noqa: PLC0415 - see the top

    key = _load_key(key_pem)
    try:
        certificates = [x509.load_pem_x509_certificate(block) for block in blocks]
        own = [one for one in certificates if _bits(one.public_key()) == _bits(key.public_key())]
    except ValueError as error:
        raise InvalidName("A certificate is damaged", hint="Paste it whole.") from error
    if not own:
        raise InvalidName("The certificate is not of this private key", hint=HOW)
    if own[0].not_valid_after_utc <= dt.datetime.now(dt.UTC):
        raise InvalidName(
            f"The certificate has expired on {own[0].not_valid_after_utc:%Y-%m-%d}",
            hint="Have it renewed, then add it.",
        )
    from cryptography.hazmat.primitives.serialization import Encoding  # noqa: PLC0415 - see the top

    ordered = _order(own[0], certificates)
    chain = b"".join(one.public_bytes(Encoding.PEM) for one in ordered)
    return Certificate(chain.decode(), key_pem.decode() + "\n", _names(ordered[0]))


def _load_key(pem: bytes) -> PrivateKeyTypes:
    from cryptography.exceptions import UnsupportedAlgorithm  # noqa: PLC0415 - see the top
    from cryptography.hazmat.primitives.serialization import (  # noqa: PLC0415 - see the top
        load_pem_private_key,
    )

    try:
        return load_pem_private_key(pem, password=None)
    except TypeError as error:
        raise InvalidName(
            "The private key is encrypted", hint="Take its passphrase off: openssl pkey -in KEY"
        ) from error
    except (ValueError, UnsupportedAlgorithm) as error:
        raise InvalidName("The private key is damaged", hint="Paste it whole.") from error


def _bits(key: PublicKeyTypes) -> bytes:
    from cryptography.hazmat.primitives.serialization import (  # noqa: PLC0415 - see the top
        Encoding,
        PublicFormat,
    )

    return key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def _order(leaf: x509.Certificate, known: list[x509.Certificate]) -> list[x509.Certificate]:
    """Return the leaf and each one's issuer, as TLS wants them (RFC 8446, 4.4.2); no root."""
    ordered = [leaf]
    while len(ordered) < CHAIN:
        last = ordered[-1]
        issuers = [one for one in known if one.subject == last.issuer and one not in ordered]
        if not issuers or issuers[0].issuer == issuers[0].subject:
            break
        ordered.append(issuers[0])
    return ordered


def _names(leaf: x509.Certificate) -> tuple[str, ...]:
    from cryptography import x509  # noqa: PLC0415 - see the top

    try:
        names = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        return tuple(name.lower() for name in names.get_values_for_type(x509.DNSName))
    except x509.ExtensionNotFound:
        found = leaf.subject.get_attributes_for_oid(x509.NameOID.COMMON_NAME)
        return tuple(str(name.value).lower() for name in found)
