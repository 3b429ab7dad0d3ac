"""The numbers of identity documents: which can exist, and in which form they are compared.

A resident identity number (居民身份证号, GB 11643-1999) has 18 places: six for the place, eight for the date of birth,
three that tell apart who shares both, and a check digit (ISO 7064 MOD 11-2). The permanent residence cards of
foreigners have the same form since 2023, with 9, province and nationality where the place stands. Passports of the
world have no common form beyond letters and digits, and no check digit on which one could rely.

``stdnum.cn.ric`` knows the check digit and the places of GB/T 2260 since 1980. Its own rule that a place must have
existed in the year of birth is not used: numbers were first given out in 1984, to everybody alive, by the places of
that day, so it would refuse people whose county was renamed between their birth and their number.
"""

import re
from typing import Final

from stdnum import numdb
from stdnum.cn import ric
from stdnum.exceptions import InvalidComponent

from goldx.protocol.units import BadValue
from settlement.base import working_days

_RESIDENT_ID: Final = re.compile(r"[1-9][0-9]{16}[0-9X]")
_FOREIGNER: Final = "9"
"""First digit of a foreigner's permanent residence card."""
_TAIWAN_RESIDENTS: Final = "830000"
"""Stands for the place on residence permits of people from Taiwan; those from Hong Kong and Macau are in the list."""


def resident_id(field: str, number: str) -> str:
    """Return a resident identity number as it is compared: no blanks around it, a capital X.

    Raises BadValue, which does not show the number, unless it has 18 places, its check digit, a date of birth that has
    come, and a place that exists or once did.
    """
    compared = number.strip().upper()
    if _RESIDENT_ID.fullmatch(compared) is None:
        raise BadValue(field, "*" * len(compared), "a resident identity number of 18 places, the last a digit or X")
    _check(field, compared)
    if not _is_place(compared[:6]):
        raise _wrong(field, "whose first six places are a place in China")
    return compared


def check_if_resident_id(field: str, number: str) -> None:
    """Check the number of a document of unknown kind, if it has the form of a resident identity number.

    ``number`` has no blanks and is in capitals. A foreigner's permanent residence card has no place to check. Raises
    BadValue, which does not show the number.
    """
    if _RESIDENT_ID.fullmatch(number) is None:
        return
    if number.startswith(_FOREIGNER):
        _check(field, number)
    else:
        resident_id(field, number)


def _check(field: str, number: str) -> None:
    if ric.calc_check_digit(number) != number[-1]:
        raise _wrong(field, "with the right check digit")
    try:
        born = ric.get_birth_date(number)
    except InvalidComponent:
        born = None
    if born is None or born > working_days.today():
        raise _wrong(field, "with a date of birth that exists and has come")


def _is_place(code: str) -> bool:
    parts = numdb.get("cn/loc").info(code)
    return code == _TAIWAN_RESIDENTS or any("county" in properties for _, properties in parts)


def _wrong(field: str, allowed: str) -> BadValue:
    return BadValue(field, "*" * 18, f"an identity number {allowed}")
