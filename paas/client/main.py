"""`paas ...` on a workstation: find host and app, and hand the command to ssh.

Imports next to nothing: what is slow here is felt with every command.
"""

import sys
from collections.abc import Callable, Sequence
from typing import NamedTuple

from paas import __version__
from paas.client import connection, verbs
from paas.client.remote import find_remote, parse_host
from paas.errors import NotFound, PaasError, UsageError

REMOTE = "paas"
HELP = {"help", "--help", "-h"}
TRY_LINK = "Try: paas link HOST   or: git remote add paas ssh://paas@HOST:2222/APP"
WITH_VALUE = {"--app": "app", "-a": "app", "--host": "host", "-r": "remote", "--remote": "remote"}


class Line(NamedTuple):
    """What was typed, with our flags taken from its front."""

    words: tuple[str, ...]
    app: str | None = None
    host: str | None = None
    remote: str | None = None
    no_app: bool = False


def main(argv: Sequence[str]) -> int:
    """Run a command line; return the exit status."""
    try:
        return _run(parse(argv))
    except PaasError as error:
        lines = "\n".join([error.message, *error.details, error.hint]).splitlines()
        sys.stderr.write("".join(f" !     {line}\n" for line in lines if line))
        return error.exit_status


def parse(argv: Sequence[str]) -> Line:
    """Take our flags from the front of a command line. Raises UsageError.

    Behind the verb everything is the verb's own.
    """
    found: dict[str, str] = {}
    rest, no_app = list(argv), False
    while rest:
        flag, has_value, value = rest[0].partition("=")
        if rest[0] == "--no-app":
            no_app = True
        elif flag not in WITH_VALUE:
            break
        elif has_value:
            found[WITH_VALUE[flag]] = value
        elif len(rest) < 2:  # noqa: PLR2004 - the flag and its value
            raise UsageError(f"{flag} wants a value")
        else:
            found[WITH_VALUE[flag]] = rest.pop(1)
        rest.pop(0)
    return Line(tuple(rest), no_app=no_app, **found)


def _run(line: Line) -> int:
    verb, args = (line.words[0], line.words[1:]) if line.words else ("help", ())
    if verb == "link":
        return verbs.link(args, line.remote or REMOTE)
    remote = find_remote(line.remote or REMOTE) if line.host is None else None
    if remote is None and line.remote:
        raise NotFound(f"There is no git remote {line.remote} here", hint="See: git remote -v")
    host = parse_host(line.host) if line.host else remote.host if remote else verbs.linked_host()
    implied = remote.app if remote and not line.no_app else None
    if host is None:
        return without_host(verb)
    own: dict[str, Callable[[], int]] = {
        "create": lambda: verbs.create(host, args, line.remote or REMOTE),
        "open": lambda: verbs.open_app(host, line.app or implied, args),
        "complete": lambda: verbs.complete(host, args, words_for(line, implied)),
    }
    if verb in own:
        return own[verb]()
    if verb in HELP and not args:
        sys.stdout.write(verbs.HELP)
        sys.stdout.flush()
    return connection.replace_process(host, words_for(line, implied))


def words_for(line: Line, implied: str | None) -> tuple[str, ...]:
    """Return the command for the door: `--app` is what was typed, `--in` what the remote says.

    The door uses the latter for commands that want an app and were not given one.
    """
    if line.app is not None:
        return ("--app", line.app, *line.words)
    return ("--in", implied, *line.words) if implied else line.words


def without_host(verb: str) -> int:
    """Answer what needs no host. Raises NotFound for everything else."""
    if verb in HELP:
        sys.stdout.write(f"{verbs.HELP}\nNo host is known here. {TRY_LINK}\n")
        return 0
    if verb == "version":
        sys.stdout.write(f"paas version {__version__} (of this client; no host is set)\n")
        sys.stderr.write(f" !     {TRY_LINK}\n")
        return 0
    if verb == "complete":
        return 0
    raise NotFound(
        "There is no host to talk to: no git remote paas here, and none is linked", hint=TRY_LINK
    )
