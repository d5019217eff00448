"""audit:list: who typed what, when, through which door, and how it ended."""

import time

import click

from paas.commands.declare import Access, Context, command
from paas.commands.reports import JSON, date, heading, listing, number, show_json
from paas.model import AuditEntry
from paas.moments import parse_date, parse_span
from paas.reporter import clean

LINES = "100"


@command(
    "audit:list",
    access=Access.ADMIN,
    examples=(
        "audit:list",
        "audit:list --app shop --since 7d",
        "audit:list --actor ben --since 2026-11-01 --format json",
    ),
)
@click.option("--app", help="About this app, as it was called then.")
@click.option("--actor", help="Of this user, of root, or of a token (shop:ci).")
@click.option("--since", help="From then on: 2026-11-01, 2026-11-01T08:00:00Z, 7d, 2h.")
@click.option("-n", "--num", "lines", default=LINES, callback=number, help="How many; 100.")
@listing
def audit_list(  # noqa: PLR0913, PLR0917 - click gives one for each flag
    context: Context, app: str | None, actor: str | None, since: str | None, lines: int, style: str
) -> None:
    """List the commands that were typed, the newest last: refused ones too, never a value.

    The status is the exit status; `-` is a command that is at work, or was killed. 20,000 lines
    are kept of each user and token.
    """
    start = _start(since) if since else 0.0
    newest = context.platform.store.audit.read(lines, start, actor, app)
    entries = list(newest)[::-1]
    if style == JSON:
        show_json([_row(entry) for entry in entries])
        return
    heading("Audit log")
    for entry in entries:
        status = "-" if entry.status is None else str(entry.status)
        took = "" if entry.seconds is None else f"{entry.seconds:.2f} s"
        words = clean(f"{entry.verb} {entry.app or ''} {entry.about}".strip())
        who = f"{entry.actor:12} {entry.door:8}"
        click.echo(f"{date(entry.at)}  {who} {status:>3} {took:>10}  {words}")


def _start(since: str) -> float:
    seconds = parse_span(since)
    return parse_date(since) if seconds is None else time.time() - seconds


def _row(entry: AuditEntry) -> dict[str, object]:
    return {
        "at": date(entry.at),
        "actor": entry.actor,
        "door": entry.door,
        "fingerprint": entry.fingerprint,
        "verb": entry.verb,
        "app": entry.app,
        "about": entry.about,
        "status": entry.status,
        "seconds": None if entry.seconds is None else round(entry.seconds, 4),
    }
