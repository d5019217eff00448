"""Networks that chosen apps share: who is on them, and that every process is where it should be.

Attaching and detaching take effect at once, on the processes that run; the engine is made equal to
the database, by the command and, after a crash or damage by hand, by the reconciler.
"""

from collections.abc import Sequence
from ipaddress import IPv4Network

from paas.errors import Conflict, Forbidden, NotFound, PaasError
from paas.model import Actor, App, Container, ContainerRole
from paas.network import Link, Phase, SharedNetwork
from paas.platform import Platform
from paas.schedulers.base import Observed

MOST = 8  # networks of one app


def find(platform: Platform, name: str) -> SharedNetwork:
    """Return the network. Raises NotFound."""
    found = platform.store.networks.find(name)
    if found is None:
        raise missing(name)
    return found


def missing(name: str) -> NotFound:
    """Return the error for a network that is not there, or may not be seen."""
    shown = name if name.isprintable() else ascii(name)
    return NotFound(f"Network {shown} does not exist", hint="See: network:list")


def is_owned(network: SharedNetwork, actor: Actor) -> bool:
    """Whether the actor may attach apps to the network, and destroy it."""
    return actor.sees_all or (actor.user is not None and actor.user == network.owner)


def check_owned(network: SharedNetwork, actor: Actor) -> None:
    """Raise Forbidden unless the network is the actor's."""
    if not is_owned(network, actor):
        raise Forbidden(
            f"The network {network.name} belongs to {network.owner or 'the admins'}",
            hint="Ask them, or make one of your own: network:create NAME",
        )


def create(platform: Platform, name: str, actor: Actor) -> SharedNetwork:
    """Make a network; nothing is left of one that fails. Raises Conflict, InvalidName."""
    network = platform.store.networks.create(name, actor.user)
    try:
        platform.scheduler.create_shared(network)
    except PaasError:
        platform.store.networks.destroy(network.id)
        raise
    return network


def destroy(platform: Platform, network: SharedNetwork, visible: Sequence[App]) -> None:
    """Remove a network. Raises Conflict while an app is attached; it tells only `visible` ones."""
    used = {a.app_id: a for a in platform.store.networks.attachments(network=network.id)}
    if used:
        seen = [app for app in visible if app.id in used]
        names = ", ".join(app.name for app in seen) or "apps that you may not see"
        raise Conflict(
            f"The network {network.name} is in use by {names}",
            hint=f"First: network:set {seen[0].name} {used[seen[0].id].phase} ''"
            if seen
            else "Ask an admin of this host.",
        )
    platform.scheduler.remove_shared(network)
    platform.store.networks.destroy(network.id)


def attach(
    platform: Platform, app: App, phase: Phase, chosen: Sequence[SharedNetwork], actor: Actor
) -> None:
    """Make these the app's networks of a phase; those it had before are left at once.

    Raises Conflict when one is the app's in another phase, and beside a deploy.
    """
    with platform.locks.app(app.id, actor.name, "network:set"):
        before = platform.store.networks.attachments(app=app.id)
        others = [each for each in before if each.phase is not phase]
        if len(others) + len(chosen) > MOST:
            raise Conflict(
                f"An app is on {MOST} networks at most", hint=f"See: network:report {app.name}"
            )
        platform.store.networks.attach(app.id, phase, [network.id for network in chosen])
        kept = {each.network.id for each in others} | {network.id for network in chosen}
        for each in before:
            if each.network.id not in kept:
                platform.scheduler.unlink(app, each.network)
        settle(platform, app)


def settle(platform: Platform, app: App) -> None:
    """Put the app's current processes on all its networks; a process there already is as good.

    Raises Conflict when a network is full, StartFailed.
    """
    if platform.store.networks.attachments(app=app.id):
        for row in platform.store.containers.of(app.id, ContainerRole.CURRENT):
            put(platform, app, row)


def put(platform: Platform, app: App, row: Container) -> None:
    """Put one current process on all the app's networks. Raises as settle()."""
    for link in links_of(platform, app, row) if row.id else ():
        platform.scheduler.link(row.id, link)


def rebuild(platform: Platform, app: App, actor: Actor) -> None:
    """Take the app's containers off its networks, and put them on again under its present name."""
    with platform.locks.app(app.id, actor.name, "network:rebuild"):
        platform.scheduler.create_network(app)
        for each in platform.store.networks.attachments(app=app.id):
            platform.scheduler.create_shared(each.network)
            platform.scheduler.unlink(app, each.network)
        settle(platform, app)


def links_of(
    platform: Platform, app: App, row: Container, *, is_one_off: bool = False
) -> tuple[Link, ...]:
    """Return where a container should be when it starts, and once it is current.

    A new process waits with attach-post-deploy until it is current. One-off containers come onto
    all networks, without a name: nobody looks for them. Raises Conflict when a network is full.
    """
    attachments = platform.store.networks.attachments(app=app.id)
    if is_one_off:
        return tuple(Link(each.network) for each in attachments)
    seats = [(each, platform.store.networks.seat(row, each.network)) for each in attachments]
    waits = row.role is ContainerRole.STARTING
    return tuple(
        Link(each.network, names_of(app, row), seat)
        for each, seat in seats
        if not (waits and each.phase is Phase.DEPLOY)
    )


def names_of(app: App, row: Container) -> tuple[str, str]:
    """Return the names by which other apps reach a process: Dokku's, and that of just this one."""
    return f"{app.name}.{row.process_type}", f"{app.name}.{row.process}"


def subnets_of(platform: Platform, app: App) -> tuple[IPv4Network, ...]:
    """Return the addresses that an app's processes reach directly: its own network's and others."""
    settings, attached = platform.settings, platform.store.networks.attachments(app=app.id)
    shared = (settings.shared_subnet(each.network.index) for each in attached)
    return (settings.subnet(app.network_index), *shared)


def strays(platform: Platform, app: App, seen: Observed) -> tuple[set[str], set[str]]:
    """Return the names of the networks that a current process misses, and those too many."""
    attached = platform.store.networks.attachments(app=app.id)
    wanted = {each.network.name for each in attached}
    prefix = f"{platform.settings.instance}-net-"
    there = {name.removeprefix(prefix) for name in seen.beside if name.startswith(prefix)}
    return wanted - there, there - wanted
