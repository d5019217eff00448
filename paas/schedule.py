"""Cron schedules: five fields, or @daily and the like, in UTC; see crontab(5).

UTC has no summer time, so no minute comes twice and none is left out. Small enough to be our own:
what is needed is whether a minute is meant, and when the next one comes.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache

from paas.errors import InvalidName

MINUTE = 60
NICKNAMES = {
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
    "@monthly": "0 0 1 * *",
    "@weekly": "0 0 * * 0",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@hourly": "0 * * * *",
}
MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
WEEKDAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
PART = re.compile(
    r"(?P<any>\*)?(?:(?P<first>[0-9a-z]{1,3})(?:-(?P<last>[0-9a-z]{1,3}))?)?"
    r"(?:/(?P<step>[0-9]{1,2}))?",
    re.ASCII,
)
LONGEST_WAIT = timedelta(days=8 * 366)  # from one 29 February to the next, over a year like 2100


@dataclass(frozen=True)
class Field:
    """One of the five fields: its name and range, and the words that stand for its numbers."""

    name: str
    low: int
    high: int
    words: tuple[str, ...] = ()


FIELDS = (
    Field("minute", 0, 59),
    Field("hour", 0, 23),
    Field("day of the month", 1, 31),
    Field("month", 1, 12, MONTHS),
    Field("day of the week", 0, 7, WEEKDAYS),
)


@dataclass(frozen=True)
class Schedule:
    """The minutes that are meant. Weekdays are 0 (Sunday) to 6."""

    minutes: frozenset[int]
    hours: frozenset[int]
    days: frozenset[int]
    months: frozenset[int]
    weekdays: frozenset[int]
    either_day: bool  # both kinds of day are given: then one of them is enough (crontab(5))

    def matches(self, at: float) -> bool:
        """Whether the minute of this time (seconds since the epoch) is meant."""
        moment = datetime.fromtimestamp(at, UTC)
        return moment.minute in self.minutes and moment.hour in self.hours and self._is_day(moment)

    def next_after(self, at: float) -> float | None:
        """Return the start of the next minute that is meant; None if none ever comes."""
        moment = datetime.fromtimestamp(at // MINUTE * MINUTE + MINUTE, UTC)
        end = moment + LONGEST_WAIT
        while moment < end:
            if self._is_day(moment):
                for hour in sorted(h for h in self.hours if h >= moment.hour):
                    first = moment.minute if hour == moment.hour else 0
                    minutes = [m for m in self.minutes if m >= first]
                    if minutes:
                        return moment.replace(hour=hour, minute=min(minutes)).timestamp()
            moment = moment.replace(hour=0, minute=0) + timedelta(days=1)
        return None

    def _is_day(self, moment: datetime) -> bool:
        if moment.month not in self.months:
            return False
        by_date = moment.day in self.days
        by_weekday = moment.isoweekday() % 7 in self.weekdays
        return by_date or by_weekday if self.either_day else by_date and by_weekday


@cache
def parse_schedule(text: str) -> Schedule:
    """Return the schedule. Raises InvalidName with what is wrong, also if its time never comes."""
    words = NICKNAMES.get(text.strip().lower(), text.lower()).split()
    if len(words) != len(FIELDS):
        raise _bad(text, "it needs five fields: minute hour day month weekday")
    found = [
        frozenset(_values(text, word, field)) for word, field in zip(words, FIELDS, strict=True)
    ]
    minutes, hours, days, months, weekdays = found
    schedule = Schedule(
        minutes,
        hours,
        days,
        months,
        frozenset(day % 7 for day in weekdays),
        either_day=not (words[2].startswith("*") or words[4].startswith("*")),
    )
    if schedule.next_after(0) is None:
        raise _bad(text, "no such day ever comes")
    return schedule


def _values(text: str, word: str, field: Field) -> Iterator[int]:
    for part in word.split(","):
        found = PART.fullmatch(part)
        if not found or bool(found["any"]) == bool(found["first"]):
            raise _bad(text, f"{part!r} is no {field.name}")
        step = int(found["step"] or 1)
        if found["any"]:
            first, last = field.low, field.high
        else:
            first = _number(text, found["first"], field)
            open_end = field.high if found["step"] else first
            last = _number(text, found["last"], field) if found["last"] else open_end
        if step == 0 or first > last:
            raise _bad(text, f"{part!r} is no {field.name}")
        yield from range(first, last + 1, step)


def _number(text: str, word: str, field: Field) -> int:
    if word in field.words:
        return field.low + field.words.index(word)
    number = int(word) if word.isdigit() else -1
    if not field.low <= number <= field.high:
        raise _bad(text, f"{word!r} is no {field.name} ({field.low}-{field.high})")
    return number


def _bad(text: str, why: str) -> InvalidName:
    return InvalidName(
        f"{text!r} is not a schedule: {why}",
        hint="Write five fields in UTC, as '30 4 * * 1-5', or @hourly, @daily, @weekly, @monthly",
    )
