"""help and version."""

import click

import paas
from paas.commands.declare import REGISTRY, Access, Context, command
from paas.errors import PaasError
from paas.show import nearest, topic_help, topics


@command("help", access=Access.ANYONE, examples=("help", "help apps", "apps:help"))
@click.argument("topic", required=False)
def help_command(_context: Context, topic: str | None) -> None:
    """List all topics, or say how the commands of one are typed."""
    if topic is None:
        click.echo(topics(REGISTRY), nl=False)
        return
    known = {each.topic for each in REGISTRY.values()}
    name = topic.partition(":")[0]
    if name not in known:
        alike = nearest(name, known)
        raise PaasError(
            f"{name} is not a topic", hint=f"Did you mean {alike}?" if alike else "See help."
        )
    click.echo(topic_help(name, REGISTRY), nl=False)


@command("version", access=Access.ANYONE, examples=("version",))
def version(_context: Context) -> None:
    """Print the version."""
    click.echo(f"paas version {paas.__version__}")
