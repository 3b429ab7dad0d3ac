"""Bar lists read in one step, from the bytes of a file."""

from settlement.intake.bar_list import Declared, Measured, declared_rows, measured_rows
from settlement.intake.bar_rows import Reading
from settlement.workbooks import sheets

USUAL = Reading()


def declared(data: bytes, reading: Reading = USUAL) -> list[Declared]:
    """Return the declared columns of a bar list. Raises BadFile."""
    return declared_rows(sheets.read(data, reading.sheet), reading)


def measured(data: bytes, reading: Reading = USUAL) -> list[Measured]:
    """Return the measured columns of a bar list. Raises BadFile."""
    return measured_rows(sheets.read(data, reading.sheet), reading)
