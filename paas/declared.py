"""The config vars that app.json's `env` declares: defaults, secrets, and what must have a value.

As in Dokku and Heroku: before the first release each var that has no value gets one; later only
those with `sync` are set anew. What config:set says is never lost otherwise.
"""

import secrets
from collections.abc import Mapping
from dataclasses import replace

from paas.attempt import Attempt
from paas.environment import Environment, environment_of
from paas.errors import BuildFailed
from paas.manifest import Var
from paas.model import Candidate
from paas.reporter import STEP

SECRET_BYTES = 32  # 64 hexadecimal digits, as in Dokku


def fill_in(attempt: Attempt, config: Environment, declared: Mapping[str, Var]) -> Environment:
    """Return the config with what is declared; it is stored with the release, see to_store().

    Raises BuildFailed for a var that must have a value and has none, InvalidName for too much.
    """
    values = {
        key: value
        for key, var in declared.items()
        if (value := _value(attempt, key, var, config.merged.get(key, "")))
    }
    if not values:
        return config
    attempt.reporter.line(STEP, f"Config vars of app.json: {' '.join(values)}")
    return replace(config, own=attempt.platform.store.config.preview(attempt.app.id, values))


def to_store(attempt: Attempt, candidate: Candidate) -> Mapping[str, str] | None:
    """Return the app's own config with the declared vars as the candidate has them.

    None without any. What was set during the build, for the next release, stays set.
    """
    own = environment_of(candidate).own
    values = {key: own[key] for key in candidate.manifest.env if key in own}
    return attempt.platform.store.config.preview(attempt.app.id, values) if values else None


def _value(attempt: Attempt, key: str, var: Var, current: str) -> str:
    """Return the value that the var gets now, "" if it stays as it is."""
    is_first = attempt.app.version is None
    if not var.sync and (current or not is_first):
        return ""
    if var.is_secret:
        return secrets.token_hex(SECRET_BYTES)
    if not (var.value or current) and var.required:
        app, ssh = attempt.app.name, attempt.platform.settings.ssh_command
        raise BuildFailed(
            f"app.json: {key} must have a value",
            hint=f"{ssh} config:set {app} {key}=... (before it, if the app is new: apps:create"
            f" {app}), then push again",
        )
    return var.value
