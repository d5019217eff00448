"""Certificates that users bring: what is read, in which order it is kept, what is refused."""

import datetime as dt
import io
import tarfile
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID

from paas.certificates import describe, generate, is_trusted, read_certificate
from paas.errors import InvalidName
from paas.model import Certificate

SHOP = generate("shop.example.org")
NOW = dt.datetime.now(dt.UTC)


def name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, text)])


def signed(subject: str, issuer: str, key: ec.EllipticCurvePrivateKey, days: int = 9) -> bytes:
    """Return a certificate of `key`, by name only: paas does not check signatures."""
    made = x509.CertificateBuilder(name(issuer), name(subject), key.public_key(), 7)
    made = made.not_valid_before(NOW - dt.timedelta(days=10))
    signed_by = ec.generate_private_key(ec.SECP256R1())
    certificate = made.not_valid_after(NOW + dt.timedelta(days=days)).sign(
        signed_by, hashes.SHA256()
    )
    return certificate.public_bytes(serialization.Encoding.PEM)


def secret(key: ec.EllipticCurvePrivateKey, passphrase: bytes | None = None) -> bytes:
    how = (
        serialization.BestAvailableEncryption(passphrase)
        if passphrase
        else serialization.NoEncryption()
    )
    return key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, how)


def new_key() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


def tar(files: dict[str, bytes]) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        link = tarfile.TarInfo("link.pem")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        archive.addfile(link)
        for path, data in files.items():
            member = tarfile.TarInfo(path)
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    return out.getvalue()


def test_key_and_certificate_may_come_in_any_order() -> None:
    text = f"{SHOP.key}\nsome words\n{SHOP.chain}".encode()
    assert read_certificate(text) == read_certificate(f"{SHOP.chain}{SHOP.key}".encode())
    assert read_certificate(text).names == ("shop.example.org",)


def test_a_tar_may_be_nested_and_hold_a_mac_s_files() -> None:
    files = {"a/server.crt": SHOP.chain.encode(), "a/server.key": SHOP.key.encode()}
    assert read_certificate(tar({"a/._server.key": b"\0Mac", **files})).names == (
        "shop.example.org",
    )


def test_the_chain_begins_with_the_key_s_own_and_leaves_out_the_root() -> None:
    key = new_key()
    root, middle = signed("root", "root", new_key()), signed("middle", "root", new_key())
    leaf = signed("shop.example.org", "middle", key)
    found = read_certificate(b"\n".join((root, middle, leaf, secret(key))))
    chain = x509.load_pem_x509_certificates(found.chain.encode())
    assert [one.subject.rfc4514_string() for one in chain] == ["CN=shop.example.org", "CN=middle"]


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (SHOP.chain.encode(), "not 0 and 1"),
        (SHOP.key.encode(), "not 1 and 0"),
        ((SHOP.key + SHOP.key + SHOP.chain).encode(), "not 2 and 1"),
        ((generate("a.b").key + SHOP.chain).encode(), "not of this private key"),
        (b"", "neither PEM nor a tar"),
        (b"\x1f\x8b\x08 no tar", "neither PEM nor a tar"),
        (b"-----BEGIN " + b"x" * (1 << 20), "too large"),
        ((SHOP.key + SHOP.chain.replace("MII", "MIX", 1)).encode(), "damaged"),
        (SHOP.key.replace("M", "N", 1).encode() + SHOP.chain.encode(), "damaged"),
    ],
    ids=(
        "certificate alone", "key alone", "two keys", "another key", "nothing", "no tar",
        "too much", "damaged certificate", "damaged key",
    ),
)  # fmt: skip
def test_what_does_not_fit_is_refused_with_its_cause(data: bytes, why: str) -> None:
    with pytest.raises(InvalidName, match=why):
        read_certificate(data)


def test_an_encrypted_key_and_an_expired_certificate_are_refused() -> None:
    key = new_key()
    with pytest.raises(InvalidName, match="encrypted"):
        read_certificate(secret(key, b"word") + signed("a.b", "a.b", key))
    with pytest.raises(InvalidName, match="expired"):
        read_certificate(secret(key) + signed("a.b", "a.b", key, days=-1))


def test_a_wildcard_covers_one_level() -> None:
    wild = Certificate("", "", ("*.example.org",))
    covered = [wild.covers(name) for name in ("a.example.org", "a.b.example.org", "example.org")]
    assert covered == [True, False, False]


def test_the_key_is_not_shown_by_accident() -> None:
    assert "PRIVATE" not in repr(SHOP)


def test_a_generated_one_lives_a_year_and_says_that_it_is_self_signed() -> None:
    facts = describe(SHOP)
    assert facts.is_self_signed
    assert (facts.expires_at - NOW).days in {364, 365}
    assert facts.hostnames == ("shop.example.org",)


def issued(key: ec.EllipticCurvePrivateKey, domain: str | None = None) -> x509.Certificate:
    """Return an authority's own certificate; with a domain, one that it gave for it."""
    usage = x509.KeyUsage(
        **dict.fromkeys(
            ("digital_signature", "key_cert_sign", "crl_sign"),  # as authorities have it
            True,
        ),
        **dict.fromkeys(
            ("content_commitment", "key_encipherment", "data_encipherment", "key_agreement"), False
        ),
        encipher_only=False,
        decipher_only=False,
    )
    theirs = new_key() if domain else key
    made = x509.CertificateBuilder(name("root"), name(domain or "root"), theirs.public_key(), 9)
    made = made.not_valid_before(NOW - dt.timedelta(days=1))
    made = made.not_valid_after(NOW + dt.timedelta(days=9))
    made = made.add_extension(x509.BasicConstraints(ca=not domain, path_length=None), critical=True)
    issuer = x509.AuthorityKeyIdentifier.from_issuer_public_key(key.public_key())
    made = made.add_extension(issuer, critical=False)
    if domain:
        names = x509.SubjectAlternativeName([x509.DNSName(domain)])
        server = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH])
        made = made.add_extension(names, critical=False).add_extension(server, critical=False)
    else:
        own = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
        made = made.add_extension(usage, critical=True).add_extension(own, critical=False)
    return made.sign(key, hashes.SHA256())


@pytest.mark.parametrize("domain", ["shop.example.org", "*.example.org"])
def test_what_an_authority_of_the_host_signed_is_trusted_and_nothing_else(
    tmp_path: Path, domain: str
) -> None:
    root = new_key()
    bundle = tmp_path / "ca.crt"
    bundle.write_bytes(issued(root).public_bytes(serialization.Encoding.PEM))
    leaf = issued(root, domain).public_bytes(serialization.Encoding.PEM).decode()
    assert is_trusted(Certificate(leaf, "", (domain,)), bundle)
    assert not is_trusted(Certificate(leaf, "", ("www.elsewhere.org",)), bundle)
    assert not is_trusted(SHOP, bundle)
    assert not is_trusted(Certificate(leaf, "", (domain,)), tmp_path / "none")
