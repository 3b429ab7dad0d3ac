"""A bank's file read as statements, whatever its format, in a process of its own with limits."""

import re
from typing import Final

import msgspec

from settlement.banking import tables
from settlement.banking.profiles import Profile
from settlement.banking.reader import is_xml
from settlement.banking.statements import Found, Statement
from settlement.workbooks import sheets
from settlement.workbooks.cells import BadFile, RowError

SWIFT: Final = re.compile(rb"^(?:\xef\xbb\xbf)?:20:", re.MULTILINE)
WITHIN: Final = 10_000
"""Bytes at the beginning of a file within which the first tag of SWIFT stands."""


def read(
    data: bytes, profile: Profile | None = None, account: str | None = None, sheet: str | None = None
) -> list[Statement]:
    """Return the statements of a file: camt, MT940, or a table that ``profile`` describes. Raises BadFile.

    ``account`` is the account that a table is of, where it does not say so itself.
    """
    if is_xml(data) or SWIFT.search(data[:WITHIN]):
        with sheets.found_by("settlement.banking.reader", data) as found:
            return msgspec.json.decode(found.read(), type=Found).checked()
    if profile is None:
        raise BadFile([RowError(1, "file", "it is neither camt nor MT940: a table needs the profile of its bank")])
    return tables.read(sheets.read(data, sheet), profile, account)
