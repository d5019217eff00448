"""app.json: what it says of scripts, formation, health checks, cron and env, read strictly.

As in Dokku. Keys that belong to others (Heroku's addons, ...) are allowed and named in a note.
Comments are allowed.
"""

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from paas.errors import BuildFailed, InvalidName
from paas.manifest import Check, CheckKind, CronTask, Manifest, Overlap, Var
from paas.model import config_key, process_type
from paas.schedule import parse_schedule
from paas.source import Source

NAME = "app.json"
MAX_BYTES = 256 * 1024
MAX_DEPTH = 20
MAX_COMMAND = 4096  # bytes, as of a Procfile's line
MOST = 29  # processes of one type: the addresses of an app's subnet
WORDS = frozenset(["name", "description", "keywords", "website", "repository", "logo", "$schema"])
OTHERS = ("addons", "buildpacks", "environments", "image", "stack", "success_url")
TASK_KEYS = ("command", "schedule", "concurrency_policy", "maintenance")
MOST_TASKS = 100
READ = ("scripts", "formation", "healthchecks", "cron", "env")
VAR_KEYS = ("description", "value", "generator", "required", "sync")
# A string, a comment, or a bracket: what lies between them does not matter.
PARTS = re.compile(r'"(?:[^"\\\n]|\\.)*"|//[^\n]*|/\*.*?\*/|[\[{]|[\]}]', re.DOTALL)
NUMBERS = {
    "attempts": ("attempts", 1, 100),
    "timeout": ("timeout", 1, 300),
    "wait": ("wait", 1, 300),
    "initialDelay": ("delay", 0, 3600),
    "uptime": ("uptime", 1, 3600),
}
Object = Mapping[str, Any]


def read_manifest(source: Source) -> tuple[Manifest, tuple[str, ...]]:
    """Return what the source's app.json says, and notes on what of it is not used.

    Raises BuildFailed with the place and the cause.
    """
    if not source.has(NAME):
        return Manifest(), ()
    text = source.read(NAME, limit=MAX_BYTES + 1)
    if len(text.encode()) > MAX_BYTES:
        raise _broken(f"it is longer than {MAX_BYTES // 1024} KiB")
    return parse(text)


def parse(text: str) -> tuple[Manifest, tuple[str, ...]]:
    """Return the manifest of an app.json's text, and notes. Raises BuildFailed."""
    whole = _object(_load(text), "")
    for key in whole:
        if key not in {*READ, *WORDS, *OTHERS}:
            raise _broken(f"{key!r} is not known", f"What is read: {', '.join(READ)}")
    unused = [key for key in whole if key in OTHERS]
    predeploy, postdeploy, more = _scripts(_object(whole.get("scripts", {}), "scripts"))
    unused += more
    checks = {}
    for name, listed in _object(whole.get("healthchecks", {}), "healthchecks").items():
        checks[_process(name, "healthchecks")], more = _checks(listed, f"healthchecks.{name}")
        unused += more
    formation = _formation(_object(whole.get("formation", {}), "formation"))
    cron, more = _tasks(whole.get("cron", []))
    unused += more
    env, more = _vars(_object(whole.get("env", {}), "env"))
    notes = tuple(f"app.json: {key} is not used" for key in (*unused, *more))
    return Manifest(predeploy, postdeploy, formation, checks, cron, env), notes


def _load(text: str) -> object:
    """Parse JSON with comments, whose depth and keys are checked."""
    depth = 0
    for part in PARTS.findall(text):
        depth += (part in "[{") - (part in "]}")
        if depth > MAX_DEPTH:
            raise _broken(f"it is nested more than {MAX_DEPTH} deep")
    plain = PARTS.sub(lambda found: " " if found[0].startswith("/") else found[0], text)
    try:
        return json.loads(
            plain.removeprefix("\ufeff"), object_pairs_hook=_unique, parse_constant=_refuse_constant
        )
    except json.JSONDecodeError as error:
        raise _broken(f"line {error.lineno}: {error.msg}") from error


def _unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
    values = dict(pairs)
    if len(values) < len(pairs):
        names = [key for key, _ in pairs]
        twice = next(key for key in names if names.count(key) > 1)
        raise _broken(f"{twice!r} stands twice in one object")
    return values


def _refuse_constant(name: str) -> None:
    raise _broken(f"{name} is not JSON")


def _scripts(scripts: Object) -> tuple[str, str, list[str]]:
    """Return predeploy and postdeploy of `dokku`, and the keys that are not used."""
    ours = _object(scripts.get("dokku", {}), "scripts.dokku")
    unused = [f"scripts.{key}" for key in scripts if key != "dokku"]
    unused += [f"scripts.dokku.{key}" for key in ours if key not in {"predeploy", "postdeploy"}]
    return _command(ours, "predeploy"), _command(ours, "postdeploy"), unused


def _command(scripts: Object, name: str, where: str = "scripts.dokku") -> str:
    place, command = f"{where}.{name}", scripts.get(name, "")
    if not isinstance(command, str) or "\0" in command:
        raise _broken(f"{place} is not a command", "Write a shell line in quotes.")
    if len(command.encode()) > MAX_COMMAND:
        raise _broken(f"{place} is longer than {MAX_COMMAND} bytes", "Put it into a script.")
    return command.strip()


