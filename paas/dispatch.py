"""In the child: who is it, find the command, authorise, parse, call, show errors -> exit status."""

import errno
import importlib
import logging
import pkgutil
import secrets
import signal
import sys
from collections.abc import Mapping

import click

import paas.commands
from paas.access import authorise
from paas.commands.declare import REGISTRY, Access, Command, Context
from paas.doors.control import Control, Interrupted
from paas.doors.request import Request
from paas.errors import DiskFull, Forbidden, PaasError
from paas.implied import place_app, take_implied
from paas.model import LOCAL_ADMIN, Actor
from paas.platform import Platform
from paas.sessions import hold_places
from paas.show import explain_usage, nearest, show_error, topic_help, topics, verb_help
from paas.trail import Trail
from paas.workers import shielded

log = logging.getLogger("paas")

FULL = {errno.ENOSPC, errno.EDQUOT}
MOVED_FLAGS = frozenset({"--force", "--quiet"})


def load_commands() -> None:
    """Import every module of paas.commands once, which fills the registry."""
    for module in pkgutil.iter_modules(paas.commands.__path__):
        importlib.import_module(f"paas.commands.{module.name}")


def handle(platform: Platform, request: Request, uid: int, control: Control) -> int:
    """Run one request, typed by the peer `uid`, on the standard streams; return the exit status."""
    trail = Trail(platform.store.audit, request)
    status = _run_and_explain(platform, request, uid, control, trail)
    with shielded():
        trail.end(status)
    return status


def _run_and_explain(
    platform: Platform, request: Request, uid: int, control: Control, trail: Trail
) -> int:
    try:
        return _run(platform, request, uid, control, trail)
    except PaasError as error:
        show_error(error)
        return error.exit_status
    except Interrupted as interrupted:
        return 128 + interrupted.signum
    except (KeyboardInterrupt, click.Abort):
        return 128 + signal.SIGINT
    except BrokenPipeError:
        return 128 + signal.SIGPIPE
    except Exception as error:  # noqa: BLE001 - the one place that may; _explain logs it
        unforeseen = _explain(error, request)
        show_error(unforeseen)
        return unforeseen.exit_status


def _explain(error: Exception, request: Request) -> PaasError:
    """Return what the user is told of an error that nobody expected; the log has the cause."""
    if isinstance(error, OSError) and error.errno in FULL:
        return DiskFull("The disk is full", hint="Free some space, then try again.")
    identity = secrets.token_hex(4)
    log.error("error %s in %s", identity, request.argv[:1], exc_info=error)
    return PaasError(
        "paas made a mistake, and what was typed may be half done",
        hint=f"The host's owner finds the cause in paas's log under {identity}",
    )


def _run(platform: Platform, request: Request, uid: int, control: Control, trail: Trail) -> int:
    actor = find_actor(platform, request, uid)
    trail.know(actor)
    if actor.fingerprint is None:
        return _obey(platform, request, actor, control, trail)
    with hold_places(platform, actor):
        # Asked again: who takes the key away from now on finds us by our place (paas.sessions).
        actor = find_actor(platform, request, uid)
        return _obey(platform, request, actor, control, trail)


def _obey(
    platform: Platform, request: Request, actor: Actor, control: Control, trail: Trail
) -> int:
    argv, implied = take_implied(request.argv)
    argv = move_global_flags(argv)
    if (text := help_text(argv, REGISTRY)) is not None:
        trail.name("help")
        sys.stdout.write(text)
        return 0
    command = find_command(argv[0], REGISTRY)
    trail.name(command.name, command.click, argv[1:])
    remote = platform.settings.remote_host_verbs
    authorise(command.name, command.access, actor, remote_host_verbs=remote)
    context = Context(platform, request, actor, command, control)
    args = argv[1:]
    if implied is not None:
        args = place_app(command, args, implied, lambda name: _is_app(context, name))
        trail.name(command.name, command.click, args)
    trail.begin()
    return call(command, args, context)


def _is_app(context: Context, name: str) -> bool:
    """Whether the actor may see an app of this name."""
    try:
        context.app(name, Access.VIEWER)
    except PaasError:
        return False
    return True


def find_actor(platform: Platform, request: Request, uid: int) -> Actor:
    """Return who typed it; never believe the door more than its uid. Raises Forbidden.

    Root is the local admin, and only at the local door. The doors' user names a key, never an
    actor; a key that was removed meanwhile is nobody.
    """
    if uid == 0 and request.door == "local" and request.fingerprint is None:
        return LOCAL_ADMIN
    if uid != 0 and request.door != "local" and request.fingerprint:
        actor = platform.store.users.actor(request.fingerprint)
        if actor:
            return actor
    raise Forbidden("This key may not do anything here", hint="Ask the host's owner to add it.")


def move_global_flags(argv: tuple[str, ...]) -> tuple[str, ...]:
    """Return argv with flags that stand before the verb put behind it, as Dokku allows.

    `--app X verb a` becomes `verb X a`, `--force verb a` becomes `verb --force a`, where the verb's
    own parser accepts or refuses it.
    """
    flags: list[str] = []
    app: list[str] = []
    while argv and argv[0].startswith("--"):
        if argv[0] in MOVED_FLAGS:
            flags.append(argv[0])
            argv = argv[1:]
        elif argv[0] == "--app" and len(argv) > 1:
            app = [argv[1]]
            argv = argv[2:]
        else:
            break
    return (argv[0], *flags, *app, *argv[1:]) if argv else ()


def help_text(argv: tuple[str, ...], registry: Mapping[str, Command]) -> str | None:
    """Return the help that argv asks for; None if it asks for something else.

    `topic`, `topic:help` and `topic --help` are one text, `topic:verb --help` is the verb's part
    of it; nothing at all lists the topics.
    """
    if argv in {(), ("--help",), ("-h",)}:
        return topics(registry)
    topic = argv[0].removesuffix(":help")
    is_asked = topic != argv[0] or argv[1:] in {("--help",), ("-h",)}
    is_known = any(command.topic == topic for command in registry.values())
    if is_known and (is_asked or (len(argv) == 1 and topic not in registry)):
        return topic_help(topic, registry)
    if is_asked and topic in registry:
        return f"{verb_help(registry[topic])}\n"
    return None


def find_command(name: str, registry: Mapping[str, Command]) -> Command:
    """Return the command. Raises PaasError with the nearest one: "X is not a paas command".

    A topic alone, with arguments behind it (`config shop`), is told to want a verb.
    """
    if name in registry:
        return registry[name]
    topic = name.partition(":")[0]
    is_topic = any(command.topic == topic for command in registry.values())
    lists = f"`{topic}:help` lists what {topic} has" if is_topic else "`help` lists all"
    if is_topic and name == topic:
        raise PaasError(f"{name} wants a verb, as in {name}:VERB", hint=lists)
    alike = nearest(name, registry)
    hint = f"Did you mean {alike}? " if alike else ""
    raise PaasError(f"{name} is not a paas command", hint=f"{hint}{lists}")


def call(command: Command, args: tuple[str, ...], context: Context) -> int:
    """Parse and run; return what the command returned as its exit status. Raises UsageError."""
    try:
        with command.click.make_context(command.name, list(args), obj=context) as parsed:
            return command.click.invoke(parsed) or 0
    except click.exceptions.Exit as leaving:
        return leaving.exit_code
    except click.ClickException as error:
        raise explain_usage(error, command) from error
