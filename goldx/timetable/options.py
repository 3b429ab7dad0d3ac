"""Options shared by commands on the timetable, and reading the file that one of them names."""

from pathlib import Path

import click

from goldx.hosting.settings import Settings
from goldx.timetable import compiled
from goldx.timetable.authored import BadTimetable
from goldx.timetable.calendar_command import FILE
from goldx.timetable.compiled import Timetable

TIMETABLE = click.option("--timetable", "file", type=FILE, help="A compiled timetable; default: timetable_file.")


def read_timetable(file: Path | None) -> Timetable:
    """Return a compiled timetable, or the one of the settings. Raises ClickException."""
    found = file or Settings().timetable_file
    if found is None:
        raise click.ClickException("there is no timetable: name a compiled one, or set timetable_file")
    try:
        return compiled.read(found)
    except (BadTimetable, OSError) as error:
        raise click.ClickException(str(error)) from None
