"""Notices over HTTP: where they may go, how they are signed, and when they are tried again.

The body is signed with HMAC-SHA256 (RFC 2104) and the instance's secret. Deliveries can come twice
and out of order; `X-Paas-Delivery` tells them apart.
"""

import hashlib
import hmac
import http.client
import json
import logging
import secrets
import socket
import ssl
import time
from dataclasses import dataclass
from urllib.parse import urlsplit

from paas import outside
from paas.crew import Job
from paas.errors import InvalidName, PaasError, Unavailable
from paas.model import Notice
from paas.platform import Platform
from paas.settings import Settings
from paas.state.base import Properties

TOPIC, URL, SECRET = "notify", "url", "secret"
LANE = "notices"
LIMIT = 20.0  # seconds for one delivery, however slowly the other side answers
TIMEOUT = 10.0  # seconds without a byte
BATCH = 20
PAUSES = (5, 30, 120, 600, 1800, 3600, 7200, 14400, 28800)  # seconds; then it is given up
URL_BYTES = 2000
SUCCESS = range(200, 300)
log = logging.getLogger("paas")


@dataclass(frozen=True)
class Target:
    """A URL taken apart."""

    scheme: str
    host: str
    port: int
    path: str


def parse_url(url: str) -> Target:
    """Return what the URL names. Raises InvalidName for anything but a plain http or https URL."""
    try:
        parts = urlsplit(url)
        port = parts.port or {"https": 443, "http": 80}[parts.scheme]
    except (ValueError, KeyError) as error:
        raise _no_url(url) from error
    printable = url.isascii() and url.isprintable() and " " not in url
    if not parts.hostname or parts.username is not None or not printable or len(url) > URL_BYTES:
        raise _no_url(url)
    path = f"{parts.path or '/'}{'?' if parts.query else ''}{parts.query}"
    return Target(parts.scheme, parts.hostname, port, path)


def find_address(target: Target, *, private: bool) -> str:
    """Return the address to connect to; all that the name has must be allowed.

    It is looked up once, so that a name cannot become another address later. Raises Unavailable.
    """
    hint = "The host's owner can set notify_private = true in paas.toml"
    return outside.find_address(target.host, target.port, private=private, hint=hint)


def judge_url(settings: Settings, url: str) -> str:
    """Return what may keep notices from this URL, "" for nothing.

    A name may get its address later, so that one without is only a doubt. Raises InvalidName for
    what is no URL, and for an address that paas will not call.
    """
    target = parse_url(url)
    try:
        find_address(target, private=settings.notify_private)
    except outside.Unknown as error:
        return f"{error.message} here now: notices wait until it has one"
    except Unavailable as error:
        raise InvalidName(error.message, hint=error.hint) from error
    return ""


def secret_of(properties: Properties) -> str:
    """Return the instance's secret, which is made on first use."""
    stored = properties.get(None, TOPIC).get(SECRET)
    if not stored:
        stored = secrets.token_urlsafe(32)
        properties.set(None, TOPIC, SECRET, stored)
    return stored


def sign(secret: str, body: bytes) -> str:
    """Return the value of `X-Paas-Signature`."""
    return f"sha256={hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()}"


def post(settings: Settings, url: str, body: bytes, headers: dict[str, str]) -> None:
    """Send one notice. Raises Unavailable unless the answer is 2xx; follows no redirect."""
    target = parse_url(url)
    address = find_address(target, private=settings.notify_private)
    connection = http.client.HTTPConnection(target.host, target.port, timeout=TIMEOUT)
    try:
        connection.sock = _open(settings, target, address)
        connection.request("POST", target.path, body, headers)
        status = connection.getresponse().status
    except (OSError, http.client.HTTPException) as error:
        raise Unavailable(f"{target.host}: {error or type(error).__name__}") from error
    finally:
        connection.close()
    if status not in SUCCESS:
        raise Unavailable(f"{target.host} answered with {status}")


def deliver(platform: Platform, notice: Notice, now: float) -> None:
    """Try to deliver one notice. The attempt is counted first, also for a process that is killed.

    Raises Unavailable when it failed; it is due again later, or given up.
    """
    notices = platform.store.notices
    if not notice.url or notice.attempts >= len(PAUSES):
        notices.done(notice.id)
        return
    pause = PAUSES[notice.attempts]
    notices.retry(notice.id, now + pause, "it was not answered in time")
    body = notice.body.encode()
    headers = {
        "Content-Type": "application/json",
        "User-Agent": "paas",
        "X-Paas-Event": str(json.loads(notice.body)["event"]),
        "X-Paas-Delivery": f"{platform.settings.instance}-{notice.id}",
        "X-Paas-Signature": sign(secret_of(platform.store.properties), body),
    }
    try:
        post(platform.settings, notice.url, body, headers)
    except PaasError as error:
        notices.explain(notice.id, error.message)
        raise
    notices.done(notice.id)


def due_jobs(platform: Platform, now: float) -> tuple[Job, ...]:
    """Return a job for each notice that is to be sent by now."""
    if not platform.store.notices.is_due(now):
        return ()
    return tuple(_job(platform, notice) for notice in platform.store.notices.due(now, BATCH))


def _job(platform: Platform, notice: Notice) -> Job:
    return Job(f"notice {notice.id}", LANE, LIMIT, lambda: deliver(platform, notice, time.time()))


def _open(settings: Settings, target: Target, address: str) -> socket.socket:
    plain = socket.create_connection((address, target.port), TIMEOUT)
    if target.scheme == "http":
        return plain
    bundle = settings.ca_bundle
    context = ssl.create_default_context(cafile=str(bundle) if bundle.is_file() else None)
    try:
        return context.wrap_socket(plain, server_hostname=target.host)
    except BaseException:
        plain.close()
        raise


def _no_url(url: str) -> InvalidName:
    return InvalidName(
        f"{url!r} is not a URL for notices",
        hint="Give http:// or https://, a host and a path, without user and password.",
    )
