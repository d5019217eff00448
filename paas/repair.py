"""The current processes of one app: what is wrong with each, and making it right.

The engine's policy (unless-stopped) brings processes back while paas is not there, and once, at
once, after a first crash. From then on paas restarts the process, after 1, 2, 4 ... 60 seconds, and
parks it after ten crashes in ten minutes. After a minute without a crash the engine keeps it again.
"""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType

from paas import fleet, formation, networks
from paas.errors import ImageMissing, PaasError, StartFailed, Unavailable
from paas.formation import Strategy
from paas.model import App, Container, ContainerRole, Desired, End, EndKind, ProcessState, Release
from paas.platform import Platform
from paas.schedulers.base import Observed, process_name

CRASHES = 10  # in ten minutes: then it is parked
LONGEST_PAUSE = 60.0  # seconds between two attempts
STEADY = 60.0  # seconds after which a process that crashed counts as well again
RECENT = 60.0  # seconds for which the engine's word on an end is news
UP = {ProcessState.RUNNING, ProcessState.RESTARTING}
DOWN = {ProcessState.EXITED, ProcessState.RESTARTING}
GONE = {ProcessState.MISSING, ProcessState.CREATED}
log = logging.getLogger("paas")


@dataclass(frozen=True)
class Told:
    """What the engine's events said, beyond what can be seen afterwards."""

    by_hand: frozenset[str] = frozenset()  # ids of containers that somebody sent a signal
    exit_codes: Mapping[str, int] = field(default_factory=lambda: MappingProxyType({}))
    is_blind: bool = False  # no events were read for a while: nothing is taken for a crash


@dataclass(frozen=True)
class Case:
    """One app under repair at one moment. `beside` a deploy, single writers are left alone."""

    platform: Platform
    app: App
    release: Release
    now: float
    told: Told
    beside: bool


def expected_name(platform: Platform, app: App, row: Container) -> str:
    """Return the name that the row's container should have."""
    parts = (row.process_type, row.slot, row.deploy_id)
    return process_name(platform.settings.instance, app.name, *parts)


def is_sound(platform: Platform, app: App, row: Container, seen: Observed | None) -> bool:
    """Whether a current process is as it should be, or parked: a cheap look for all of them."""
    if row.is_parked:
        return True
    return (
        seen is not None
        and seen.state is ProcessState.RUNNING
        and seen.name == expected_name(platform, app, row)
        and seen.address == row.address
        and not any(networks.strays(platform, app, seen))
    )


def repair(platform: Platform, app: App, now: float, told: Told, *, beside: bool = False) -> None:
    """Make the app's current processes run. Raises ImageMissing when they cannot be made again.

    One process that fails stops no other. Raises Unavailable.
    """
    release = platform.store.releases.current(app.id)
    if app.desired is Desired.STOPPED or release is None:
        return
    case = Case(platform, app, release, now, told, beside)
    for row in platform.store.containers.of(app.id, ContainerRole.CURRENT):
        if beside and formation.strategy(platform, app, row.process_type) is Strategy.RECREATE:
            continue  # a deploy may have stopped it, to make room for the next
        try:
            _repair(case, row)
        except (Unavailable, ImageMissing):
            raise
        except PaasError as error:
            log.warning("%s: %s: %s", app.name, row.process, error.message)


def _repair(case: Case, row: Container) -> None:
    scheduler = case.platform.scheduler
    seen = scheduler.inspect(row.id) if row.id else Observed("", "", ProcessState.MISSING)
    is_new = _note(case, row, seen)
    if row.is_parked:
        return
    seen = _put_back(case, row, seen)
    ends = case.platform.store.recovery.ends(row, case.now)
    crashes = [end for end in ends if end.kind is EndKind.CRASH]
    if is_new and len(crashes) >= CRASHES:
        _park(case, row, seen, len(crashes))
    elif is_new:
        _take_charge(case, row, seen, ends)
    elif seen.state in UP and is_sound(case.platform, case.app, row, seen):
        _watch_over(case, row, seen, ends)
    elif case.now >= _due(case, ends) or not _waits(seen, crashes):
        _bring_back(case, row, seen, ends)
    elif not row.trouble:
        due = _due(case, ends)
        _say(case, row, f"is gone again; a new one follows in {due - case.now:.0f} s", due)


def _put_back(case: Case, row: Container, seen: Observed) -> Observed:
    """Make the shared networks of a process that runs what they should be; look again then."""
    missed, left = networks.strays(case.platform, case.app, seen)
    if seen.state is not ProcessState.RUNNING or not missed | left:
        return seen
    for name in left:
        if network := case.platform.store.networks.find(name):
            case.platform.scheduler.unlink(case.app, network)
    networks.put(case.platform, case.app, row)
    if missed:
        _write(case, row, f"was not on the network {', '.join(sorted(missed))}; it is now")
    return case.platform.scheduler.inspect(row.id)


