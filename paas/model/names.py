"""The forms of names: each is checked where it comes in."""

import re

from paas.errors import InvalidName

APP_NAME = re.compile(r"[a-z](?:[a-z0-9-]{0,38}[a-z0-9])?", re.ASCII)
PROCESS_TYPE = re.compile(r"[a-z][a-z0-9_-]{0,30}", re.ASCII)
CONFIG_KEY = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,127}", re.ASCII)
DOMAIN_LABEL = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?", re.ASCII)
KEY_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@-]{0,63}", re.ASCII)
OBJECT_ID = re.compile(r"[0-9a-f]{40}", re.ASCII)
RESERVED_APP_NAMES = frozenset(
    [
        "paas",
        "git",
        "admin",
        "default",
        "localhost",
        "www",
        "host",
        "none",
        "bridge",
        "stack",
        "apt-cache",
    ]
)
RESERVED_USER_NAMES = frozenset({"root", "paas"})  # of actors who have no key
RESERVED_CONFIG_KEYS = frozenset({"PORT", "HOME", "TMPDIR"})
RESERVED_CONFIG_PREFIXES = ("PAAS_", "DOCKER_")


def app_name(name: str) -> str:
    """Return `name` if it is a valid app name; raise InvalidName otherwise."""
    if not APP_NAME.fullmatch(name) or "--" in name:
        raise InvalidName(
            f"{name!r} is not an app name",
            hint="Use 1-40 lower-case letters, digits and single hyphens, a letter first.",
        )
    if name in RESERVED_APP_NAMES:
        raise InvalidName(f"{name!r} is a reserved name", hint="Choose another app name.")
    return name


def process_type(name: str) -> str:
    """Return `name` if it is a valid process type; raise InvalidName otherwise."""
    if not PROCESS_TYPE.fullmatch(name):
        raise InvalidName(
            f"{name!r} is not a process type",
            hint="Use 1-31 lower-case letters, digits, _ and -, a letter first.",
        )
    return name


def config_key(key: str) -> str:
    """Return `key` if apps may set it; raise InvalidName otherwise."""
    if not CONFIG_KEY.fullmatch(key):
        raise InvalidName(
            f"{key!r} is not a config key",
            hint="Use letters, digits and _, not a digit first, at most 128 characters.",
        )
    if key in RESERVED_CONFIG_KEYS or key.startswith(RESERVED_CONFIG_PREFIXES):
        raise InvalidName(f"{key} is set by paas itself", hint="Choose another key.")
    return key


def domain_name(domain: str) -> str:
    """Return the normalised (lower case, punycode, no final dot) domain; raise InvalidName.

    Limits are those of RFC 1035: labels of at most 63 octets, names of at most 253.
    """
    try:
        name = domain.rstrip(".").lower().encode("idna").decode("ascii") if domain else ""
    except UnicodeError:
        name = ""
    labels = name.split(".")
    if len(name) > 253 or not all(DOMAIN_LABEL.fullmatch(label) for label in labels):  # noqa: PLR2004 - RFC 1035
        raise InvalidName(
            f"{domain!r} is not a domain name",
            hint="Give a host name like shop.example.org, without scheme, port or path.",
        )
    return name


def domain_patterns(domain: str) -> tuple[str, ...]:
    """Return the normalised names that a typed domain stands for; raise InvalidName.

    `*.x` is every name below x, and `.x` both x and what is below it, as in nginx's server_name.
    """
    if not domain.startswith((".", "*.")):
        return (domain_name(domain),)
    name = domain_name(domain.removeprefix("*").removeprefix("."))
    if "." not in name:
        raise InvalidName(
            f"{domain!r} covers too much", hint="Give a wildcard such as *.shop.example.org"
        )
    return (f"*.{name}",) if domain.startswith("*") else (name, f"*.{name}")


def key_name(name: str) -> str:
    """Return `name` if it can name an ssh key; raise InvalidName otherwise."""
    if not KEY_NAME.fullmatch(name):
        raise InvalidName(
            f"{name!r} is not a key name",
            hint="Use 1-64 letters, digits and . _ @ -, a letter or digit first.",
        )
    return name


def user_name(name: str) -> str:
    """Return `name` if it can name a user; raise InvalidName otherwise."""
    if name in RESERVED_USER_NAMES:
        raise InvalidName(f"{name} is what paas calls itself and the host's owner")
    return key_name(name)
