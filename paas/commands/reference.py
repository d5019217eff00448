"""`python -m paas.commands.reference`: prints docs/commands.md, made from the declarations."""

import sys
from collections.abc import Iterator, Mapping
from inspect import cleandoc

from paas.commands.declare import REGISTRY, Command
from paas.dispatch import load_commands

HEAD = """\
# Commands

<!-- Made by `just docs` from paas/commands/: change the declarations, not this file. -->

Over ssh: `ssh -p 2222 paas@HOST VERB ...`. On the host, as root: `paas VERB ...`. Both are the same
dispatch and print the same. `TOPIC` alone, `TOPIC:help` and `help TOPIC` explain one topic.

- Flags may stand anywhere behind the verb; `--app APP`, `--force` and `--quiet` also before it.
- `--format json` prints one JSON value, for programs (`stdout` is Dokku's word for text).
  Problems go to stderr, with ` !     ` before.
- Exit status: 0 done; 1 refused or failed; 2 typed wrongly; 20 there is no such app (or release,
  domain, key); 75 a part of the host does not answer (engine, nginx, daemon, disk full); 130
  cancelled; 255 is ssh's own: the key was not accepted.
- Who may type what: *anyone* and *member* is every key that was added; *viewer*, *deployer* and
  *owner* are roles at an app; *admin* is a user for all apps; *host* is root on the host, and over
  ssh admins if [`remote_host_verbs`](settings.md) is true. See [access](access.md).
- On a workstation the [client](client.md) finds host and app by itself.

"""
OWN_HEAD = """\
## The service's own verbs

For root on the host only; they work when the daemon does not. See [operations](operations.md).

| verb | what it does |
|---|---|
"""
# What __main__ runs itself. `doctor` is declared like the others, and runs here too.
OWN: Mapping[str, str] = {
    "setup": "Bring the installation into shape: user, directories, settings, stack, apt cache, "
    "nginx include, firewall. May be run again at any time",
    "start": "Start the daemon detached, where no systemd does",
    "stop": "Stop the daemon; apps and deploys at work go on",
    "status": "Say whether the daemon runs, and where its doors are; exit status 3 if it does not",
    "upgrade": "Go to another version, from a checkout's folder or a release's archive; apps go on",
    "serve": "Be the daemon, in the foreground: what the systemd unit runs",
}


def reference(registry: Mapping[str, Command]) -> str:
    """Return the whole page: a table of all verbs, then each topic."""
    topics: dict[str, list[Command]] = {}
    for name in sorted(registry):
        topics.setdefault(registry[name].topic, []).append(registry[name])
    index = "".join(_index(topic, commands) for topic, commands in topics.items())
    own = "".join(f"| `paas {verb}` | {text} |\n" for verb, text in OWN.items())
    sections = "".join(_section(topic, commands) for topic, commands in topics.items())
    return f"{HEAD}| topic | verbs |\n|---|---|\n{index}\n{OWN_HEAD}{own}{sections}"


def _index(topic: str, commands: list[Command]) -> str:
    verbs = ", ".join(f"`{command.name}`" for command in commands)
    return f"| [{topic}](#{topic}) | {verbs} |\n"


def _section(topic: str, commands: list[Command]) -> str:
    entries = ("\n".join(_entry(command)) for command in commands)
    return f"\n## {topic}\n" + "".join(f"\n{entry}\n" for entry in entries)


def _entry(command: Command) -> Iterator[str]:
    context = command.click.make_context(command.name, [], resilient_parsing=True)
    usage = " ".join([command.name, *command.click.collect_usage_pieces(context)])
    yield from (f"### `{usage}`", "", *cleandoc(command.click.help or "").splitlines(), "")
    records = (param.get_help_record(context) for param in command.click.params)
    options = [f"- `{record[0]}`: {record[1]}" for record in records if record and record[1]]
    yield from (*options, *([""] if options else []))
    yield f"Who: {command.access}."
    if command.examples:
        yield from ("", "```", *command.examples, "```")


if __name__ == "__main__":
    load_commands()
    sys.stdout.write(reference(REGISTRY))
