"""A correct day of a small exchange, whose bank, warehouses, ledger and engine agree.

Yesterday the members paid in, the bank's statement was taken in, and the day was closed and signed. Today they traded,
a trade was annulled, a lot was sold by name and another one is offered, gold is held, frozen, on its way and waiting
for its collector, fees were accrued and billed, money was recorded by the bank's notices and went out in a payment
file. In the evening the statements of the bank and of the warehouses come in.
"""

from collections.abc import Sequence
from datetime import date, timedelta
from typing import Final, NamedTuple

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from goldx.protocol import terms
from goldx.protocol.bases import LotsFound
from goldx.protocol.commands import MarketSetPhase, TradeBust
from goldx.protocol.deal_commands import DealAccept, DealPropose
from goldx.protocol.events import Trade
from settlement.banking import accounts, camt, deposits, imports, payouts, virtual_accounts
from settlement.banking.payouts import Payee
from settlement.base import registry, working_days
from settlement.charges import accruals, bills
from settlement.closing import close as closing
from settlement.closing import signing
from settlement.custody import legal_holds, reservations, transfers
from settlement.custody.reservations import Move
from settlement.ledger import cash
from settlement.load_outs import application
from settlement.lots import locks, scales, warehouses
from tests.matching.core.trade_terms import terms_of
from tests.settlement.banking.mock_bank import ACCOUNT, Booking, MockBank, Payment
from tests.settlement.small_exchange import FAR, ONE, OTHER, SmallExchange, begin_day, do, load_out_application

YESTERDAY: Final = date(2026, 11, 23)
TODAY: Final = YESTERDAY + timedelta(days=1)
PLACES: Final = ("XM1", "XM2")
VIRTUAL: Final = {"B.H": "800100000001", "C.H": "800100000002"}
PAID_IN: Final = {"A.H": 500_000_000, "B.H": 900_000_000, "C.H": 300_000_000, "D.H": 88_888, "VENUE": 100_000_000}
"""The payments of yesterday, in fen."""
BARS: Final = (
    # refiner, serial, year, gross weight in g; two bars alike but for the serial, one serial of two makers
    ("HX", "A100", "2024", "100.00"),
    ("HX", "A101", "2024", "100.00"),
    ("HX", "A102", "2024", "250.50"),
    ("HX", "A103", "2024", "999.98"),
    ("HX", "A104", "2023", "500.25"),
    ("LS", "A100", "2024", "400.00"),
    ("LS", "0815", "2024", "120.34"),
    ("LS", "O815", "2024", "750.10"),
    ("HX", "A110", "2024", "300.00"),
)
AT_XM2: Final = (("HX", "B200", "2024", "100.00"), ("HX", "B201", "2024", "333.33"), ("LS", "B200", "2024", "640.00"))
RISK: Final = "risk-1"
LATE: Final = 1 << 45
"""A time in ms that does not come."""
PAYEE: Final = ("6222 0001", "102393000015")


class Deposit(NamedTuple):
    """Money that the bank announced today; ``number`` is its place in the statement of the evening."""

    number: int
    account: str
    amount_fen: int


DEPOSITS: Final = (
    # The first two are two payments of the same sum by the same member on the same day.
    Deposit(1, "A.H", 500_000),
    Deposit(2, "A.H", 500_000),
    Deposit(3, "B.H", 1_234_567),
    Deposit(4, "C.H", 776_665),
    Deposit(5, "C.H", 767_665),
    Deposit(6, "D.H", -88_888),
)
"""The last one is a payment of yesterday that the bank has taken back."""
ORDERS: Final = (("A.H", 200_000), ("B.H", 321_000), ("A.H", 200_100))
"""Payments out: account and fen; they follow the deposits in the statement."""


def bank_number(place: int) -> str:
    """Return the bank's number of an entry of today."""
    return f"B{TODAY:%y%m%d}{place:04}"


