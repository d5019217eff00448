"""The stack as it is made on this host, from Debian packages, by the real engine."""

import contextlib
import secrets
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import docker
import pytest

from paas.build.apt_cache import apt_cache_url
from paas.build.debian import local_authorities
from paas.build.rootfs import RootFs, engine, find_image, make_image
from paas.build.stack import WEEK, ensure_stack, refresh_stack, stack_age
from paas.errors import EngineUnavailable, Unavailable
from paas.settings import Settings

pytestmark = pytest.mark.engine
MB = 1024 * 1024
EMPTY_TAR = bytes(10240)


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """The shared stack, which `bootstrap.sh test` has made; it is made here if it was not."""
    settings = Settings(root=tmp_path_factory.mktemp("stack"))
    ensure_stack(settings, print)
    return settings


@pytest.fixture
def own(settings: Settings, tmp_path: Path) -> Iterator[Settings]:
    """An instance of its own, with the shared images under its names."""
    own = replace(settings, root=tmp_path, instance=f"st{secrets.token_hex(3)}")
    with engine(settings) as client:
        for role in ("stack", "stack-build"):
            client.images.get(f"paas/{role}:trixie").tag(f"{own.instance}/{role}", "trixie")
        yield own
        for role in ("stack", "stack-build"):
            with contextlib.suppress(docker.errors.ImageNotFound):
                client.images.remove(f"{own.instance}/{role}:trixie", force=True)


def run(settings: Settings, image: str, script: str) -> str:
    with engine(settings) as client:
        container = client.containers.run(image, ["sh", "-c", script], detach=True)
        container.wait()
        out = container.logs()
        container.remove()
    return out.decode()


def test_no_file_can_raise_privileges(settings: Settings) -> None:
    for image in (settings.stack, settings.stack_build):
        assert run(settings, image, "find / -xdev -type f -perm /6000") == ""


def test_no_package_lists_and_no_archives_are_left(settings: Settings) -> None:
    left = "find /var/lib/apt/lists /var/cache/apt -type f -size +0 ! -name lock"
    assert run(settings, settings.stack, left) == ""


def test_the_run_image_is_small_and_has_no_compiler(settings: Settings) -> None:
    with engine(settings) as client:
        assert client.images.get(settings.stack).attrs["Size"] < 150 * MB
    assert "none" in run(settings, settings.stack, "command -v gcc cc git node || echo none")


def test_the_build_image_has_what_build_stages_call(settings: Settings) -> None:
    tools = "gcc --version && git --version && node --version && npm --version && uv --version"
    assert "v24." in run(settings, settings.stack_build, tools)


def test_both_images_have_the_same_python(settings: Settings) -> None:
    ask = "python3 -c 'import sys; print(sys.version)'"
    assert run(settings, settings.stack, ask) == run(settings, settings.stack_build, ask)


def test_the_host_s_own_authorities_are_trusted_also_after_more_are_added(
    settings: Settings,
) -> None:
    own = local_authorities(settings.ca_bundle)
    script = "update-ca-certificates >/dev/null 2>&1; cat /etc/ssl/certs/ca-certificates.crt"
    bundle = run(settings, settings.stack, script)
    assert all(certificate in bundle for certificate in own)


def test_nothing_of_the_host_s_network_is_baked_in(settings: Settings) -> None:
    look = "cat /etc/apt/apt.conf.d/* /etc/environment 2>/dev/null; env"
    assert "proxy" not in run(settings, settings.stack, look).lower()


def test_a_stack_that_is_there_is_not_made_again(own: Settings) -> None:
    said: list[str] = []
    with engine(own) as client:
        assert ensure_stack(own, said.append) == client.images.get(own.stack).id
    assert said == []


def test_a_young_stack_is_not_refreshed(own: Settings) -> None:
    age, said = stack_age(own), list[str]()
    assert age is not None
    if age < 6 * 24 * 3600:
        refresh_stack(own, said.append)
        assert said == []


def test_a_stack_without_its_build_image_has_no_age(own: Settings) -> None:
    with engine(own) as client:
        client.images.remove(own.stack_build)
    assert stack_age(own) is None


def test_a_mirror_without_the_suite_is_named_and_the_old_image_stays(own: Settings) -> None:
    with engine(own) as client:
        before = client.images.get(own.stack).id
        wrong = replace(own, suite="nosuchsuite")
        with pytest.raises(Unavailable, match="nosuchsuite could not be fetched") as caught:
            make_image(wrong, RootFs(own.stack, "stack", ("bash",)), None, print)
        assert caught.value.details
        assert client.images.get(own.stack).id == before


def test_an_image_that_is_made_again_takes_the_name_and_the_old_one_goes(own: Settings) -> None:
    tiny = RootFs(f"{own.instance}/tiny:1", "tiny", ("dash",), variant="essential")
    with engine(own) as client:
        client.api.import_image_from_data(EMPTY_TAR, f"{own.instance}/tiny", "1")
        old = str(client.images.get(tiny.image).id)
        new = make_image(own, tiny, apt_cache_url(own), print)
        assert client.images.get(tiny.image).id == new != old
        assert find_image(client, old) is None
        assert client.images.get(new).labels["paas.instance"] == own.instance
        client.images.remove(new, force=True)


def test_an_engine_that_is_gone_is_told_in_plain_words(tmp_path: Path) -> None:
    gone = Settings(root=tmp_path, engine=f"unix://{tmp_path}/none.sock")
    with pytest.raises(EngineUnavailable):
        stack_age(gone)


def test_the_age_is_that_of_the_older_image(own: Settings) -> None:
    with engine(own) as client:
        name, built = f"{own.instance}/stack-build", int(time.time()) - 9 * 24 * 3600
        client.api.import_image(
            src=EMPTY_TAR, repository=name, tag="trixie", changes=[f"LABEL paas.built={built}"]
        )
    assert (stack_age(own) or 0) > WEEK
