"""A small exchange in which every listing of settlement has at least three rows."""

from datetime import date, timedelta

import pytest
from sqlalchemy import text

from goldx.client.keys import Key
from goldx.protocol.commands import MarketSetReference
from settlement.banking import withdrawals
from settlement.base import registry, working_days
from settlement.closing.obstacles import Blocked
from settlement.reconciliation import breaks
from settlement.reconciliation.break_areas import BOOKS
from settlement.reconciliation.breaks import Break
from tests.settlement.banking.mock_bank import ACCOUNT, MockBank, Payment
from tests.settlement.closing.days import DAYS, close, end_day
from tests.settlement.rest import Rest
from tests.settlement.small_exchange import CODE, COLLECTOR_ID, ONE, OTHER, SmallExchange, bars, begin_day, public_pem

ACCOUNTS = ("A.H", "B.H", "C.H")
FORMS = ("NONAPPROVED_BAR", "SCRAP_JEWEL", "GRAIN")
LOT_G = "99.9"
"""Fine grams of one of its bars."""
HOLIDAYS = (date(2099, 10, 1), date(2099, 10, 2), date(2099, 10, 5))
CSV = {"Content-Type": "text/csv"}
SCRAP = {
    "refiner": "BAG",
    "symbol": "SCRAP",
    "form": "SCRAP_JEWEL",
    "account": "A.H",
    "warehouse": "XM1",
    "gross": "100.00",
    "fineness_permille": "750.00",
    "provenance": {"origin": "RECYCLED_CONSUMER", "country": "CN", "seller_check": "KYC-1", "documents": ["T-1"]},
}


async def fill(exchange: SmallExchange, rest: Rest) -> None:
    """Let everything that settlement lists happen at least three times."""
    await _register(exchange, rest)
    await _take_in_bars(exchange, rest)
    await _load_out(exchange, rest)
    await _bind(exchange, rest)
    await _assay_scrap(rest)
    await _buy_over_the_counter(rest)
    await rest(ONE, "POST", "/fees/accruals")
    await _approve(exchange, rest, (await rest(ONE, "POST", "/fees/bills"))["proposal"])
    statement = b"refiner,serial,year,gross_g,fineness_permille\nHX,unknown,2024,100.00,999.00\n"
    await rest(ONE, "POST", "/statements/XM1", content=statement, headers=CSV)
    for number in range(3):
        public = public_pem(Key.generate(f"XM1-{number}"))
        key = {"warehouse": "XM1", "public_key": public, "reason": "compared by telephone"}
        await _approve(exchange, rest, (await rest(ONE, "POST", "/warehouse-keys", json=key))["proposal"])
    await _bank(exchange, rest)
    for code in ("A", "B", "C"):
        await rest(ONE, "POST", "/tax-profiles", json={"member": code, "title": f"Member {code}", "period": "DAY"})
    for day in DAYS[:3]:
        await end_day(exchange, day)
    await _count(exchange, rest)
    await _differ(exchange)


async def _differ(exchange: SmallExchange) -> None:
    """A day that cannot be closed, as engine and ledger differ at its end, and breaks that stop the next one."""
    await begin_day(exchange, DAYS[3])
    far = [MarketSetReference(symbol, 90_000, "op-1", 10) for symbol in ("AU", "SCRAP", "GRAIN")]
    await exchange.engine_runner.run(*far)
    await exchange.post()
    async with exchange.engine.begin() as connection:
        await connection.execute(text("ALTER TABLE holding_at_end DISABLE TRIGGER append_only"))
        await connection.execute(text("UPDATE holding_at_end SET total = total + 1 WHERE asset = 'CNY'"))
        found = [Break("HOLDING", account, "CNY", 0, 1) for account in ACCOUNTS]
        await breaks.record_run(connection, ONE, BOOKS, 1, found)
    with pytest.raises(Blocked):
        await close(exchange)


async def _count(exchange: SmallExchange, rest: Rest) -> None:
    """Three counts; the first one is open."""
    count = {"warehouse": "XM1", "counters": [ONE, OTHER], "reason": "yearly"}
    for number in range(3):
        proposal = (await rest(ONE, "POST", "/counts", json={**count, "sample": 3 + number}))["proposal"]
        if number == 0:
            await _approve(exchange, rest, proposal)


