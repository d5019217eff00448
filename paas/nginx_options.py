"""The properties of `nginx:set`: each has a form, and only what has that form gets into a vhost.

Names are Dokku's. Its properties that are refused stand here too, with the reason.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from paas.errors import InvalidName, UsageError

TOPIC = "nginx"


@dataclass(frozen=True)
class Option:
    """A property: its default, its form, and that form in words."""

    default: str
    form: re.Pattern[str]
    words: str


def _matching(default: str, form: str, words: str) -> Option:
    return Option(default, re.compile(form, re.ASCII), words)


def _size(default: str) -> Option:
    return _matching(default, r"[1-9][0-9]{0,4}[km]|[1-9]g", "a size like 20m")


def _time(default: str) -> Option:
    return _matching(default, r"[1-9][0-9]{0,4}[smh]", "a time like 90s")


def _switch(default: str) -> Option:
    return _matching(default, r"on|off", "on or off")


def _one_of(default: str, *others: str) -> Option:
    words = " or ".join(repr(value) for value in (default, *others) if value)
    return _matching(default, "|".join(map(re.escape, (default, *others))), words)


OPTIONS: Mapping[str, Option] = {
    "access-log": _switch("on"),
    "access-log-format": _matching(
        "", r"|[a-z][a-z0-9_]{0,40}", "the name of a log_format in nginx.conf, such as combined"
    ),
    "client-body-timeout": _time("15s"),
    "client-max-body-size": _size("20m"),
    "connections-per-address": _matching("100", r"[0-9]{1,5}", "a number"),
    "error-log": _switch("on"),
    "gzip": _switch("on"),
    "hsts": _switch("on"),
    "hsts-include-subdomains": _switch("off"),
    "hsts-max-age": _matching("15724800", r"[0-9]{1,9}", "a number of seconds"),
    "hsts-preload": _switch("off"),
    "keepalive-timeout": _time("75s"),
    "lingering-timeout": _time("5s"),
    "maintenance": _switch("off"),
    "proxy-buffer-size": _size("16k"),
    "proxy-buffering": _switch("off"),  # so that streams and server-sent events flow
    "proxy-buffers": _matching("", r"|[1-9][0-9]? [1-9][0-9]{0,3}k", "a number and a size: 8 16k"),
    "proxy-busy-buffers-size": _matching("", r"|[1-9][0-9]{0,3}k", "a size like 32k"),
    "proxy-connect-timeout": _time("5s"),
    "proxy-read-timeout": _time("60s"),
    "proxy-request-buffering": _switch("on"),  # so that a slow upload holds no process of the app
    "proxy-send-timeout": _time("60s"),
    "send-timeout": _time("30s"),
    # Behind another proxy that always sets these; whoever reaches this host past it can forge them.
    "x-forwarded-for-value": _one_of(
        "$remote_addr", "$http_x_forwarded_for", "$proxy_add_x_forwarded_for"
    ),
    "x-forwarded-port-value": _one_of("$server_port", "$http_x_forwarded_port"),
    "x-forwarded-proto-value": _one_of("$scheme", "$http_x_forwarded_proto"),
    "x-forwarded-ssl": _one_of("", "on", "off"),
}
EARLY = "nginx reads the headers before it knows which app is meant"
REFUSED: Mapping[str, str] = {
    "bind-address-ipv4": "all apps share the addresses that nginx listens on",
    "bind-address-ipv6": "all apps share the addresses that nginx listens on",
    "client-header-timeout": f"{EARLY}; it is 10 s for all",
    "disable-custom-config": "apps bring no nginx configuration of their own anyway",
    "nginx-conf-sigil-path": "apps bring no nginx configuration of their own; the host's owner can",
    "nginx-service-command": "the host's own service manager runs nginx",
    "proxy-keepalive": "nothing is kept open towards apps, so that a deploy cuts no connection",
    "underscore-in-headers": f"{EARLY}, and an app could not tell X_Real_IP from X-Real-IP",
}
PATHS = {"access-log-path": "access-log", "error-log-path": "error-log"}  # Dokku's words for off
BOOLEANS = {"true": "on", "false": "off"}  # Dokku's words for switches


def parse_option(name: str, value: str) -> tuple[str, str]:
    """Return the property and the value that were typed, in our words; "" clears.

    Raises UsageError for a property that there is not, or cannot be; InvalidName for a value.
    """
    if name in PATHS:
        if value not in {"", "off"}:
            raise InvalidName(
                f"{name} can only be off", hint="nginx:access-logs and nginx:error-logs read them."
            )
        name = PATHS[name]
    if name in REFUSED:
        raise UsageError(f"{name} cannot be set: {REFUSED[name]}", hint="See nginx:help.")
    if name in OPTIONS and OPTIONS[name].form.fullmatch("on"):
        value = BOOLEANS.get(value, value)
    return name, value if not value and name in OPTIONS else check_option(name, value)


def check_option(name: str, value: str) -> str:
    """Return `value` if the nginx option may have it; raise UsageError or InvalidName."""
    if name not in OPTIONS:
        raise UsageError(
            f"{name!r} is not an nginx property", hint=f"There are: {', '.join(OPTIONS)}."
        )
    if not OPTIONS[name].form.fullmatch(value):
        raise InvalidName(f"{name} cannot be {value!r}", hint=f"Give {OPTIONS[name].words}.")
    return value
