"""Export of a platform, and import into a fresh instance.

The import's last step is the database: before it the instance is as fresh as it was, and the import
can be done again. What runs is made from it by the reconciler.
"""

import pwd
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import paas
from paas.backup.archive import DATABASE, IMAGES, Manifest, Writer, unpack
from paas.doors.host_key import NAME as HOST_KEY
from paas.doors.host_key import keep_host_key
from paas.errors import Conflict, PaasError
from paas.model import App
from paas.platform import Platform
from paas.settings import Settings

Report = Callable[[str], object]


def export(platform: Platform, out: BinaryIO, report: Report, *, with_images: bool) -> None:
    """Write a backup. Apps go on, and may be pushed to meanwhile. Raises PaasError, OSError.

    The database comes first: repositories and images that are newer than it do no harm.
    """
    settings = platform.settings
    with _workplace(settings) as place:
        schema = platform.store.snapshot(place / DATABASE)
        apps = platform.store.apps.list()
        writer = Writer(out, _manifest(settings, apps, schema, with_images=with_images))
        writer.add(place / DATABASE, DATABASE)
        writer.add(settings.config, "paas.toml")
        for app in apps:
            with platform.repos.frozen(app) as repository:
                writer.add_tree(repository, f"repos/{app.id}.git")
        for name, folder in _folders(settings).items():
            for path in writer.add_tree(folder, name):
                report(f"{path} is left out: it is a link, or has an unusual name")
        writer.add(settings.door / HOST_KEY, f"door/{HOST_KEY}")
        writer.add(settings.door / f"{HOST_KEY}.pub", f"door/{HOST_KEY}.pub")
        if with_images and _save_images(platform, apps, place / IMAGES):
            writer.add(place / IMAGES, IMAGES)
        writer.close()
    report(f"{len(apps)} apps{', with their images' if with_images else ''}")
    _tell_of_volumes(platform, report)


def restore(platform: Platform, source: BinaryIO, report: Report) -> None:
    """Make a fresh instance what the backup was. Raises PaasError; then nothing has changed."""
    settings = platform.settings
    if platform.store.apps.list():
        raise Conflict(
            "This instance has apps already; a backup is imported into a fresh one",
            hint="Set up another instance, or destroy its apps: apps:destroy NAME",
        )
    with _workplace(settings) as place:
        manifest = unpack(source, place)
        adopt = platform.store.adopt(place / DATABASE, manifest.network)
        for app in adopt.apps:
            platform.repos.restore(app, place / "repos" / f"{app.id}.git")
        for name, folder in _folders(settings).items():
            _put(place / name, folder)
        _put_host_key(place / "door", settings)
        if (place / "paas.toml").is_file():
            imported = settings.root / "imported.toml"
            imported.unlink(missing_ok=True)
            imported.touch(0o600)  # there may be a proxy's password in it
            shutil.copyfile(place / "paas.toml", imported)
        if (place / IMAGES).is_file():
            _load_images(platform, adopt.apps, adopt.images, place / IMAGES, report)
        adopt.commit()
    _tell(settings, manifest, report)
    _tell_of_volumes(platform, report)


def _manifest(
    settings: Settings, apps: tuple[App, ...], schema: int, *, with_images: bool
) -> Manifest:
    return Manifest(
        version=paas.__version__,
        schema=schema,
        instance=settings.instance,
        network=settings.network,
        domain=settings.domain,
        created_at=time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        apps=tuple(app.name for app in apps),
        images=with_images,
    )


def _folders(settings: Settings) -> dict[str, Path]:
    """Return {name in the backup: folder} of what the host's owner filled, and of deploy logs."""
    return {
        "hooks": settings.hooks,
        "nginx-templates": settings.templates,
        "log/deploys": settings.logs / "deploys",
    }


def _put(unpacked: Path, folder: Path) -> None:
    """Copy the files that were unpacked over what is there."""
    if unpacked.is_dir():
        shutil.copytree(unpacked, folder, dirs_exist_ok=True)


def _put_host_key(unpacked: Path, settings: Settings) -> None:
    """Be the host that users' clients know."""
    for name in (f"{HOST_KEY}.pub", HOST_KEY):
        if (unpacked / name).is_file():
            new = settings.door / f".{name}.new"
            shutil.copyfile(unpacked / name, new)
            new.chmod(0o644 if name.endswith(".pub") else 0o600)
            new.replace(settings.door / name)
    keep_host_key(settings.door, pwd.getpwnam(settings.door_user).pw_gid)


def _save_images(platform: Platform, apps: tuple[App, ...], path: Path) -> bool:
    """Write the images of all releases; return False if there are none."""
    wanted = {r.image for app in apps for r in platform.store.releases.list(app.id)}
    kept = {image for app in apps for image in platform.builder.images(app)}
    if not wanted & kept:
        return False
    with path.open("wb") as file:
        platform.builder.save_images(wanted & kept, file)
    return True


def _load_images(
    platform: Platform,
    apps: tuple[App, ...],
    images: Mapping[int, frozenset[str]],
    path: Path,
    report: Report,
) -> None:
    """Load the images; what cannot be loaded is built again by the reconciler."""
    try:
        with path.open("rb") as file:
            platform.builder.load_images(file, {app: images[app.id] for app in apps})
    except PaasError as error:
        report(f"The images were not loaded: {error.message}. Apps are built again")


def _tell(settings: Settings, manifest: Manifest, report: Report) -> None:
    report(f"{len(manifest.apps)} apps of {manifest.created_at}: {' '.join(manifest.apps)}")
    if manifest.domain != settings.domain:
        report(f"Apps answer below {settings.domain} here; in the backup it was {manifest.domain}")
    report(f"The settings that it was made with: {settings.root / 'imported.toml'}")


def _tell_of_volumes(platform: Platform, report: Report) -> None:
    """Say what is not in a backup, and without which its app does not start."""
    names = " ".join(volume.name for volume in platform.store.storage.list())
    if names:
        report(f"The files in volumes do not go with a backup; carry them over yourself: {names}")


@contextmanager
def _workplace(settings: Settings) -> Iterator[Path]:
    """Give a folder for root alone, on the disk of the data root, and remove it afterwards."""
    with tempfile.TemporaryDirectory(prefix=".backup-", dir=settings.root) as folder:
        yield Path(folder)
