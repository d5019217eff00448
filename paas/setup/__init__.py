"""`paas setup`: brings one installation into shape. Every step may be run again at any time."""

import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from paas.build.apt_cache import ensure_apt_cache
from paas.build.stack import ensure_stack
from paas.errors import Conflict, Unavailable, UsageError
from paas.reconcile import Reconciler
from paas.reporter import Reporter
from paas.settings import Settings
from paas.setup.files import (
    make_directories,
    make_host_key,
    require_way_in,
    trust_host,
    write_settings,
)
from paas.setup.host import add_door_user, include_in_nginx
from paas.setup.kernel import tune_kernel
from paas.setup.openssh import open_openssh_door
from paas.state.migrate import FOLDER as MIGRATIONS
from paas.state.migrate import refuse_newer
from paas.wiring import build_platform

Report = Callable[[str], object]
UNCHANGED = "unchanged"


class _Terminal:
    """The reporter's sink for a command that runs without the daemon."""

    def write(self, text: str) -> None:
        sys.stdout.write(text)
        sys.stdout.flush()

    def keepalive(self) -> None:
        """Nothing: nobody's connection times out."""


def main(settings: Settings, argv: list[str]) -> int:
    """Run all steps; return the exit status. Raises PaasError of the step that failed."""
    if argv:
        raise UsageError("setup takes nothing behind it", hint="Type: paas setup")
    reporter = Reporter(_Terminal())
    for title, run in STEPS:
        _run_step(title, run, settings, reporter)
    return 0


def _run_step(
    title: str, run: Callable[[Settings, Report], object], settings: Settings, reporter: Reporter
) -> None:
    """Run one step, which reports what it changed; silence means that nothing had to change."""
    said: list[str] = []

    def report(text: str) -> None:
        said.append(text)
        reporter.detail(text)

    with reporter.step(title):
        run(settings, report)
    if not said:
        reporter.detail(UNCHANGED)


def _require_own_data(settings: Settings, _report: Report) -> None:
    """Raise before anything is changed if the data root has not this instance's data.

    Conflict where apps run that no database knows, so that their disk may be missing; Outdated for
    a database of a newer paas.
    """
    if settings.database.exists():
        refuse_newer(settings.database, MIGRATIONS)
    elif count := len(build_platform(settings).scheduler.containers()):
        raise Conflict(
            f"There is no database at {settings.database}, but {count} containers of its apps",
            hint="Mount its disk, or name its place with --root. If its data is lost:"
            " bootstrap.sh uninstall",
        )


def _migrate(settings: Settings, report: Report) -> None:
    """Open the database, which makes it or brings its schema forward."""
    is_new = not settings.database.exists()
    store = build_platform(settings).store
    store.make()
    store.apps.list()
    store.close()
    if is_new:
        report(f"made {settings.database}")


def _make_images(settings: Settings, report: Report) -> None:
    """Make stack and apt cache side by side: on a fresh host each is half a minute of one core."""
    with ThreadPoolExecutor(1) as pool:
        cache = pool.submit(_start_apt_cache, settings, report)
        ensure_stack(settings, report)
        cache.result()


def _start_apt_cache(settings: Settings, report: Report) -> None:
    """Start the cache; builds go on without one, so its failure is told and nothing else."""
    try:
        ensure_apt_cache(settings, report)
    except Unavailable as error:
        for line in (error.message, *error.details, error.hint):
            report(line)


def _restore_routes(settings: Settings, report: Report) -> None:
    """Load firewall and vhosts of all apps, as the database has them."""
    platform = build_platform(settings)
    before = _wall(settings)
    try:
        Reconciler(platform).restore_routes()
    finally:
        platform.store.close()
    if _wall(settings) != before:
        report(f"loaded {settings.root / 'nft' / 'paas.nft'}")


def _wall(settings: Settings) -> str:
    file = settings.root / "nft" / "paas.nft"
    return file.read_text() if file.exists() else ""


STEPS: tuple[tuple[str, Callable[[Settings, Report], object]], ...] = (
    ("Data root", _require_own_data),
    ("User of the doors", add_door_user),
    ("Directories", make_directories),
    ("Way in for the doors", require_way_in),
    ("Settings", write_settings),
    ("Host key", make_host_key),
    ("CA bundle", trust_host),
    ("OpenSSH door", open_openssh_door),
    ("Stack and apt cache, from Debian packages", _make_images),
    ("nginx include", include_in_nginx),
    ("Kernel settings for the proxy", tune_kernel),
    # Late: from here on the daemon of before answers that the database is of a newer paas.
    ("Database", _migrate),
    ("Firewall and vhosts", _restore_routes),
)
