import json

import pytest

from paas.model import App
from tests.commands.conftest import Person


def test_shared_memory_and_open_files_reach_the_next_processes(paas: Person, shop: App) -> None:
    words = ("deploy,run", "--shm-size 256m", "--ulimit nofile=8192:9000")
    assert paas("docker-options:add", "shop", *words).status == 0
    paas("ps:restart", "shop")
    options = paas.scheduler.started[-1].options
    assert (options.shm_size, options.open_files) == (256 * 2**20, 8192)
    listed = paas("docker-options:list", "shop", "--phase", "deploy", "--quiet").out
    assert listed == "--shm-size 256m\n--ulimit nofile=8192\n"
    assert paas("docker-options:remove", "shop", "deploy", "--shm-size=256m").status == 0
    assert paas("docker-options:clear", "shop").status == 0
    assert paas("docker-options:list", "shop", "--phase", "run", "--quiet").out == ""


def test_build_arguments_reach_the_next_build(paas: Person, shop: App) -> None:
    paas("config:set", "--no-restart", "shop", "TOKEN=abc")
    words = ("build", "--build-arg NODE_ENV=production", "--build-arg TOKEN", "--build-arg E=")
    assert paas("docker-options:add", "shop", *words).status == 0
    paas("ps:rebuild", "shop")
    wanted = {"NODE_ENV": "production", "TOKEN": "abc", "E": ""}
    assert wanted.items() <= dict(paas.builder.builds[-1].plan.args).items()
    shown = json.loads(paas("docker-options:report", "shop", "--format", "json").out)
    assert shown["build"] == [
        "--build-arg E=",
        "--build-arg NODE_ENV=production",
        "--build-arg TOKEN",
    ]
    paas("docker-options:clear", "shop", "build")
    assert paas("docker-options:report", "shop", "--docker-options-build").out == "\n"


def test_the_time_to_stop_is_that_of_ps_set(paas: Person, shop: App) -> None:
    assert paas("docker-options:add", "shop", "deploy", "--stop-timeout 60").status == 0
    assert paas("ps:report", "shop", "--ps-stop-timeout-seconds").out == "60\n"


@pytest.mark.parametrize(
    ("option", "words"),
    [
        ("--privileged", "undo the walls"),
        ("--cap-add SYS_ADMIN", "undo the walls"),
        ("--pid=host", "undo the walls"),
        ("--security-opt seccomp=unconfined", "undo the walls"),
        ("--device /dev/kvm", "undo the walls"),
        ("--network host", "network:set"),
        ("-v /etc:/etc", "storage:mount"),
        ("-p 80:80", "ports:set"),
        ("--memory 1g", "resource:limit"),
        ("--shm-size 64x", "not a size"),
        ("--ulimit core=1", "cannot be limited"),
        ("--build-arg A=1", "cannot be given"),
        ("nonsense", "not an option"),
    ],
)
def test_what_is_not_harmless_is_refused_with_the_way_to_go(
    paas: Person, shop: App, option: str, words: str
) -> None:
    before = paas.store.security.get(shop.id)
    typed = paas("docker-options:add", "shop", "deploy", option)
    assert typed.status == 2
    assert words in typed.err
    assert paas.store.security.get(shop.id) == before
    assert paas("docker-options:add", "shop", "boot", "--shm-size 1m").status == 2
    assert paas("docker-options:remove", "shop", "deploy", "--shm-size 1m").status == 20


def test_a_value_steers_nobody_s_terminal(paas: Person, shop: App) -> None:
    paas("docker-options:add", "shop", "build", "--build-arg 'X=\x1b]0;x\x07\x1b[31ma'")
    listed = paas("docker-options:list", "shop", "--phase", "build")
    assert (listed.status, listed.out) == (0, "--build-arg X=a\n")
