"""The app of a client's git remote stands in where a command wants an app, and nowhere else."""

import pytest

from paas import dispatch
from paas.commands.declare import REGISTRY
from paas.errors import UsageError
from paas.implied import place_app, take_implied

dispatch.load_commands()
APPS = {"shop", "other", "web"}


def placed(typed: str) -> str:
    verb, *args = typed.split()
    return " ".join(place_app(REGISTRY[verb], tuple(args), "shop", APPS.__contains__))


@pytest.mark.parametrize(
    ("typed", "args"),
    [
        ("logs -t", "shop -t"),
        ("logs", "shop"),
        ("config:set COLOUR=blue", "shop COLOUR=blue"),
        ("config:set --no-restart A=1 B=2", "shop --no-restart A=1 B=2"),
        ("config:get COLOUR", "shop COLOUR"),
        ("config:unset FOO BAR", "shop FOO BAR"),
        ("ps:scale web=2", "shop web=2"),
        ("ps:restart worker", "shop worker"),
        ("domains:add a.example.org b.example.org", "shop a.example.org b.example.org"),
        ("apps:report", "shop"),
        ("builder:set build-dir web", "shop build-dir web"),
        ("git:set deploy-branch main", "shop deploy-branch main"),
        ("apps:destroy --force", "shop --force"),
        ("apps:create", "shop"),
    ],
)
def test_the_implied_app_stands_in(typed: str, args: str) -> None:
    assert placed(typed) == args


@pytest.mark.parametrize(
    "typed",
    ["logs shop -t", "logs other", "apps:list", "apps:create new",
     "help ps", "ssh-keys:list", "apps:report --help", "apps:destroy other", "logs --nonsense",
     "config:set shop A=1"],
)  # fmt: skip
def test_what_was_typed_in_full_stays(typed: str) -> None:
    assert placed(typed) == typed.partition(" ")[2]


@pytest.mark.parametrize(
    "typed", ["config:unset other FOO", "config:get other FOO", "ps:restart web"]
)
def test_what_may_be_meant_in_two_ways_is_refused(typed: str) -> None:
    with pytest.raises(UsageError, match="may be the app"):
        placed(typed)


def test_the_flag_is_taken_from_the_front_only() -> None:
    assert take_implied(("--in", "shop", "logs")) == (("logs",), "shop")
    assert take_implied(("logs", "--in", "shop")) == (("logs", "--in", "shop"), None)
    assert take_implied(("--in",)) == (("--in",), None)
