"""Damages of the warehouses' statements and of an inventory count."""

from random import Random
from typing import Final

from sqlalchemy.ext.asyncio import AsyncConnection

from settlement.intake.bar_rows import BarKey
from settlement.reconciliation.break_areas import WAREHOUSE
from settlement.reconciliation.count_results import CountResult
from tests.settlement.planted.damage import named
from tests.settlement.planted.evening import Evening, count_of

Bar = dict[str, str]
TRAVELLING: Final = ("HX", "A110", "2024")
"""The bar of XM1 that is on its way to XM2."""


def key(bar: Bar) -> tuple[str, str, str]:
    """Return maker, number and year of a bar in a statement."""
    return bar["refiner"], bar["serial"], bar["year"]


def subject(place: str, bar: Bar) -> str:
    """Return what breaks about a bar of a warehouse are about."""
    return " ".join((place, *key(bar)))


def grams(bar: Bar, hundredths: int) -> None:
    """Change a weight by so many 0.01 g."""
    whole = int(bar["gross_g"].replace(".", "")) + hundredths
    bar["gross_g"] = f"{whole // 100}.{whole % 100:02}"


def expect_exchanged(evening: Evening, one: Bar, other: Bar) -> None:
    """Say that all is to be found in which two bars of XM1 differ that have each other's serial."""
    for column, kind in (
        ("seal", "SEAL_DIFF"),
        ("gross_g", "WEIGHT_DIFF"),
        ("owner", "OWNER_DIFF"),
        ("status", "STATUS_DIFF"),
    ):
        if one[column] != other[column]:
            for bar in (one, other):
                evening.expect(WAREHOUSE, kind, subject("XM1", bar))


def _bars(evening: Evening, place: str = "XM1") -> list[Bar]:
    """Return the bars that lie there and stay."""
    return [bar for bar in evening.statements[place] if key(bar) != TRAVELLING]


async def a_bar_missing(connection: AsyncConnection, evening: Evening, dice: Random) -> None:
    place = dice.choice(("XM1", "XM2"))
    bar = dice.choice(_bars(evening, place))
    evening.statements[place].remove(bar)
    evening.expect(WAREHOUSE, "MISSING_AT_WAREHOUSE", subject(place, bar))


async def a_travelling_bar_missing(connection: AsyncConnection, evening: Evening, dice: Random) -> None:
    (bar,) = (bar for bar in evening.statements["XM1"] if key(bar) == TRAVELLING)
    evening.statements["XM1"].remove(bar)
    evening.expect(WAREHOUSE, "TIMING", subject("XM1", bar))


async def a_bar_that_is_unknown(connection: AsyncConnection, evening: Evening, dice: Random) -> None:
    bar = {**dice.choice(_bars(evening)), "serial": f"Z{dice.randint(100, 999)}"}
    evening.statements["XM1"].append(bar)
    evening.expect(WAREHOUSE, "UNKNOWN_AT_WAREHOUSE", subject("XM1", bar))


async def a_bar_moved_unseen(connection: AsyncConnection, evening: Evening, dice: Random) -> None:
    bar = dice.choice([bar for bar in _bars(evening) if bar["status"] == "RECEIPTED"])
    evening.statements["XM1"].remove(bar)
    evening.statements["XM2"].append(bar)
    evening.expect(WAREHOUSE, "MISSING_AT_WAREHOUSE", subject("XM1", bar))
    evening.expect(WAREHOUSE, "LOCATION_DIFF", subject("XM2", bar))


async def a_bar_twice(connection: AsyncConnection, evening: Evening, dice: Random) -> None:
    bar = dice.choice(_bars(evening))
    evening.statements["XM1"].append({**bar})
    evening.expect(WAREHOUSE, "DUPLICATE_SERIAL", subject("XM1", bar))


async def two_serials_exchanged(connection: AsyncConnection, evening: Evening, dice: Random) -> None:
    """Two bars of one maker and year, which differ in weight, seal and perhaps more."""
    bars = [bar for bar in _bars(evening) if (bar["refiner"], bar["year"]) == ("HX", "2024")]
    one, other = dice.sample(bars, 2)
    expect_exchanged(evening, one, other)
    one["serial"], other["serial"] = other["serial"], one["serial"]


async def one_unit_of_the_scale_too_much(connection: AsyncConnection, evening: Evening, dice: Random) -> None:
    """One more than two readings of one balance may differ by."""
    bar = dice.choice([bar for bar in _bars(evening) if len(bar["gross_g"]) < 7])
    grams(bar, dice.choice((-3, 3)))
    evening.expect(WAREHOUSE, "WEIGHT_DIFF", subject("XM1", bar))


async def every_bar_a_little_light(connection: AsyncConnection, evening: Evening, dice: Random) -> None:
    """Each of them within what two readings may differ by."""
    for bar in evening.statements["XM1"]:
        grams(bar, -2)
    evening.expect(WAREHOUSE, "WEIGHT_DRIFT", "XM1")


