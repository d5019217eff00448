"""The policy of Dockerfiles, and how they are rewritten."""

import pytest

from paas.build.dockerfile import CA_VARIABLES, Checked, Rules, check_dockerfile
from paas.errors import BuildFailed

STACKS = {"paas/stack": "acme/stack:trixie", "acme/stack:trixie": "acme/stack:trixie"}


def check(text: str, *, ca: bool = False, modern: bool = False, **args: str) -> Checked:
    known = frozenset({"127.0.0.1:5000"})
    rules = Rules("acme", STACKS, known, args, ca=ca, modern=modern)
    return check_dockerfile(text, rules)


def refusal(text: str, *, modern: bool = True) -> str:
    with pytest.raises(BuildFailed) as caught:
        check(text, modern=modern)
    assert caught.value.hint
    return caught.value.message


def test_comments_and_a_syntax_line_do_not_reach_the_engine() -> None:
    checked = check("# syntax=evil/frontend\n# hello\nFROM scratch\n# more\nUSER 1\n")
    assert checked.text == "FROM scratch\nUSER 1\n"


def test_the_escape_directive_is_kept() -> None:
    text = "# syntax=x\n# escape=`\nFROM scratch\nENV A=1 `\n  B=2\n"
    assert check(text).text == "# escape=`\nFROM scratch\nENV A=1   B=2\n"


def test_the_alias_of_the_stack_is_the_instances_own_image() -> None:
    checked = check("FROM paas/stack AS deps\nFROM deps\n")
    assert checked.text == "FROM acme/stack:trixie AS deps\nFROM deps\n"
    assert (checked.stacks, checked.images) == (("acme/stack:trixie",), ())


def test_the_stack_can_be_copied_from() -> None:
    checked = check("FROM scratch\nCOPY --from=paas/stack /a /b\n")
    assert "COPY --from=acme/stack:trixie /a /b" in checked.text


def test_sources_of_copy_are_in_the_folder_of_the_tree() -> None:
    text = "FROM scratch\nCOPY . /app/\nCOPY a ../b /c/\nCOPY *.txt $X/y ./\n"
    assert check(text).text.splitlines()[1:] == [
        "COPY src/ /app/",
        "COPY src/a src/b /c/",
        "COPY src/*.txt src/$X/y ./",
    ]


def test_names_with_spaces_stay_one_word() -> None:
    assert '["src/a b", "/c d"]' in check('FROM scratch\nCOPY ["a b", "/c d"]\n').text


def test_a_source_of_add_cannot_become_a_url() -> None:
    assert "ADD ./src/$URL /x" in check("FROM scratch\nARG URL\nADD $URL /x\n").text


@pytest.mark.parametrize(
    "source",
    [
        "http://127.0.0.1:2375/",
        "HTTPS://169.254.169.254/",
        "git@host:repo.git",
        "ssh://h/r",
        '"http://127.0.0.1/x"',
    ],
)
def test_add_of_a_url_is_refused(source: str) -> None:
    assert "not allowed" in refusal(f"FROM scratch\nADD {source} /x\n")


def test_add_of_a_url_in_json_is_refused() -> None:
    assert "line 2" in refusal('FROM scratch\nADD ["http://127.0.0.1/", "/x"]\n')


def test_onbuild_is_refused() -> None:
    assert "ONBUILD" in refusal("FROM scratch\nONBUILD ADD http://127.0.0.1/ /x\n")


@pytest.mark.parametrize(
    "image",
    [
        "acme/app-3",
        "acme/app-3:0123456789ab",
        "docker.io/acme/app-3",
        "index.docker.io/acme/other",
        "other/app-12:1",
        "other/stack:trixie",
        "other/stack-build",
        "deadbeef",
        "deadbeefdead:latest",
        "sha256:" + "a" * 64,
        "b" * 64,
        "http://x/y",
        "127.0.0.1:6000/base",
        "localhost/base",
        "169.254.169.254/latest",
        "10.0.0.1:443/x",
        "[::1]:5000/x",
        "registry.internal/x",
        "UPPER/case",
        "registry:5000/x",
        "127.1:80/x",
        "0x7f.0x1:80/x",
    ],
)
@pytest.mark.parametrize(
    "form", ["FROM {}", "FROM scratch\nCOPY --from={} /a /b", "FROM a/b\nRUN --mount=from={} true"]
)
def test_images_that_builds_may_not_have_are_refused(form: str, image: str) -> None:
    assert refusal(form.format(image) + "\n").startswith("Dockerfile line ")


