"""tokens:*: keys of machines, such as a CI's deploy key: one app, a few verbs."""

import time

import click

from paas.commands.declare import REGISTRY, Access, Context, command
from paas.commands.reports import JSON, date, heading, listing, show_json
from paas.commands.scope import meant
from paas.commands.ssh_keys import read_key
from paas.doors.host_key import make_pair
from paas.errors import Conflict, UsageError
from paas.keys import parse_key, write_authorized_keys
from paas.model import SshKey, Token, TokenKey
from paas.moments import parse_date, parse_span
from paas.reporter import DETAIL, STEP
from paas.sessions import end_commands
from paas.show import nearest

PUSH = "git-receive-pack"
MOST = 50  # tokens of one maker: each may hold connections, and the door has room for 200
GRANTED = {Access.VIEWER, Access.DEPLOYER}  # what owners and admins do is for people


@command(
    "tokens:create",
    access=Access.OWNER,
    examples=(
        "tokens:create shop ci < ci.pub",
        "tokens:create shop ci --expires 90d --generate > ci_key",
        "tokens:create shop nightly --verb logs --verb ps:report < nightly.pub",
    ),
)
@click.argument("app")
@click.argument("name")
@click.option("--verb", "verbs", multiple=True, help="What it may do; pushing, if none is given.")
@click.option("--expires", help="Until when: a date (2026-12-31), or from now (90d).")
@click.option("--generate", is_flag=True, help="Make a key and print its private half, once.")
def tokens_create(  # noqa: PLR0913, PLR0917 - click gives one for each flag
    context: Context,
    app: str,
    name: str,
    verbs: tuple[str, ...],
    expires: str | None,
    generate: bool,
) -> None:
    """Let a machine's ssh key use some verbs on one app, and nothing else.

    The public key is read from stdin. A token can hold every verb that a deployer may use.
    """
    found = context.app(app)
    token = Token(found.id, name, frozenset(check_verb(verb) for verb in verbs or (PUSH,)))
    until = parse_expiry(expires) if expires else None
    private, key = _make_key(name) if generate else ("", read_key(name, f"tokens:create {app}"))
    store = context.platform.store
    _refuse_more(context)
    store.tokens.add(TokenKey(token, key, context.actor.name, until))
    write_authorized_keys(context.platform.settings, store.keys)
    click.echo(private, nl=False)
    click.echo(f"{STEP}{app}:{name} may use {' '.join(sorted(token.verbs))} on {app}", err=True)
    click.echo(f"{DETAIL}{key.fingerprint} ({key.type})", err=True)
    click.echo(f"{DETAIL}Until {date(until) if until else 'it is revoked'}", err=True)


@command(
    "tokens:list",
    access=Access.OWNER,
    examples=("tokens:list shop", "tokens:list", "tokens:list shop --format json"),
)
@click.argument("app", required=False)
@listing
def tokens_list(context: Context, app: str | None, style: str) -> None:
    """List the tokens of an app, or of all apps that are yours."""
    apps = meant(context, app)
    tokens = {each.name: context.platform.store.tokens.of_app(each.id) for each in apps}
    if style == JSON:
        rows = {name: [_row(token) for token in some] for name, some in tokens.items()}
        show_json(rows[app] if app else rows)
        return
    for name, some in tokens.items():
        heading(f"{name} tokens")
        for token in some:
            verbs = " ".join(sorted(token.token.verbs))
            click.echo(f"{token.token.name}  {verbs}  {_until(token)}  {token.key.fingerprint}")


@command("tokens:revoke", access=Access.OWNER, examples=("tokens:revoke shop ci",))
@click.argument("app")
@click.argument("name")
def tokens_revoke(context: Context, app: str, name: str) -> None:
    """Take a token's rights away; what it has open ends at once, but for a deploy at work."""
    platform = context.platform
    gone = platform.store.tokens.remove(context.app(app).id, name)
    write_authorized_keys(platform.settings, platform.store.keys)
    end_commands(platform, [gone.key])
    click.echo(f"{STEP}{app}:{name} is revoked")


def check_verb(verb: str) -> str:
    """Return a verb that a token can hold. Raises UsageError."""
    known = {
        name
        for name, each in REGISTRY.items()
        if each.access in GRANTED and any(param.name == "app" for param in each.click.params)
    }
    if verb not in known:
        alike = nearest(verb, known)
        raise UsageError(
            f"A token cannot hold {verb!r}",
            hint=f"Did you mean {alike}?" if alike else "It can hold what a deployer may use.",
        )
    return verb


def parse_expiry(text: str) -> float:
    """Return when `90d`, or a day, is over. Raises UsageError for what is over already."""
    now = time.time()
    seconds = parse_span(text)
    until = parse_date(text) if seconds is None else now + seconds
    if until <= now:
        raise UsageError(f"{text} is over already")
    return until


def _refuse_more(context: Context) -> None:
    """Raise Conflict if this user, who is no admin, has made enough tokens."""
    user = context.actor.user
    if user and not context.actor.is_admin:
        made = context.platform.store.tokens.made_by(user)
        if len(made) >= MOST:
            raise Conflict(
                f"You have made {MOST} tokens already",
                hint="Revoke one that is not used: tokens:list, tokens:revoke; or ask an admin.",
            )


def _make_key(name: str) -> tuple[str, SshKey]:
    private, public = make_pair()
    return private.decode(), parse_key(name, public.decode())


def _until(token: TokenKey) -> str:
    if token.expires_at is None:
        return "-"
    return f"{'over since' if token.is_over(time.time()) else 'until'} {date(token.expires_at)}"


def _row(token: TokenKey) -> dict[str, object]:
    return {
        "name": token.token.name,
        "verbs": sorted(token.token.verbs),
        "fingerprint": token.key.fingerprint,
        "created_by": token.created_by,
        "created_at": date(token.key.created_at),
        "expires_at": date(token.expires_at) if token.expires_at else None,
        "expired": token.is_over(time.time()),
    }
