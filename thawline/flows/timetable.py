"""Find when a cron expression fires next, in this machine's time zone unless one is named."""

import asyncio
import os
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo, available_timezones

from thawline.errors import UserError

_LOCALTIME, _TEXT = Path("/etc/localtime"), Path("/etc/timezone")
_NAMES = (
    "@yearly", "@annually", "@monthly", "@weekly", "@daily", "@midnight", "@hourly",
)  # fmt: skip
_FIELDS = 5
_CHECKED_DAYS = range(0, 731, 7)
"""Days from now on at which a zone's clock has to agree with the machine's."""


@dataclass(frozen=True, kw_only=True)
class Timetable:
    """Times at which a flow runs.

    Attributes:
        cron: five fields, or a name such as `@daily`.
        zone: IANA name of the time zone by whose clock they are meant.
        next: the first time from now on, in that zone.
    """

    cron: str
    zone: str
    next: datetime

    def __str__(self) -> str:
        return f"cron {self.cron}, next run {self.next:%a %Y-%m-%d %H:%M %Z} ({self.zone})"


def read(cron: str, zone: str | None = None) -> Timetable:
    """Parse a cron expression.

    Args:
        cron: five fields, or a name such as `@daily`.
        zone: IANA name; by default the time zone of this machine.

    Raises:
        UserError: it is not an expression of five fields, it names dates that never come, or the
            zone is not known.
    """
    from prefect.server.schemas.schedules import CronSchedule

    words = cron.split()
    named = len(words) == 1 and words[0].lower() in _NAMES
    if len(words) != _FIELDS and not named:
        raise UserError(
            f"--cron: {cron!r} has {len(words)} field(s); five are read: minute, hour, day of the "
            'month, month, day of the week, e.g. "0 3 * * *" for three at night'
        )
    clock = local_zone() if zone is None else _known(zone)
    try:
        schedule = CronSchedule(cron=cron, timezone=clock)
    except ValueError:
        raise UserError(
            f'--cron: {cron!r} is not a cron expression; "0 3 * * *" is one, for three at night'
        ) from None
    try:
        dates = asyncio.run(schedule.get_dates(1))  # as the server will ask
    except ValueError:
        dates = []
    if not dates:
        raise UserError(f"--cron: {cron!r} never comes: no month that it names has such a day")
    return Timetable(cron=cron, zone=clock, next=dates[0])


def local_zone() -> str:
    """Find the IANA name of the time zone of this machine, or of the variable TZ.

    Raises:
        UserError: it has no name whose clock is the machine's.
    """
    named = os.environ.get("TZ")
    for candidate in _of_the_machine() if named is None else _of_variable(named.removeprefix(":")):
        if candidate is not None and _agrees(candidate):
            return candidate
    raise UserError(
        f"--cron: {_LOCALTIME if named is None else f'TZ={named}'} names no time zone that is "
        "known; name the one that is meant, e.g. --timezone Europe/Berlin"
    )


def _of_variable(named: str) -> Iterator[str | None]:
    yield (_below_zoneinfo(Path(named)) if named.startswith("/") else named) or "UTC"


def _of_the_machine() -> Iterator[str | None]:
    """Yield candidates: the C library's choice, then the name in a file.

    Some systems have /etc/localtime as a copy and the name in that file.
    """
    yield _below_zoneinfo(_LOCALTIME) if _LOCALTIME.exists() else "UTC"
    with suppress(OSError, UnicodeDecodeError):
        yield _TEXT.read_text(encoding="utf-8").strip()


def _known(zone: str) -> str:
    if zone not in available_timezones():
        raise UserError(f"--timezone: {zone!r} is not a time zone; e.g. UTC or Europe/Berlin")
    return zone


def _below_zoneinfo(path: Path) -> str | None:
    """Extract `Europe/Berlin` from /usr/share/zoneinfo/Europe/Berlin, or from a link to it."""
    parts = list(path.resolve().parts)
    places = [i for i, part in enumerate(parts) if part.startswith("zoneinfo")]
    if not places:
        return None
    found = parts[places[-1] + 1 :]
    return "/".join(found[1:] if found[:1] in (["posix"], ["right"]) else found)


def _agrees(zone: str) -> bool:
    """Return True where the zone's clock is the machine's, now and through two years."""
    if zone not in available_timezones():
        return False
    clock, now = ZoneInfo(zone), datetime.now(UTC)
    times = [now + timedelta(days=days) for days in _CHECKED_DAYS]
    return all(t.astimezone(clock).utcoffset() == t.astimezone().utcoffset() for t in times)
