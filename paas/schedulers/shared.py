"""Networks that chosen apps share, in the engine, and which containers are on them.

A bridge each, as an app's own, so that the same walls hold; but internal: the engine then gives
containers no way out through it, so that their routes stay on the app's own network, whatever the
names of the two are.
"""

from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from docker.errors import APIError, NotFound
from docker.types import IPAMConfig, IPAMPool

from paas.errors import Conflict, StartFailed
from paas.model import App
from paas.network import Link, SharedNetwork
from paas.schedulers.allowed import check_endpoint
from paas.schedulers.engine import HTTP_CONFLICT, Engine, explanation
from paas.schedulers.profile import shared_name
from paas.settings import Settings

FORBIDDEN = 403  # the engine's answer to a container that is on the network, and to one in use
ALREADY = "already exists in network"


def create(engine: Engine, settings: Settings, network: SharedNetwork) -> None:
    """Make a shared network if it is missing. Raises StartFailed if its range is taken."""
    with engine.answering():
        try:
            engine.api.inspect_network(shared_name(network, settings))
        except NotFound:
            _make(engine, settings, network)


def remove(engine: Engine, settings: Settings, network: SharedNetwork) -> None:
    """Remove a shared network; gone is as good. Raises Conflict while a container is on it."""
    with engine.answering():
        try:
            engine.api.remove_network(shared_name(network, settings))
        except NotFound:
            return
        except APIError as error:
            if error.status_code != FORBIDDEN:
                raise
            raise Conflict(
                f"The network {network.name} is in use: {explanation(error)}",
                hint="Wait until old processes have ended, then try again.",
            ) from error


def link(engine: Engine, settings: Settings, container_id: str, wanted: Link) -> None:
    """Put a container on a shared network; there already is as good. Raises StartFailed."""
    name = shared_name(wanted.network, settings)
    config = _endpoint(wanted)
    check_endpoint(name, config, settings)
    with engine.answering():
        try:
            _connect(engine, name, container_id, config)
        except NotFound:
            create(engine, settings, wanted.network)
            with suppress(NotFound):  # the container is gone
                _connect(engine, name, container_id, config)
        except APIError as error:
            if ALREADY not in explanation(error):
                raise StartFailed(
                    f"The network {wanted.network.name} refuses: {explanation(error)}",
                    hint="Run: paas doctor",
                ) from error


def unlink(engine: Engine, settings: Settings, app: App, network: SharedNetwork) -> None:
    """Take all containers of the app off a shared network, running or not."""
    name = shared_name(network, settings)
    labels = [f"paas.instance={settings.instance}", f"paas.app-id={app.id}"]
    with engine.answering():
        for entry in engine.api.containers(all=True, filters={"label": labels}):
            if name in (entry["NetworkSettings"]["Networks"] or {}):
                _disconnect(engine, name, entry["Id"])


def _endpoint(wanted: Link) -> dict[str, Any]:
    config: dict[str, Any] = {"Aliases": list(wanted.names)}
    if wanted.address:
        config["IPAMConfig"] = {"IPv4Address": wanted.address}
    return config


def _connect(engine: Engine, name: str, container_id: str, config: Mapping[str, Any]) -> None:
    """Ask for what was checked, as it was checked."""
    engine.api.connect_container_to_network(
        container_id,
        name,
        aliases=config["Aliases"],
        ipv4_address=config.get("IPAMConfig", {}).get("IPv4Address"),
    )


def _disconnect(engine: Engine, name: str, container_id: str) -> None:
    try:
        engine.api.disconnect_container_from_network(container_id, name, force=True)
    except NotFound:  # the container has ended
        return


def _make(engine: Engine, settings: Settings, network: SharedNetwork) -> None:
    subnet = settings.shared_subnet(network.index)
    _, upper = subnet.subnets()
    pool = IPAMPool(subnet=str(subnet), gateway=str(subnet[1]), iprange=str(upper))
    try:
        engine.api.create_network(
            shared_name(network, settings),
            driver="bridge",
            internal=True,
            options={"com.docker.network.bridge.name": settings.bridge(network.index)},
            ipam=IPAMConfig(pool_configs=[pool]),
            check_duplicate=True,
            labels={"paas.instance": settings.instance, "paas.network": network.name},
        )
    except APIError as error:
        if error.status_code == HTTP_CONFLICT:  # another process made it just now
            return
        raise StartFailed(
            f"The network {network.name} cannot be made: {explanation(error)}",
            hint="If the range is taken, set another `network` in paas.toml",
        ) from error
