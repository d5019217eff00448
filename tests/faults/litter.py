"""What a fault may leave behind: all of an instance that the database does not account for."""

import contextlib
import os
import re
from collections.abc import Iterator
from pathlib import Path

import docker

from paas.model import App, ContainerRole, DeployState
from paas.platform import Platform
from tests.journeys.instance import Instance

# All files that an installation at rest has; the tests' own folders aside.
KNOWN = re.compile(
    r"""
    paas\.(toml|db(-wal|-shm)?) | build-cache\.json | nginx\.(conf|pid) | nginx-error\.log
    | door/(authorized_keys|ssh_host_ed25519_key(\.pub)?)
    | log/((paas|refresh|nginx/[a-z0-9-]+(\.error)?)\.log | serve\.out | deploys/\d+\.log)
    | log/apps/\d+/[a-z0-9.-]+\.log(\.gz)?
    | nft/(loaded|paas\.nft|routes|routes/[a-z0-9-]+\.nft)
    | nginx/(default|paas|sites/[a-z0-9-]+)\.conf | nginx/yielded
    | (locks|run/locks)/[A-Za-z0-9_:+=.@\ -]+\.(lock|next)
    | run/(paas\.pid|paas\.sock|contexts/\d+\.json)
    | repos/\d+\.git/(HEAD|config|description|info/(exclude|refs)|paas\.lock|shallow|packed-refs)
    | repos/\d+\.git/looked-for-waste
    | repos/\d+\.git/refs/(heads/master|paas/deploys/\d+)
    | repos/\d+\.git/objects/(info/packs|pack/pack-[0-9a-f]{40}\.(pack|idx|rev))
    """,
    re.VERBOSE,
)
FEW_NOTES = 20  # of builds whose leavings in the engine's cache are still to go
OURS = re.compile(r"(users|work|nginx-(body|proxy|fastcgi|uwsgi|scgi))/.*")


def find_litter(platform: Platform, instance: Instance) -> list[str]:
    """Return one line per thing that is too much, too few, or half done."""
    unfinished = [f"deploy {d.id} is {d.state}" for d in platform.store.deploys.unfinished()]
    if unfinished:  # the rest is for when it is over
        return unfinished
    found = list(_engine_litter(platform, instance))
    for app in platform.store.apps.list():
        found += _app_litter(platform, app)
    found += (f"database: {f.message}" for f in platform.store.check() if f.level != "ok")
    return found


def find_dust(platform: Platform, root: Path) -> list[str]:
    """Return a line per image without a release, and per file that nobody needs.

    They are in nobody's way, and go once a minute.
    """
    found = [f"{name} is left" for name in _unknown_files(root)]
    for app in platform.store.apps.list():
        kept = {release.image for release in platform.store.releases.list(app.id)}
        found += [f"image {i[:19]} is no release's" for i in platform.builder.images(app) - kept]
    return found


def _engine_litter(platform: Platform, instance: Instance) -> Iterator[str]:
    """Compare containers, networks and volumes with the database."""
    rows = {row.id: row for row in platform.store.containers.list()}
    label = {"label": f"paas.instance={instance.id}"}
    with contextlib.closing(docker.APIClient(instance.engine)) as engine:
        containers = {c["Id"]: c for c in engine.containers(all=True, filters=label)}
        networks = engine.networks(filters=label)
        volumes = engine.volumes(filters=label)["Volumes"] or ()
    for identity, made in containers.items():
        if identity not in rows:
            yield f"container {made['Names'][0]} is nobody's"
        elif made["State"] != "running" and rows[identity].role is ContainerRole.CURRENT:
            yield f"container {made['Names'][0]} is {made['State']}"
    for row in rows.values():
        if row.id not in containers and row.role is ContainerRole.CURRENT:
            yield f"{row.process} has no container"
    if len(networks) != (apps := len(platform.store.apps.list())):
        yield f"{len(networks)} networks for {apps} apps"
    yield from (f"volume {volume['Name']} is left" for volume in volumes)


def _app_litter(platform: Platform, app: App) -> Iterator[str]:
    """Compare processes, images, hidden refs and the branch of an app with its releases."""
    rows = platform.store.containers.of(app.id)
    for row in rows:
        if row.role is ContainerRole.STARTING:
            yield f"{row.process} of deploy {row.deploy_id} is {row.role}"
    if app.version is None:
        yield f"{app.name} has no release"
        return
    if [row.process for row in rows if row.role is ContainerRole.CURRENT] != ["web.1"]:
        yield f"{app.name} runs {[(row.process, row.role) for row in rows]}"
    releases = platform.store.releases.list(app.id)
    repo = platform.settings.repos / f"{app.id}.git"
    names = (path.name for path in (repo / "refs" / "paas" / "deploys").glob("*"))
    refs = {int(name) for name in names if name.isdigit()}  # beside it, the .lock of a new one
    if refs != (wanted := {release.deploy_id for release in releases}):
        yield f"hidden refs {sorted(refs - wanted)} too many, {sorted(wanted - refs)} too few"
    branch = (repo / "refs" / "heads" / "master").read_text().strip()
    done = (d for d in platform.store.deploys.list(app.id) if d.state is DeployState.DONE)
    last = next(d for d in done if d.branch)
    if (head := (repo / "HEAD").read_text().strip()) != "ref: refs/heads/master":
        yield f"a clone of {app.name} checks out {head}"
    if branch != last.commit:
        yield f"master is at {branch[:7]}, the last deploy was of {str(last.commit)[:7]}"


def _unknown_files(root: Path) -> Iterator[str]:
    for folder, folders, files in os.walk(root):  # which bears that something goes meanwhile
        place = Path(folder).relative_to(root)
        if str(place) == "run/contexts" and len(files) > FEW_NOTES:
            yield str(place)
        if place.name == "quarantine":
            yield from (str(place / name) for name in folders)
        names = (str(place / name) for name in files)
        yield from (name for name in names if not (KNOWN.fullmatch(name) or OURS.match(name)))
