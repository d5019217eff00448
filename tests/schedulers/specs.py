"""Nouns for the scheduler's tests."""

from paas.model import App, SecurityOptions
from paas.schedulers.base import ProcessSpec
from paas.settings import Settings
from tests import claims

# Names and ranges of this run alone: two runs may share an engine.
INSTANCE = f"st{claims.block()}"
INDEX = claims.block()
APP = App(1, "shop", INDEX, 0.0)
IMAGE = "sha256:" + "1" * 64


def make_settings(engine: str = "unix:///var/run/docker.sock") -> Settings:
    return Settings(
        instance=INSTANCE, engine=engine, network="10.203.0.0/16", services="10.204.0.0/16"
    )


SUBNET = make_settings().subnet(INDEX)
ADDRESS = str(SUBNET[3])


def make_spec(
    command: str | None = "serve",
    image: str = IMAGE,
    options: SecurityOptions | None = None,
    volumes: tuple[str, ...] = (),
    config: dict[str, str] | None = None,
) -> ProcessSpec:
    return ProcessSpec(
        APP,
        7,
        "web",
        1,
        image,
        command,
        config or {},
        5000,
        ADDRESS,
        options or SecurityOptions(),
        volumes,
    )
