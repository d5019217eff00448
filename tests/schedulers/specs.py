"""Nouns for the scheduler's tests."""

from paas.model import App, SecurityOptions
from paas.schedulers.base import ProcessSpec
from paas.settings import Settings

APP = App(1, "shop", 0, 0.0)
IMAGE = "sha256:" + "1" * 64


def make_settings(engine: str = "unix:///var/run/docker.sock") -> Settings:
    return Settings(
        instance="schedtest", engine=engine, network="10.203.0.0/16", services="10.204.0.0/16"
    )


def make_spec(
    command: str | None = "serve",
    image: str = IMAGE,
    options: SecurityOptions | None = None,
    volumes: tuple[str, ...] = (),
    config: dict[str, str] | None = None,
) -> ProcessSpec:
    address = str(make_settings().subnet(0)[3])
    return ProcessSpec(
        APP,
        7,
        "web",
        1,
        image,
        command,
        config or {},
        5000,
        address,
        options or SecurityOptions(),
        volumes,
    )
