"""What opens other hosts' repositories: logins, host keys, and a deploy key for each app."""

import json
import re
import subprocess
from urllib.parse import urlsplit

from paas.errors import InvalidName, NotFound, Unavailable
from paas.git.base import Remote
from paas.model import App
from paas.platform import Platform

LOGINS, HOSTS, KEYS = "git-logins", "git-hosts", "git-keys"  # topics of properties
PRIVATE, PUBLIC = "private", "public"
HOST = re.compile(r"(?!-)[A-Za-z0-9][A-Za-z0-9.-]{0,252}|[0-9a-fA-F:]{3,39}", re.ASCII)
SHORT = re.compile(r"([A-Za-z0-9._-]+)@([A-Za-z0-9.-]+):(?!/)([^\s]+)", re.ASCII)  # as scp has it
SECONDS = 15


def host_name(text: str) -> str:
    """Return `text` if it can be a host; raise InvalidName."""
    if not HOST.fullmatch(text):
        raise InvalidName(f"{text!r} is not a host", hint="Give a name such as git.example.org")
    return text.lower()


def find_remote(platform: Platform, app: App, url: str) -> Remote:
    """Return what is needed to open a URL for the app. Raises InvalidName.

    `git@host:org/app` is taken as ssh too.
    """
    if short := SHORT.fullmatch(url):
        url = f"ssh://{short[1]}@{short[2]}/./{short[3]}"
    try:
        parts = urlsplit(url)
        host = host_name(parts.hostname or "")
        _ = parts.port
    except ValueError as error:
        raise InvalidName(f"{url!r} is not a URL") from error
    if parts.scheme not in {"https", "ssh"} or parts.password is not None or not url.isprintable():
        raise InvalidName(
            f"{parts.scheme}://{host} cannot be fetched from",
            hint="Give https://HOST/PATH or ssh://USER@HOST/PATH; logins belong into git:auth.",
        )
    properties = platform.store.properties
    login = properties.get(app.id, LOGINS).get(host) or properties.get(None, LOGINS).get(host)
    known = properties.get(None, HOSTS).get(host)
    return Remote(
        url=url,
        login=_pair(login) if login else None,
        key=properties.get(app.id, KEYS).get(PRIVATE, ""),
        known_hosts=str(json.loads(known)["keys"]) if known else "",
        is_trusted=known is not None,
    )


def store_login(platform: Platform, app: App | None, host: str, login: tuple[str, str]) -> None:
    """Store a login for https, for an app or for all apps; an empty user forgets it."""
    user, password = login
    text = f"{user}:{password}" if user else None
    platform.store.properties.set(app.id if app else None, LOGINS, host_name(host), text)


def has_login(platform: Platform, app: App | None, host: str) -> bool:
    """Whether a login is stored for the host."""
    return host_name(host) in platform.store.properties.get(app.id if app else None, LOGINS)


def allow_host(platform: Platform, host: str, port: int) -> tuple[str, ...]:
    """Trust a host: remember its ssh keys, and let paas connect to it even if it is inside.

    Return the types of its keys, none if it does not speak ssh. Raises Unavailable.
    """
    lines = _scan(host_name(host), port)
    keys = [line.split(" ", 2)[1:] for line in lines]
    text = "".join(f"{host.lower()} {kind} {blob}\n" for kind, blob in keys)
    platform.store.properties.set(None, HOSTS, host.lower(), json.dumps({"keys": text}))
    return tuple(kind for kind, _ in keys)


def trusted_hosts(platform: Platform) -> frozenset[str]:
    """Return the hosts that the host's owner vouched for."""
    return frozenset(platform.store.properties.get(None, HOSTS))


def make_key(platform: Platform, app: App) -> str:
    """Give the app a new ed25519 key for fetching by ssh; return the public half."""
    from cryptography.hazmat.primitives import serialization as form  # noqa: PLC0415 - 10 MB, rarely
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey  # noqa: PLC0415

    key = Ed25519PrivateKey.generate()
    halves = form.Encoding.OpenSSH, form.PublicFormat.OpenSSH
    public = f"{key.public_key().public_bytes(*halves).decode()} paas-{app.name}"
    private = key.private_bytes(form.Encoding.PEM, form.PrivateFormat.OpenSSH, form.NoEncryption())
    platform.store.properties.set(app.id, KEYS, PRIVATE, private.decode())
    platform.store.properties.set(app.id, KEYS, PUBLIC, public)
    return public


def public_key(platform: Platform, app: App) -> str:
    """Return the public half of the app's key. Raises NotFound."""
    found = platform.store.properties.get(app.id, KEYS).get(PUBLIC)
    if found is None:
        raise NotFound(
            f"{app.name} has no deploy key", hint=f"Run: git:generate-deploy-key {app.name}"
        )
    return found


def _pair(login: str) -> tuple[str, str]:
    user, _, password = login.partition(":")
    return user, password


def _scan(host: str, port: int) -> list[str]:
    try:
        done = subprocess.run(
            ["ssh-keyscan", "-T", "5", "-p", str(port), "--", host],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=SECONDS,
            check=False,
        )
    except FileNotFoundError as error:
        raise Unavailable(
            "There is no ssh-keyscan on this host", hint="apt install openssh-client"
        ) from error
    except subprocess.TimeoutExpired as error:
        raise Unavailable(f"{host} does not answer") from error
    text = done.stdout.decode(errors="replace")
    return sorted(line for line in text.splitlines() if re.fullmatch(r"\S+ [\w@.-]+ \S+", line))
