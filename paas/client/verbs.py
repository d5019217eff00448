"""What the client does itself: `link`, `create`, `open`, and its part of `help` and `complete`."""

import os
import re
import sys
from collections.abc import Mapping, Sequence

from paas.client import connection
from paas.client.remote import APP, Host, git, is_repository, parse_host
from paas.errors import Conflict, PaasError, UsageError

WORD = r"[A-Za-z0-9_.:=,@/-]{1,200}"  # goes into a shell's line, and to a terminal
OWN = ("completion", "create", "link", "open")
HELP = """\
=====> On this machine
       create [NAME]            make an app, and a git remote for it
       link HOST [APP]          commands go to HOST ([USER@]HOST[:PORT]); with APP, also this
                                repository's remote
       open [PATH]              show the app in a browser
       completion bash|zsh|fish  print a completion script for the shell
       --app NAME, --host HOST, -r REMOTE, --no-app
                                before a command: take another app, host or git remote
"""


def link(args: Sequence[str], remote: str) -> int:
    """Remember the host; with an app, point this repository's remote to it.

    The host must answer, and know the user's key.
    """
    if len(args) not in {1, 2}:
        raise UsageError("Usage: paas link HOST [APP]", hint="HOST is [USER@]HOST[:PORT].")
    host, app = parse_host(args[0]), _app_name(args[1]) if len(args) > 1 else None
    if app:
        _require_repository()
    asked = connection.ask(host, ["apps:exists", app] if app else ["version"])
    if asked.returncode:
        return asked.returncode
    _write_host(host)
    sys.stdout.write(f"-----> Commands go to {host.url()}\n")
    if app:
        _set_remote(remote, host.url(app))
    return 0


def create(host: Host, args: Sequence[str], remote: str) -> int:
    """Create an app, named like the directory unless a name is given, and its git remote."""
    if len(args) > 1:
        raise UsageError("Usage: paas create [NAME]")
    _require_repository()
    if git("remote", "get-url", remote).returncode == 0:
        raise Conflict(
            f"There is a git remote {remote} already",
            hint=f"Take another: paas -r NAME create; or remove it: git remote remove {remote}",
        )
    top = git("rev-parse", "--show-toplevel").stdout.removesuffix("\n")
    app = _app_name(args[0] if args else top.rpartition("/")[2])
    asked = connection.ask(host, ["apps:create", app])
    if asked.returncode == 0:
        sys.stdout.write(f"-----> Created {app}\n")
        _set_remote(remote, host.url(app))
        sys.stdout.write(f"       Push to it: git push {remote} HEAD:main\n")
    return asked.returncode


def open_app(host: Host, app: str | None, args: Sequence[str]) -> int:
    """Show the app's first URL in the browser, with a path if one is given."""
    if app is None or len(args) > 1:
        raise UsageError("Usage: paas open [PATH]", hint="Outside a repository: --app NAME.")
    asked = connection.ask(host, ["apps:report", app, "--format", "json"])
    if asked.returncode:
        return asked.returncode
    url = first_url(asked.stdout) + "/" + "".join(args).lstrip("/")
    sys.stdout.write(f"-----> {url}\n")
    import webbrowser  # noqa: PLC0415 - slow, and only wanted here

    if not webbrowser.open(url):
        raise PaasError("No browser was found here", hint="The address is the one above")
    return 0


def first_url(report: str) -> str:
    """Return the first URL of an app's report. Raises PaasError for anything but http(s)."""
    import json  # noqa: PLC0415 - only wanted here

    try:
        url = json.loads(report)["urls"][0]
    except (ValueError, KeyError, IndexError, TypeError) as error:
        raise PaasError("The host did not say where the app is") from error
    if not isinstance(url, str) or not re.fullmatch(r"https?://[A-Za-z0-9.:-]+", url, re.ASCII):
        raise PaasError(f"The host says the app is at {url!a}: that is not opened")
    return url


def complete(host: Host, args: Sequence[str], words: Sequence[str]) -> int:
    """Print what can stand at the end of a command line: the host's answer, and our own verbs."""
    typed = [arg for arg in args if arg != "--"]
    asked = connection.ask(host, words)
    found = asked.stdout.splitlines()
    sys.stdout.writelines(f"{word}\n" for word in found if re.fullmatch(WORD, word, re.ASCII))
    if len(typed) == 1:
        sys.stdout.writelines(f"{verb}\n" for verb in OWN if verb.startswith(typed[0]))
    return asked.returncode


def linked_host(environ: Mapping[str, str] = os.environ) -> Host | None:
    """Return the host that `link` remembered. Raises UsageError for a damaged file."""
    try:
        with open(_host_file(environ), encoding="utf-8") as file:  # noqa: PTH123 - pathlib is slow to import
            return parse_host(file.read(1000).strip())
    except FileNotFoundError:
        return None


def _write_host(host: Host, environ: Mapping[str, str] = os.environ) -> None:
    path = _host_file(environ)
    os.makedirs(os.path.dirname(path), exist_ok=True)  # noqa: PTH103,PTH120 - pathlib is slow to import
    new = f"{path}.{os.getpid()}"
    with open(new, "w", encoding="utf-8") as file:  # noqa: PTH123 - as above
        file.write(f"{host.url()}\n")
    os.replace(new, path)  # noqa: PTH105 - as above


def _host_file(environ: Mapping[str, str]) -> str:
    base = environ.get("XDG_CONFIG_HOME") or f"{environ.get('HOME', '')}/.config"
    return f"{base}/paas/host"


def _set_remote(remote: str, url: str) -> None:
    verb = "set-url" if git("remote", "get-url", remote).returncode == 0 else "add"
    done = git("remote", verb, remote, url)
    if done.returncode:
        raise PaasError(f"git refused the remote {remote}", details=(done.stderr,))
    sys.stdout.write(f"-----> The git remote {remote} is {url}\n")


def _require_repository() -> None:
    if not is_repository():
        raise UsageError("This is not a git repository", hint="Type first: git init")


def _app_name(name: str) -> str:
    if not re.fullmatch(APP, name, re.ASCII):
        raise UsageError(
            f"{name!a} is not an app name",
            hint="Use 1-40 lower-case letters, digits and single hyphens: paas create NAME",
        )
    return name
