"""Damages of the bank's statement, and of what was recorded about money."""

import re
from random import Random
from typing import Final

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from settlement.reconciliation.break_areas import BANK, LEDGER
from tests.settlement.banking.mock_bank import Payment
from tests.settlement.planted.damage import named
from tests.settlement.planted.day import DEPOSITS, ORDERS, PAYEE, VIRTUAL, bank_file, bank_number
from tests.settlement.planted.evening import REFUSED, Evening

IN: Final = tuple(one.number for one in DEPOSITS if one.amount_fen > 0)
OUT: Final = tuple(range(len(DEPOSITS) + 1, len(DEPOSITS) + len(ORDERS) + 1))
REVERSED: Final = DEPOSITS[-1].number


def _payment(evening: Evening, place: int) -> Payment:
    found = evening.bookings[place - 1]
    assert isinstance(found, Payment)
    return found


def _change(evening: Evening, place: int, **values: object) -> None:
    evening.bookings[place - 1] = _payment(evening, place)._replace(**values)  # type: ignore[arg-type]


async def _money(connection: AsyncConnection, evening: Evening, place: int) -> str:
    """Return the money that a payment of the evening is, as breaks name it."""
    payment = _payment(evening, place)
    query = text("SELECT cash_id FROM cash_transfer WHERE bank_reference IN (:number, :reference)")
    found = await connection.scalar(query, {"number": payment.number, "reference": payment.reference})
    return f"cash:{found}"


async def a_line_of_the_bank_twice(connection: AsyncConnection, evening: Evening, dice: Random) -> None:
    evening.bookings.append(_payment(evening, dice.choice(IN)))
    evening.expect(BANK, "BANK_ONLY", f"payment {len(evening.bookings)}")


async def a_line_of_the_bank_lost(connection: AsyncConnection, evening: Evening, dice: Random) -> None:
    place = dice.choice((*IN, REVERSED))
    evening.expect(BANK, "VENUE_ONLY", await _money(connection, evening, place))
    del evening.bookings[place - 1]


async def a_line_lost_within_the_file(connection: AsyncConnection, evening: Evening, dice: Random) -> None:
    """The balances are those of the whole file."""
    lines = re.findall(rb"<Ntry>.*?</Ntry>", bank_file(evening.opening_fen, evening.bookings))
    evening.file = bank_file(evening.opening_fen, evening.bookings).replace(dice.choice(lines), b"", 1)
    evening.expect(BANK, REFUSED, "balance")


async def a_payment_out_that_was_never_made(connection: AsyncConnection, evening: Evening, dice: Random) -> None:
    place = dice.choice(OUT)
    evening.expect(BANK, "VENUE_ONLY", await _money(connection, evening, place))
    del evening.bookings[place - 1]


async def a_whole_day_lost(connection: AsyncConnection, evening: Evening, dice: Random) -> None:
    """The bank sends a statement in which nothing was booked."""
    for place in range(1, len(evening.bookings) + 1):
        evening.expect(BANK, "VENUE_ONLY", await _money(connection, evening, place))
    evening.bookings = []


async def yuan_taken_for_fen(connection: AsyncConnection, evening: Evening, dice: Random) -> None:
    place = dice.choice(IN)
    _change(evening, place, amount_fen=_payment(evening, place).amount_fen * 100)
    evening.expect(BANK, "BANK_MORE", f"payment {place}")


async def one_fen_less(connection: AsyncConnection, evening: Evening, dice: Random) -> None:
    place = dice.choice(IN)
    _change(evening, place, amount_fen=_payment(evening, place).amount_fen - 1)
    evening.expect(BANK, "VENUE_MORE", f"payment {place}")


async def two_digits_exchanged(connection: AsyncConnection, evening: Evening, dice: Random) -> None:
    """Of two digits side by side that differ."""
    place = dice.choice((3, 4, 5))
    fen = _payment(evening, place).amount_fen
    written = str(fen)
    at = dice.choice([n for n in range(len(written) - 1) if written[n] != written[n + 1]])
    other = int(written[:at] + written[at + 1] + written[at] + written[at + 2 :])
    _change(evening, place, amount_fen=other)
    evening.expect(BANK, "BANK_MORE" if other > fen else "VENUE_MORE", f"payment {place}")


