"""Times as people type them: `2026-12-31`, `2026-12-31T08:00:00Z`, `90d`, `2h`."""

import re
from datetime import UTC, datetime

from paas.errors import UsageError

SPAN = re.compile(r"([0-9]{1,5})([mhd])", re.ASCII)
SECONDS = {"m": 60, "h": 3600, "d": 86400}
FORMATS = ("%Y-%m-%d", "%Y-%m-%dT%H:%M:%SZ")


def parse_span(text: str) -> float | None:
    """Return the seconds of `90d`, `2h` or `30m`; None for anything else."""
    match = SPAN.fullmatch(text)
    return float(match[1]) * SECONDS[match[2]] if match else None


def parse_date(text: str) -> float:
    """Return a date or a time in UTC as seconds since the epoch. Raises UsageError."""
    if text.isascii():
        for form in FORMATS:
            try:
                return datetime.strptime(text, form).replace(tzinfo=UTC).timestamp()
            except ValueError:
                continue
    raise UsageError(
        f"{text!r} is not a time", hint="As in: 2026-12-31, 2026-12-31T08:00:00Z, 90d, 2h, 30m"
    )
