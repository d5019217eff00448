"""Named volumes: who they belong to, and which of an app's processes see them."""

from paas.errors import Conflict, InvalidName, NotFound
from paas.model import App, process_type
from paas.options import SIZE, UNITS, show_size
from paas.platform import Platform
from paas.volume import Mount, Volume

SIZES = range(16 * UNITS["m"], 1024 * UNITS["g"] + 1)
MOST = 8  # mounts of an app


def parse_size(value: str) -> int:
    """Return the bytes of `512m` or `1g`. Raises InvalidName."""
    match = SIZE.fullmatch(value)
    size = int(match[1]) * UNITS[match[2].lower()] if match else 0
    if size not in SIZES:
        low, high = show_size(SIZES[0]), show_size(SIZES[-1])
        raise InvalidName(f"{value!r} is not a size", hint=f"Give 512m, 1g ({low} to {high}).")
    return size


def find(platform: Platform, name: str) -> Volume:
    """Return the volume. Raises NotFound."""
    volume = platform.store.storage.find(name)
    if volume is None:
        raise missing(name)
    return volume


def missing(name: str) -> NotFound:
    """Return the same words for a volume that is not there and for one that may not be seen."""
    shown = name if name.isprintable() else ascii(name)
    return NotFound(f"There is no volume {shown}", hint="See: storage:list-entries")


def create(platform: Platform, name: str, size: int) -> Volume:
    """Make a volume; nothing is left of one that fails. Raises Conflict, DiskFull, InvalidName.

    One that the database knows and the host does not, as after backup:import, is made as it was,
    but empty.
    """
    if known := platform.store.storage.find(name):
        platform.scheduler.make_volume(name, known.size)
        if known.app_id:
            platform.scheduler.give_volume(name, platform.store.apps.by_id(known.app_id))
        return known
    volume = platform.store.storage.create(name, size)
    try:
        platform.scheduler.make_volume(name, size)
    except BaseException:
        platform.store.storage.destroy(name)
        raise
    return volume


def mount(platform: Platform, app: App, wanted: Mount) -> None:
    """Let an app's processes see a volume from their next start on.

    A volume of no app becomes the app's, with all its files. Raises Conflict, NotFound.
    """
    storage = platform.store.storage
    if wanted.process_type:
        process_type(wanted.process_type)
    volume = find(platform, wanted.volume)
    if len(storage.mounts(app=app.id)) >= MOST:
        raise Conflict(
            f"{app.name} has {MOST} mounts already", hint=f"See: storage:list {app.name}"
        )
    storage.mount(wanted)
    if volume.app_id != app.id:
        platform.scheduler.give_volume(volume.name, app)


def destroy(platform: Platform, volume: Volume) -> None:
    """Delete a volume with all its files. Raises Conflict while it is mounted."""
    mounts = platform.store.storage.mounts(volume=volume.name)
    if mounts:
        app = platform.store.apps.by_id(mounts[0].app_id)
        raise Conflict(
            f"The volume {volume.name} is mounted in {app.name}",
            hint=f"First: storage:unmount {app.name} {volume.name}",
        )
    try:
        platform.scheduler.remove_volume(volume.name)
    except Conflict as error:
        if volume.app_id is None:
            raise
        name = platform.store.apps.by_id(volume.app_id).name
        hint = f"Run: ps:restart {name}; then, when the old processes have ended, try again"
        raise Conflict(error.message, hint=hint) from error
    platform.store.storage.destroy(volume.name)


def of_process(platform: Platform, app: App, name: str) -> tuple[Mount, ...]:
    """Return what processes of this type see."""
    mounts = platform.store.storage.mounts(app=app.id)
    return tuple(each for each in mounts if each.process_type in {"", name})
