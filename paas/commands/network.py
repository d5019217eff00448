"""network:*: networks that chosen apps share; each app has one of its own besides."""

import click

from paas import networks
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
from paas.model import App, ContainerRole
from paas.network import Phase, SharedNetwork, check_name
from paas.platform import Platform
from paas.reporter import DETAIL, PROBLEM, STEP

REFUSED = {
    "bind-all-interfaces": "no port is ever published; nginx and the other apps come from inside",
    "static-web-listener": "nginx asks the app's own processes only",
    "tld": "the names are APP.TYPE and APP.TYPE.NUMBER",
}
REPORTED = (*Phase, "networks", "names", "web-listeners")


@command("network:create", access=Access.MEMBER, examples=("network:create backend",))
@click.argument("network")
def network_create(context: Context, network: str) -> None:
    """Make a network that apps can share. It is yours: you attach apps, and destroy it."""
    networks.create(context.platform, network, context.actor)
    click.echo(f"{STEP}The network {network} is made")
    click.echo(f"{DETAIL}To attach an app: network:set APP attach-post-deploy {network}")


@command(
    "network:destroy",
    access=Access.MEMBER,
    examples=("network:destroy backend", "network:destroy backend --force"),
)
@click.argument("network")
@force_flag
def network_destroy(context: Context, network: str, force: bool) -> None:
    """Remove a network of yours; refused while an app is attached."""
    found = _find(context, network)
    networks.check_owned(found, context.actor)
    if not force:
        confirm(network, f"the network {network}", "network:destroy")
    networks.destroy(context.platform, found, context.apps())
    click.echo(f"{STEP}The network {network} is destroyed")


@command("network:exists", access=Access.MEMBER, examples=("network:exists backend",))
@click.argument("network")
def network_exists(context: Context, network: str) -> int:
    """Say whether there is such a network among those that you may see; exit 1 if not."""
    check_name(network)
    found = any(each.name == network for each in _visible(context))
    click.echo(f"{DETAIL}Network {network} {'exists' if found else 'does not exist'}")
    return int(not found)


@command("network:info", access=Access.MEMBER, examples=("network:info backend --format json",))
@click.argument("network")
@listing
def network_info(context: Context, network: str, style: str) -> None:
    """Describe a network: whose it is, its addresses, which of the apps that you see are on it."""
    values = _describe(context, _find(context, network))
    if style == JSON:
        show_json(values)
        return
    heading(f"{network} network information")
    show_values(values.items())


@command("network:list", access=Access.MEMBER, examples=("network:list --format json",))
@listing
def network_list(context: Context, style: str) -> None:
    """List the networks that are yours, and those of the apps that you may see."""
    found = _visible(context)
    if style == JSON:
        show_json([_describe(context, network) for network in found])
        return
    heading("Networks")
    for network in found:
        click.echo(network.name)


@command(
    "network:set",
    access=Access.OWNER,
    examples=(
        "network:set shop attach-post-deploy backend",
        "network:set shop attach-post-create backend metrics",
        "network:set shop attach-post-deploy ''",
    ),
)
@click.argument("app")
@click.argument("key", metavar="KEY")
@click.argument("names", nargs=-1, metavar="[NETWORK]...")
def network_set(context: Context, app: str, key: str, names: tuple[str, ...]) -> None:
    """Attach an app to networks of yours, at once; an empty value detaches it, at once.

    Keys: attach-post-deploy (new processes come onto it when they are healthy and current),
    attach-post-create and initial-network (before they start). The app's own network stays.
    """
    platform, found = context.platform, context.app(app)
    phase = _phase(key)
    before = {a.network.name for a in platform.store.networks.attachments(app=found.id)}
    wanted = [name for words in names for name in words.replace(",", " ").split()]
    if phase is Phase.INITIAL and len(wanted) > 1:
        raise UsageError("There is one initial-network at most", hint="Use attach-post-create.")
    chosen = [_find(context, name) for name in dict.fromkeys(wanted)]
    for network in chosen:
        if network.name not in before:
            networks.check_owned(network, context.actor)
    networks.attach(platform, found, phase, chosen, context.actor)
    shown = " ".join(network.name for network in chosen)
    click.echo(f"{STEP}{phase} of {app} is {shown or 'empty'}")
    if chosen:
        click.echo(f"{DETAIL}The other apps there reach it as {app}.web, {app}.web.1, ...")


@command(
    "network:report",
    access=Access.VIEWER,
    examples=("network:report shop", "network:report shop --format json"),
)
@click.argument("app", required=False)
@report("network", *REPORTED)
def network_report(context: Context, app: str | None, style: str, only: str | None) -> None:
    """Show the networks of an app, or of all apps, and the names of its processes there."""
    report_apps(context, "network", app, lambda each: _report(context.platform, each), style, only)


@command("network:rebuild", access=Access.DEPLOYER, examples=("network:rebuild shop",))
@click.argument("app")
def network_rebuild(context: Context, app: str) -> None:
    """Put an app's processes on its shared networks anew; their connections there are cut."""
    networks.rebuild(context.platform, context.app(app), context.actor)
    click.echo(f"{STEP}The networks of {app} are rebuilt")


@command("network:rebuildall", access=Access.ADMIN, examples=("network:rebuildall",))
def network_rebuildall(context: Context) -> int:
    """Do network:rebuild for every app; exit 1 if one could not be done."""
    failed = 0
    for app in context.apps():
        try:
            networks.rebuild(context.platform, app, context.actor)
        except PaasError as error:
            failed = 1
            click.echo(f"{PROBLEM}{app.name}: {error.message}", err=True)
    click.echo(f"{STEP}The networks are rebuilt")
    return failed


def _phase(key: str) -> Phase:
    if key in REFUSED:
        raise UsageError(f"{key} cannot be set: {REFUSED[key]}", hint="See network:help.")
    try:
        return Phase(key)
    except ValueError:
        raise UsageError(
            f"{key!r} is not a network property", hint=f"There are: {', '.join(Phase)}"
        ) from None


def _visible(context: Context) -> tuple[SharedNetwork, ...]:
    """Return the actor's networks, and those with an app that the actor may see."""
    store = context.platform.store.networks
    apps = {app.id for app in context.apps()}
    seen = {each.network.id for each in store.attachments() if each.app_id in apps}
    return tuple(n for n in store.list() if n.id in seen or networks.is_owned(n, context.actor))


def _find(context: Context, name: str) -> SharedNetwork:
    """Return a network that the actor may see. Raises NotFound for all others alike."""
    found = next((network for network in _visible(context) if network.name == name), None)
    if found is None:
        raise networks.missing(name)
    return found


def _describe(context: Context, network: SharedNetwork) -> dict[str, object]:
    platform = context.platform
    visible = {app.id: app.name for app in context.apps()}
    attached = platform.store.networks.attachments(network=network.id)
    return {
        "name": network.name,
        "owner": network.owner or "admin",
        "subnet": str(platform.settings.shared_subnet(network.index)),
        "apps": sorted(visible[each.app_id] for each in attached if each.app_id in visible),
        "created-at": date(network.created_at),
    }


def _report(platform: Platform, app: App) -> dict[str, object]:
    attached = platform.store.networks.attachments(app=app.id)
    rows = platform.store.containers.of(app.id, ContainerRole.CURRENT)
    names = sorted({name for row in rows for name in networks.names_of(app, row)})
    return {
        **{phase: [a.network.name for a in attached if a.phase is phase] for phase in Phase},
        "networks": [a.network.name for a in attached],
        "names": names if attached else [],
        "web-listeners": [f"{r.address}:{r.port}" for r in rows if r.process_type == "web"],
    }
