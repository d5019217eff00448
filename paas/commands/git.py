"""git-receive-pack and git-upload-pack: what git itself types on the other end of a push or clone.

Their output is git's protocol (gitprotocol-pack(5)); errors go to stderr, which git shows.
"""

import sys

import click

from paas import push
from paas.commands.declare import Access, Context, command


@command(
    "git-receive-pack",
    access=Access.DEPLOYER,
    examples=(
        "git push paas main",
        "git push -o no-cache paas main",
        "git push -o no-wait paas main",
    ),
)
@click.argument("app")
def git_receive_pack(context: Context, app: str) -> int:
    """Receive a push and deploy it. Typed by git push.

    The deploy goes on when the pusher hangs up: a push that has arrived is a push.
    """
    name, control = parse_repository(app), context.control
    streams = sys.stdin.buffer, sys.stdout.buffer
    client = push.Client(*streams, control.let_go, control.outlive_client)
    return push.receive(context.platform, name, context.actor, client)


@command(
    "git-upload-pack", access=Access.DEPLOYER, examples=("git clone ssh://paas@host:2222/shop",)
)
@click.argument("app")
def git_upload_pack(context: Context, app: str) -> int:
    """Send what was pushed. Typed by git clone and git fetch."""
    found = context.app(parse_repository(app))
    return context.platform.repos.upload(found, sys.stdin.buffer, sys.stdout.buffer)


def parse_repository(path: str) -> str:
    """Return the app's name of what stands behind the host in a URL: `/shop`, `shop.git`."""
    return path.removeprefix("/").removesuffix("/").removesuffix(".git")