async def _bank(exchange: SmallExchange, rest: Rest) -> None:
    """Three bank accounts; of the first one's payments three are credited and taken back, the others' wait."""
    for number in range(3):
        bank = MockBank(0, f"{ACCOUNT}{number}")
        account = {"account_number": bank.account, "bank": "ICBC", "holder": "Venue"}
        await rest(ONE, "POST", "/bank-accounts", json=account)
        await rest(ONE, "POST", "/virtual-accounts", json={"number": f"{ACCOUNT}99{number}", "account": "C.H"})
        names = [f"C.H {fen}" if number == 0 else "" for fen in (100, 200, 300)]
        day = bank.book(*(Payment(fen * 100, name) for fen, name in enumerate(names, 1)))
        await rest(ONE, "POST", "/bank-statements", content=bank.camt(day))
        if number == 0:
            for found in (await rest(ONE, "POST", "/bank-matches"))["payments"]:
                await _approve(exchange, rest, found["proposal"])
            back = bank.book(*(Payment(-fen * 100, name, reversal=True) for fen, name in enumerate(names, 1)))
            await rest(ONE, "POST", "/bank-statements", content=bank.camt(back))
            await rest(ONE, "POST", "/bank-matches")
    await _tie(rest, bank)
    for _ in range(3):
        body = {"reason": "as the bank says", "with_later": True}
        proposed = (await rest(ONE, "POST", "/bank-statements/1/void", json=body))["proposal"]
        await rest(OTHER, "POST", f"/proposals/{proposed}/decline")


async def _tie(rest: Rest, bank: MockBank) -> None:
    """Payments of the sums that were recorded at the beginning: three name an account, three are tied by hand."""
    unnamed, named = [Payment(10_000_000)] * 3, [Payment(10_000_000, "C.H")] * 3
    await rest(ONE, "POST", "/bank-statements", content=bank.camt(bank.book(*unnamed, *named)))
    waiting = [one["item_no"] for one in (await rest(ONE, "GET", "/bank-suspense"))["payments"][-6:-3]]
    recorded = await rest(ONE, "GET", "/documents", params={"kind": "cash"})
    money = [one["number"] for one in recorded["documents"]][: len(waiting)]
    for payment, number in zip(waiting, money, strict=True):
        await rest(ONE, "POST", "/bank-ties", json={"payments": [payment], "money": [number], "reason": "letter"})


async def _approve(exchange: SmallExchange, rest: Rest, proposal: int) -> None:
    await rest(OTHER, "POST", f"/proposals/{proposal}/approve")
    await exchange.round_trip()


async def _register(exchange: SmallExchange, rest: Rest) -> None:
    for symbol, form in (("SCRAP", "SCRAP_JEWEL"), ("GRAIN", "GRAIN")):
        await exchange.engine_runner.define(symbol, form, min_fineness=30_000)
    await exchange.engine_runner.open("C.H")
    await exchange.post()
    today = working_days.today()
    async with exchange.engine.begin() as connection:
        for member in ("A", "B", "C"):
            await registry.add_member(connection, "test", member, f"Member {member}")
        for day in range(20):
            await working_days.set_day(connection, ONE, today + timedelta(days=day), True, "as any day")
        for holiday in HOLIDAYS:
            await working_days.set_day(connection, ONE, holiday, False, "National Day")
    scale = {"warehouse": "XM1", "resolution": "0.01", "capacity": "5000.00", "calibration": "CAL-2"}
    await rest(ONE, "POST", "/warehouses", json={"warehouse": "XM2", "name": "Warehouse two", "city": "Xiamen"})
    for number, account in enumerate(ACCOUNTS):
        await rest(ONE, "POST", "/scales", json={"scale": f"FINE-{number}", **scale, "valid_until": "2099-12-31"})
        transfer = {"account": account, "amount": "100000.00", "bank_reference": f"bank-{number}"}
        await _approve(exchange, rest, (await rest(ONE, "POST", "/cash", json=transfer))["proposal"])
    limits = {"per_payment": "1.00", "per_day": "3.00", "wait_hours": 0}
    for number in range(3):
        await _approve(exchange, rest, (await rest("operator", "POST", "/withdrawal-limits", json=limits))["proposal"])
        own = {"member": "A", "name": "Member A", "account_number": f"6222000{number}", "bank": "ICBC"}
        await _approve(exchange, rest, (await rest(ONE, "POST", "/payees", json=own))["proposal"])
        async with exchange.engine.begin() as connection:
            await withdrawals.ask(
                connection, "A", "A-1", withdrawals.AskedWithdrawal(f"R-{number}", "A.H", 1, number + 1)
            )
        order = {"account": "A.H", "amount": "0.01", "payee": number + 1}
        await rest(ONE, "POST", "/payment-orders", json=order)


