"""The compiled timetable of the settings, which a gateway reads again whenever it changes."""

from pathlib import Path

from goldx.timetable.authored import BadTimetable
from goldx.timetable.compiled import Timetable, read


class CompiledFile:
    """A compiled timetable that may be replaced while a service runs."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._seen: tuple[int, int, int] | None = None
        self._timetable: Timetable | None = None

    def current(self) -> Timetable | None:
        """Return the timetable, read again if the file has changed; None while there is no valid one."""
        try:
            found = self._path.stat()
            seen = (found.st_mtime_ns, found.st_size, found.st_ino)
            if seen != self._seen:
                self._timetable = None
                self._timetable = read(self._path)
                self._seen = seen
        except (BadTimetable, OSError):
            self._timetable, self._seen = None, None
        return self._timetable