async def correct_day(exchange: SmallExchange) -> None:
    """Let all of the day happen but the evening."""
    await _people(exchange)
    await _yesterday(exchange)
    await _closed_and_signed(exchange)
    await _metal(exchange)
    await _trading(exchange)
    await _named_lots(exchange)
    await _custody(exchange)
    await _money(exchange)


async def _people(exchange: SmallExchange) -> None:
    await exchange.engine_runner.open("C.H", "D.H")
    await exchange.post()
    async with exchange.engine.begin() as connection:
        for code in "ABCD":
            await registry.add_member(connection, "test", code, f"Member {code}")
        await warehouses.add(connection, ONE, "XM2", "Warehouse two", "Xiamen")
        await scales.add(connection, ONE, "SCALE-2", "XM2", 1, 3_000_000, "CAL-2", FAR)
        await accounts.add(connection, ONE, ACCOUNT, "ICBC Xiamen", "Venue escrow")
        for account, number in VIRTUAL.items():
            await virtual_accounts.add(connection, ONE, number, account)


async def _approve_all(exchange: SmallExchange, numbers: Sequence[int | None]) -> None:
    for number in numbers:
        if number is not None:
            await exchange.approve(number)
    await exchange.round_trip()


async def _yesterday(exchange: SmallExchange) -> None:
    bank = MockBank(first=YESTERDAY)
    paid = [
        Payment(fen, account, f"Member {account[0]}", f"6222 000{account[0]}", virtual_account=VIRTUAL.get(account, ""))
        for account, fen in PAID_IN.items()
    ]
    data = bank.camt(bank.book(*paid))
    await do(exchange, imports.take_in, ONE, "yesterday.xml", data, camt.read(data))
    await _approve_all(exchange, [one.proposal for one in await do(exchange, deposits.match, ONE)])


async def _closed_and_signed(exchange: SmallExchange) -> None:
    """Let the trading day end, so that the close of the next one compares what has come since."""
    await begin_day(exchange, str(working_days.today() + timedelta(days=1)))
    (day,) = await closing.close(exchange.engine, ONE, lambda _: None)
    await do(exchange, registry.add_staff, "test", RISK, "Risk", ["operate"])
    for signer, capacity in ((ONE, "settlement"), (OTHER, "warehouse"), (RISK, "risk")):
        await do(exchange, signing.sign, signer, day, capacity)
    await exchange.engine_runner.run(MarketSetPhase("AU", terms.CONTINUOUS))
    await exchange.post()


async def _metal(exchange: SmallExchange) -> None:
    """Lots of A in XM1, of C in XM2, and one of each in the other place."""
    rows = []
    for place, scale, bars in (("XM1", "SCALE-1", BARS), ("XM2", "SCALE-2", AT_XM2)):
        for number, (refiner, serial, year, grams) in enumerate(bars):
            account = "C.H" if (place == "XM2") != (number == 1) else "A.H"
            mark = {"refiner": refiner, "serial": serial, "year": year, "seal": f"S-{place}-{number}"}
            weights = {"gross_g": grams, "weighed_g": grams, "sample_seal": f"P-{place}-{number}"}
            rows.append({**mark, **weights, "account": account, "warehouse": place, "scale": scale})
    await exchange.issue(rows)


async def _trading(exchange: SmallExchange) -> None:
    for buyer, seller, price, grams in (
        ("B.H", "A.H", 60_000, 150),
        ("B.H", "A.H", 60_010, 77),
        ("C.H", "A.H", 60_020, 33),
        ("B.H", "C.H", 60_050, 210),
        ("B.H", "A.H", 66_600, 10),
    ):
        await exchange.trade(buyer, seller, price, grams)
    frames = await exchange.engine_runner.events.read(0)
    made = [e for frame in frames for outcome in frame.outcomes for e in outcome if isinstance(e, Trade)]
    given = terms_of(made[-1], exchange.engine_runner.engine.state.trading_day)
    why = "a price that was mistyped"
    await exchange.engine_runner.run(*(TradeBust(made[-1].trade_id, why, by, given) for by in ("ada", "ben")))
    await exchange.post()