async def _take_in_bars(exchange: SmallExchange, rest: Rest) -> None:
    for account in ACCOUNTS:
        data = bars([{"serial": f"{account}{number}", "account": account} for number in range(4)])
        for kind in ("declared", "measured"):
            await rest(ONE, "POST", f"/bar-lists/{kind}", content=data, headers=CSV)
    data = bars([{"serial": "G1", "symbol": "GRAIN", "form": "GRAIN"}])
    for kind in ("declared", "measured"):
        await rest(ONE, "POST", f"/bar-lists/{kind}", content=data, headers=CSV)
    await _approve(exchange, rest, (await rest(ONE, "POST", "/receipts", json={}))["proposal"])


async def _load_out(exchange: SmallExchange, rest: Rest) -> None:
    shown = {"collector_id": COLLECTOR_ID, "pickup_code": CODE}
    for number, account in enumerate(ACCOUNTS, 1):
        asked = {"account": account, "symbol": "AU", "warehouse": "XM1", "weight": LOT_G, "collector": "Carrier"}
        application = {**asked, **shown, "code_again": CODE}
        await _approve(exchange, rest, (await rest(ONE, "POST", "/load-outs", json=application))["proposal"])
        await rest(ONE, "POST", f"/load-outs/{number}/sign", json=shown)
        released = (await rest(OTHER, "POST", f"/load-outs/{number}/release"))["lots"]
        claim = {"lots": released, "reason": "assayed lower", "seal_whole": True}
        await rest(ONE, "POST", f"/load-outs/{number}/claims", json=claim)


async def _bind(exchange: SmallExchange, rest: Rest) -> None:
    free = await rest(ONE, "GET", "/lots", params={"state": "RECEIPTED", "symbol": "AU"})
    numbers = [lot["lot_id"] for lot in free["lots"]]
    await rest(ONE, "POST", "/locks/freeze", json={"lots": numbers[:3], "reason": "stamp looks forged"})
    for number in range(3):
        move = {"lots": [numbers[3 + number]], "to_warehouse": "XM2", "reason": "shortage"}
        await _approve(exchange, rest, (await rest(ONE, "POST", "/transfers", json=move))["proposal"])
        gold = {"account": "A.H", "symbol": "AU", "weight": "1", "document": f"D-{number}"}
        await rest(ONE, "POST", "/pledges", json={**gold, "pledgee": "M1"})
        await rest(ONE, "POST", "/holds", json={**gold, "authority": "court"})


async def _assay_scrap(rest: Rest) -> None:
    for number in range(3):
        lot = (await rest(ONE, "POST", "/lots", json={**SCRAP, "serial": f"S{number}"}))["lot"]
        weight = {"scale": "SCALE-1", "grams": "100.00"}
        samples = [{"party": party, "seal": f"{party}-{lot}", "grams": "5.00"} for party in ("A", "B", "UMPIRE")]
        for step, body in (
            ("arrive", {"seal": f"S-{lot}"}),
            ("weigh", weight),
            ("screen", {"points": ["750"]}),
            ("melt", {**weight, "grams": "99.00"}),
            ("sample", samples),
            ("assay-exchange", {"laboratory_a": "LAB-A", "laboratory_b": "LAB-B"}),
        ):
            await rest(ONE, "POST", f"/lots/{lot}/{step}", json=body)


async def _buy_over_the_counter(rest: Rest) -> None:
    where = {"member": "A", "account": "A.H", "warehouse": "XM1", "name": "Counter one"}
    await rest(ONE, "POST", "/counters", json={"counter": "C1", **where})
    for form in FORMS:
        await rest(ONE, "POST", "/two-way-prices", json={"form": form, "bid": "600.00", "ask": "610.00"})
        await rest(ONE, "POST", "/tickets/turned-away", json={"counter": "C1", "description": "no document"})
