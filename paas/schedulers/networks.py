"""One network per app: own bridge, own subnet, so that no app reaches another."""

from collections.abc import Mapping
from typing import Any

from docker.errors import APIError, NotFound
from docker.types import IPAMConfig, IPAMPool

from paas.errors import StartFailed
from paas.model import App
from paas.schedulers.engine import HTTP_CONFLICT, Engine, explanation
from paas.schedulers.profile import network_name
from paas.settings import Settings


def create(engine: Engine, settings: Settings, app: App) -> None:
    """Make the app's network if it is missing. Raises StartFailed if its range is taken.

    A network whose subnet is of older settings is made anew, unless it is in use.
    """
    name = network_name(app, settings)
    with engine.answering():
        try:
            existing = engine.api.inspect_network(name)
        except NotFound:
            _make(engine, settings, app)
            return
    if not _fits(existing, settings, app):
        _replace(engine, settings, app)


def remove(engine: Engine, settings: Settings, app: App) -> None:
    """Remove the app's network; gone is as good."""
    with engine.answering():
        try:
            engine.api.remove_network(network_name(app, settings))
        except NotFound:
            return


def _fits(network: Mapping[str, Any], settings: Settings, app: App) -> bool:
    pools = network["IPAM"]["Config"] or []
    return [pool.get("Subnet") for pool in pools] == [str(settings.subnet(app.network_index))]


def _make(engine: Engine, settings: Settings, app: App) -> None:
    subnet = settings.subnet(app.network_index)
    pool = IPAMPool(subnet=str(subnet), gateway=str(subnet[1]))
    try:
        engine.api.create_network(
            network_name(app, settings),
            driver="bridge",
            options={"com.docker.network.bridge.name": settings.bridge(app.network_index)},
            ipam=IPAMConfig(pool_configs=[pool]),
            check_duplicate=True,
            labels={
                "paas.instance": settings.instance,
                "paas.app": app.name,
                "paas.app-id": str(app.id),
            },
        )
    except APIError as error:
        if error.status_code == HTTP_CONFLICT:  # another process made it just now
            return
        raise StartFailed(
            f"The network of {app.name} cannot be made: {explanation(error)}",
            hint="If the range is taken, set another `network` in paas.toml",
        ) from error


def _replace(engine: Engine, settings: Settings, app: App) -> None:
    with engine.answering():
        try:
            engine.api.remove_network(network_name(app, settings))
        except APIError as error:
            raise StartFailed(
                f"The network of {app.name} has another subnet and is in use: {explanation(error)}",
                hint=f"Run: ps:stop {app.name}; then push again",
            ) from error
        _make(engine, settings, app)
