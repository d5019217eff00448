"""docker-options:*: Docker's flags, as far as they are harmless, as typed settings."""

import click

from paas import docker_options
from paas.commands.declare import Access, Command, Context, command
from paas.commands.reports import listing, report, show_list
from paas.commands.scope import report_apps
from paas.docker_options import PHASES
from paas.errors import UsageError
from paas.model import App
from paas.platform import Platform
from paas.reporter import DETAIL, STEP


@command(
    "docker-options:add",
    access=Access.OWNER,
    examples=(
        "docker-options:add shop build '--build-arg NODE_ENV=production'",
        "docker-options:add shop deploy,run '--shm-size 256m' '--ulimit nofile=8192'",
    ),
)
@click.argument("app")
@click.argument("phases", metavar="PHASE,PHASE")
@click.argument("options", nargs=-1, required=True, metavar="OPTION...")
def docker_options_add(context: Context, app: str, phases: str, options: tuple[str, ...]) -> None:
    """Give an app's builds or processes what Docker's flag means.

    Phases: build (--build-arg KEY=VALUE; KEY alone takes the config var), deploy and run, which
    share theirs (--shm-size, --ulimit nofile=N, --stop-timeout). What has a command of its own is
    named with it; what would undo the hardening is refused.
    """
    found = context.app(app)
    for flag, value in tuple(docker_options.split(options)):
        docker_options.add(context.platform, found, _phases(phases), flag, value)
    _tell(app)


@command(
    "docker-options:remove",
    access=Access.OWNER,
    examples=("docker-options:remove shop deploy '--shm-size 256m'",),
)
@click.argument("app")
@click.argument("phases", metavar="PHASE,PHASE")
@click.argument("options", nargs=-1, required=True, metavar="OPTION...")
def docker_options_remove(
    context: Context, app: str, phases: str, options: tuple[str, ...]
) -> None:
    """Take options back, as docker-options:list shows them."""
    found = context.app(app)
    for flag, value in tuple(docker_options.split(options)):
        docker_options.remove(context.platform, found, _phases(phases), flag, value)
    _tell(app)


@command(
    "docker-options:clear",
    access=Access.OWNER,
    examples=("docker-options:clear shop", "docker-options:clear shop build"),
)
@click.argument("app")
@click.argument("phases", default=",".join(PHASES), metavar="[PHASE,PHASE]")
def docker_options_clear(context: Context, app: str, phases: str) -> None:
    """Take all options of some phases back, or of all."""
    docker_options.clear(context.platform, context.app(app), _phases(phases))
    _tell(app)


@command(
    "docker-options:list",
    access=Access.DEPLOYER,
    examples=("docker-options:list shop --phase deploy",),
)
@click.argument("app")
@click.option("--phase", type=click.Choice(PHASES), required=True, help="Which.")
@listing
def docker_options_list(context: Context, app: str, phase: str, style: str) -> None:
    """List the options of one phase. Build arguments are shown with their values."""
    found = context.app(app)
    show_list(
        f"{app} {phase} options", docker_options.listed(context.platform, found, phase), style
    )


@command(
    "docker-options:report",
    access=Access.DEPLOYER,
    examples=("docker-options:report shop", "docker-options:report shop --docker-options-build"),
)
@click.argument("app", required=False)
@report("docker-options", *PHASES)
def docker_options_report(context: Context, app: str | None, style: str, only: str | None) -> None:
    """Show the options of an app, or of all apps, by phase."""
    platform = context.platform
    report_apps(context, "docker options", app, lambda each: _describe(platform, each), style, only)


def _take_flags(declared: Command) -> None:
    """Let click pass on what looks like a flag of the verb's own: it is what is typed here."""
    declared.click.context_settings["ignore_unknown_options"] = True


_take_flags(docker_options_add)
_take_flags(docker_options_remove)


def _phases(text: str) -> list[str]:
    phases = text.split(",")
    if not set(phases) <= set(PHASES):
        raise UsageError(f"{text!r} is not a list of phases", hint=f"There are: {','.join(PHASES)}")
    return phases


def _tell(app: str) -> None:
    click.echo(f"{STEP}Options of {app} are changed")
    click.echo(f"{DETAIL}They hold from the next build or start: ps:rebuild {app}")


def _describe(platform: Platform, app: App) -> dict[str, object]:
    return {phase: docker_options.listed(platform, app, phase) for phase in PHASES}
