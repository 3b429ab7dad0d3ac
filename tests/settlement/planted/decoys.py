"""Legitimate twins and spellings: what looks wrong and is right, so that nothing may be found."""

from random import Random
from typing import Final

from sqlalchemy.ext.asyncio import AsyncConnection

from tests.settlement.banking.mock_bank import Payment
from tests.settlement.planted.damage import named
from tests.settlement.planted.day import DEPOSITS
from tests.settlement.planted.evening import Evening, count_of
from tests.settlement.planted.of_metal import grams

STATUSES: Final = {"RECEIPTED": "已注册仓单", "FROZEN": "冻结", "LOAD_OUT": "待提货", "REGISTERED": "已登记"}


async def nothing_at_all(connection: AsyncConnection, evening: Evening, dice: Random) -> None:
    """The correct evening: two equal deposits of one member, two bars alike, one serial of two makers."""


async def lines_in_another_order(connection: AsyncConnection, evening: Evening, dice: Random) -> None:
    dice.shuffle(evening.bookings)
    for bars in evening.statements.values():
        dice.shuffle(bars)


async def a_statement_in_another_format(connection: AsyncConnection, evening: Evening, dice: Random) -> None:
    evening.form = "mt940"


async def a_file_that_comes_twice(connection: AsyncConnection, evening: Evening, dice: Random) -> None:
    evening.times = 2


async def payments_out_booked_as_one(connection: AsyncConnection, evening: Evening, dice: Random) -> None:
    orders = [one for one in evening.bookings[len(DEPOSITS) :] if isinstance(one, Payment)]
    evening.bookings[len(DEPOSITS) :] = [
        Payment(sum(one.amount_fen for one in orders), f"F-{orders[0].reference}", "Batch", number=orders[0].number)
    ]


async def account_numbers_spelled_otherwise(connection: AsyncConnection, evening: Evening, dice: Random) -> None:
    """With blanks, without them, or with the middle hidden."""
    numbers = ("62220001", "6222-0001", "6222****0001", "0062220001", "")
    for place in range(len(DEPOSITS), len(evening.bookings)):
        one = evening.bookings[place]
        assert isinstance(one, Payment)
        evening.bookings[place] = one._replace(account=dice.choice(numbers))


async def readings_within_the_tolerance(connection: AsyncConnection, evening: Evening, dice: Random) -> None:
    """Too much and too little by turns, as chance has it."""
    for bars in evening.statements.values():
        for number, bar in enumerate(bars):
            grams(bar, (2, -2)[number % 2])


async def weights_in_kilograms(connection: AsyncConnection, evening: Evening, dice: Random) -> None:
    """Under a heading that says so."""
    for bar in evening.statements["XM1"]:
        hundredths = int(bar.pop("gross_g").replace(".", ""))
        bar["gross_kg"] = f"{hundredths // 100_000}.{hundredths % 100_000:05}"


async def spelled_otherwise(connection: AsyncConnection, evening: Evening, dice: Random) -> None:
    """Makers and numbers in small letters and full width, statuses in Chinese."""
    for bar in evening.statements["XM1"]:
        bar["refiner"] = bar["refiner"].lower()
        bar["serial"] = "".join(chr(ord(sign) + 0xFEE0) for sign in bar["serial"])
        bar["status"] = STATUSES[bar["status"]]


async def owners_by_their_members(connection: AsyncConnection, evening: Evening, dice: Random) -> None:
    for bars in evening.statements.values():
        for bar in bars:
            bar["owner"] = bar["owner"].partition(".")[0]


async def a_count_that_agrees(connection: AsyncConnection, evening: Evening, dice: Random) -> None:
    evening.counted = await count_of(connection)


DECOYS: Final = named(
    nothing_at_all,
    lines_in_another_order,
    a_statement_in_another_format,
    a_file_that_comes_twice,
    payments_out_booked_as_one,
    account_numbers_spelled_otherwise,
    readings_within_the_tolerance,
    weights_in_kilograms,
    spelled_otherwise,
    owners_by_their_members,
    a_count_that_agrees,
)
