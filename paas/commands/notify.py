"""notify:*: signed webhooks about deploys, crashes and recoveries."""

import click

from paas import webhooks
from paas.commands.declare import Access, Context, command
from paas.commands.reports import report, show_report, show_reports
from paas.errors import UsageError
from paas.reporter import DETAIL, PROBLEM, STEP
from paas.webhooks import TOPIC, URL

KEYS = ("url", "global-url", "waiting", "last-error", "secret")
GLOBAL = "--global"


@command(
    "notify:set",
    access=Access.DEPLOYER,
    examples=(
        "notify:set shop https://example.org/hook",
        "notify:set shop ''",
        "notify:set --global https://example.org/hook",
    ),
)
@click.argument("app", required=False)
@click.argument("url", required=False)
@click.option(GLOBAL, "is_global", is_flag=True, help="For all apps that have none of their own.")
def notify_set(context: Context, app: str | None, url: str | None, *, is_global: bool) -> None:
    """Send notices of an app (deployed, failed, crashed, recovered) to a URL; '' clears it.

    They are POSTed as JSON and signed: X-Paas-Signature is sha256= and the HMAC-SHA256 of the body
    with the secret that notify:report shows to root. A delivery that fails is tried again for
    about 15 hours. A URL with an address that is not public is refused, here and at each
    delivery, unless the host's owner allows those inside: notify_private = true in paas.toml.
    """
    if is_global:
        url, app = app, None
        context.require(Access.HOST)
    if url is None or (app is None and not is_global):
        raise UsageError("An app (or --global) and a URL are needed", hint="See notify:help")
    found = context.app(app) if app else None
    doubt = webhooks.judge_url(context.platform.settings, url) if url else ""
    if url:
        webhooks.secret_of(context.platform.store.properties)
    context.platform.store.properties.set(found.id if found else None, TOPIC, URL, url or None)
    whose = f"Notices of {app}" if app else "Notices of apps without a URL of their own"
    click.echo(f"{STEP}{whose} go to {url}" if url else f"{STEP}{whose} go nowhere")
    if url:
        click.echo(f"{DETAIL}Signed with the secret that `paas notify:report` shows on the host")
    if doubt:
        click.echo(f"{PROBLEM}{doubt}", err=True)


@command(
    "notify:report",
    access=Access.DEPLOYER,
    examples=("notify:report", "notify:report shop", "notify:report --global --format json"),
)
@click.argument("app", required=False)
@click.option(GLOBAL, "is_global", is_flag=True, help="What holds for all apps.")
@report("notify", *KEYS)
def notify_report(
    context: Context, app: str | None, is_global: bool, style: str, only: str | None
) -> None:
    """Show where notices go; to admins also how many wait, to root on the host also the secret."""
    if is_global and app:
        raise UsageError("Give an app or --global, not both", hint="See notify:help")
    if is_global:
        show_report("notify", "global", _values(context, None), style, only)
    elif app:
        show_report("notify", app, _values(context, context.app(app).id), style, only)
    else:
        values = {each.name: _values(context, each.id) for each in context.apps()}
        show_reports("notify", {"global": _values(context, None), **values}, style, only)


def _values(context: Context, app: int | None) -> dict[str, object]:
    store = context.platform.store
    own = store.properties.get(app, TOPIC).get(URL) if app else None
    if not context.actor.sees_all:  # the rest is about all apps, and a URL may hold a secret
        return dict.fromkeys(KEYS) | {"url": own}
    everywhere = store.properties.get(None, TOPIC).get(URL)
    waiting, error = store.notices.waiting()
    secret = webhooks.secret_of(store.properties) if context.actor.is_host else None
    return dict(zip(KEYS, (own, everywhere, waiting, error or None, secret), strict=True))
