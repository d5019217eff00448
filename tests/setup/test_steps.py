"""The order of setup's steps."""

from paas.setup import STEPS


def test_the_daemon_of_before_can_read_the_database_while_images_are_made() -> None:
    """Images take minutes; from the database's step on it is answered that paas is newer."""
    titles = [title for title, _ in STEPS]
    assert titles[-2:] == ["Database", "Firewall and vhosts"]