async def _lot(exchange: SmallExchange, place: str, serial: str) -> int:
    async with exchange.engine.connect() as connection:
        query = text("SELECT lot_id FROM lot WHERE warehouse = :place AND refiner = 'HX' AND serial = :serial")
        found = await connection.scalar(query, {"place": place, "serial": serial})
    assert found is not None
    return int(found)


async def _named_lots(exchange: SmallExchange) -> None:
    """A.H sells one of its lots to B.H by name, and offers it another one."""
    engine = exchange.engine_runner
    for serial in ("A104", "A103"):
        lot_id = await _lot(exchange, "XM1", serial)
        async with exchange.engine.connect() as connection:
            query = text("SELECT receipt_no, fine_mg FROM receipt WHERE lot_id = :lot")
            number, fine_mg = (await connection.execute(query, {"lot": lot_id})).one()
        move = Move("A.H", "B.H", "AU", (number,), fine_mg)
        found = LotsFound((number,), fine_mg, await do(exchange, reservations.reserve, move, LATE), LATE)
        terms_of_deal = ("A.H", serial, "B.H", "AU", terms.SELL, fine_mg, 60_030, LATE)
        await engine.run(DealPropose(*terms_of_deal, lots=found.lots, lots_found=found))
        if serial == "A104":
            await engine.run(DealAccept("B.H", engine.engine.state.last_deal_id))
    await exchange.post()


async def _custody(exchange: SmallExchange) -> None:
    waiting = await do(exchange, application.apply, ONE, load_out_application("B.H", 99_900))
    await _approve_all(exchange, [waiting])
    held = await _lot(exchange, "XM1", "A102")
    hold = (legal_holds.propose, ONE, "A.H", "AU", 100_000, "Court", "C-1", [held])
    travelling = await _lot(exchange, "XM1", "A110")
    away = (transfers.propose, ONE, [travelling], "XM2", "shortage")
    await _approve_all(exchange, [await do(exchange, *hold), await do(exchange, *away)])
    await do(exchange, locks.freeze, ONE, [await _lot(exchange, "XM2", "B201")], "stamp looks forged")
    await do(exchange, accruals.accrue, working_days.today() - timedelta(days=1))
    await _approve_all(exchange, [await do(exchange, bills.propose, ONE)])


async def _money(exchange: SmallExchange) -> None:
    numbers = []
    for number, account, fen in DEPOSITS:
        numbers.append(await do(exchange, cash.propose, ONE, account, fen, bank_number(number)))
    for account, fen in ORDERS:
        payee = Payee(f"Member {account[0]}", *PAYEE)
        numbers.append(await do(exchange, payouts.order, ONE, account, fen, payee))
    await _approve_all(exchange, numbers)
    await do(exchange, payouts.send, ONE, ACCOUNT)


async def evening_payments(connection: AsyncConnection) -> list[Payment]:
    """Return what the bank books today: each payment with its number."""
    found = [
        Payment(
            one.amount_fen,
            one.account,
            f"Member {one.account[0]}",
            f"6222 000{one.account[0]}",
            reversal=one.amount_fen < 0,
            virtual_account=VIRTUAL.get(one.account, ""),
            number=bank_number(one.number),
        )
        for one in DEPOSITS
    ]
    rows = await connection.execute(text("SELECT end_to_end, payee_name FROM payment_order ORDER BY cash_id"))
    for place, ((_, fen), row) in enumerate(zip(ORDERS, rows, strict=True), len(DEPOSITS) + 1):
        found.append(Payment(-fen, row.end_to_end, row.payee_name, PAYEE[0], number=bank_number(place)))
    return found


def bank_file(opening_fen: int, bookings: Sequence[Booking | Payment], form: str = "camt") -> bytes:
    """Return the bank's statement of today in one of its formats."""
    bank = MockBank(opening_fen, first=TODAY)
    day = bank.book(*bookings)
    return bank.mt940(day) if form == "mt940" else bank.camt(day)