async def two_weights_that_cancel_out(connection: AsyncConnection, evening: Evening, dice: Random) -> None:
    much = dice.randint(50, 900)
    for bar, by in zip(dice.sample(_bars(evening), 2), (much, -much), strict=True):
        grams(bar, by)
        evening.expect(WAREHOUSE, "WEIGHT_DIFF", subject("XM1", bar))


async def kilograms_for_grams(connection: AsyncConnection, evening: Evening, dice: Random) -> None:
    bar = dice.choice([bar for bar in _bars(evening) if float(bar["gross_g"]) >= 200])
    bar["gross_g"] = f"{float(bar['gross_g']) / 1000:.2f}"
    evening.expect(WAREHOUSE, "WEIGHT_DIFF", subject("XM1", bar))


async def the_right_weight_and_a_wrong_owner(
    connection: AsyncConnection,
    evening: Evening,
    dice: Random,
) -> None:
    bar = dice.choice(_bars(evening))
    bar["owner"] = "D.H"
    evening.expect(WAREHOUSE, "OWNER_DIFF", subject("XM1", bar))


async def another_fineness(connection: AsyncConnection, evening: Evening, dice: Random) -> None:
    bar = dice.choice(_bars(evening))
    bar["fineness_permille"] = dice.choice(("998.99", "999.01", "990.00"))
    evening.expect(WAREHOUSE, "FINENESS_DIFF", subject("XM1", bar))


async def another_seal(connection: AsyncConnection, evening: Evening, dice: Random) -> None:
    bar = dice.choice(_bars(evening))
    bar["seal"] += "1"
    evening.expect(WAREHOUSE, "SEAL_DIFF", subject("XM1", bar))


async def a_frozen_bar_called_free(connection: AsyncConnection, evening: Evening, dice: Random) -> None:
    bar = dice.choice([bar for bar in evening.statements["XM1"] if bar["status"] != "RECEIPTED"])
    bar["status"] = "RECEIPTED"
    evening.expect(WAREHOUSE, "STATUS_DIFF", subject("XM1", bar))


async def another_customs_status(connection: AsyncConnection, evening: Evening, dice: Random) -> None:
    bar = dice.choice(_bars(evening))
    bar["customs"] = "BONDED"
    evening.expect(WAREHOUSE, "CUSTOMS_DIFF", subject("XM1", bar))


async def another_year(connection: AsyncConnection, evening: Evening, dice: Random) -> None:
    bar = dice.choice(_bars(evening))
    evening.expect(WAREHOUSE, "MISSING_AT_WAREHOUSE", subject("XM1", bar))
    bar["year"] = "2019"
    evening.expect(WAREHOUSE, "UNKNOWN_AT_WAREHOUSE", subject("XM1", bar))


def _counted(result: CountResult) -> str:
    return f"count XM2 {result.key}"


async def a_bar_that_is_not_counted(connection: AsyncConnection, evening: Evening, dice: Random) -> None:
    evening.counted = await count_of(connection)
    at = dice.randrange(len(evening.counted))
    evening.expect(WAREHOUSE, "MISSING_AT_WAREHOUSE", _counted(evening.counted[at]))
    evening.counted[at] = CountResult(evening.counted[at].key, False)


async def a_bar_that_is_on_no_list(connection: AsyncConnection, evening: Evening, dice: Random) -> None:
    evening.counted = await count_of(connection)
    extra = CountResult(BarKey("HX", f"Q{dice.randint(1, 99)}", 2025), True, 10_000, "S-9")
    evening.counted.append(extra)
    evening.expect(WAREHOUSE, "UNKNOWN_AT_WAREHOUSE", _counted(extra))


async def two_bars_weighed_for_each_other(connection: AsyncConnection, evening: Evening, dice: Random) -> None:
    """The sum of the weights is right."""
    evening.counted = await count_of(connection)
    pair = dice.sample(range(len(evening.counted)), 2)
    weights = [evening.counted[at].gross_cg for at in pair]
    for at, gross_cg in zip(pair, reversed(weights), strict=True):
        evening.counted[at] = evening.counted[at]._replace(gross_cg=gross_cg)
        evening.expect(WAREHOUSE, "WEIGHT_DIFF", _counted(evening.counted[at]))


DAMAGES: Final = named(
    a_bar_missing,
    a_travelling_bar_missing,
    a_bar_that_is_unknown,
    a_bar_moved_unseen,
    a_bar_twice,
    two_serials_exchanged,
    one_unit_of_the_scale_too_much,
    every_bar_a_little_light,
    two_weights_that_cancel_out,
    kilograms_for_grams,
    the_right_weight_and_a_wrong_owner,
    another_fineness,
    another_seal,
    a_frozen_bar_called_free,
    another_customs_status,
    another_year,
    a_bar_that_is_not_counted,
    a_bar_that_is_on_no_list,
    two_bars_weighed_for_each_other,
)
