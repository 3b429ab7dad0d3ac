"""Bugs in decimals and in the JSON form of commands and events."""

from tests.planted_bugs.bug import Bug

UNITS = "units.py"
WIRE = "wire.py"

BUGS = (
    # Decimals that are read
    Bug(
        "a price may have three decimals",
        UNITS,
        "field, text, 2, 1, MAX_PRICE_FEN,",
        "field, text, 3, 1, MAX_PRICE_FEN,",
    ),
    Bug("a price may be zero", UNITS, "field, text, 2, 1, MAX_PRICE_FEN,", "field, text, 2, 0, MAX_PRICE_FEN,"),
    Bug("a weight may be below zero", UNITS, "field, text, 3, 0, MAX_WEIGHT_MG,", "field, text, 3, -1, MAX_WEIGHT_MG,"),
    Bug("0.1 is read as 0.01", UNITS, 'fraction.ljust(places, "0")', 'fraction.rjust(places, "0")'),
    Bug("a decimal may have more places than its unit", UNITS, " and len(fraction) <= places))", "))"),
    Bug(
        "digits of other scripts are read",
        UNITS,
        "            whole.isascii()\n            and whole",
        "            whole",
    ),
    Bug(
        "leading zeros are read",
        UNITS,
        '(leading_zeros or whole[0] != "0" or whole == "0")',
        "(leading_zeros or len(whole) > 0)",
    ),
    Bug("a minus is lost", UNITS, "                number = -number\n", "                pass\n"),
    Bug("the largest number is refused", UNITS, "if lowest <= number <= largest:", "if lowest <= number < largest:"),
    Bug("the smallest number is refused", UNITS, "if lowest <= number <= largest:", "if lowest < number <= largest:"),
    Bug(
        "gold is read as money",
        UNITS,
        "parse_money(text, field) if asset == CASH else parse_signed_weight(text, field)",
        "parse_money(text, field)",
    ),
    # Decimals that are written
    Bug("-0.05 is written as -1.95", UNITS, ' if fen >= 0 else f"-{-fen // 100}.{-fen % 100:02d}"', ""),
    Bug(
        "a milligram is written as 0.1",
        UNITS,
        '    return format_decimal(mg, 3).rstrip("0")\n',
        '    return f"{mg // MG_PER_GRAM}.{mg % MG_PER_GRAM}"\n',
    ),
    Bug(
        "a hundred grams are written as 1",
        UNITS,
        "return str(mg // MG_PER_GRAM)",
        'return str(mg // MG_PER_GRAM).rstrip("0")',
    ),
    Bug(
        "halves below zero are rounded up",
        UNITS,
        "        return -((-2 * numerator + denominator) // (2 * denominator))\n",
        "        return (2 * numerator + denominator) // (2 * denominator)\n",
    ),
    # Names
    Bug("an identifier may have 33 characters", UNITS, "[A-Za-z0-9._-]{1,32}", "[A-Za-z0-9._-]{1,33}"),
    Bug("an identifier may end with a new line", UNITS, "IDENTIFIER.fullmatch(text)", "IDENTIFIER.match(text)"),
    # JSON
    Bug("true is the number 1", WIRE, " or isinstance(value, bool)", ""),
    Bug("a quantity may be zero", WIRE, "    if mg == 0:\n", "    if mg < 0:\n"),
    Bug("any text is a date", WIRE, "date.fromisoformat(value).isoformat()", "str(value)"),
    Bug("a text may hold control characters", WIRE, " or not value.isprintable()", ""),
    Bug(
        "an unknown parameter is passed over",
        WIRE,
        "if name not in shape.names:",
        "if name not in shape.names and shape.required - params.keys():",
    ),
    Bug(
        "a missing parameter is nothing",
        WIRE,
        "            if name in shape.required:\n",
        "            if name in shape.required and not name:\n",
    ),
    Bug("a settlement may have 17 legs", WIRE, "1 <= len(value) <= 16:", "1 <= len(value) <= 17:"),
    Bug("a settlement may have no legs", WIRE, "1 <= len(value) <= 16:", "len(value) <= 16:"),
    Bug(
        "the amounts of legs are written as money",
        WIRE,
        "units.format_amount(leg.amount, leg.asset)",
        "units.format_money(leg.amount)",
    ),
    Bug(
        "no taker's side is left out", WIRE, 'WRITTEN_AS_NULL = ("price", "taker_side")', 'WRITTEN_AS_NULL = ("price",)'
    ),
    Bug("gold may be finer than pure", WIRE, "_whole(1, units.FINENESS_ONE)", "_whole(1, units.FINENESS_ONE + 1)"),
    Bug(
        "a limit may be 100 percent",
        WIRE,
        'dynamic_band_percent"), _whole(1, 99)',
        'dynamic_band_percent"), _whole(1, 100)',
    ),
    Bug("a fee may be a fifth", WIRE, "_whole(0, 1_000)", "_whole(0, 2_000)"),
    Bug(
        "a parameter that is given is left out when written",
        WIRE,
        "if field.required or value != field.default:",
        "if field.required:",
    ),
)
