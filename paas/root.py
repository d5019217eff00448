"""Where the installation's data is: the part of the settings that a door needs, read cheaply."""

import os
from collections.abc import Mapping

FILE = "/etc/paas/paas.toml"
ROOT = "/var/lib/paas"


def read_file(path: str) -> dict[str, object]:
    """Return the values of a TOML file, {} if there is none."""
    if not os.path.isfile(path):  # noqa: PTH113 - pathlib costs a door 5 ms
        return {}
    import tomllib  # noqa: PLC0415 - as above

    with open(path, "rb") as file:  # noqa: PTH123 - as above
        return tomllib.load(file)


def socket_path(environ: Mapping[str, str] = os.environ) -> str:
    """Return the daemon's socket, the same as `settings.load(environ).socket`."""
    root = environ.get("PAAS_ROOT") or read_file(environ.get("PAAS_CONFIG", FILE)).get("root", ROOT)
    return f"{root}/run/paas.sock"


def is_host(environ: Mapping[str, str] = os.environ) -> bool:
    """Return whether an installation is configured on this machine."""
    if "PAAS_ROOT" in environ or "PAAS_CONFIG" in environ:
        return True
    return os.path.exists(FILE) or os.path.exists(f"{ROOT}/run/paas.sock")  # noqa: PTH110 - as above