def _note(case: Case, row: Container, seen: Observed) -> bool:
    """Record the last end of the process; return whether it is a crash that was not known."""
    is_news = seen.state in DOWN or case.now - seen.finished_at < RECENT
    if not seen.finished_at or not is_news:
        return False
    by_hand = case.told.is_blind or row.id in case.told.by_hand
    kind = EndKind.HAND if by_hand else EndKind.CRASH
    is_new = case.platform.store.recovery.note(row, End(kind, seen.finished_at, case.now))
    return is_new and kind is EndKind.CRASH


def _take_charge(case: Case, row: Container, seen: Observed, ends: Sequence[End]) -> None:
    """After a crash: restart it from now on ourselves, and say when."""
    case.platform.scheduler.unkeep([row.id])
    due = _due(case, ends)
    if seen.state in UP:
        _say(case, row, f"{_how(case, row, seen)}; the engine has started it again", due)
    else:
        pause = max(due - case.now, 0)
        _say(case, row, f"{_how(case, row, seen)}; it is started again in {pause:.0f} s", due)


def _park(case: Case, row: Container, seen: Observed, crashes: int) -> None:
    case.platform.scheduler.park(row.id, timeout=1)
    why = (
        f"crashed {crashes} times in ten minutes and stays down: {_how(case, row, seen)}. "
        f"Push a correction, or try again: ps:restart {case.app.name}"
    )
    log.warning("%s: %s %s", case.app.name, row.process, why)
    case.platform.store.recovery.trouble(row, why, 0.0, is_parked=True)


def _watch_over(case: Case, row: Container, seen: Observed, ends: Sequence[End]) -> None:
    """Hand a process that was in trouble back to the engine once it has stayed up."""
    if not row.trouble:
        return
    last = max((end.at for end in ends), default=0.0)
    steady = max(last, seen.started_at if seen.started_at <= case.now else 0.0) + STEADY
    if case.now >= steady:
        case.platform.scheduler.keep([row.id])
        case.platform.store.recovery.well(row)
    else:
        case.platform.store.recovery.trouble(row, row.trouble, steady)


def _bring_back(case: Case, row: Container, seen: Observed, ends: Sequence[End]) -> None:
    """Start the process in its old container, else in a new one."""
    name = expected_name(case.platform, case.app, row)
    is_there = seen.state not in GONE and seen.address == row.address
    if is_there and case.platform.scheduler.mend(row.id, name):
        what = f"was {_damage(seen, name)}; it runs again"
    elif _start_anew(case, row, seen, ends):
        what = f"was {_damage(seen, name)}; a new one runs in its place"
    else:
        return
    if row.trouble:
        case.platform.store.recovery.trouble(row, row.trouble, case.now + STEADY)
    else:
        _write(case, row, what)


def _start_anew(case: Case, row: Container, seen: Observed, ends: Sequence[End]) -> bool:
    """Make a new container in the row's place. An attempt counts, so that none follows at once."""
    platform = case.platform
    platform.store.recovery.note(row, End(EndKind.START, case.now, case.now))
    if seen.state is not ProcessState.MISSING:
        fleet.stop(platform, [row], timeout=1)  # it may hold the address, under any name
    try:
        fleet.revive(platform, case.app, row, case.release)
    except ImageMissing:
        raise
    except StartFailed as error:
        setbacks = [end for end in ends if end.kind is not EndKind.HAND]
        due = case.now + pause_after(len(setbacks) + 1)
        why = ". ".join(filter(None, (error.message, error.hint)))
        _say(case, row, f"cannot be started: {why}", due)
        return False
    return True


def pause_after(setbacks: int) -> float:
    """Return the seconds before the next attempt: 1, 2, 4 ... 60; 0 when there was none."""
    return min(2.0 ** (setbacks - 1), LONGEST_PAUSE) if setbacks else 0.0


def _due(case: Case, ends: Sequence[End]) -> float:
    """Return when the process may be started; a clock that was set back holds nobody up."""
    setbacks = [end for end in ends if end.kind is not EndKind.HAND and end.at <= case.now]
    return setbacks[-1].at + pause_after(len(setbacks)) if setbacks else 0.0


def _waits(seen: Observed, crashes: Sequence[End]) -> bool:
    """Whether the state is one that a pause is for: it crashed, or is gone again and again."""
    crashed = bool(crashes) and crashes[-1].ended >= seen.finished_at
    return seen.state in GONE or crashed


def _how(case: Case, row: Container, seen: Observed) -> str:
    code = case.told.exit_codes.get(row.id, seen.exit_code)
    if seen.oom_killed:
        return "it was out of memory"
    return "it crashed" if code is None else f"it exited with code {code}"


def _damage(seen: Observed, name: str) -> str:
    if seen.state is ProcessState.RUNNING:
        return "renamed by hand" if name and seen.name != name else "taken off its network"
    return {
        ProcessState.PAUSED: "paused by hand",
        ProcessState.EXITED: "stopped by hand",
    }.get(seen.state, "missing")


def _say(case: Case, row: Container, why: str, due: float) -> None:
    log.warning("%s: %s: %s", case.app.name, row.process, why)
    case.platform.store.recovery.trouble(row, why, due)


def _write(case: Case, row: Container, text: str) -> None:
    log.warning("%s: %s %s", case.app.name, row.process, text)
    case.platform.store.journal.add(row.app_id, f"{row.process} {text}")
