"""A real boot: what users type on a Debian host with systemd, in the order in which they do.

`just fresh-host` runs it on Debian 12 and 13. The tests of one machine follow each other.
"""

import re
import time
from collections.abc import Iterator

import pytest

from tests.hosts.machine import (
    Machine,
    booted,
    first_command,
    version_before,
    version_before_schema,
)

pytestmark = pytest.mark.timeout(1500)
SUITES = ("bookworm", "trixie")
WAIT = 120.0
NO_SUCH_APP, REFUSED = 20, 255  # exit statuses; the second is ssh's own
KEY = "-i /var/lib/paas/demo/key -o StrictHostKeyChecking=accept-new"
SSH = f"ssh {KEY} paas@fresh"  # port 22: the host's own sshd
ASK = "curl -sS --max-time 5 http://hello.paas.localhost"
HELLO = "Hello from your own Heroku!"
# Asks ten times a second, on new connections, and notes what was not the app.
VISIT = (
    "while [ ! -e /tmp/enough ]; do curl -sS --max-time 5 http://hello.paas.localhost 2>&1"
    f" | grep -q '{HELLO}' && echo ok || echo lost; sleep 0.1; done > /tmp/visits"
)
# A hook of the host's owner that holds a push until the test lets it go.
HOLD = """
cd /var/lib/paas/hooks/pre-release.d
printf '#!/bin/sh\\ntouch /tmp/held; while [ ! -e /tmp/go ]; do sleep 0.1; done\\n' > hold
chmod 755 hold
cd /var/lib/paas/demo/hello
git -c user.name=a -c user.email=a@b commit -q --allow-empty -m 'Say it again'
export GIT_SSH_COMMAND="ssh {key}"
run='git push ssh://paas@fresh:2222/hello master; echo "status $?"'
sh -c "$run" < /dev/null > /tmp/push 2>&1 &
timeout 60 sh -c 'until [ -e /tmp/held ]; do sleep 0.1; done'
"""
LET_GO = """
touch /tmp/go
timeout 60 sh -c 'until grep ^status /tmp/push; do sleep 0.1; done' > /dev/null
rm /var/lib/paas/hooks/pre-release.d/hold
cat /tmp/push
"""
PLACEHOLDER = "/etc/nginx/sites-available/default"
# What looks after stack and apt cache outlives the daemon, which starts it soon after itself.
UNTIL_REST = """
quiet=0
while [ $quiet -lt 50 ]; do
  if pgrep -f [p]aas.build.refresh; then quiet=0; else quiet=$((quiet + 1)); fi
  sleep 0.2
done
"""
# All that paas may have put on a host; what Debian's packages brought stays.
TRACES = """
find / /run /tmp /var/tmp -xdev \\
  '(' -path /src -o -path '/old*' -o -path /usr/share -o -path /var/lib/docker ')' \\
  -prune -o -iname '*paas*' -not -path '*/ca-certificates/*' -not -path '/etc/ssl/*' -print
getent passwd paas
nft list tables | grep -i paas
ip route | grep 10.214
ip -4 -o address show dev lo | grep -v ' 127.0.0.1/'
ask() { curl -sS --unix-socket /run/docker.sock "http://engine/$1" | tr ',{' '\\n\\n' | grep "$2"; }
ask 'containers/json?all=true' '"Id"'
ask images/json '"Id"'
ask volumes '"Name"'
ask networks '^"Name"' | grep -v -x -e '"Name":"bridge"' -e '"Name":"host"' -e '"Name":"none"'
systemctl list-unit-files | grep -i paas
true
"""
# What a run of setup could change on a host.
STATE = """
find /etc /opt /usr/local -xdev -printf '%p %y %m %U %s %T@ %l\\n'
nft -s list ruleset
ask() { curl -sS --unix-socket /run/docker.sock "http://engine/$1" | tr ',{' '\\n\\n' | grep "$2"; }
ask containers/json '^"Id"'
"""


@pytest.fixture(scope="module", params=SUITES)
def host(request: pytest.FixtureRequest) -> Iterator[Machine]:
    with booted(request.param) as machine:
        machine.put("/older", version_before_schema())
        machine.put("/old", version_before())
        machine.put("/src", "HEAD")
        yield machine


def until_it_answers(host: Machine) -> float:
    """Return the seconds until the demo app answers; nobody types anything meanwhile."""
    started = time.monotonic()
    while HELLO not in host.run(ASK)[1]:
        assert time.monotonic() - started < WAIT, host.run("journalctl -n 200 --no-pager")[1]
        time.sleep(0.2)
    return time.monotonic() - started


