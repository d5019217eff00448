"""storage:*: named volumes of a fixed size, which outlive an app's processes."""

import click

from paas import host_paths, storage
from paas.commands.confirm import confirm, force_flag
from paas.commands.declare import Access, Context, command
from paas.commands.reports import (
    JSON,
    date,
    heading,
    listing,
    report,
    show_json,
    show_values,
)
from paas.commands.scope import report_apps
from paas.errors import PaasError, UsageError
from paas.model import App
from paas.options import show_size
from paas.platform import Platform
from paas.reporter import DETAIL, STEP
from paas.volume import HostMount, Mount, Volume


@command("storage:create", access=Access.ADMIN, examples=("storage:create shop-uploads --size 1g",))
@click.argument("name")
@click.option("--size", default="1g", help="Its quota, taken from the disk at once; default 1g.")
def storage_create(context: Context, name: str, size: str) -> None:
    """Make a volume. What does not fit into its size is refused to the app as `disk full`."""
    volume = storage.create(context.platform, name, storage.parse_size(size))
    click.echo(f"{STEP}The volume {name} is made: {show_size(volume.size)}")
    click.echo(f"{DETAIL}To use it: storage:mount APP {name} --container-dir /data")


@command(
    "storage:mount",
    access=Access.DEPLOYER,
    examples=(
        "storage:mount shop shop-uploads --container-dir /app/uploads",
        "storage:mount shop shop-uploads --container-dir /data --process-type worker --readonly",
        "storage:mount shop /srv/data/shop:/data",
    ),
)
@click.argument("app")
@click.argument("volume")
@click.option("--container-dir", "directory", help="Where the processes see it.")
@click.option("--process-type", "name", default="", help="Only these processes see it.")
@click.option("--readonly", "--volume-readonly", is_flag=True, help="They may only read it.")
def storage_mount(  # noqa: PLR0913, PLR0917 - click gives one for each flag
    context: Context, app: str, volume: str, directory: str | None, name: str, readonly: bool
) -> None:
    """Let an app's processes see a volume; its files become the app's.

    A volume belongs to one app. One that belongs to none yet is handed out by an admin. Old and new
    processes see it together while a deploy changes over: for a single writer see ps:set strategy.

    For admins: /FOLDER:/PLACE mounts a folder of the host that `storage_paths` in paas.toml opens.
    """
    platform, found = context.platform, context.app(app)
    if volume.startswith("/"):
        context.require(Access.ADMIN)
        _mount_path(context, found, volume, directory, name, readonly)
        return
    if directory is None:
        raise UsageError("Say where: --container-dir /data")
    wanted = Mount(found.id, volume, directory, name, readonly)
    if storage.find(platform, volume).app_id != found.id and not context.may(Access.ADMIN):
        raise storage.missing(volume)
    storage.mount(platform, found, wanted)
    click.echo(f"{STEP}{volume} is mounted at {directory} of {app}")
    click.echo(f"{DETAIL}It takes effect when its processes start next: ps:restart {app}")


@command(
    "storage:unmount",
    access=Access.DEPLOYER,
    examples=("storage:unmount shop shop-uploads",),
)
@click.argument("app")
@click.argument("volume")
@click.option("--container-dir", "directory", help="Only there; default: everywhere.")
def storage_unmount(context: Context, app: str, volume: str, directory: str | None) -> None:
    """Take a volume out of an app's processes from their next start on; its files stay."""
    platform, found = context.platform, context.app(app)
    path, _, place = volume.partition(":")
    is_gone = (
        host_paths.unmount(platform, found, path, place or directory)
        if path.startswith("/")
        else platform.store.storage.unmount(found.id, volume, directory)
    )
    if not is_gone:
        raise PaasError(f"{app} has no such mount", hint=f"See: storage:list {app}")
    click.echo(f"{STEP}{volume} is taken out of {app}")
    click.echo(f"{DETAIL}It takes effect when its processes start next: ps:restart {app}")


@command("storage:list", access=Access.VIEWER, examples=("storage:list shop --format json",))
@click.argument("app")
@listing
def storage_list(context: Context, app: str, style: str) -> None:
    """List what is mounted in an app: volume, place, process type."""
    found = context.app(app)
    mounts: list[Mount | HostMount] = [*context.platform.store.storage.mounts(app=found.id)]
    mounts += host_paths.mounts(context.platform, found)
    if style == JSON:
        show_json([_mount(mount) for mount in mounts])
        return
    heading(f"{app} volume bind-mounts")
    for mount in mounts:
        click.echo(f"{DETAIL}{_words(mount)}")


