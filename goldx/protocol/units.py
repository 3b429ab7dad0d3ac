"""The units of the exchange: decimal strings in JSON, integers everywhere else.

Members write prices, weights and money as decimal strings; every program of the exchange computes with integers:

==========  =====================  ==================  =========
quantity    in JSON                inside              largest
==========  =====================  ==================  =========
price       CNY per fine gram      fen per fine gram   10**9
weight      fine grams             fine milligrams     10**12
money       CNY                    fen                 10**17
fineness    parts per 100,000      the same integer    100,000
==========  =====================  ==================  =========

So the value of one trade, price x weight / 1,000, is at most 10**18 fen. All accounts together have at most ``MAX_SUM``
of an asset, as settlement refuses larger sums, so every holding and every value fits into a signed 64-bit integer. The
ledger's balances are wide enough for the sum of all events of a stream.
"""

import json
import re
from typing import Final

CASH: Final = "CNY"
"""The asset code of money; every other asset code is the symbol of an instrument."""

MG_PER_GRAM: Final = 1_000
MAX_PRICE_FEN: Final = 10**9
MAX_WEIGHT_MG: Final = 10**12
MAX_MONEY_FEN: Final = 10**17
MAX_SUM: Final = 10**18
"""The most of one asset, in fen or fine milligrams, on one account and on all accounts together."""
FINENESS_ONE: Final = 100_000
"""Pure gold, in parts per 100,000."""
BASIS_POINTS: Final = 10_000

IDENTIFIER = re.compile(r"[A-Za-z0-9._-]{1,32}")


class BadValue(ValueError):
    """A value from outside that is not allowed; the message names the field, the value and what is allowed."""

    def __init__(self, field: str, value: object, allowed: str) -> None:
        shown = as_json(value)
        if len(shown) > 80:
            shown = shown[:77] + "..."
        super().__init__(f"{field}: {shown} is not allowed; it must be {allowed}")
        self.field = field
        self.value = value
        self.allowed = allowed


def as_json(value: object) -> str:
    """Return a value as JSON text for people. Values that JSON does not have are shown, too."""
    try:
        text = json.dumps(value, ensure_ascii=False, default=str)
    except (ValueError, RecursionError):
        return "a value that is too large to be shown"
    return text.encode(errors="backslashreplace").decode()


def parse_decimal(
    field: str, text: object, places: int, lowest: int, largest: int, what: str, *, leading_zeros: bool = False
) -> int:
    """Return a decimal string as a whole number of its last place: ``"612.35"`` with two places is ``61235``.

    The grammar is a minus where ``lowest`` is below zero, up to 18 digits 0 to 9, and, after a point, one digit up to
    ``places``. ``leading_zeros`` allows ``"007"``. ``lowest`` and ``largest`` are in units of the last place. Raises
    BadValue, which names the field and calls the number ``what``.
    """
    if isinstance(text, str):
        negative = lowest < 0 and text.startswith("-")
        whole, point, fraction = (text[1:] if negative else text).partition(".")
        if (
            whole.isascii()
            and whole.isdigit()
            and (leading_zeros or whole[0] != "0" or whole == "0")
            and len(whole) <= 18
            and (not point or (fraction.isascii() and fraction.isdigit() and len(fraction) <= places))
        ):
            number = int(whole + fraction.ljust(places, "0"))
            if negative:
                number = -number
            if lowest <= number <= largest:
                return number
            bounds = f"from {format_decimal(lowest, places)} to {format_decimal(largest, places)}"
            raise BadValue(field, text, f"{what} {bounds}")
    decimals = f"with at most {places} decimals, such as '1.{'0' * places}'" if places else "without decimals"
    raise BadValue(field, text, f"{what} as a decimal string {decimals}")


def format_decimal(number: int, places: int) -> str:
    """Return a whole number of the last place as a decimal string with all its places."""
    sign, digits = "-" if number < 0 else "", str(abs(number)).rjust(places + 1, "0")
    return f"{sign}{digits[:-places]}.{digits[-places:]}" if places else sign + digits


def parse_price(text: object, field: str = "price") -> int:
    """Read CNY per fine gram (``"612.35"``) as fen per fine gram (``61235``). Raises BadValue, also for zero."""
    return parse_decimal(field, text, 2, 1, MAX_PRICE_FEN, "CNY per fine gram")


def parse_weight(text: object, field: str = "quantity") -> int:
    """Read fine grams (``"100"``, ``"0.125"``) as fine milligrams. Raises BadValue; zero is allowed, a sign is not."""
    return parse_decimal(field, text, 3, 0, MAX_WEIGHT_MG, "fine grams")


def parse_signed_weight(text: object, field: str = "amount") -> int:
    """Read fine grams that may be negative as fine milligrams. Raises BadValue."""
    return parse_decimal(field, text, 3, -MAX_WEIGHT_MG, MAX_WEIGHT_MG, "fine grams")


def parse_money(text: object, field: str = "amount") -> int:
    """Read CNY (``"61235.00"``, ``"-5"``) as fen. Raises BadValue."""
    return parse_decimal(field, text, 2, -MAX_MONEY_FEN, MAX_MONEY_FEN, "CNY")


def parse_amount(text: object, asset: str, field: str = "amount") -> int:
    """Read an amount of an asset, negative allowed: fen for CNY, fine milligrams for gold. Raises BadValue."""
    return parse_money(text, field) if asset == CASH else parse_signed_weight(text, field)


def parse_identifier(text: object, field: str) -> str:
    """Read a symbol, account, member or client id: 1 to 32 of ``A-Z a-z 0-9 . _ -``. Raises BadValue."""
    if not isinstance(text, str) or IDENTIFIER.fullmatch(text) is None:
        raise BadValue(field, text, "1 to 32 characters of A-Z a-z 0-9 . _ -")
    return text


def format_price(fen: int) -> str:
    """Return a price in fen per fine gram as CNY per fine gram, always with two decimals."""
    return f"{fen // 100}.{fen % 100:02d}"


def format_money(fen: int) -> str:
    """Return fen as CNY, always with two decimals."""
    return f"{fen // 100}.{fen % 100:02d}" if fen >= 0 else f"-{-fen // 100}.{-fen % 100:02d}"


def format_weight(mg: int) -> str:
    """Return fine milligrams as fine grams without trailing zeros: ``"100"``, ``"0.125"``."""
    if mg % MG_PER_GRAM == 0:
        return str(mg // MG_PER_GRAM)
    return format_decimal(mg, 3).rstrip("0")


def format_amount(amount: int, asset: str) -> str:
    """Return an amount of an asset, fen or fine milligrams, as its decimal string."""
    return format_money(amount) if asset == CASH else format_weight(amount)


def half_up(numerator: int, denominator: int) -> int:
    """Return numerator / denominator rounded half away from zero (rule MONEY_HALF_UP; denominator > 0)."""
    if numerator < 0:
        return -((-2 * numerator + denominator) // (2 * denominator))
    return (2 * numerator + denominator) // (2 * denominator)


def grouped(decimal: str) -> str:
    """Return a decimal with commas between thousands, for people: ``"1234567.50"`` -> ``"1,234,567.50"``."""
    whole, point, fraction = decimal.partition(".")
    return decimal if whole == "-0" else f"{int(whole):,}{point}{fraction}"
