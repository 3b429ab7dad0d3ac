"""The process that reads a depository's report: ``python -m settlement.reconciliation.depository_reader STATED``.

It reads the file from its standard input, as ``settlement.workbooks.reader`` does, and checks all rows too: no gateway
waits for either. It writes lines of JSON: titles, stocks and the file as it was read, or all errors.
"""

import json
import sys
from collections.abc import Iterator

from settlement.reconciliation import depository_report
from settlement.workbooks import reader
from settlement.workbooks.cells import SheetTable


def lines_of(table: SheetTable) -> Iterator[str]:
    """Return the lines that say what a report holds. Raises BadFile."""
    report = depository_report.read(table)
    yield json.dumps(report.about)
    yield json.dumps(report.stocks)
    yield json.dumps(depository_report.as_read(table))


if __name__ == "__main__":
    reader.main(sys.argv[1:], sys.stdin.buffer, sys.stdout, lines_of)