async def two_amounts_of_the_bank_exchanged(
    connection: AsyncConnection,
    evening: Evening,
    dice: Random,
) -> None:
    """Exchange two amounts; the sum stays right."""
    low, high = sorted(dice.sample((1, 3, 4, 5), 2), key=lambda place: _payment(evening, place).amount_fen)
    less, more = _payment(evening, low).amount_fen, _payment(evening, high).amount_fen
    _change(evening, low, amount_fen=more)
    _change(evening, high, amount_fen=less)
    evening.expect(BANK, "BANK_MORE", f"payment {low}")
    evening.expect(BANK, "VENUE_MORE", f"payment {high}")


async def a_reversed_payment_read_as_a_credit(
    connection: AsyncConnection,
    evening: Evening,
    dice: Random,
) -> None:
    _change(evening, REVERSED, amount_fen=-_payment(evening, REVERSED).amount_fen, reversal=False)
    evening.expect(BANK, "DIRECTION_DIFF", f"payment {REVERSED}")


async def a_charge_of_the_bank(connection: AsyncConnection, evening: Evening, dice: Random) -> None:
    evening.bookings.append(Payment(-dice.randint(100, 9_900), "", text="账户管理费", number=bank_number(90)))
    evening.expect(BANK, "BANK_ONLY", f"payment {len(evening.bookings)}")


async def a_payment_of_a_stranger(connection: AsyncConnection, evening: Evening, dice: Random) -> None:
    evening.bookings.append(Payment(dice.randint(1, 10**9), "invoice 7", "Somebody", "9999", number=bank_number(91)))
    evening.expect(BANK, "BANK_ONLY", f"payment {len(evening.bookings)}")


async def a_statement_missing_in_between(connection: AsyncConnection, evening: Evening, dice: Random) -> None:
    evening.opening_fen += dice.choice((-1, 1)) * dice.randint(1, 10**8)
    evening.expect(BANK, REFUSED, "STATEMENT_GAP")


async def money_of_another_member(connection: AsyncConnection, evening: Evening, dice: Random) -> None:
    """The payment was made to another member's virtual account than whose the money has become."""
    place = dice.choice((3, 4, 5))
    other = "C.H" if place == 3 else "B.H"
    _change(evening, place, virtual_account=VIRTUAL[other])
    evening.expect(BANK, "PARTY_DIFF", f"payment {place}")


async def money_out_to_another_payee(connection: AsyncConnection, evening: Evening, dice: Random) -> None:
    place = dice.choice(OUT)
    _change(evening, place, account=PAYEE[0][:-1] + "9")
    evening.expect(BANK, "PARTY_DIFF", f"payment {place}")


async def a_number_of_the_bank_mistyped(connection: AsyncConnection, evening: Evening, dice: Random) -> None:
    """Mistype the bank's number of recorded money that no other payment resembles."""
    place = dice.choice((3, 4))
    money = await _money(connection, evening, place)
    number = _payment(evening, place).number
    evening.sql.append(
        f"UPDATE cash_transfer SET bank_reference = bank_reference || '0' WHERE bank_reference = '{number}'"
    )
    evening.expect(BANK, "VENUE_ONLY", money)
    evening.expect(BANK, "BANK_ONLY", f"payment {place}")


async def two_deposits_exchanged(connection: AsyncConnection, evening: Evening, dice: Random) -> None:
    """Exchange the amounts of two documents of money; all sums stay right."""
    one, other = [await _money(connection, evening, place) for place in (3, 4)]
    amounts = [_payment(evening, place).amount_fen for place in (3, 4)]
    for money, fen in ((one, amounts[1]), (other, amounts[0])):
        evening.sql.append(f"UPDATE cash_transfer SET amount = {fen} WHERE cash_id = {money.partition(':')[2]}")
        evening.expect(LEDGER, "HISTORY", f"{money} amounts")
    evening.expect(BANK, "VENUE_MORE", "payment 4")
    evening.expect(BANK, "BANK_MORE", "payment 3")


DAMAGES: Final = named(
    a_line_of_the_bank_twice,
    a_line_of_the_bank_lost,
    a_line_lost_within_the_file,
    a_payment_out_that_was_never_made,
    a_whole_day_lost,
    yuan_taken_for_fen,
    one_fen_less,
    two_digits_exchanged,
    two_amounts_of_the_bank_exchanged,
    a_reversed_payment_read_as_a_credit,
    a_charge_of_the_bank,
    a_payment_of_a_stranger,
    a_statement_missing_in_between,
    money_of_another_member,
    money_out_to_another_payee,
    a_number_of_the_bank_mistyped,
    two_deposits_exchanged,
)
