"""What `doctor` says of the rooms that builds need: the stack and the apt cache."""

from paas.build.apt_cache import apt_cache_url
from paas.build.stack import WEEK, stack_age
from paas.errors import EngineUnavailable
from paas.model import Finding
from paas.settings import Settings


def check_stack(settings: Settings) -> Finding:
    """Return whether the stack images are there, and fresh."""
    try:
        age = stack_age(settings)
    except EngineUnavailable as error:
        return Finding("stack", "fail", error.message, error.hint)
    if age is None:
        return Finding("stack", "fail", "The stack images are missing", "Run: paas setup")
    days = f"The stack is {age / 86400:.0f} days old"
    if age > 2 * WEEK:
        log = settings.logs / "refresh.log"
        return Finding("stack", "warn", days, f"It is made anew each week; why not now: {log}")
    return Finding("stack", "ok", days)


def check_apt_cache(settings: Settings) -> Finding:
    """Return whether the apt cache answers."""
    if settings.apt_cache == "off":
        return Finding("apt cache", "ok", "The apt cache is off")
    url = apt_cache_url(settings)
    if url is None:
        hint = "Run: paas setup (builds go on without it, but fetch every package again)"
        return Finding("apt cache", "warn", "The apt cache does not answer", hint)
    return Finding("apt cache", "ok", f"The apt cache answers at {url}")
