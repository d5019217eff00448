import json

import pytest

from paas.build.app_json import MAX_BYTES, parse, read_manifest
from paas.errors import BuildFailed
from paas.manifest import Check, CheckKind, Manifest
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
    ],
)
def test_a_mistake_is_named_with_its_place(text: str, cause: str) -> None:
    assert cause in fault(text)


def test_depth_and_length_are_bounded() -> None:
    assert "nested more than 20 deep" in fault('{"name": ' + "[" * 100_000)
    assert parse(json.dumps({"name": "[" * 100}))[0] == Manifest()
    with pytest.raises(BuildFailed, match="longer than 256 KiB"):
        read_manifest(TreeSource({"app.json": " " * MAX_BYTES + "{}"}))
