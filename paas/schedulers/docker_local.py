"""The scheduler for one host: Docker Engine through its API, nothing else."""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from types import MappingProxyType
from typing import Any

from docker.errors import APIError, NotFound

from paas.errors import StartFailed
from paas.model import App, Finding
from paas.network import Link, SharedNetwork
from paas.schedulers import (
    attached,
    attached_profile,
    baking,
    docker_check,
    docker_logs,
    execs,
    figures,
    gate,
    mending,
    networks,
    removal,
    shared,
    sockets,
    starting,
    volumes,
)
from paas.schedulers.allowed import check_settings
from paas.schedulers.base import (
    Beside,
    Exit,
    Listener,
    LogLine,
    Observed,
    ProcessSpec,
    Streams,
    Usage,
)
from paas.schedulers.engine import HTTP_CONFLICT, TIMEOUT, Engine, explanation
from paas.schedulers.events import EngineWatch
from paas.schedulers.links import refuse_links
from paas.schedulers.observe import from_list, observe
from paas.schedulers.policy import KEPT, NOT_KEPT, set_policy
from paas.schedulers.profile import container_name, container_settings
from paas.schedulers.refusals import start_failed
from paas.schedulers.user_map import UserMap, user_map
from paas.settings import Settings

PARALLEL = 16  # threads that stop containers; each mostly waits


