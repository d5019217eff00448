import json

import pytest

from paas.build.app_json import MAX_BYTES, parse, read_manifest
from paas.errors import BuildFailed
from paas.manifest import Check, CheckKind, CronTask, Manifest, Overlap, Var
from tests.fakes.source import TreeSource

WHOLE = """
{
  // what Heroku shows
  "name": "shop", "addons": ["heroku-postgresql"],
  "scripts": {
    "dokku": {"predeploy": "echo // no comment", "postdeploy": "warm"}, "postdeploy": "x"
  },
  /* how many */
  "formation": {"web": {"quantity": 2}, "worker": {"quantity": 0, "max_parallel": 1}, "clock": {}},
  "healthchecks": {
    "web": [
      {"type": "startup", "name": "up", "path": "/up?a=1", "content": "ok", "attempts": 5,
       "timeout": 2.5, "wait": 1, "initialDelay": 3},
      {"type": "liveness", "path": "/live"},
      {"type": "readiness", "path": "/ready"}
    ],
    "worker": [{"uptime": 4, "command": ["true"]}]
  }
}
"""


def cron_with(key: str, value: object) -> str:
    return json.dumps({"cron": [{"command": "a", "schedule": "@daily", key: value}]})


def cron_twice(schedule: str) -> str:
    return json.dumps({"cron": [{"command": "a", "schedule": schedule}] * 2})


def fault(text: str) -> str:
    with pytest.raises(BuildFailed) as caught:
        parse(text)
    assert caught.value.hint
    return caught.value.message


def test_everything_that_is_read_is_there() -> None:
    manifest, notes = parse(WHOLE)
    assert (manifest.predeploy, manifest.postdeploy) == ("echo // no comment", "warm")
    assert manifest.formation == {"web": 2, "worker": 0}
    assert manifest.checks == {
        "web": (
            Check(CheckKind.STARTUP, "/up?a=1", "ok", 5, 2.5, 1, 3),
            Check(CheckKind.LIVENESS, "/live"),
        ),
        "worker": (Check(uptime=4),),
    }
    assert notes == (
        "app.json: addons is not used",
        "app.json: scripts.postdeploy is not used",
        "app.json: healthchecks.web[2] (readiness) is not used",
        "app.json: healthchecks.worker[0].command is not used",
    )


def test_jobs_are_read_and_what_they_do_not_use_is_named() -> None:
    tasks = [
        {"command": "send", "schedule": "@daily"},
        {"command": "tidy", "schedule": "*/5 * * * *", "concurrency_policy": "forbid",
         "maintenance": True, "name": "x"},
    ]  # fmt: skip
    manifest, notes = parse(json.dumps({"cron": tasks}))
    assert manifest.cron == (
        CronTask("@daily", "send"),
        CronTask("*/5 * * * *", "tidy", Overlap.FORBID, maintenance=True),
    )
    assert notes == ("app.json: cron[1].name is not used",)


def test_vars_are_read_as_heroku_writes_them_and_what_nobody_may_set_is_named() -> None:
    env = {
        "A": "text",
        "B": {"description": "why", "value": "b", "required": False},
        "C": {"generator": "secret", "sync": True},
        "D": {"prompt": "x"},
        "PORT": "5000",
    }
    manifest, notes = parse(json.dumps({"env": env}))
    assert manifest.env == {
        "A": Var("text"),
        "B": Var("b", required=False),
        "C": Var(is_secret=True, sync=True),
        "D": Var(),
    }
    assert notes == (
        "app.json: env.D.prompt is not used",
        "app.json: env.PORT (PORT is set by paas itself) is not used",
    )


def test_without_a_file_nothing_is_said() -> None:
    assert read_manifest(TreeSource({"a": "b"})) == (Manifest(), ())


@pytest.mark.parametrize(
    ("text", "cause"),
    [
        ("", "line 1"),
        ("[]", "it is not an object"),
        ('{"scripts": {"dokku": {"predeploy": 7}}}', "scripts.dokku.predeploy is not a command"),
        ('{"scripts": {"dokku": {"predeploy": "a\\u0000b"}}}', "is not a command"),
        ('{"fromation": {}}', "'fromation' is not known"),
        ('{"name": "a", "name": "b"}', "'name' stands twice"),
        ('{"formation": {"web": 2}}', "formation.web is not an object"),
        ('{"formation": {"web": {"quantity": 30}}}', "is not a number from 0 to 29"),
        ('{"formation": {"web": {"quantity": true}}}', "is not a number"),
        ('{"formation": {"web": {"quantity": 1.5}}}', "is not a number"),
        ('{"formation": {"web": {"quantity": NaN}}}', "NaN is not JSON"),
        ('{"formation": {"Web Server": {"quantity": 1}}}', "'Web Server' is not a process type"),
        ('{"healthchecks": {"web": {"path": "/"}}}', "healthchecks.web is not a list"),
        ('{"healthchecks": {"web": [{}]}}', "needs one of path and uptime"),
        ('{"healthchecks": {"web": [{"path": "up"}]}}', "path is not a path"),
        ('{"healthchecks": {"web": [{"path": "/a\\r\\nX: y"}]}}', "path is not a path"),
        ('{"healthchecks": {"web": [{"type": "deep", "path": "/"}]}}', "type is 'deep'"),
        ('{"healthchecks": {"web": [{"uptime": 1, "content": "x"}]}}', "content needs a path"),
        ('{"healthchecks": {"web": [{"path": "/", "timeout": 0}]}}', "number from 1 to 300"),
        ('{"cron": {}}', "cron is not a list"),
        ('{"cron": [{"command": "a"}]}', "cron[0] needs a command and a schedule"),
        ('{"cron": [{"command": " ", "schedule": "@daily"}]}', "cron[0] needs a command"),
        ('{"cron": [{"command": 1, "schedule": "@daily"}]}', "cron[0].command is not a command"),
        ('{"cron": [{"command": "a", "schedule": "daily"}]}', "cron[0]: 'daily' is not a schedule"),
        (cron_twice("*/5 * * * *"), "cron[1] stands there twice"),
        (cron_with("concurrency_policy", "never"), "cron[0] is not as it should be"),
        (cron_with("maintenance", "yes"), "cron[0] is not as it should be"),
        ('{"env": {"A": 1}}', "env.A is not an object"),
        ('{"env": {"A": {"value": 1}}}', "env.A is not as it should be"),
        ('{"env": {"A": {"generator": "uuid"}}}', "env.A is not as it should be"),
        ('{"env": {"A": {"required": "no"}}}', "env.A: required and sync are true or false"),
    ],
)
def test_a_mistake_is_named_with_its_place(text: str, cause: str) -> None:
    assert cause in fault(text)


def test_depth_and_length_are_bounded() -> None:
    assert "nested more than 20 deep" in fault('{"name": ' + "[" * 100_000)
    assert parse(json.dumps({"name": "[" * 100}))[0] == Manifest()
    with pytest.raises(BuildFailed, match="longer than 256 KiB"):
        read_manifest(TreeSource({"app.json": " " * MAX_BYTES + "{}"}))
