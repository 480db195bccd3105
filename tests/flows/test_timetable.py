"""When a schedule fires: by this machine's clock, unless a time zone is named."""

import os
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from thawline.errors import UserError
from thawline.flows import timetable


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Iterator[pytest.MonkeyPatch]:
    """For tests that set TZ; the C library reads it when told to."""
    yield monkeypatch
    monkeypatch.undo()
    time.tzset()


def at_three(zone: str) -> datetime:
    """Give the hour of the next night there."""
    now = datetime.now(ZoneInfo(zone))
    tonight = now.replace(hour=3, minute=0, second=0, microsecond=0)
    return tonight if tonight > now else (tonight + timedelta(days=1)).replace(hour=3)


@pytest.mark.parametrize("zone", ["America/New_York", "Asia/Kolkata", "UTC", "EST5EDT"])
def test_three_at_night_is_meant_by_the_clock_of_the_machine(
    clock: pytest.MonkeyPatch, zone: str
) -> None:
    clock.setenv("TZ", zone)
    time.tzset()
    table = timetable.read("0 3 * * *")
    assert table.zone == zone
    assert table.next.astimezone(UTC) == at_three(zone).astimezone(UTC)
    assert f"{at_three(zone):%a %Y-%m-%d 03:00 %Z} ({zone})" in str(table)


def test_a_zone_that_is_named_counts(clock: pytest.MonkeyPatch) -> None:
    clock.setenv("TZ", "America/New_York")
    time.tzset()
    table = timetable.read("0 3 * * *", "Asia/Tokyo")
    assert table.zone == "Asia/Tokyo"
    assert table.next.astimezone(UTC).hour == 18


@pytest.mark.parametrize("cron", ["@daily", "@Hourly", "0 0 29 2 *", "0 3 L * *", " 5 4 * * sun "])
def test_expressions_that_come(cron: str) -> None:
    assert timetable.read(cron, "UTC").next > datetime.now(UTC)


@pytest.mark.parametrize(
    ("variable", "found"),
    [
        (":Europe/Berlin", "Europe/Berlin"),
        ("/usr/share/zoneinfo/Europe/Berlin", "Europe/Berlin"),
        ("", "UTC"),
    ],
)
def test_spellings_of_the_variable(clock: pytest.MonkeyPatch, variable: str, found: str) -> None:
    if variable.startswith("/") and not Path(variable).is_file():
        pytest.skip("no such file here")
    clock.setenv("TZ", variable)
    time.tzset()
    assert timetable.local_zone() == found


@pytest.mark.parametrize("variable", ["<+03>-3", "Nowhere/City", "CET-1CEST,M3.5.0,M10.5.0/3"])
def test_a_clock_without_a_name_has_to_be_named(clock: pytest.MonkeyPatch, variable: str) -> None:
    clock.setenv("TZ", variable)
    time.tzset()
    with pytest.raises(UserError, match=r"--timezone Europe/Berlin$"):
        timetable.read("0 3 * * *")
    assert timetable.read("0 3 * * *", "UTC").zone == "UTC"


def test_a_copied_localtime_is_named_by_the_text_beside_it(
    clock: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    clock.setenv("TZ", "Europe/Berlin")
    time.tzset()
    clock.delenv("TZ")  # the C library keeps the clock until it is asked again
    copy, text = tmp_path / "localtime", tmp_path / "timezone"
    copy.write_bytes(b"TZif")
    clock.setattr(timetable, "_LOCALTIME", copy)
    clock.setattr(timetable, "_TEXT", text)
    assert os.environ.get("TZ") is None
    with pytest.raises(UserError, match=r"names no time zone that is known"):
        timetable.local_zone()
    text.write_text("Asia/Tokyo\n")  # what a copied image left behind
    with pytest.raises(UserError, match=r"names no time zone that is known"):
        timetable.local_zone()
    text.write_text("Europe/Berlin\n")
    assert timetable.local_zone() == "Europe/Berlin"
