"""Identity numbers: check digit, date of birth and place, each refused without showing the number."""

from datetime import timedelta

import pytest

from goldx.protocol.units import BadValue
from settlement.base import identity_numbers, working_days

EXAMPLE = "11010519491231002X"
"""The example of GB 11643-1999 itself."""
WEIGHTS = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)


def with_check_digit(seventeen: str) -> str:
    """The number with the check digit of GB 11643-1999, section 4.2.2, by the weights that are printed there."""
    total = sum(weight * int(digit) for weight, digit in zip(WEIGHTS, seventeen, strict=True))
    return seventeen + "10X98765432"[total % 11]


def tomorrow() -> str:
    return (working_days.today() + timedelta(days=1)).strftime("%Y%m%d")


def test_a_resident_identity_number_is_compared_without_blanks_and_in_capitals() -> None:
    assert with_check_digit(EXAMPLE[:17]) == EXAMPLE
    assert identity_numbers.resident_id("id_number", f" {EXAMPLE.lower()} ") == EXAMPLE


@pytest.mark.parametrize(
    "seventeen",
    [
        "41272319700101001",  # a county that was another one's name until 2000
        "11022119500101001",  # a county of 1982 to 1999, whose people were older when numbers came up in 1984
        "81000019600101001",  # Hong Kong, before 1997
        "83000019600101001",  # residents of Taiwan
    ],
)
def test_a_place_of_today_or_of_former_times_is_accepted(seventeen: str) -> None:
    number = with_check_digit(seventeen)
    assert identity_numbers.resident_id("id_number", number) == number


@pytest.mark.parametrize(
    ("number", "problem"),
    [
        ("110105194912310021", "check digit"),
        ("11010519491231002", "18 places"),
        ("x" * 18, "18 places"),
        ("１" * 18, "18 places"),
        (with_check_digit("35020020000230001"), "date of birth"),
        (with_check_digit("35020020001301001"), "date of birth"),
        (with_check_digit("35020000000101001"), "date of birth"),
        (with_check_digit(f"350200{tomorrow()}001"), "date of birth"),
        (with_check_digit("35999920000101001"), "place"),
        (with_check_digit("99999920000101001"), "place"),
    ],
)
def test_a_resident_identity_number_that_nobody_can_have(number: str, problem: str) -> None:
    with pytest.raises(BadValue, match=problem) as bad:
        identity_numbers.resident_id("id_number", number)
    assert bad.value.field == "id_number"
    assert number not in str(bad.value), "a number is never shown"


def test_somebody_born_today_has_a_number() -> None:
    number = with_check_digit(f"350200{working_days.today():%Y%m%d}001")
    assert identity_numbers.resident_id("id_number", number) == number


def test_a_paper_of_unknown_kind_is_checked_where_its_number_has_the_form_of_a_resident_identity_number() -> None:
    identity_numbers.check_if_resident_id("collector_id", "AB-1234567")
    identity_numbers.check_if_resident_id("collector_id", EXAMPLE)
    foreigner = with_check_digit("91184019800101001")
    identity_numbers.check_if_resident_id("collector_id", foreigner)
    for number in ("110105194912310021", with_check_digit("99999900000000000"), with_check_digit("35999920000101001")):
        with pytest.raises(BadValue) as bad:
            identity_numbers.check_if_resident_id("collector_id", number)
        assert number not in str(bad.value)
