"""The process that reads one bank file of text: ``python -m settlement.banking.reader``, the file on standard input.

It writes one line of JSON: the statements, or all errors (``settlement.banking.statements.FoundStatements``).
"""

import sys
from typing import IO

import msgspec

from settlement.banking import camt, swift
from settlement.banking.statements import FoundStatements
from settlement.workbooks.cells import BadFile
from settlement.workbooks.reader import limit


def parse(data: bytes) -> FoundStatements:
    """Return the contents of the file, read as XML if it begins like that, else as the text of SWIFT."""
    try:
        return FoundStatements(tuple(camt.read(data) if is_xml(data) else swift.read(data)))
    except BadFile as bad:
        return FoundStatements(errors=tuple((error.line, error.column, error.problem) for error in bad.errors))


def is_xml(data: bytes) -> bool:
    """Return whether a file begins like XML, in UTF-8 or UTF-16."""
    return data[:64].lstrip(b"\xef\xbb\xbf\xff\xfe\0 \t\r\n").startswith(b"<")


def main(given: IO[bytes], out: IO[bytes]) -> None:
    """Read the file within the limits and write its contents."""
    limit()
    out.write(msgspec.json.encode(parse(given.read())))
    out.flush()


if __name__ == "__main__":
    main(sys.stdin.buffer, sys.stdout.buffer)
