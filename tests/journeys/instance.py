"""An installation of its own for a journey: own root, ports, networks, nginx and instance id."""

import contextlib
import os
import pwd
import re
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from random import sample

import docker
from docker.errors import NotFound

from paas.proxies.routes import removal_commands
from paas.settings import load
from tests import claims
from tests.journeys.programs import Git, Ssh

CHECKOUT = Path(__file__).parent.parent.parent
SHARED_STACK = "paas"  # the instance whose stack image `bootstrap.sh test` has built
WAIT = 60.0
OCTETS = 19_000  # claims of 10.n.0.0/16 go by these numbers
ENGINE = "unix:///var/run/docker.sock"


@dataclass
class Instance:
    """A running paas. `paas()` types on the host, `ssh` is a user's real client."""

    root: Path
    id: str
    environ: dict[str, str]
    ssh_port: int
    http_port: int
    engine: str = ENGINE  # where it is looked at, and tidied up
    nginx: subprocess.Popen[bytes] | None = None
    ssh: Ssh = field(init=False)

    @property
    def domain(self) -> str:
        """The instance's domain: below localhost, so that curl finds it without a name server."""
        return f"{self.id}.localhost"

    def paas(
        self, *argv: str, text_in: str = "", check: bool = True, timeout: float = 120
    ) -> subprocess.CompletedProcess[str]:
        """Run `paas ...` as root on the host."""
        done = subprocess.run(
            [sys.executable, "-m", "paas", *argv],
            cwd=CHECKOUT,
            env=self.environ,
            input=text_in,
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )
        if check and done.returncode:
            message = f"paas {' '.join(argv)}: {done.returncode}\n{done.stdout}{done.stderr}"
            raise AssertionError(message)
        return done

    def user(self, name: str) -> Ssh:
        """Return an ssh client with a new key that the host's admin has added under `name`."""
        client = Ssh(self.root / "users" / name, self.ssh_port)
        self.paas("ssh-keys:add", name, text_in=client.public_key)
        return client

    def app(self, name: str, example: str | None = None, user: Ssh | None = None) -> Git:
        """Return a git work tree whose remote `paas` is the app, filled from an example."""
        tree = self.root / "work" / f"{name}-{secrets.token_hex(3)}"
        git = Git(tree, user or self.ssh, name)
        if example:
            git.fill(CHECKOUT / "examples" / example)
        return git

    def curl(self, app: str, path: str = "/", *args: str) -> subprocess.CompletedProcess[str]:
        """Fetch a path of an app through nginx with a real curl; follow no redirect."""
        url = f"http://{app}.{self.domain}:{self.http_port}{path}"
        return subprocess.run(
            ["curl", "-sS", "--max-time", "30", *args, url],
            capture_output=True,
            text=True,
            timeout=40,
            check=False,
        )

    def status(self, app: str, path: str = "/") -> int:
        """Return the HTTP status of a path; 0 when the connection was closed without one."""
        return int(self.curl(app, path, "-o", "/dev/null", "-w", "%{http_code}").stdout or 0)

    def containers(self) -> list[str]:
        """Return the names of this instance's app containers, stopped ones included."""
        with contextlib.closing(docker.APIClient(self.engine)) as engine:
            found = engine.containers(all=True, filters={"label": f"paas.instance={self.id}"})
        names = sorted(container["Names"][0].lstrip("/") for container in found)
        return [name for name in names if "." in name]

    def stop(self) -> None:
        """Stop what was started, by its id, and remove all that carries the instance's id."""
        self.paas("stop", check=False)
        if self.nginx:
            self.nginx.send_signal(signal.SIGQUIT)
            self.nginx.wait(30)
        _remove_engine_objects(self.id, self.engine)
        for command in removal_commands(load(self.environ)):
            subprocess.run(command, capture_output=True, timeout=10, check=False)
        shutil.rmtree(self.root, ignore_errors=True)


@contextlib.contextmanager
def running(
    parent: Path = Path("/var/tmp"), looked_at: str = ENGINE, **settings: str
) -> Iterator[Instance]:
    """Set up and start an installation below `parent`; take it down at the end.

    `looked_at` is the address of its engine, if that is not the host's.
    """
    instance = _plan(parent, settings)
    instance.engine = looked_at
    try:
        _tag_stack(instance)
        start_nginx(instance)
        instance.paas("setup", timeout=300)
        instance.paas("start")
        instance.ssh = instance.user("anna")
        yield instance
    finally:
        instance.stop()