def test_an_image_of_a_registry_is_listed_with_its_complete_name() -> None:
    text = "FROM node:22 AS a\nFROM 127.0.0.1:5000/base\nCOPY --from=ghcr.io/x/y@sha256:{} /a /b\n"
    checked = check(text.format("c" * 64))
    assert checked.images == (
        "node:22",
        "127.0.0.1:5000/base:latest",
        f"ghcr.io/x/y@sha256:{'c' * 64}",
    )
    assert "FROM 127.0.0.1:5000/base:latest\n" in checked.text


def test_arguments_before_from_are_resolved() -> None:
    text = "ARG V=22\nARG N=node:${V}\nFROM ${N}-slim\nFROM ${W:-node:1}\nFROM x${V:+:y}\n"
    assert check(text).images == ("node:22-slim", "node:1", "x:y")


def test_an_argument_of_the_plan_wins_over_its_default() -> None:
    assert check("ARG V=22\nFROM node:$V\n", V="24").images == ("node:24",)


def test_a_stage_argument_does_not_count_for_from() -> None:
    assert "V has no value" in refusal("FROM scratch\nARG V=acme/app-3\nFROM $V\n")


def test_an_argument_cannot_smuggle_an_image_of_an_app() -> None:
    assert "image of paas" in refusal("ARG A=acme\nARG B=app-3\nFROM ${A}/${B}\n")


def test_a_stage_is_found_by_name_in_any_case_and_by_number() -> None:
    text = "FROM scratch AS Deps\nFROM scratch\nCOPY --from=DEPS /a /b\nCOPY --from=0 /a /b\n"
    assert check(text).images == ()


@pytest.mark.parametrize("name", ["scratch", "context", "1a", "a/b"])
def test_a_stage_cannot_have_the_name_of_something_else(name: str) -> None:
    assert "cannot be the name" in refusal(f"FROM scratch AS {name}\n")


def test_the_engines_own_platform_is_dropped_and_another_is_refused() -> None:
    text = "FROM --platform=$BUILDPLATFORM scratch\nFROM --platform=linux/amd64 scratch\n"
    assert check(text).text == "FROM scratch\nFROM scratch\n"
    assert "linux/arm64" in refusal("FROM --platform=linux/arm64 node\n")


@pytest.mark.parametrize(
    "flag",
    [
        "--network=host",
        "--security=insecure",
        "--device=all",
        "--mount=type=secret,id=x",
        "--mount=type=ssh",
        "--mount=from=acme/app-3,target=/x",
        "--mount=from=$X,target=/x",
        '--mount="from=acme/app-3",target=/x',
        "--mount=from=acme\\/app-3,target=/x",
    ],
)
def test_flags_of_run_that_open_the_wall_are_refused(flag: str) -> None:
    assert "line 2" in refusal(f"FROM scratch\nRUN {flag} true\n")


def test_mounts_of_the_context_are_in_the_folder_of_the_tree() -> None:
    text = "FROM scratch\nRUN --mount=target=/a --mount=type=bind,src=../b,target=/b,rw true\n"
    assert "RUN --mount=target=/a,source=src/ --mount=type=bind,target=/b,rw,source=src/b true" in (
        check(text).text
    )


def test_cache_mounts_are_left_as_they_are() -> None:
    line = "RUN --mount=type=cache,id=x,target=/c --mount=type=tmpfs,target=/t true"
    assert line in check(f"FROM scratch\n{line}\n").text


