"""The calendar file of the settings, which services read again whenever it changes, and its remaining days."""

from datetime import date
from pathlib import Path
from typing import Any

from goldx.hosting.health import Unhealthy
from goldx.hosting.settings import Settings
from goldx.timetable.calendar import ALERT_DAYS, BadCalendar, Calendar, read
from goldx.timetable.venue_time import today


class CalendarFile:
    """A calendar file that may be replaced while a service runs.

    ``problem`` says what is wrong with the present file, or is None. The last valid calendar stays in use.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._seen: tuple[int, int, int] | None = None
        self._calendar: Calendar | None = None
        self.problem: str | None = None

    def current(self) -> Calendar | None:
        """Return the calendar, read again if the file has changed; None if there never was a valid one."""
        try:
            found = self._path.stat()
            seen = (found.st_mtime_ns, found.st_size, found.st_ino)
            if seen != self._seen or self._calendar is None:
                self._calendar = read(self._path)
                self._seen = seen
            self.problem = None
        except (BadCalendar, OSError) as error:
            self.problem = str(error)
        return self._calendar


def status(file: CalendarFile, trading_day: str | None) -> dict[str, Any]:
    """Return the bounds of a calendar, the number of its days after the trading day, and its fault.

    Before the first trading day, days are counted from today.
    """
    calendar = file.current()
    if calendar is None:
        return {"first": None, "last": None, "days_left": None, "problem": file.problem}
    day = date.fromisoformat(trading_day) if trading_day else today()
    bounds = {"first": str(calendar.first), "last": str(calendar.last)}
    return bounds | {"days_left": calendar.days_left(day), "problem": file.problem}


async def health(settings: Settings) -> str:
    """Return how far the calendar goes. Raises Unhealthy if it is refused, or ends within ALERT_DAYS days."""
    if settings.calendar_file is None:
        raise Unhealthy("calendar_file is not set")
    file = CalendarFile(settings.calendar_file)
    found = status(file, None)
    if file.problem is not None:
        raise Unhealthy(file.problem)
    if found["days_left"] < ALERT_DAYS:
        left = max(0, found["days_left"])
        raise Unhealthy(f"the trading calendar ends on {found['last']}, in {left} days: enter those of the next notice")
    return f"the trading calendar ends on {found['last']}, in {found['days_left']} days"