def _plan(parent: Path, settings: dict[str, str]) -> Instance:
    identity = f"j{secrets.token_hex(3)}"
    root = Path(tempfile.mkdtemp(prefix=f"paas-{identity}-", dir=parent))
    root.chmod(0o755)  # the doors' user reads below it
    ssh_port, http_port, https_port = free_ports(3)
    octet = _free_octet()
    values = {
        "ROOT": str(root),
        "CONFIG": str(root / "paas.toml"),
        "INSTANCE": identity,
        "DOMAIN": f"{identity}.localhost",
        "SSH_LISTEN": "127.0.0.1",
        "SSH_PORT": str(ssh_port),
        "HTTP_PORT": str(http_port),
        "HTTPS_PORT": str(https_port),
        "NETWORK": f"10.{octet}.0.0/16",
        "SERVICES": f"10.{octet + 64}.0.0/16",
        "NGINX_CONF": str(root / "nginx.conf"),
        "NGINX_PID": str(root / "nginx.pid"),
        "APT_CACHE": "off",
        "DOOR_USER": pwd.getpwnam("nobody").pw_name,
        "DISK_RESERVE": str(1 << 30),
        **{key.upper(): value for key, value in settings.items()},
    }
    environ = {k: v for k, v in os.environ.items() if not k.startswith("PAAS_")}
    environ |= {f"PAAS_{key}": value for key, value in values.items()}
    return Instance(root, identity, environ, ssh_port, http_port)


def free_ports(count: int) -> list[int]:
    """Return ports that nobody listens on now."""
    return [claims.free_port() for _ in range(count)]


def _free_octet() -> int:
    """Return a number n for which nobody on this host uses 10.n.0.0/16 and 10.(n+64).0.0/16."""
    listed = subprocess.run(
        ["ip", "-4", "route", "show", "table", "all"],
        capture_output=True,
        text=True,
        check=True,
        timeout=10,
    )
    used = {int(octet) for octet in re.findall(r"\b10\.([0-9]+)\.", listed.stdout)}
    free = [n for n in range(64, 128) if not used & {n, n + 64}]
    return next(n for n in sample(free, len(free)) if claims.claim(OCTETS + n))


def _tag_stack(instance: Instance) -> None:
    with contextlib.closing(docker.APIClient(instance.engine)) as engine:
        for name in ("stack", "stack-build"):
            engine.tag(f"{SHARED_STACK}/{name}:trixie", f"{instance.id}/{name}", "trixie")
        if instance.environ["PAAS_APT_CACHE"] == "managed":
            with contextlib.suppress(NotFound):  # then setup makes it
                engine.tag(f"{SHARED_STACK}/apt-cache:trixie", f"{instance.id}/apt-cache", "trixie")


def start_nginx(instance: Instance) -> None:
    """Start an nginx of this instance's own, in the foreground of a process that we hold."""
    conf = instance.root / "nginx.conf"
    (instance.root / "nginx").mkdir(exist_ok=True)
    conf.write_text(
        f"""daemon off;
pid {instance.root}/nginx.pid;
error_log {instance.root}/nginx-error.log;
worker_processes 2;
events {{ worker_connections 1024; }}
http {{
    access_log off;
    client_body_temp_path {instance.root}/nginx-body;
    proxy_temp_path {instance.root}/nginx-proxy;
    fastcgi_temp_path {instance.root}/nginx-fastcgi;
    uwsgi_temp_path {instance.root}/nginx-uwsgi;
    scgi_temp_path {instance.root}/nginx-scgi;
    include {instance.root}/nginx/paas.con[f];
}}
"""
    )
    instance.nginx = subprocess.Popen(["nginx", "-c", str(conf)])
    deadline = time.monotonic() + WAIT
    while not (instance.root / "nginx.pid").exists():
        if time.monotonic() > deadline or instance.nginx.poll() is not None:
            raise AssertionError((instance.root / "nginx-error.log").read_text())
        time.sleep(0.02)


def _remove_engine_objects(identity: str, address: str) -> None:
    label = {"label": f"paas.instance={identity}"}
    with contextlib.closing(docker.APIClient(address)) as engine:
        for container in engine.containers(all=True, filters=label):
            with contextlib.suppress(NotFound):  # a daemon that is stopping was quicker
                engine.remove_container(container["Id"], force=True, v=True)
        for network in engine.networks(filters=label):
            engine.remove_network(network["Id"])
        for volume in engine.volumes(filters=label)["Volumes"] or ():
            engine.remove_volume(volume["Name"], force=True)
        for image in engine.images():
            for tag in image["RepoTags"] or ():
                if tag.startswith(f"{identity}/"):
                    engine.remove_image(tag, force=True)
