"""Who may do what: the rules, in one place. What nobody granted is refused.

Three questions: may the actor use the verb at all (authorise), which apps does the actor see, and
is the actor's role at the app enough (find_app). An app that may not be seen gives the very answer
of one that does not exist.
"""

from enum import StrEnum

from paas.errors import Conflict, Forbidden, NotFound
from paas.model import Actor, App, Role
from paas.state.base import Store


class Access(StrEnum):
    """What an actor needs. The default of a command that says nothing is HOST."""

    ANYONE = "anyone"  # every key that is known: help, version
    MEMBER = "member"  # names no app, or one that does not exist yet: apps:list, apps:create
    VIEWER = "viewer"  # reads an app, but no values of its config
    DEPLOYER = "deployer"  # pushes and operates an app
    OWNER = "owner"  # may end, rename, open or hand over an app
    ADMIN = "admin"  # what concerns all apps: global settings, audit
    HOST = "host"  # touches the host's safety: root on the host, unless the owner allows remote


OWNED = 250  # apps of one user: an instance has networks for 2048
ROLES = {Access.DEPLOYER: Role.DEPLOYER, Access.OWNER: Role.OWNER}  # for others it is enough to see


def authorise(verb: str, needs: Access, actor: Actor, *, remote_host_verbs: bool) -> None:
    """Raise Forbidden unless the actor may use the verb. Looks at no app: see find_app()."""
    if actor.is_host or needs is Access.ANYONE:
        return
    if actor.token and verb not in actor.token.verbs:
        raise Forbidden(
            f"The token {actor.name} may not use {verb}",
            hint=f"It may use: {' '.join(sorted(actor.token.verbs))}",
        )
    if needs is Access.HOST and not remote_host_verbs:
        raise Forbidden(
            f"{verb} can only be used by root on the host",
            hint=f"There: paas {verb}   (or set remote_host_verbs = true in paas.toml)",
        )
    if needs in {Access.ADMIN, Access.HOST} and not actor.is_admin:
        raise Forbidden(f"{verb} is for admins", hint="Ask an admin of this host.")


def find_app(store: Store, actor: Actor, name: str, needs: Access) -> App:
    """Return the app of this name. Raises Forbidden when the actor's role there is too small.

    Raises NotFound (20) with the same words for an app that is missing and for one that the actor
    may not see; its hint names only an app that the actor sees.
    """
    app, role = store.grants.find(actor, name)
    needed = ROLES.get(needs, Role.VIEWER)
    if not role.covers(needed):
        raise Forbidden(
            f"This needs the role {needed} at {app.name}; you are its {role}",
            hint=f"Ask an owner of it: access:grant {app.name} {actor.name} {needed}",
        )
    return app


def find_app_to_push(store: Store, actor: Actor, name: str) -> App | None:
    """Return the app to push to; None if there is none, and the actor may create it.

    Raises as find_app(): a push to an app that may not be seen is told that it does not exist.
    """
    try:
        return find_app(store, actor, name, Access.DEPLOYER)
    except NotFound:
        if actor.token or store.apps.find(name):
            raise
        return None


def confirm(store: Store, actor: Actor, app: App) -> None:
    """Ask again whether the actor may push, as when a pack has arrived, before it is deployed.

    Raises Forbidden when the key was removed meanwhile, else as find_app().
    """
    if actor.fingerprint is None:
        return
    now = store.users.actor(actor.fingerprint)
    if now is None:
        raise Forbidden("The key of this push was removed", hint="Ask the host's owner to add it.")
    find_app(store, now, app.name, Access.DEPLOYER)


def list_apps(store: Store, actor: Actor, needs: Access) -> tuple[App, ...]:
    """Return the apps at which the actor's role is enough, by name."""
    needed = ROLES.get(needs, Role.VIEWER)
    return tuple(app for app, role in store.grants.list(actor) if role.covers(needed))


def create_app(store: Store, actor: Actor, name: str, *, for_push: bool = False) -> App:
    """Create an app; a user who does so becomes its owner. Raises Conflict, InvalidName."""
    if not actor.sees_all and sum(r is Role.OWNER for _, r in store.grants.list(actor)) >= OWNED:
        raise Conflict(
            f"You own {OWNED} apps: no single user may take all that the host has room for",
            hint="Ask an admin to create it, and to let you in: access:grant",
        )
    return store.apps.create(name, owner=actor.user, for_push=for_push)
