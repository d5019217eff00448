"""A reporter whose lines a test can read."""

from paas.reporter import Reporter


class Screen:
    """A sink that keeps what it is sent."""

    def __init__(self) -> None:
        self._blocks: list[str] = []

    @property
    def text(self) -> str:
        return "".join(self._blocks)

    def write(self, text: str) -> None:
        self._blocks.append(text)

    def keepalive(self) -> None:
        pass


def make_reporter(*, verbose: bool = True) -> tuple[Reporter, Screen]:
    """Return a reporter and the screen it writes to, the tools' own lines included."""
    screen = Screen()
    return Reporter(screen, verbose=verbose), screen
