"""Docker's flags, as `docker-options:add` takes them: each becomes a typed setting, or is refused.

Nothing is passed to the engine as it was typed: see schedulers/allowed.py.
"""

import re
import shlex
from collections.abc import Iterator, Mapping, Sequence

from paas import formation
from paas.errors import NotFound, UsageError
from paas.model import App, SecurityOptions, config_key
from paas.options import change_option, show_size
from paas.platform import Platform

BUILD, DEPLOY, RUN = "build", "deploy", "run"
PHASES = (BUILD, DEPLOY, RUN)
TOPIC = "docker-options"
FROM_CONFIG = "config"  # stored for a build argument without a value: that of the config var
SHM, FILES, STOP, ARG = "--shm-size", "--ulimit nofile", "--stop-timeout", "--build-arg"
NOFILE = re.compile(r"nofile=([0-9]{1,6})(:[0-9]{1,6})?", re.ASCII)
ELSEWHERE: Mapping[str, str] = {
    "-v": "storage:mount",
    "--volume": "storage:mount",
    "--mount": "storage:mount",
    "-m": "resource:limit APP --memory 512m",
    "--memory": "resource:limit APP --memory 512m",
    "--cpus": "resource:limit APP --cpu 2",
    "-p": "ports:set",
    "--publish": "ports:set",
    "--expose": "ports:set",
    "-e": "config:set",
    "--env": "config:set",
    "--env-file": "config:import",
    "--tmpfs": "security:set APP tmpfs /path=16m",
    "--pids-limit": "security:set APP pids 512",
    "-u": "security:set APP run-as 1000",
    "--user": "security:set APP run-as 1000",
    "--network": "network:set",
    "--net": "network:set",
    "--link": "network:set",
}
ALWAYS = ("--init", "--read-only", "--restart", "-d", "--detach")
WALLS = frozenset(
    [
        "--privileged",
        "--cap-add",
        "--security-opt",
        "--device",
        "--gpus",
        "--pid",
        "--ipc",
        "--uts",
        "--userns",
        "--cgroupns",
        "--cgroup-parent",
        "--sysctl",
        "--volumes-from",
        "--group-add",
        "--oom-kill-disable",
        "--runtime",
    ]
)


def split(words: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Yield (flag, value) of typed options such as `--shm-size 256m`. Raises UsageError."""
    try:
        parts = [part for word in words for part in shlex.split(word)]
    except ValueError as error:
        raise UsageError("A quote is not closed", hint="As in: '--shm-size 256m'") from error
    while parts:
        flag, equals, value = parts.pop(0).partition("=")
        if not flag.startswith("-"):
            raise UsageError(f"{flag!r} is not an option", hint="As in: '--shm-size 256m'")
        if not equals and parts and not parts[0].startswith("-"):
            value = parts.pop(0)
        yield flag, value


def add(platform: Platform, app: App, phases: Sequence[str], flag: str, value: str) -> None:
    """Make it a setting of the app. Raises UsageError for what is done elsewhere, or never."""
    if flag == ARG and list(phases) == [BUILD]:
        key, equals, text = value.partition("=")
        stored = f"={text}" if equals else FROM_CONFIG
        platform.store.properties.set(app.id, TOPIC, config_key(key), stored)
    elif BUILD not in phases and flag in {SHM, "--ulimit", STOP}:
        _set(platform, app, flag, value)
    else:
        raise _refusal(phases, flag)


def remove(platform: Platform, app: App, phases: Sequence[str], flag: str, value: str) -> None:
    """Take a setting back. Raises NotFound if it was not set so."""
    options = {option for phase in phases for option in listed(platform, app, phase)}
    if f"{flag} {value}".strip() not in options:
        raise NotFound(f"{flag} {value} is not set", hint=f"See docker-options:report {app.name}")
    if flag == ARG:
        platform.store.properties.set(app.id, TOPIC, value.partition("=")[0], None)
    else:
        _set(platform, app, flag, "")


def clear(platform: Platform, app: App, phases: Sequence[str]) -> None:
    """Take back all settings of these phases; deploy and run share theirs."""
    for phase in phases:
        for flag, value in split(listed(platform, app, phase)):
            remove(platform, app, [phase], flag, value)


def listed(platform: Platform, app: App, phase: str) -> tuple[str, ...]:
    """Return what holds in a phase, in Docker's words."""
    if phase == BUILD:
        stored = platform.store.properties.get(app.id, TOPIC)
        return tuple(f"{ARG} {k}{'' if v == FROM_CONFIG else v}" for k, v in stored.items())
    walls, defaults = platform.store.security.get(app.id), SecurityOptions()
    stop = platform.store.properties.get(app.id, formation.TOPIC).get(formation.STOP_TIMEOUT)
    found = {
        f"{SHM} {show_size(walls.shm_size)}": walls.shm_size != defaults.shm_size,
        f"{FILES}={walls.open_files}": walls.open_files != defaults.open_files,
        f"{STOP} {stop}": stop is not None,
    }
    return tuple(option for option, is_set in found.items() if is_set)


def build_arguments(platform: Platform, app: App, config: Mapping[str, str]) -> dict[str, str]:
    """Return the build arguments; one without a value has that of the config var, if it is set."""
    stored = platform.store.properties.get(app.id, TOPIC)
    named = {key: config.get(key, "") for key, value in stored.items() if value == FROM_CONFIG}
    return named | {key: value[1:] for key, value in stored.items() if value != FROM_CONFIG}


def _set(platform: Platform, app: App, flag: str, value: str) -> None:
    if flag == STOP:
        formation.set_property(platform, app, formation.STOP_TIMEOUT, value)
        return
    key, text = "shm-size", value
    if flag == "--ulimit":
        key, match = "open-files", NOFILE.fullmatch(value)
        if value and not match:
            raise UsageError(
                f"{value!r} cannot be limited here", hint="As in: '--ulimit nofile=8192'"
            )
        text = match[1] if match else ""
    now = platform.store.security.get(app.id)
    platform.store.security.set(app.id, change_option(now, key, text))


def _refusal(phases: Sequence[str], flag: str) -> UsageError:
    if flag in WALLS:
        return UsageError(
            f"{flag} would undo the walls around the app", hint="See security:help, debug:help"
        )
    if flag in ELSEWHERE:
        return UsageError(f"{flag} has a command of its own", hint=f"Use {ELSEWHERE[flag]}")
    if flag in ALWAYS:
        return UsageError(f"{flag} is always so, or done by paas itself", hint="Leave it out.")
    return UsageError(
        f"{flag} cannot be given for {','.join(phases)}",
        hint=f"build: {ARG}. deploy, run: {SHM}, {FILES}, {STOP}",
    )