def test_a_version_of_an_older_schema_is_set_up_and_its_demo_answers(host: Machine) -> None:
    text = host.type("/older/bootstrap.sh")
    assert HELLO in text
    host.type("paas config:set hello KEPT=value")


def test_an_upgrade_moves_the_schema_and_keeps_a_copy_and_there_is_no_way_back(
    host: Machine,
) -> None:
    host.type("paas upgrade /old")
    assert re.search(r"paas.db.schema-\d+\n", host.type("ls /var/lib/paas"))
    assert HELLO in host.type(ASK)
    assert host.type("paas config:get hello KEPT") == "value\n"
    before = host.type("readlink /opt/paas/tree")
    status, text = host.run("paas upgrade /older")
    assert status == 1
    assert "newer paas" in text
    assert host.type("readlink /opt/paas/tree") == before


def state(host: Machine) -> set[str]:
    return set(host.type(STATE).splitlines())


def daemon(host: Machine) -> str:
    return host.type("systemctl show --property MainPID --value paas")


def test_an_upgrade_keeps_apps_serving_data_and_a_push_that_is_at_work(host: Machine) -> None:
    host.type(f"rm -f /tmp/enough; ({VISIT}) </dev/null >/dev/null 2>&1 & sleep 1")
    host.type(HOLD.format(key=KEY))
    before = daemon(host)
    host.type("paas upgrade /src")
    assert daemon(host) != before
    pushed = host.type(LET_GO)
    assert "Deployed hello v" in pushed
    assert pushed.endswith("status 0\n")
    visits = host.type("touch /tmp/enough; sleep 6; cat /tmp/visits").split()
    assert visits.count("ok") > 10
    assert visits.count("lost") == 0
    assert host.type("paas config:get hello KEPT") == "value\n"
    assert host.type("systemctl is-active paas paas-restore docker nginx").split() == ["active"] * 4


def test_a_second_run_changes_nothing(host: Machine) -> None:
    host.type("/src/bootstrap.sh")  # the demo of this version
    pid, before = daemon(host), state(host)
    text = host.type("/src/bootstrap.sh")
    assert "Everything up-to-date" in text
    assert not re.search(r"made|added|wrote|removed|loaded", text)
    assert state(host) ^ before == set()
    assert daemon(host) == pid


def test_the_units_are_what_systemd_expects(host: Machine) -> None:
    folder = "/etc/systemd/system"
    command = f"systemd-analyze verify {folder}/paas.service {folder}/paas-restore.service"
    assert host.type(command) == ""
    host.type("paas stop && paas start")
    assert host.type("systemctl is-active paas") == "active\n"


def test_the_journal_has_the_daemon_s_log_and_no_warning_of_a_restart_at_rest(
    host: Machine,
) -> None:
    host.type(f"timeout 120 sh -c '{UNTIL_REST}'")
    since = host.type("date +%s.%N").strip()
    host.type("systemctl restart paas")
    text = host.type(f"journalctl --sync; journalctl --unit paas --no-pager --since @{since}")
    assert re.search(r"paas\[\d+\]: \d+ INFO serving /var/lib/paas/run/paas.sock as pid", text), (
        text
    )
    assert "left-over" not in text


def test_the_unit_s_sandbox_leaves_what_the_daemon_needs(host: Machine) -> None:
    """Volumes that the engine sees, and a stack that is made anew."""
    host.type("paas storage:create files --size 64m")
    host.type("paas storage:mount hello files --container-dir /files && paas ps:restart hello")
    assert "/files" in host.type("paas run hello cat /proc/mounts")
    text = host.type("cat /etc/systemd/system/paas.service")
    kinds = r"^(?:Restrict\w+|Lock\w+|NoNew\w+|System\w+)=.*$"
    caps = " ".join(re.findall(r"^CapabilityBoundingSet=(.*)$", text, re.MULTILINE))
    lines = [*re.findall(kinds, text, re.MULTILINE), f"CapabilityBoundingSet={caps}"]
    options = [f"-p '{line}'" for line in lines]
    made = "mmdebstrap --variant=minbase trixie /var/tmp/made.tar"
    host.type(f"systemd-run --wait --pipe {' '.join(options)} {made} && rm /var/tmp/made.tar")


