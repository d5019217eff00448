"""An instance as on a host on which git is not installed."""

import contextlib
import shutil
import subprocess
import sys
from collections.abc import Iterator

from paas.git.index import PATH
from tests.journeys.instance import CHECKOUT, Instance

# In a mount namespace of its own (unshare(1)) there is nothing that can be run in git's place.
HIDE = 'mount --bind /dev/null "$1" && shift && exec "$@"'


@contextlib.contextmanager
def without_git(instance: Instance) -> Iterator[None]:
    """Let the daemon run where git cannot be found; start it as before at the end."""
    git = shutil.which("git", path=PATH)
    assert git, "git is not installed"
    start = (sys.executable, "-m", "paas", "start")
    instance.paas("stop")
    command = ["unshare", "--mount", "sh", "-c", HIDE, "sh", git, *start]
    subprocess.run(command, cwd=CHECKOUT, env=instance.environ, check=True, timeout=60)
    try:
        _make_sure(instance)
        yield
    finally:
        instance.paas("stop")
        instance.paas("start")


def _make_sure(instance: Instance) -> None:
    instance.paas("apps:create", "gitless")
    said = instance.paas("repo:gc", "gitless", check=False).stderr
    instance.paas("apps:destroy", "gitless", "--force")
    assert "needs git on this host" in said, said
