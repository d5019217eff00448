"""A newcomer's first hour: push, look, change config, push again, go back, remove."""

import json
import re

import pytest

from tests.journeys.instance import Instance
from tests.journeys.programs import Git

APP = """\
import os
from http.server import BaseHTTPRequestHandler, HTTPServer


class Answer(BaseHTTPRequestHandler):
    def do_GET(self):
        body = f"{version} {os.environ.get('COLOUR', 'plain')}".encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args):
        print("request", self.path, flush=True)


version = "VERSION"
HTTPServer(("0.0.0.0", int(os.environ["PORT"])), Answer).serve_forever()
"""


def write_version(git: Git, version: str) -> str:
    git.write("app.py", APP.replace("VERSION", version))
    git.write("requirements.txt", "")
    git.write("Procfile", "web: python3 app.py\n")
    return git.commit(version)


@pytest.fixture(scope="module")
def shop(paas: Instance) -> Git:
    return paas.app("shop")


def test_a_push_makes_a_new_app_live_and_says_how_to_go_on(paas: Instance, shop: Git) -> None:
    write_version(shop, "one")
    said = shop.push().stderr
    assert "Creating shop" in said
    assert re.search(r"remote: -----> Python 3\.13", said)
    assert re.search(r"remote: =====> Deployed shop v1 in [0-9.]+ s", said)
    url = f"http://shop.{paas.domain}:{paas.http_port}"
    assert re.search(rf"remote:        {re.escape(url)}\s*$", said, re.MULTILINE)
    assert "deploys:log shop" in said
    assert paas.curl("shop").stdout == "one plain"


def test_the_plan_is_shown_before_the_build_begins(shop: Git) -> None:
    log = shop.ssh.run("deploys:log", "shop").stdout
    assert log.index("Python 3.13") < log.index("Building") < log.index("Starting web.1")


def test_a_second_push_replaces_the_first_and_names_the_undo(paas: Instance, shop: Git) -> None:
    write_version(shop, "two")
    assert "releases:rollback shop" in shop.push().stderr
    assert paas.curl("shop").stdout == "two plain"


def test_config_takes_effect_at_once_and_its_value_is_never_echoed(
    paas: Instance, shop: Git
) -> None:
    done = shop.ssh.run("config:set", "shop", "COLOUR=secretred")
    assert done.returncode == 0, done.stderr
    assert "secretred" not in done.stdout + done.stderr
    assert paas.curl("shop").stdout == "two secretred"
    assert shop.ssh.run("config:get", "shop", "COLOUR").stdout == "secretred\n"


def test_the_earlier_release_comes_back_with_one_command(paas: Instance, shop: Git) -> None:
    assert shop.ssh.run("releases:rollback", "shop", "v1").returncode == 0
    assert paas.curl("shop").stdout == "one plain"
    assert "Everything up-to-date" in shop.push().stderr


def test_a_rebuild_goes_forward_again(paas: Instance, shop: Git) -> None:
    assert shop.ssh.run("releases:rollback", "shop", "v2").returncode == 0
    assert shop.ssh.run("ps:rebuild", "shop").returncode == 0
    assert paas.curl("shop").stdout == "two plain"


def test_the_same_verb_says_the_same_on_the_host_and_over_ssh(paas: Instance, shop: Git) -> None:
    for verb in (
        ["apps:list"],
        ["releases:list", "shop", "--format", "json"],
        ["config:keys", "shop"],
    ):
        assert shop.ssh.run(*verb).stdout == paas.paas(*verb).stdout


def test_logs_show_what_the_app_wrote(paas: Instance, shop: Git) -> None:
    paas.curl("shop", "/needle")
    assert "request /needle" in shop.ssh.run("logs", "shop", "-n", "20").stdout


def test_stop_takes_the_app_away_and_start_brings_it_back(paas: Instance, shop: Git) -> None:
    assert shop.ssh.run("ps:stop", "shop").returncode == 0
    assert paas.status("shop") in {502, 503}
    assert shop.ssh.run("ps:start", "shop").returncode == 0
    assert paas.status("shop") == 200


def test_a_domain_of_the_app_s_own_leads_to_it(paas: Instance, shop: Git) -> None:
    assert shop.ssh.run("domains:add", "shop", "www.shop.example").returncode == 0
    host = ("-H", "Host: www.shop.example")
    assert paas.curl("shop", "/", *host).stdout == "two plain"
    assert shop.ssh.run("domains:remove", "shop", "www.shop.example").returncode == 0
    assert paas.curl("shop", "/", *host).stdout == ""


def test_an_unknown_host_is_refused_and_never_served_by_another_app(paas: Instance) -> None:
    assert paas.status("nobody") == 0
    assert paas.curl("shop", "/", "-H", "Host: evil.example").stdout == ""


def test_what_is_deployed_can_be_cloned_with_an_allowed_key(shop: Git) -> None:
    clone = shop.tree.parent / "clone"
    done = shop.git("clone", "-q", shop.url, str(clone))
    assert done.returncode == 0
    assert "two" in (clone / "app.py").read_text()


def test_reports_are_json_when_asked(paas: Instance, shop: Git) -> None:
    assert json.loads(shop.ssh.run("apps:list", "--format", "json").stdout) == ["shop"]
    assert json.loads(shop.ssh.run("apps:report", "shop", "--format", "json").stdout)
    assert json.loads(paas.paas("ssh-keys:list", "--format", "json").stdout)[0]["name"] == "anna"


def test_destroy_wants_the_name_and_leaves_nothing(paas: Instance, shop: Git) -> None:
    assert shop.ssh.run("apps:destroy", "shop", text_in="other\n").returncode != 0
    assert paas.status("shop") == 200
    assert shop.ssh.run("apps:destroy", "shop", "--force").returncode == 0
    assert paas.status("shop") == 0
    assert paas.containers() == []
    assert shop.ssh.run("apps:exists", "shop").returncode == 20
