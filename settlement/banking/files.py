"""A bank's file read as statements, whatever its format, in a process of its own with limits."""

import re
from typing import Final, NamedTuple

import msgspec

from settlement.banking import tables
from settlement.banking.profiles import Profile
from settlement.banking.reader import is_xml
from settlement.banking.statements import BankStatement, FoundStatements
from settlement.workbooks import sheets
from settlement.workbooks.as_read import AsRead
from settlement.workbooks.cells import BadFile, RowError
from settlement.workbooks.formats import Stated

SWIFT: Final = re.compile(rb"^(?:\xef\xbb\xbf)?:20:", re.MULTILINE)
WITHIN: Final = 10_000
"""Bytes at the beginning of a file within which the first tag of SWIFT stands."""


class Read(NamedTuple):
    """The statements of a file; ``as_read`` is a table as it was read, None for camt and MT940."""

    statements: list[BankStatement]
    as_read: AsRead | None = None


def read(
    data: bytes, profile: Profile | None = None, account: str | None = None, stated: Stated = sheets.NOTHING
) -> Read:
    """Return the statements of a file: camt, MT940, or a table that ``profile`` describes. Raises BadFile.

    ``account`` is the account that a table is of, where it does not say so itself; ``stated`` is what is known of it.
    """
    if is_xml(data) or SWIFT.search(data[:WITHIN]):
        with sheets.found_by("settlement.banking.reader", data) as found:
            return Read(msgspec.json.decode(found.read(), type=FoundStatements).checked())
    if profile is None:
        raise BadFile([RowError(1, "file", "it is neither camt nor MT940: a table needs the profile of its bank")])
    table = sheets.read(data, stated._replace(headings=profile.headings))
    return Read(tables.read(table, profile, account), tables.as_read(table, profile))
