"""The command doctor: whether the host is all right."""

from dataclasses import asdict

import click

from paas.commands.declare import Access, Context, command
from paas.commands.reports import JSON, heading, listing, show_json
from paas.doctor import examine
from paas.reporter import DETAIL, PROBLEM, clean


@command("doctor", access=Access.HOST, examples=("doctor", "doctor --format json"))
@listing
def doctor(context: Context, style: str) -> int:
    """Examine the host: engine, proxy, firewall, builds, database, disk, daemon, known holes.

    Exits 1 if something fails; a warning alone does not.
    """
    findings = examine(context.platform)
    if style == JSON:
        show_json([asdict(finding) for finding in findings])
    else:
        heading("Doctor")
        for finding in findings:
            prefix = DETAIL if finding.level == "ok" else PROBLEM
            click.echo(f"{prefix}{finding.level:4} {finding.check}: {clean(finding.message)}")
            if finding.level != "ok" and finding.hint:
                click.echo(f"{prefix}     {clean(finding.hint)}")
    return int(any(finding.level == "fail" for finding in findings))