@command(
    "storage:list-entries", access=Access.MEMBER, examples=("storage:list-entries --format json",)
)
@listing
def storage_list_entries(context: Context, style: str) -> None:
    """List the volumes of the apps that you may see; all of them for an admin."""
    platform = context.platform
    rows = [_describe(platform, volume) for volume in _visible(context)]
    if style == JSON:
        show_json(rows)
        return
    heading("Volumes")
    for row in rows:
        click.echo(f"{row['name']:<24} {row['size']:>6} {row['used']:>8} used  {row['app'] or '-'}")


@command("storage:info", access=Access.MEMBER, examples=("storage:info shop-uploads",))
@click.argument("volume")
@listing
def storage_info(context: Context, volume: str, style: str) -> None:
    """Describe a volume: its size, what is used of it, whose it is, where it is mounted."""
    found = _find(context, volume)
    values = _describe(context.platform, found)
    mounts = context.platform.store.storage.mounts(volume=volume)
    if style == JSON:
        show_json(values | {"mounts": [_mount(mount) for mount in mounts]})
        return
    heading(f"{volume} volume information")
    show_values([*values.items(), *(("Mount", _words(mount)) for mount in mounts)])


@command("storage:report", access=Access.VIEWER, examples=("storage:report shop --format json",))
@click.argument("app", required=False)
@report("storage", "mounts", "volumes", "host-paths")
def storage_report(context: Context, app: str | None, style: str, only: str | None) -> None:
    """Show volumes and mounts of an app, or of all apps."""

    def describe(each: App) -> dict[str, object]:
        mounts = context.platform.store.storage.mounts(app=each.id)
        return {
            "mounts": list(map(_words, mounts)),
            "volumes": sorted({m.volume for m in mounts}),
            "host-paths": [_words(m) for m in host_paths.mounts(context.platform, each)],
        }

    report_apps(context, "storage", app, describe, style, only)


@command(
    "storage:destroy",
    access=Access.ADMIN,
    examples=("storage:destroy shop-uploads", "storage:destroy shop-uploads --force"),
)
@click.argument("volume")
@force_flag
def storage_destroy(context: Context, volume: str, force: bool) -> None:
    """Delete a volume with all its files; refused while it is mounted in an app."""
    found = storage.find(context.platform, volume)
    if not force:
        confirm(volume, f"{volume} and all its files", "storage:destroy")
    storage.destroy(context.platform, found)
    click.echo(f"{STEP}The volume {volume} is deleted")


def _visible(context: Context) -> tuple[Volume, ...]:
    """Return the volumes of the apps that the actor may see; admins see those of no app too."""
    apps = {app.id for app in context.apps()}
    volumes = context.platform.store.storage.list()
    return tuple(
        v for v in volumes if v.app_id in apps or (v.app_id is None and context.may(Access.ADMIN))
    )


def _find(context: Context, name: str) -> Volume:
    """Return a volume that the actor may see. Raises NotFound for all others alike."""
    found = next((volume for volume in _visible(context) if volume.name == name), None)
    if found is None:
        raise storage.missing(name)
    return found


def _describe(platform: Platform, volume: Volume) -> dict[str, object]:
    used, _ = platform.scheduler.volume_usage(volume.name)
    app = platform.store.apps.by_id(volume.app_id).name if volume.app_id else None
    return {
        "name": volume.name,
        "size": show_size(volume.size),
        "used": f"{used / 1e6:.0f} MB",
        "app": app,
        "created-at": date(volume.created_at),
    }


def _mount_path(  # noqa: PLR0913, PLR0917 - as storage:mount
    context: Context, app: App, words: str, directory: str | None, name: str, readonly: bool
) -> None:
    path, _, rest = words.partition(":")
    place, _, mode = rest.partition(":")
    place = place or directory or ""
    if mode not in {"", "ro", "rw"}:
        raise UsageError(f"{mode!r} is no mode", hint="Give /FOLDER:/PLACE, or /FOLDER:/PLACE:ro")
    wanted = HostMount(app.id, path, place, name, readonly or mode == "ro")
    host_paths.mount(context.platform, app, wanted)
    click.echo(f"{STEP}{path} of the host is mounted at {place} of {app.name}")
    user = context.platform.scheduler.host_user(app)
    click.echo(f"{DETAIL}Its processes are user {user} there; nothing limits what they write")
    click.echo(f"{DETAIL}It takes effect when its processes start next: ps:restart {app.name}")


def _source(mount: Mount | HostMount) -> str:
    return mount.volume if isinstance(mount, Mount) else mount.path


def _mount(mount: Mount | HostMount) -> dict[str, object]:
    return {
        "entry_name": _source(mount),
        "container_path": mount.directory,
        "process_type": mount.process_type or "_default_",
        "readonly": mount.is_readonly,
    }


def _words(mount: Mount | HostMount) -> str:
    options = ":ro" if mount.is_readonly else ""
    only = f" ({mount.process_type})" if mount.process_type else ""
    return f"{_source(mount)}:{mount.directory}{options}{only}"
