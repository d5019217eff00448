"""security:*: the walls around an app's processes."""

import click

from paas import host_paths
from paas.commands.declare import Access, Context, command
from paas.commands.reports import report
from paas.commands.scope import report_apps
from paas.model import App
from paas.options import KEYS, change_option, loosened, show_size
from paas.platform import Platform
from paas.reporter import DETAIL, STEP


@command(
    "security:report",
    access=Access.VIEWER,
    examples=("security:report shop", "security:report shop --format json"),
)
@click.argument("app", required=False)
@report("security", *KEYS, "loosened", "host-paths")
def security_report(context: Context, app: str | None, style: str, only: str | None) -> None:
    """Show the walls of an app, or of all apps, and which of them are loosened."""
    platform = context.platform
    report_apps(context, "security", app, lambda each: _describe(platform, each), style, only)


@command(
    "security:set",
    access=Access.HOST,
    examples=(
        "security:set shop memory 1g",
        "security:set shop tmpfs /var/lib/nginx=16m",
        "security:set shop writable-root ''",
    ),
)
@click.argument("app")
@click.argument("key", metavar="KEY")
@click.argument("value", default="")
def security_set(context: Context, app: str, key: str, value: str) -> None:
    """Open or close one wall of an app; an empty value brings the default back.

    Keys: writable-root (true, false), tmp-size, memory (64m, 1g), tmpfs (/path=16m adds one,
    /path= takes it away; at most 4), pids (processes and threads), run-as (a user's number),
    shm-size (of /dev/shm, within the memory), open-files (descriptors of a process).
    """
    store = context.platform.store
    found = context.app(app)
    store.security.set(found.id, change_option(store.security.get(found.id), key, value))
    click.echo(f"{STEP}{key} of {app} is changed")
    click.echo(f"{DETAIL}It takes effect when its processes start next: ps:restart {app}")


def _describe(platform: Platform, app: App) -> dict[str, object]:
    options = platform.store.security.get(app.id)
    values = (
        options.writable_root,
        show_size(options.tmp_size),
        {path: show_size(size) for path, size in options.tmpfs.items()},
        show_size(options.memory or platform.settings.app_memory),
        options.pids,
        options.run_as,
        show_size(options.shm_size),
        options.open_files,
        loosened(options),
    )
    opened = [f"{m.path}:{m.directory}" for m in host_paths.mounts(platform, app)]
    return {**dict(zip((*KEYS, "loosened"), values, strict=True)), "host-paths": opened}