class DockerLocal:
    """Runs the containers of one instance. Implements paas.schedulers.base.Scheduler."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._engine = Engine(settings.engine)
        own = rf"{settings.instance}-[a-z0-9-]+\.[a-z0-9_-]+\.[0-9]+\.[0-9]+"
        self._own_name = re.compile(own, re.ASCII)

    def check(self) -> tuple[Finding, ...]:
        return docker_check.findings(self._engine, self._settings)

    def create_network(self, app: App) -> None:
        networks.create(self._engine, self._settings, app)

    def create_shared(self, network: SharedNetwork) -> None:
        shared.create(self._engine, self._settings, network)

    def remove_shared(self, network: SharedNetwork) -> None:
        shared.remove(self._engine, self._settings, network)

    def link(self, container_id: str, link: Link) -> None:
        shared.link(self._engine, self._settings, container_id, link)

    def unlink(self, app: App, network: SharedNetwork) -> None:
        shared.unlink(self._engine, self._settings, app, network)

    def start(self, spec: ProcessSpec) -> str:
        container_id = self._create(spec)
        try:
            self._start_created(spec, container_id)
        except BaseException:
            removal.remove_container(self._engine, container_id)
            raise
        return container_id

    def keep(self, container_ids: Sequence[str]) -> None:
        set_policy(self._engine, container_ids, KEPT)

    def unkeep(self, container_ids: Sequence[str]) -> None:
        set_policy(self._engine, container_ids, NOT_KEPT)

    def park(self, container_id: str, timeout: float) -> None:
        self.unkeep([container_id])
        with self._engine.answering(), suppress(NotFound):
            self._engine.api.stop(container_id, timeout=round(timeout))

    def mend(self, container_id: str, name: str) -> bool:
        with self._engine.answering():
            return mending.mend(self._engine, container_id, name)

    def watch(self) -> EngineWatch:
        return EngineWatch(self._settings, str(self._engine.api.api_version), TIMEOUT)

    def stop(
        self,
        container_ids: Sequence[str],
        timeout: float,
        ended: Callable[[str], None] = lambda _: None,
    ) -> None:
        if not container_ids:
            return
        engine = self._engine
        _ = engine.api  # connect before the threads do
        stop_one = lambda id_: removal.stop_container(engine, id_, timeout, ended)  # noqa: E731 - a closure that fits into the line
        with ThreadPoolExecutor(min(PARALLEL, len(container_ids))) as pool:
            list(pool.map(stop_one, container_ids))

    def run_once(self, spec: ProcessSpec, output: Callable[[bytes], None], timeout: float) -> Exit:
        self.create_network(spec.app)  # beforehand: a start that fails cuts the attached stream
        container_id = self._create(spec)
        try:
            start = lambda: self._start_created(spec, container_id)  # noqa: E731 - a closure that fits into the line
            with attached.deadline(self._engine, container_id, spec, timeout):
                return attached.listen(self._engine, self._settings, container_id, start, output)
        finally:
            removal.remove_container(self._engine, container_id)

    def bake(
        self,
        spec: ProcessSpec,
        output: Callable[[bytes], None],
        timeout: float,
        made: Callable[[str], object],
    ) -> Exit:
        self.create_network(spec.app)  # as in run_once
        oven = baking.Oven(self._engine, self._settings, spec)
        container_id = self._create(oven.spec, oven.config)
        try:
            self._start_created(oven.spec, container_id)
            ended = oven.execute(container_id, output, timeout)
            if ended.status == 0:
                oven.commit(container_id, made)
            return ended
        finally:
            removal.remove_container(self._engine, container_id)

    def inspect(self, container_id: str) -> Observed:
        with self._engine.answering():
            return observe(self._engine.api, container_id)

    def containers(self) -> tuple[Observed, ...]:
        return self._listed()

    def listeners(self, container_id: str) -> tuple[Listener, ...]:
        pid = self.inspect(container_id).pid
        return sockets.listeners(pid) if pid else ()

    def connections(self, container_id: str, port: int) -> int:
        pid = self.inspect(container_id).pid
        return sockets.connections(pid, port) if pid else 0

    def tail(self, container_id: str, lines: int) -> tuple[str, ...]:
        return docker_logs.tail(self._engine, container_id, lines)

    def logs(
        self,
        containers: Mapping[str, str],
        lines: int | None,
        *,
        follow: bool,
        after: float = 0.0,
    ) -> Iterator[LogLine]:
        return docker_logs.read_logs(self._engine, containers, lines, follow=follow, after=after)

    def attach(
        self,
        spec: ProcessSpec,
        streams: Streams,
        created: Callable[[str], object],
        beside: Beside | None = None,
    ) -> Exit:
        if beside:
            tools = attached_profile.tools_image(self._engine, self._settings)
            spec = replace(spec, image=tools, links=())  # it joins what the other is on
        else:
            self.create_network(spec.app)  # as in run_once
        plain = self._settings_of(spec)
        config = attached_profile.settings_for(plain, self._settings, streams, beside)
        container_id = self._create(spec, config)
        try:
            created(container_id)
            start = lambda: self._start_created(spec, container_id)  # noqa: E731 - a closure that fits into the line
            waits = gate.is_before(config)
            return attached.attach(
                self._engine, self._settings, container_id, start, streams, waits=waits
            )
        finally:
            attached.end_container(self._engine, container_id)

    def exec(
        self,
        container_id: str,
        argv: Sequence[str],
        streams: Streams,
        environ: Mapping[str, str] = MappingProxyType({}),
    ) -> int:
        return execs.run(self._engine, self._settings, container_id, argv, streams, environ)

    def describe(self, container_id: str) -> Mapping[str, Any]:
        return figures.describe(self._engine, container_id)

    def top(self, container_id: str) -> tuple[tuple[str, ...], ...]:
        return figures.top(self._engine, container_id)

    def usage(self, container_id: str) -> Usage | None:
        return figures.usage(self._engine, container_id)

    def destroy(self, app: App) -> None:
        prefix = f"{self._settings.instance}-{app.name}."  # what bakes has no label of the app
        named = {c.id for c in self.containers() if c.name.startswith(prefix)}
        labelled = {c.id for c in self._listed(f"paas.app-id={app.id}")}
        self.stop([*named | labelled], timeout=0)
        networks.remove(self._engine, self._settings, app)

    def make_volume(self, name: str, size: int) -> None:
        volumes.make(self._settings, name, size)

    def give_volume(self, name: str, app: App) -> None:
        volumes.give(self._settings, name, app.uid, self._users())

    def host_user(self, app: App) -> int:
        return self._users().uid + app.uid

    def volume_usage(self, name: str) -> tuple[int, int]:
        return volumes.used(self._settings, name)

    def remove_volume(self, name: str) -> None:
        volumes.refuse_used(self._engine, self._settings, name)
        volumes.remove(self._settings, name)

    def _users(self) -> UserMap:
        with self._engine.answering():
            return user_map(self._engine.api.info())

    def close(self) -> None:
        """Close idle connections to the engine; the next use opens new ones."""
        self._engine.close()

    def _listed(self, *labels: str) -> tuple[Observed, ...]:
        """Return the containers of this instance that have these labels."""
        wanted = [f"paas.instance={self._settings.instance}", *labels]
        with self._engine.answering():
            found = self._engine.api.containers(all=True, filters={"label": wanted})
        observed = [from_list(entry) for entry in found]
        return tuple(c for c in observed if self._own_name.fullmatch(c.name))

    def _settings_of(self, spec: ProcessSpec) -> dict[str, Any]:
        with_ca = self._settings.ca_bundle.is_file()
        config = container_settings(spec, self._settings, with_ca=with_ca)
        check_settings(config, self._settings)
        return config

    def _create(self, spec: ProcessSpec, config: dict[str, Any] | None = None) -> str:
        """Create the container; a leftover of the same name gives way."""
        config = config or self._settings_of(spec)
        for mount in spec.mounts:
            volumes.attach(self._settings, mount.volume)
        name = container_name(spec, self._settings)
        with self._engine.answering():
            try:
                return starting.create_once(self._engine, config, name)
            except APIError as error:
                if error.status_code != HTTP_CONFLICT:
                    raise start_failed(spec, explanation(error)) from error
        removal.remove_container(self._engine, name)
        with self._engine.answering():
            try:
                return starting.create_once(self._engine, config, name)
            except APIError as error:
                raise start_failed(spec, explanation(error)) from error

    def _start_created(self, spec: ProcessSpec, container_id: str) -> None:
        """Start; the app's network is made on demand, so that it costs no call when it is there."""
        refuse_links(self._engine, spec, container_id)
        for link in spec.links:
            self.link(container_id, link)
        if not starting.start_once(self._engine, spec, container_id):
            self.create_network(spec.app)
            for link in spec.links:
                self.create_shared(link.network)
            if not starting.start_once(self._engine, spec, container_id):
                raise StartFailed("The app's network vanishes", hint="Run: paas doctor")
