"""Bar lists read in one step, from the bytes of a file."""

from settlement.intake import bar_list
from settlement.intake.bar_list import Declared, Measured
from settlement.intake.bar_rows import Reading
from settlement.workbooks import sheets
from settlement.workbooks.cells import SheetTable

USUAL = Reading()


def declared(data: bytes, reading: Reading = USUAL) -> list[Declared]:
    """Return the declared columns of a bar list. Raises BadFile."""
    return declared_rows(sheets.read(data, reading.stated), reading)


def measured(data: bytes, reading: Reading = USUAL) -> list[Measured]:
    """Return the measured columns of a bar list. Raises BadFile."""
    return measured_rows(sheets.read(data, reading.stated), reading)


def declared_rows(table: SheetTable, reading: Reading = USUAL) -> list[Declared]:
    """Return the declared columns of a table that was read. Raises BadFile."""
    return bar_list.declared_rows(bar_list.laid_out(table, reading, "declared"), reading).whole()


def measured_rows(table: SheetTable, reading: Reading = USUAL) -> list[Measured]:
    """Return the measured columns of a table that was read. Raises BadFile."""
    return bar_list.measured_rows(bar_list.laid_out(table, reading, "measured"), reading).whole()
