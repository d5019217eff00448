"""The settings of a container that a person holds, and the image of tools beside a process.

They are those of the hardened profile but for the few fields below; check_attached() takes these
back and lets the profile's own validator judge the rest.
"""

import copy
from collections.abc import Mapping
from typing import Any

from docker.errors import NotFound

from paas.errors import ImageMissing, StartFailed
from paas.schedulers import gate
from paas.schedulers.allowed import check_settings
from paas.schedulers.base import Beside, Streams
from paas.schedulers.engine import Engine
from paas.settings import Settings

CAPABILITIES = ("NET_RAW", "SYS_PTRACE")  # what an admin may give to tools
NOT_LOGGED: Mapping[str, Any] = {"Type": "none", "Config": {}}  # a person's typing, or 1 GB
ROOT = "0:0"
JOINED = ("NetworkMode", "PidMode")
NOT_JOINABLE = ("Hostname", "NetworkingConfig")  # the engine refuses them with another's network


def settings_for(
    plain: Mapping[str, Any], settings: Settings, streams: Streams, beside: Beside | None
) -> dict[str, Any]:
    """Return the checked settings of a container that somebody holds. Raises StartFailed."""
    config = attached_settings(plain, streams, beside)
    check_attached(config, plain, settings, beside)
    return config


def attached_settings(
    plain: Mapping[str, Any], streams: Streams, beside: Beside | None
) -> dict[str, Any]:
    """Return the settings of a container that somebody holds, from those of a process.

    With `beside` it joins another's namespaces. Its own init would not be process 1 there.
    """
    config = copy.deepcopy(dict(plain))
    has_input = streams.stdin is not None
    config |= {"Tty": streams.window is not None, "OpenStdin": has_input, "StdinOnce": has_input}
    config["HostConfig"]["LogConfig"] = dict(NOT_LOGGED)
    if gate.is_wanted(streams):
        config |= gate.put_before(config)
    if beside:
        for name in NOT_JOINABLE:
            del config[name]
        config["HostConfig"] |= dict.fromkeys(JOINED, f"container:{beside.container_id}")
        config["HostConfig"] |= {"Sysctls": {}, "Init": False}
        if beside.capabilities:
            config["User"] = ROOT
            config["HostConfig"]["CapAdd"] = list(beside.capabilities)
    return config


def check_attached(
    config: Mapping[str, Any], plain: Mapping[str, Any], settings: Settings, beside: Beside | None
) -> None:
    """Raise StartFailed if the settings differ from `plain`, or it from the profile, too much."""
    check_settings(plain, settings)
    rest = copy.deepcopy(dict(config))
    host = rest["HostConfig"]
    asked = set(host.pop("CapAdd", ()))
    if not asked <= set(CAPABILITIES) or asked != set(beside.capabilities if beside else ()):
        raise StartFailed(
            "These capabilities cannot be given", hint=f"Possible are: {', '.join(CAPABILITIES)}"
        )
    if asked:
        rest["User"] = plain["User"]
    rest.pop("StdinOnce")
    if gate.is_before(rest):
        rest["Cmd"] = [rest["Cmd"][0].removeprefix(gate.GATE)]
    rest |= {name: plain[name] for name in ("Tty", "OpenStdin")}
    host["LogConfig"] = plain["HostConfig"]["LogConfig"]
    if beside:
        if {host[name] for name in JOINED} != {f"container:{beside.container_id}"}:
            raise StartFailed("Tools join one process of the app only")
        rest |= {name: plain[name] for name in NOT_JOINABLE}
        host |= {name: plain["HostConfig"][name] for name in ("NetworkMode", "Sysctls", "Init")}
        del host["PidMode"]
    if rest != dict(plain):
        raise StartFailed("The settings are outside the hardened profile")


def tools_image(engine: Engine, settings: Settings) -> str:
    """Return the id of the image with tools: the one that builds use. Raises ImageMissing."""
    with engine.answering():
        try:
            found = engine.api.inspect_image(settings.stack_build)  # type: ignore[no-untyped-call] # docker's stubs
        except NotFound:
            raise ImageMissing("The tools' image is missing", hint="Run: paas setup") from None
    return str(found["Id"])
