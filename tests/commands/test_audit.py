import json
import sqlite3
from dataclasses import replace

import pytest

from paas.errors import Unavailable
from paas.model import App, AuditEntry
from paas.state.audit import SqliteAudit
from paas.state.database import Database
from tests.commands.conftest import ANNA, Person


def log(paas: Person, *filters: str) -> list[dict[str, object]]:
    """Return the log without the line of the question itself."""
    lines: list[dict[str, object]] = json.loads(
        paas("audit:list", *filters, "--format", "json").out
    )
    return [line for line in lines if line["verb"] != "audit:list"]


def test_a_command_is_noted_with_all_that_is_known(paas: Person) -> None:
    paas.over_ssh("apps:create", "shop")
    (line,) = log(paas)
    assert (line["actor"], line["door"], line["verb"]) == ("anna", "ssh", "apps:create")
    assert (line["app"], line["status"]) == ("shop", 0)
    assert str(line["fingerprint"]).startswith("SHA256:")
    assert isinstance(line["seconds"], float)


@pytest.mark.parametrize("verb", ["builder:set", "git:set", "app-json:set", "cron:set", "logs:set"])
def test_a_setting_is_noted_at_its_app_and_one_of_all_apps_at_none(
    paas: Person, shop: App, verb: str
) -> None:
    paas(verb, "shop", "maintenance")
    paas(verb, "--global", "maintenance")
    assert [line["app"] for line in log(paas)][-2:] == ["shop", None]


def test_no_value_is_kept(paas: Person, shop: App) -> None:
    secret = "hunter2"
    paas("config:set", "--no-restart", "shop", f"TOKEN={secret}", f"{secret}", "B=")
    paas("config:set", "--no-restart", "shop", f"TOKEN={secret}")
    paas("config:unset", "shop", f"TOKEN={secret}")
    paas("checks:set", "shop", "path", f"/{secret}")
    paas("registry:login", "example.org", "anna", text_in=secret)
    paas("config:set", f"TOKEN={secret}")
    paas(f"{secret}:verb", secret)
    paas("ssh-keys:add", "anna", text_in=ANNA)
    everything = json.dumps(log(paas))
    assert secret not in everything
    assert ANNA.split()[1] not in everything
    assert "TOKEN" in everything


def test_what_was_refused_is_noted_too(paas: Person, shop: App) -> None:
    paas.user("dora")
    paas.typing("dora", "logs", "shop")
    paas.typing("dora", "ssh-keys:add", "eve", text_in=ANNA)
    paas.typing("dora", "nonsense")
    paas.typing("dora", "logs", "--nonsense")
    paas.typing("stranger", "apps:destroy", "shop")
    lines = [(line["actor"], line["verb"], line["app"], line["status"]) for line in log(paas)[1:]]
    assert lines == [
        ("dora", "logs", "shop", 20),
        ("dora", "ssh-keys:add", None, 1),
        ("dora", "?", None, 1),
        ("dora", "logs", None, 2),
        ("?", "?", None, 1),
    ]


def test_it_says_what_a_command_was_about(paas: Person, shop: App) -> None:
    paas.user("ben")
    paas("access:grant", "shop", "ben", "deployer")
    paas("ps:scale", "shop", "web=2", "worker=1")
    paas("git-upload-pack", "/shop.git")
    paas("debug", "--cap", "SYS_PTRACE", "shop", "worker.7")
    paas("git:auth", "git.example.org", "ghp_secret", "x", "--app", "shop")
    lines = [(line["verb"], line["app"], line["about"]) for line in log(paas)[1:]]
    assert lines == [
        ("access:grant", "shop", "ben deployer"),
        ("ps:scale", "shop", "web worker"),
        ("git-upload-pack", "shop", ""),
        ("debug", "shop", "SYS_PTRACE"),
        ("git:auth", "shop", ""),  # the user of a login may be a secret
    ]


def test_the_line_is_there_while_the_command_is_at_work(paas: Person) -> None:
    (line,) = json.loads(paas("audit:list", "--format", "json").out)
    assert (line["verb"], line["status"], line["seconds"]) == ("audit:list", None, None)
    assert " - " in paas("audit:list").out


def test_it_is_filtered_by_app_actor_and_time(paas: Person) -> None:
    for app in ("shop", "api"):
        paas.over_ssh("apps:create", app)
        paas("apps:exists", app)
    assert [line["actor"] for line in log(paas, "--app", "shop")] == ["anna", "root"]
    assert [line["app"] for line in log(paas, "--actor", "anna")] == ["shop", "api"]
    assert [line["app"] for line in log(paas, "-n", "1", "--actor", "anna")] == ["api"]
    assert len(log(paas, "--since", "1h")) == 4
    assert log(paas, "--since", "2100-01-01") == []
    assert paas("audit:list", "--since", "yesterday").status == 2


def test_an_actor_keeps_its_newest_lines_and_pushes_out_nobody_elses(paas: Person) -> None:
    audit = SqliteAudit(Database(paas.settings.database), kept=10)
    entry = AuditEntry(1.0, "anna", "ssh", None, "logs", status=0, seconds=0.0)
    audit.add(entry)
    for _ in range(140):
        audit.add(AuditEntry(2.0, "ben", "ssh", None, "logs", status=0, seconds=0.0))
    kept = [line.actor for line in audit.read(1000)]
    assert kept.count("anna") == 1
    assert kept.count("ben") < 10 + 64


def test_many_lines_are_read_whole_and_in_order(paas: Person) -> None:
    for n in range(1200):
        paas.store.audit.add(AuditEntry(float(n), "anna", "ssh", None, "logs"))
    assert [line.at for line in paas.store.audit.read(1100)] == [
        float(n) for n in range(1199, 99, -1)
    ]


def test_a_line_that_is_complete_is_never_changed(paas: Person) -> None:
    entry = AuditEntry(1.0, "anna", "ssh", None, "logs")
    number = paas.store.audit.add(entry)
    paas.store.audit.end(number, replace(entry, status=1, seconds=2.0))
    paas.store.audit.end(number, replace(entry, status=0, seconds=9.0))
    assert [line.status for line in paas.store.audit.read(9)] == [0, 1]


def test_a_log_that_cannot_be_written_stops_no_command(
    paas: Person, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> int:
        raise Unavailable("The disk is full")

    monkeypatch.setattr(paas.store.audit, "add", fail)
    assert paas("version").status == 0
    assert "missing in the audit log: The disk is full" in caplog.text


def test_the_log_stays_in_the_database_of_a_removed_user(paas: Person) -> None:
    paas.over_ssh("version")
    paas("users:remove", "anna")
    with sqlite3.connect(paas.settings.database) as database:
        rows = database.execute("SELECT actor FROM audit WHERE verb = 'version'").fetchall()
    assert rows == [("anna",)]


def test_on_a_newer_database_a_command_says_so_once_and_logs_nothing(
    paas: Person, shop: App, caplog: pytest.LogCaptureFixture
) -> None:
    with paas.store._database.write():
        paas.store._database.execute("PRAGMA user_version = 999")
    paas.store.close()
    caplog.clear()
    typed = paas("apps:list")
    assert typed.status == 1
    assert typed.err.count("newer paas") == 1
    assert "systemctl restart paas" in typed.err
    assert caplog.records == []
