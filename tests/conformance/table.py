"""`python -m tests.conformance.table`: prints docs/dokku-conformance.md, made from the rows here.

verbs.txt lists Dokku's verbs that nearly every user or many users need. Each has one row in one of
the .toml files: `same`, `differs` (why), `later` or `no` (why). `topic:*` stands for a whole topic.
"""

import sys
import tomllib
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

HERE = Path(__file__).parent
GIT = {"git push": "git-receive-pack", "git clone": "git-upload-pack"}
HEAD = """\
# Dokku's commands, and ours

<!-- Made by `just docs` from tests/conformance/: change the rows, not this page. -->

Every command of Dokku 0.38 that nearly every user or many users need, on a single host. *Same*:
name, order of arguments and exit statuses are Dokku's. *Differs*: the verb is there, the reason
says what is not the same. *Later*: not yet. *No*: on purpose.
[How we differ, and how to move](dokku-differences.md) has more.

"""


@dataclass(frozen=True)
class Row:
    """One verb of Dokku's, `topic:verb` or `topic:*`, and what became of it here."""

    verb: str
    status: str
    why: str
    file: str

    @property
    def ours(self) -> str:
        """The verb as it reaches paas: git types its own."""
        return GIT.get(self.verb, self.verb)

    @property
    def topic(self) -> str:
        """The part before the colon."""
        return self.verb.partition(":")[0]


def read_rows() -> list[Row]:
    """Return the rows of all files, in the order of verbs.txt, others behind."""
    rows = [
        Row(row["verb"], row["status"], row["why"], path.name)
        for path in sorted(HERE.glob("*.toml"))
        for row in tomllib.loads(path.read_text())["row"]
    ]
    order = {verb: place for place, verb in enumerate(read_verbs())}
    return sorted(rows, key=lambda row: order.get(row.verb, len(order)))


def read_verbs() -> list[str]:
    """Return the verbs that must have a row."""
    return (HERE / "verbs.txt").read_text().split()


def page(rows: list[Row]) -> str:
    """Return the page: how many of each status, then a table per topic."""
    counts = dict.fromkeys(("same", "differs", "later", "no"), 0)
    for row in rows:
        counts[row.status] += 1
    summary = ", ".join(f"{count} {status}" for status, count in counts.items())
    sections = (
        f"\n## {topic}\n\n| command | status | why |\n|---|---|---|\n"
        + "".join(f"| `{row.verb}` | {row.status} | {row.why} |\n" for row in group)
        for topic, group in groupby(rows, key=lambda row: row.topic)
    )
    return f"{HEAD}{len(rows)} rows: {summary}.\n{''.join(sections)}"


if __name__ == "__main__":
    sys.stdout.write(page(read_rows()))