def test_run_gets_the_ca_bundle_and_each_stage_its_variables_once() -> None:
    lines = check(
        'FROM scratch\nRUN a\nRUN ["b", "c"]\nFROM scratch\nUSER 1\n', ca=True
    ).text.splitlines()
    mount = "--mount=type=bind,source=ca.crt,target=/dev/paas-ca.crt"
    assert lines[1].startswith("ARG SSL_CERT_FILE=/dev/paas-ca.crt PIP_CERT=")
    assert lines[2:] == [f"RUN {mount} a", f'RUN {mount} ["b", "c"]', "FROM scratch", "USER 1"]
    assert lines[1].count("=/dev/paas-ca.crt") == len(CA_VARIABLES)


def test_continued_lines_become_one() -> None:
    text = "FROM scratch\nRUN --mount=type=cache,target=/c \\\n  # a comment\n  a && \\\n\n  b\n"
    assert check(text).text.splitlines()[1] == "RUN --mount=type=cache,target=/c a &&   b"


def test_a_here_document_cannot_hide_an_instruction_from_an_older_engine() -> None:
    text = "FROM scratch\nRUN <<EOF\nFROM acme/app-3\nEOF\n"
    assert "here-documents" in refusal(text, modern=False)
    assert "RUN <<EOF\nFROM acme/app-3\nEOF\n" in check(text, modern=True).text


def test_a_line_that_an_older_parser_would_join_to_the_next_is_refused() -> None:
    assert "escape character" in refusal("FROM scratch\nRUN echo \\\\\nFROM scratch AS b\n")


def test_link_is_left_out_where_the_engine_does_not_know_it() -> None:
    text = "FROM scratch\nCOPY --link --chown=1:1 a /b\n"
    assert "COPY --chown=1:1 src/a /b" in check(text, modern=False).text
    assert "COPY --link --chown=1:1 src/a /b" in check(text, modern=True).text


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "no instructions"),
        ("ARG A=1\n", "no FROM"),
        ("RUN x\n", "before FROM"),
        ("FROM\n", "wants an image"),
        ("FROM a b\n", "wants an image"),
        ("FROM scratch\nFOO x\n", "not an instruction"),
        ("FROM scratch\nCOPY a\n", "sources and a target"),
        ("FROM scratch\nRUN echo \x0c\n", "control characters"),
    ],
)
def test_what_cannot_be_understood_is_refused_with_a_reason(text: str, reason: str) -> None:
    assert reason in refusal(text)


HIDDEN = "RUN <<X\nEOF\nFROM acme/app-2:abc\nX\n"  # an instruction, should <<EOF begin before it


@pytest.mark.parametrize(
    "line",
    [
        'COPY --from=paas/stack ["<<EOF", "/x"]',
        'COPY ["a", "<<EOF"]',
        'ADD ["a", "<<EOF"]',
        'COPY "<<EOF" /x',
        'RUN ["x"] <<EOF',
        "RUN cat '<<EOF'",
        "CMD cat <<EOF",
        "HEALTHCHECK CMD cat <<EOF",
    ],
)
def test_a_here_document_hides_no_instruction_from_the_policy(line: str) -> None:
    assert "<< stands beside" in refusal(f"FROM scratch\n{line}\n{HIDDEN}")


def test_a_here_document_of_a_name_that_engines_read_differently_is_refused() -> None:
    assert "<< stands beside" in refusal('FROM scratch\nRUN cat <<"A B"\nhello\nA B\n')


def test_here_documents_of_plain_names_are_kept() -> None:
    text = "RUN cat <<A_1 3<<-'B' > /x\na\nA_1\nb\nB\n"
    assert text in check(f"FROM scratch\n{text}", modern=True).text


def test_a_word_is_never_written_as_a_flag_or_a_here_document() -> None:
    text = check('FROM scratch\nCOPY --from=paas/stack ["--from=acme/app-2", "<<E", "/x"]\n').text
    assert 'COPY --from=acme/stack:trixie ["--from=acme/app-2", "<<E", "/x"]' in text