def _tasks(listed: object) -> tuple[tuple[CronTask, ...], list[str]]:
    """Return the jobs of cron, and the keys that are not used."""
    if not isinstance(listed, list) or len(listed) > MOST_TASKS:
        raise _broken(f"cron is not a list of at most {MOST_TASKS} jobs")
    found: dict[tuple[str, str], CronTask] = {}
    unused: list[str] = []
    for number, value in enumerate(listed):
        place = f"cron[{number}]"
        entry = _object(value, place)
        unused += [f"{place}.{key}" for key in entry if key not in TASK_KEYS]
        task = _task(entry, place)
        if found.setdefault((task.schedule, task.command), task) is not task:
            raise _broken(f"{place} stands there twice")
    return tuple(found.values()), unused


def _task(entry: Object, place: str) -> CronTask:
    command, schedule = _command(entry, "command", place), entry.get("schedule")
    overlap, maintenance = entry.get("concurrency_policy", "allow"), entry.get("maintenance", False)
    if not command or not isinstance(schedule, str):
        raise _broken(f"{place} needs a command and a schedule")
    if overlap not in set(Overlap) or not isinstance(maintenance, bool):
        raise _broken(
            f"{place} is not as it should be",
            "concurrency_policy is allow, forbid or replace; maintenance is true or false.",
        )
    try:
        parse_schedule(schedule)
    except InvalidName as error:
        raise _broken(f"{place}: {error.message}", error.hint) from error
    return CronTask(schedule, command, Overlap(overlap), maintenance)


def _vars(env: Object) -> tuple[dict[str, Var], list[str]]:
    """Return the declared config vars, and what is not used; a text is a value."""
    found, unused = {}, []
    for name, said in env.items():
        place = f"env.{name}"
        entry = {"value": said} if isinstance(said, str) else _object(said, place)
        unused += [f"{place}.{key}" for key in entry if key not in VAR_KEYS]
        try:
            found[config_key(name)] = _var(entry, place)
        except InvalidName as error:  # PORT, say: Heroku's apps have it there
            unused.append(f"{place} ({error.message})")
    return found, unused


def _var(entry: Object, place: str) -> Var:
    value, generator = entry.get("value", ""), entry.get("generator")
    if not isinstance(value, str) or generator not in {None, "secret"}:
        raise _broken(f"{place} is not as it should be", 'Give a text, or "generator": "secret".')
    flags = {"required": entry.get("required", True), "sync": entry.get("sync", False)}
    if not all(isinstance(flag, bool) for flag in flags.values()):
        raise _broken(f"{place}: required and sync are true or false")
    return Var(value, is_secret=generator == "secret", **flags)


def _formation(formation: Object) -> dict[str, int]:
    """Return the quantities; a type without one is left to ps:scale."""
    found = {}
    for name, value in formation.items():
        place = f"formation.{_process(name, 'formation')}"
        quantity = _object(value, place).get("quantity")
        if quantity is not None:
            found[name] = int(_number(quantity, f"{place}.quantity", 0, MOST, whole=True))
    return found


def _checks(listed: object, place: str) -> tuple[tuple[Check, ...], list[str]]:
    if not isinstance(listed, list):
        raise _broken(f"{place} is not a list", 'Write: [{"type": "startup", "path": "/up"}]')
    found, unused = [], []
    for number, value in enumerate(listed):
        check = _object(value, f"{place}[{number}]")
        kind = check.get("type", "startup")
        if kind == "readiness":  # of Kubernetes; Dokku on one host does not use it either
            unused.append(f"{place}[{number}] (readiness)")
        else:
            unused += [f"{place}[{number}].{key}" for key in _unused(check)]
            found.append(_check(check, kind, f"{place}[{number}]"))
    return tuple(found), unused


def _unused(check: Object) -> Iterator[str]:
    known = {"type", "name", "path", "content", *NUMBERS}
    yield from (key for key in check if key not in known)


def _check(check: Object, kind: object, place: str) -> Check:
    if kind not in set(CheckKind):
        raise _broken(f"{place}.type is {kind!r}", "Give startup or liveness.")
    path, content = check.get("path"), check.get("content", "")
    if path is not None and not (isinstance(path, str) and re.fullmatch(r"/[!-~]{0,511}", path)):
        raise _broken(f"{place}.path is not a path", "Write it as /healthz")
    if not isinstance(content, str) or (content and path is None):
        raise _broken(f"{place}.content needs a path, and is a text")
    if (path is None) == ("uptime" not in check):
        raise _broken(f"{place} needs one of path and uptime")
    numbers = {
        field: _number(check[key], f"{place}.{key}", low, high, whole=key == "attempts")
        for key, (field, low, high) in NUMBERS.items()
        if key in check
    }
    return Check(CheckKind(str(kind)), path, content, **numbers)  # type: ignore[arg-type] # of each field's type


def _number(value: object, place: str, low: int, high: int, *, whole: bool) -> float:
    kinds = (int,) if whole else (int, float)
    if isinstance(value, bool) or not isinstance(value, kinds) or not low <= value <= high:
        raise _broken(f"{place} is not a number from {low} to {high}")
    return value


def _object(value: object, place: str) -> Object:
    if not isinstance(value, dict):
        raise _broken(f"{place or 'it'} is not an object", "Write it in braces: { ... }")
    return value


def _process(name: str, place: str) -> str:
    try:
        return process_type(name)
    except InvalidName as error:
        raise _broken(f"{place}: {error.message}", error.hint) from error


def _broken(cause: str, hint: str = "") -> BuildFailed:
    return BuildFailed(f"{NAME}: {cause}", hint=hint or "Correct it, commit and push again.")
