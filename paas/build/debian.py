"""Where Debian packages come from on this host: its own mirror, its own proxy, its own CAs."""

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

SHIPPED = Path("/usr/share/ca-certificates")
CERTIFICATE = re.compile(r"-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----", re.DOTALL)
ONE_LINE = re.compile(r"^deb\s+(?:\[[^]]*\]\s+)?(\S+)\s", re.MULTILINE)
DEB822 = re.compile(r"^URIs:\s*(.+)$", re.MULTILINE | re.IGNORECASE)
DEBIAN = "http://deb.debian.org/debian"
KEYS = "/usr/share/keyrings/debian-archive-keyring.gpg"
MIRROR = re.compile(r"https?://\S+?/(debian|debian-security)/?")


def apt_sources(suite: str, etc: Path = Path("/etc/apt")) -> tuple[str, ...]:
    """Return the sources.list lines of `suite`, from the mirrors that the host itself uses.

    A company host may reach no other mirror. A mirror is an http(s) address whose path ends in
    `/debian` (`/debian-security`), as sources.list(5) shows them. A host that names none, such as
    Ubuntu, takes Debian's own.
    """
    found = _mirrors(etc)
    main = found.get("debian", DEBIAN)
    security = found.get("debian-security", f"{main}-security")
    return (
        f"deb {main} {suite} main",
        f"deb {main} {suite}-updates main",
        f"deb {security} {suite}-security main",
    )


def debian_keys(etc: Path = Path("/etc/apt")) -> tuple[str, ...]:
    """Return the option of mmdebstrap(1) by which it trusts Debian; () where the host's apt does.

    The keys of a company's own mirror are among those that the host's apt trusts.
    """
    return () if "debian" in _mirrors(etc) else (f"--keyring={KEYS}",)


def apt_proxy() -> str | None:
    """Return the http proxy that the host's apt is told to use, None when it goes directly."""
    try:
        done = subprocess.run(
            ["apt-config", "dump", "--format", "%v%n", "Acquire::http::Proxy"],
            capture_output=True,
            text=True,
            timeout=10,
            check=False,
        )
    except OSError:  # no apt on this host
        return None
    proxy = done.stdout.strip()
    return proxy if proxy.startswith(("http://", "https://")) else None


def local_authorities(bundle: Path, shipped: Path = SHIPPED) -> tuple[str, ...]:
    """Return the PEM certificates of `bundle` that no Debian package ships: the company's own."""
    if not bundle.is_file():
        return ()
    known = {
        certificate
        for file in shipped.rglob("*.crt")
        for certificate in CERTIFICATE.findall(file.read_text(errors="replace"))
    }
    found = CERTIFICATE.findall(bundle.read_text(errors="replace"))
    return tuple(dict.fromkeys(c for c in found if c not in known))


def _mirrors(etc: Path) -> dict[str, str]:
    found: dict[str, str] = {}
    for address in _addresses(etc):
        if match := MIRROR.fullmatch(address):
            found.setdefault(match[1], address.rstrip("/"))
    return found


def _addresses(etc: Path) -> Iterator[str]:
    for file in sorted([etc / "sources.list", *etc.glob("sources.list.d/*")]):
        text = file.read_text(errors="replace") if file.is_file() else ""
        if file.suffix == ".list":
            yield from ONE_LINE.findall(text)
        elif file.suffix == ".sources":
            for line in DEB822.findall(text):
                yield from line.split()