def knock(host: Machine) -> None:
    """Use the OpenSSH door: words come in, an exit status out."""
    assert "hello" in host.type(f"{SSH} apps:list")
    assert host.run(f"{SSH} apps:report nosuch")[0] == NO_SUCH_APP


def test_port_22_takes_pushes_and_commands(host: Machine) -> None:
    host.type("/src/bootstrap.sh --openssh --no-demo")
    repository = "-C /var/lib/paas/demo/hello"
    text = host.type(f"GIT_SSH_COMMAND='ssh {KEY}' git {repository} push paas@fresh:other master")
    assert "Deployed other v1" in text
    assert HELLO in host.type(ASK.replace("hello.", "other."))
    knock(host)


def test_an_sshd_that_systemd_listens_for_learns_of_the_door_too(host: Machine) -> None:
    """As on Ubuntu; Debian brings the same socket, and leaves it off."""
    host.type("systemctl stop ssh.service && systemctl start ssh.socket")
    knock(host)
    host.type("sed -i 's/^openssh = true/openssh = false/' /etc/paas/paas.toml && paas setup")
    assert host.run(f"{SSH} apps:list")[0] == REFUSED
    host.type("PAAS_OPENSSH=true paas setup")
    knock(host)
    host.type("systemctl stop ssh.service ssh.socket && systemctl start ssh.service")


def when(host: Machine, unit: str, moment: str) -> int:
    return int(host.type(f"systemctl show --property {moment} --value {unit}"))


def test_after_a_reboot_apps_and_doors_answer_by_themselves(host: Machine) -> None:
    host.reboot()
    print(f"answers {until_it_answers(host):.1f} s after systemd does")
    host.type("timeout 60 sh -c 'until paas status; do sleep 0.2; done'")
    assert "0 loaded units" in host.type("systemctl --failed --no-pager")
    assert "hello" in host.type("paas apps:list")
    knock(host)


def test_firewall_and_routes_were_there_before_nginx_and_containers(host: Machine) -> None:
    restored = when(host, "paas-restore", "ActiveEnterTimestampMonotonic")
    assert restored > 0
    assert restored <= when(host, "nginx", "InactiveExitTimestampMonotonic")
    assert restored <= when(host, "docker", "InactiveExitTimestampMonotonic")
    assert when(host, "docker", "ActiveEnterTimestampMonotonic") <= when(
        host, "paas", "InactiveExitTimestampMonotonic"
    )


def test_after_a_reboot_they_answer_without_the_daemon_too(host: Machine) -> None:
    host.type("systemctl disable paas")
    host.reboot()
    print(f"answers {until_it_answers(host):.1f} s after systemd does")
    assert host.run("systemctl is-active paas")[1] == "inactive\n"
    host.type("systemctl enable --now paas")


def test_uninstalled_with_its_data_it_comes_back_as_it_was(host: Machine) -> None:
    host.type("/src/bootstrap.sh uninstall --keep-data")
    assert HELLO not in host.run(ASK)[1]
    assert host.run(f"{SSH} apps:list")[0] == REFUSED
    host.type("PAAS_NO_DEMO=1 /src/bootstrap.sh")
    until_it_answers(host)
    knock(host)
    assert host.type("paas config:get hello KEPT") == "value\n"


def test_uninstalled_it_leaves_nothing(host: Machine) -> None:
    host.type("/src/bootstrap.sh uninstall")
    assert host.type(TRACES).strip() == ""
    assert host.type("ls /etc/ssh/sshd_config.d && sshd -t") == ""
    assert "0 loaded units" in host.type("systemctl --failed --no-pager")


def test_the_readme_s_first_command_makes_the_demo_answer(host: Machine) -> None:
    host.type(f"ln -s {PLACEHOLDER} /etc/nginx/sites-enabled/")  # which an old paas took for good
    host.type("useradd anna && echo 'anna ALL=(ALL) NOPASSWD: ALL' > /etc/sudoers.d/anna")
    started = time.monotonic()
    assert HELLO in host.type(f"cd /src && su anna -c '{first_command()}'")
    print(f"the demo answers after {time.monotonic() - started:.0f} s")


def test_uninstalled_at_once_the_host_is_as_it_was(host: Machine) -> None:
    host.type("/src/bootstrap.sh uninstall")
    assert host.type(TRACES).strip() == ""
    assert host.type("readlink /etc/nginx/sites-enabled/*").strip() == PLACEHOLDER
    assert "Welcome to nginx" in host.type("curl -sS http://127.0.0.1")
