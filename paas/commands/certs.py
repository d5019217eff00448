"""certs:*: the certificates that apps' domains are served with by https."""

import datetime as dt
import sys
from pathlib import Path

import click

from paas import certificates, routing, vhosts
from paas.certificates import Facts
from paas.commands.declare import Access, Context, command
from paas.commands.reports import report
from paas.commands.scope import report_apps
from paas.errors import Conflict, Forbidden, NotFound, PaasError, UsageError
from paas.model import App, Certificate
from paas.reporter import DETAIL, PROBLEM, STEP, clean

KEYS = (
    "enabled",
    "hostnames",
    "expires-at",
    "starts-at",
    "issuer",
    "subject",
    "serial",
    "fingerprint",
    "verified",
)


@command(
    "certs:add",
    access=Access.OWNER,
    examples=(
        "certs:add shop < shop.pem",
        "certs:add shop < certs.tar",
        "certs:add shop /root/shop.crt /root/shop.key",
    ),
)
@click.argument("app")
@click.argument("crt", required=False)
@click.argument("key", required=False)
def certs_add(context: Context, app: str, crt: str | None, key: str | None) -> None:
    """Serve an app's domains by https, with this certificate.

    It comes on stdin: chain and private key as PEM one behind the other, or in a tar; root on the
    host may name two files instead. Domains that it covers answer by https, and http leads there;
    the app's other domains stay as they are.
    """
    _put(context, context.app(app), _read(context, crt, key))


@command("certs:update", access=Access.OWNER, examples=("certs:update shop < shop.pem",))
@click.argument("app")
@click.argument("crt", required=False)
@click.argument("key", required=False)
def certs_update(context: Context, app: str, crt: str | None, key: str | None) -> None:
    """Put a new certificate in the place of the one there is; open connections stay."""
    found = context.app(app)
    _get(context, found)
    _put(context, found, _read(context, crt, key))


@command("certs:generate", access=Access.OWNER, examples=("certs:generate shop shop.example.org",))
@click.argument("app")
@click.argument("domain")
def certs_generate(context: Context, app: str, domain: str) -> None:
    """Make a self-signed certificate for a domain of the app, good for a year, and use it.

    Browsers warn of it; it is for tests and for hosts behind a proxy.
    """
    found = context.app(app)
    made = certificates.generate(domain)
    if made.names[0] not in vhosts.domains_of(context.platform, found):
        raise NotFound(
            f"{made.names[0]} is not a domain of {app}", hint=f"Run: domains:add {app} DOMAIN"
        )
    _put(context, found, made)


@command("certs:remove", access=Access.OWNER, examples=("certs:remove shop",))
@click.argument("app")
def certs_remove(context: Context, app: str) -> None:
    """Forget an app's certificate; its domains answer by http again.

    Browsers that saw it before may insist on https for half a year (nginx:set APP hsts off).
    """
    found = context.app(app)
    _get(context, found)
    context.platform.store.certificates.remove(found.id)
    routing.publish(context.platform, found)
    click.echo(f"{STEP}{app} has no certificate any more")


@command("certs:show", access=Access.OWNER, examples=("certs:show shop crt", "certs:show shop key"))
@click.argument("app")
@click.argument("part", type=click.Choice(["crt", "key"]))
def certs_show(context: Context, app: str, part: str) -> None:
    """Print the certificate chain, or the private key, as PEM."""
    certificate = _get(context, context.app(app))
    click.echo(certificate.key if part == "key" else certificate.chain, nl=False)


@command(
    "certs:report",
    access=Access.VIEWER,
    examples=("certs:report", "certs:report shop --ssl-expires-at"),
)
@click.argument("app", required=False)
@report("ssl", *KEYS)
def certs_report(context: Context, app: str | None, style: str, only: str | None) -> None:
    """Describe the certificate of an app, or of all apps."""
    report_apps(context, "ssl", app, lambda each: _describe(context, each), style, only)


def _get(context: Context, app: App) -> Certificate:
    certificate = context.platform.store.certificates.get(app.id)
    if certificate is None:
        raise NotFound(
            f"{app.name} has no certificate", hint=f"Run: certs:add {app.name} < shop.pem"
        )
    return certificate


def _read(context: Context, crt: str | None, key: str | None) -> Certificate:
    """Return the certificate of two files, else of stdin. Raises UsageError, InvalidName."""
    if crt is None:
        if sys.stdin.isatty():
            raise UsageError("A certificate comes on stdin", hint=certificates.HOW)
        return certificates.read_certificate(sys.stdin.buffer.read(certificates.INPUT_BYTES + 1))
    if not context.actor.is_host:
        raise Forbidden("Only root may name files of the host", hint=certificates.HOW)
    return certificates.read_certificate(b"\n".join(_read_file(path) for path in (crt, key or crt)))


def _read_file(name: str) -> bytes:
    path = Path(name)
    if not path.is_absolute():
        raise UsageError(f"{name!r} is not a whole path", hint="Give /the/whole/path, or use stdin")
    try:
        with path.open("rb") as file:
            return file.read(certificates.INPUT_BYTES)
    except OSError as error:
        raise UsageError(f"{clean(name)} cannot be read: {error.strerror}") from error


def _put(context: Context, app: App, certificate: Certificate) -> None:
    """Store the certificate and serve it; what nginx refuses is taken back."""
    store = context.platform.store.certificates
    domains = vhosts.domains_of(context.platform, app)
    covered = [domain for domain in domains if certificate.covers(domain)]
    if not covered:
        raise Conflict(
            f"The certificate is for {', '.join(certificate.names)}: no domain of {app.name}",
            hint=f"Run: domains:add {app.name} DOMAIN",
        )
    before = store.get(app.id)
    store.set(app.id, certificate)
    try:
        routing.publish(context.platform, app)
    except PaasError:
        if before:
            store.set(app.id, before)
        else:
            store.remove(app.id)
        raise
    click.echo(f"{STEP}{app.name} answers by https")
    for domain in domains:
        url = context.platform.settings.app_url(domain, is_secure=domain in covered)
        click.echo(f"{DETAIL}{url}")
    if certificates.describe(certificate).is_self_signed:
        click.echo(f"{PROBLEM}The certificate is self-signed: browsers warn of it", err=True)


def _describe(context: Context, app: App) -> dict[str, object]:
    certificate = context.platform.store.certificates.get(app.id)
    if certificate is None:
        return dict.fromkeys(KEYS) | {"enabled": False}
    facts = certificates.describe(certificate)
    values = (
        True,
        list(facts.hostnames),
        _date(facts.expires_at),
        _date(facts.starts_at),
        facts.issuer,
        facts.subject,
        facts.serial,
        facts.fingerprint,
        _judge(context, certificate, facts),
    )
    return dict(zip(KEYS, values, strict=True))


def _judge(context: Context, certificate: Certificate, facts: Facts) -> str:
    """Return what Dokku says of it; there, what is not trusted is always called self signed."""
    if facts.is_self_signed:
        return "self signed"
    trusted = certificates.is_trusted(certificate, context.platform.settings.ca_bundle)
    return "verified by a certificate authority" if trusted else "not verified"


def _date(time: dt.datetime) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ")
