"""Known vectors of crontab(5): which minutes are meant, which come next, what is refused."""

from datetime import UTC, datetime

import pytest

from paas.errors import InvalidName
from paas.schedule import parse_schedule


def at(text: str) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()


@pytest.mark.parametrize(
    ("schedule", "now", "following"),
    [
        ("* * * * *", "2026-11-21 10:00:00", "2026-11-21 10:01:00"),
        ("* * * * *", "2026-11-21 10:00:59", "2026-11-21 10:01:00"),
        ("*/15 * * * *", "2026-11-21 10:46:00", "2026-11-21 11:00:00"),
        ("5-59/20 * * * *", "2026-11-21 10:06:00", "2026-11-21 10:25:00"),
        ("50/5 * * * *", "2026-11-21 10:51:00", "2026-11-21 10:55:00"),
        ("0 22 * * 1-5", "2026-11-20 22:00:00", "2026-11-23 22:00:00"),
        ("0 22 * * mon-FRI", "2026-11-20 22:00:00", "2026-11-23 22:00:00"),
        ("5 4 * * sun", "2026-11-21 10:00:00", "2026-11-22 04:05:00"),
        ("5 4 * * 7", "2026-11-21 10:00:00", "2026-11-22 04:05:00"),
        ("23 0-20/2 * * *", "2026-11-21 20:23:00", "2026-11-22 00:23:00"),
        ("0 0,12 1 */2 *", "2026-11-21 10:00:00", "2027-01-01 00:00:00"),
        ("0 4 8-14 * *", "2026-11-21 10:00:00", "2026-12-08 04:00:00"),
        ("0 0 1 1 *", "2026-11-21 10:00:00", "2027-01-01 00:00:00"),
        ("0 0 29 2 *", "2096-02-29 00:00:00", "2104-02-29 00:00:00"),
        ("0 0 31 * *", "2026-11-21 10:00:00", "2026-12-31 00:00:00"),
        ("@hourly", "2026-11-21 10:30:00", "2026-11-21 11:00:00"),
        ("@Daily", "2026-12-31 23:59:00", "2027-01-01 00:00:00"),
        ("@weekly", "2026-11-21 10:00:00", "2026-11-22 00:00:00"),
        ("@monthly", "2026-11-21 10:00:00", "2026-12-01 00:00:00"),
        ("@yearly", "2026-11-21 10:00:00", "2027-01-01 00:00:00"),
    ],
)
def test_the_next_minute_is_found(schedule: str, now: str, following: str) -> None:
    parsed = parse_schedule(schedule)
    assert parsed.next_after(at(now)) == at(following)
    assert parsed.matches(at(following) + 59)
    assert not parsed.matches(at(following) - 1) or schedule == "* * * * *"


def test_with_both_kinds_of_day_either_is_enough() -> None:
    friday_or_13th = parse_schedule("0 0 13 * 5")
    assert friday_or_13th.matches(at("2026-11-20 00:00:00"))  # a Friday
    assert friday_or_13th.matches(at("2026-12-13 00:00:00"))  # a Sunday
    assert not friday_or_13th.matches(at("2026-11-21 00:00:00"))


def test_a_day_that_begins_with_a_star_leaves_it_to_the_other() -> None:
    odd_mondays = parse_schedule("0 0 */2 * 1")
    assert odd_mondays.matches(at("2026-11-23 00:00:00"))
    assert not odd_mondays.matches(at("2026-11-30 00:00:00"))
    assert not odd_mondays.matches(at("2026-11-21 00:00:00"))


@pytest.mark.parametrize("night", ["2026-03-29", "2026-10-25"])  # where clocks change in Europe
def test_when_others_change_their_clocks_every_hour_comes_once(night: str) -> None:
    hourly, now = parse_schedule("30 * * * *"), at(f"{night} 00:00:00")
    for hour in range(5):
        now = hourly.next_after(now) or 0
        assert now == at(f"{night} {hour:02}:30:00")


@pytest.mark.parametrize(
    "text",
    [
        *("", "* * * *", "* * * * * *", "60 * * * *", "* 24 * * *", "* * 0 * *", "* * 32 * *"),
        *("* * * 0 *", "* * * 13 *", "* * * * 8", "a * * * *", "1-0 * * * *", "*/0 * * * *"),
        *("1,,2 * * * *", "-1 * * * *", "*-5 * * * *", "1- * * * *", "*5 * * * *", "+1 * * * *"),
        *("1_0 * * * *", "٣ * * * *", "@reboot", "@every 5m", "0 0 30 2 *", "0 0 31 4,6,9,11 *"),
        *("* * * foo *", "0 0 * * mon-xyz", "1/100 * * * *", "$(id) * * * *", "mon * * * *"),
    ],
)
def test_what_is_no_schedule_is_refused(text: str) -> None:
    with pytest.raises(InvalidName, match="is not a schedule"):
        parse_schedule(text)
