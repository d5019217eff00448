"""Attacks on builds, and the walls they meet, on real engines: facts of the threat model's C6."""

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from uuid import uuid4

import pytest

from paas.errors import BuildFailed
from tests.contracts.engines import ENGINES
from tests.contracts.workshop import BLOG, INSTANCE, SHOP, Workshop, open_workshop

pytestmark = pytest.mark.engine
STACK = "FROM paas/stack\n"
CACHE = STACK + "RUN --mount=type=cache,id={},target=/c {}\n"


@pytest.fixture(params=ENGINES, ids=lambda url: str(url).rpartition("/")[2])
def workshop(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Workshop]:
    with open_workshop(request.param, tmp_path) as workshop:
        yield workshop


@pytest.fixture
def canary() -> Iterator[tuple[str, list[str]]]:
    """Yield host:port of a service of the host, and the paths that it was asked for."""
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_error(404)

        do_HEAD = do_GET  # noqa: N815 - named by http.server

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its base names it
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        yield f"127.0.0.1:{server.server_address[1]}", asked
        server.shutdown()


def test_add_reads_no_service_of_the_host(
    workshop: Workshop, canary: tuple[str, list[str]]
) -> None:
    address, asked = canary
    for text in (f"ADD http://{address}/x /x", f"ARG U=http://{address}/x\nADD $U /x"):
        with pytest.raises(BuildFailed):
            workshop.build(f"{STACK}{text}\n")
    assert asked == []


def test_a_foreign_frontend_is_never_asked_for(
    workshop: Workshop, canary: tuple[str, list[str]]
) -> None:
    address, asked = canary
    text = f"# syntax={address}/frontend:1\n{STACK}RUN echo built by the engine\n"
    frontend = {"BUILDKIT_SYNTAX": f"{address}/frontend:2"}
    assert "built by the engine" in workshop.build(text, args=frontend)[1]
    assert asked == []


def test_an_image_of_another_app_cannot_be_read(workshop: Workshop) -> None:
    secret, _ = workshop.build(f"{STACK}COPY . /\n", {"secret": "s3cret"}, app=BLOG)
    digits = secret.id.removeprefix("sha256:")
    names = [f"{INSTANCE}/app-12:{digits[:12]}", secret.id, digits, digits[:12], digits[:6]]
    for name in names:
        for text in (f"FROM {name}\n", f"{STACK}COPY --from={name} /secret /x\n"):
            with pytest.raises(BuildFailed):
                workshop.build(text)


def test_a_here_document_hides_no_instruction(workshop: Workshop) -> None:
    secret, _ = workshop.build(f"{STACK}COPY . /\n", {"secret": "s3cret"}, app=BLOG)
    digits = secret.id.removeprefix("sha256:")[:12]
    text = (
        f'FROM paas/stack AS one\n{STACK}COPY --from=one ["<<EOF", "/x"]\nRUN <<"USER 0"\nEOF\n'
        f"FROM {INSTANCE}/app-12:{digits}\nRUN cat /secret; false\nUSER 0\n"
    )
    with pytest.raises(BuildFailed) as caught:
        workshop.build(text)
    assert "s3cret" not in caught.value.details


def test_an_image_that_only_stands_on_this_host_cannot_be_read(workshop: Workshop) -> None:
    secret, _ = workshop.build(f"{STACK}COPY . /\n", {"secret": "s3cret"}, app=BLOG)
    workshop.api.tag(secret.id, "127.0.0.1:9/owners/private", "1")
    workshop.logins["127.0.0.1:9"] = ("a", "b")
    try:
        with pytest.raises(BuildFailed, match="cannot be pulled"):
            workshop.build("FROM 127.0.0.1:9/owners/private:1\n")
    finally:
        workshop.api.remove_image("127.0.0.1:9/owners/private:1")


def test_a_cache_mount_stays_with_its_app(workshop: Workshop) -> None:
    workshop.build(CACHE.format("x", f"echo s3cret > /c/key; echo {uuid4()}"), app=BLOG)
    for name in ("x", f"{INSTANCE}-12/x", f"../{INSTANCE}-12/x", f"/{INSTANCE}-12/x"):
        output = workshop.build(CACHE.format(name, f"ls /c; echo looked {uuid4()}"), app=SHOP)[1]
        assert "| looked" in output
        assert "| key" not in output
    own = CACHE.format("x", f"cat /c/key; echo {uuid4()}")
    assert "| s3cret" in workshop.build(own, app=BLOG)[1]


def test_the_name_space_of_cache_mounts_cannot_be_chosen(workshop: Workshop) -> None:
    workshop.build(CACHE.format("y", f"echo s3cret > /c/key; echo {uuid4()}"), app=BLOG)
    chosen = {"BUILDKIT_CACHE_MOUNT_NS": f"{INSTANCE}-12"}
    look = CACHE.format("y", f"ls /c; echo looked {uuid4()}")
    output = workshop.build(f"ARG BUILDKIT_CACHE_MOUNT_NS={INSTANCE}-12\n{look}", args=chosen)[1]
    assert "| looked" in output
    assert "| key" not in output


def test_the_context_holds_the_tree_and_nothing_of_ours(workshop: Workshop) -> None:
    text = f"{STACK}COPY . /all\nRUN ls -A /all && cat /all/Dockerfile\n"
    output = workshop.build(text, {"Dockerfile": "the user's"}, no_cache=True)[1]
    assert "| the user's" in output
    assert "ca.crt" not in output


def test_a_step_has_no_more_than_the_engines_default_privileges(workshop: Workshop) -> None:
    text = f"{STACK}RUN grep -E 'CapEff|Seccomp:' /proc/self/status\n"
    output = workshop.build(text, no_cache=True)[1]
    assert "CapEff:\t00000000a80425fb" in output
    assert "Seccomp:\t2" in output


def test_a_copy_cannot_leave_the_context(workshop: Workshop) -> None:
    for path in ("../../../etc/shadow", "/etc/shadow", "../Dockerfile"):
        with pytest.raises(BuildFailed, match="is not in the source"):
            workshop.build(f"{STACK}COPY {path} /x\n", {"a": "1"})
