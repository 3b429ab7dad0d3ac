"""Deals and requests for quotes in settlement: posted as any trade, no part in prices, counted apart by kind."""

import asyncio
from io import BytesIO

import openpyxl
from sqlalchemy import select

from goldx.protocol.commands import InstrumentDefine, MarketSetPhase, OrderCancel
from goldx.protocol.deal_commands import DealAccept, DealPropose
from goldx.protocol.rfq_commands import RfqAccept, RfqCreate, RfqQuote
from goldx.protocol.terms import BUY, CLOSED, CONTINUOUS, DEAL_TRADE, RFQ_TRADE, SELL, SHORTEST_RFQ_GRACE_MS
from settlement.closing import bulletin, statement_paper
from settlement.closing import day as days
from settlement.closing.paper import LANGUAGES, Language
from settlement.closing.words import word
from settlement.reconciliation import fees, three_way
from settlement.tables.ledger import instrument, trade
from tests.settlement.closing.days import DAYS, end_day, statement_of
from tests.settlement.small_exchange import ONE, SmallExchange, do

FAR = 1 << 45
MAKER, TAKER = 3, 8


async def test_a_deal_is_posted_and_reconciled_and_makes_no_price(exchange: SmallExchange) -> None:
    await exchange.pay_in("B.H", 1_000_000_000, "bank-1")
    await exchange.issue([{"serial": "A"}, {"serial": "B"}])
    define = InstrumentDefine("AU", form="NONAPPROVED_BAR", min_fineness=90_000, maker_fee_bp=MAKER, taker_fee_bp=TAKER)
    closed, opened = (MarketSetPhase("AU", phase) for phase in (CLOSED, CONTINUOUS))
    await exchange.engine_runner.run(closed, define, opened)
    await end_day(exchange, DAYS[0])
    await exchange.trade("B.H", "A.H", 60_000, 20)
    proposed = DealPropose("B.H", "d1", "A.H", "AU", BUY, 10_000, 66_000, FAR)
    await exchange.engine_runner.run(proposed, DealAccept("A.H", 1))
    asked = RfqCreate("A.H", "r1", "AU", SELL, 5_000, FAR, SHORTEST_RFQ_GRACE_MS)
    await exchange.engine_runner.run(asked, RfqQuote("B.H", 1, 65_000, 5_000))
    (request,) = exchange.engine_runner.engine.state.requests.values()
    while exchange.engine_runner.engine.state.now < request.grace_until:
        await asyncio.sleep(0.1)
        await exchange.engine_runner.run(OrderCancel("-"))
    await exchange.engine_runner.run(RfqAccept("A.H", 1, 65_000))
    await exchange.post()
    async with exchange.engine.connect() as connection:
        rows = (await connection.execute(select(trade).order_by(trade.c.trade_id))).all()
        last = await connection.scalar(select(instrument.c.last_price))
    assert [(row.price, row.kind) for row in rows] == [(60_000, None), (66_000, DEAL_TRADE), (65_000, RFQ_TRADE)]
    assert (rows[1].buy_fee, rows[1].sell_fee) == (528, 528), "8 bp of 6,600.00 CNY on both sides"
    assert last == 60_000, "a deal is not the last price"
    assert (await do(exchange, fees.compare))[1] == []
    assert (await three_way.reconcile(exchange.engine, ONE)).breaks == ()

    await end_day(exchange, DAYS[1])
    first, second = await do(exchange, days.over)
    (quiet,) = (await do(exchange, bulletin.find, first.day)).content["instruments"]
    (traded,) = (await do(exchange, bulletin.find, second.day)).content["instruments"]
    assert not {"deals", "requests"} & set(quiet)
    assert traded["deals"] == {"trades": 1, "quantity": 10_000, "amount": 660_000}
    assert traded["requests"] == {"trades": 1, "quantity": 5_000, "amount": 325_000}
    assert (traded["trades"], traded["quantity"], traded["high"]) == (1, 20_000, 60_000)
    assert (traded["closing_price"], traded["settlement_price"]) == (60_000, 60_000)
    assert all(word(language, name) for language in LANGUAGES for name in ("deals", "requests"))
    statement = await statement_of(exchange, "B.H")
    assert [record.get("kind") for record in statement.content["trades"]] == [None, "deal", "rfq"]
    sheets: tuple[tuple[Language, str, list[str]], ...] = (
        ("en", "Trades", ["buy", "buy (deal)", "buy (request for quotes)"]),
        ("zh", word("zh", "trades"), ["买入", "买入 (协议成交)", "买入 (询价成交)"]),
    )
    for language, sheet, expected in sheets:
        book = openpyxl.load_workbook(BytesIO(statement_paper.write(statement, "xlsx", language)))
        assert [row[3] for row in book[sheet].iter_rows(min_row=2, values_only=True)] == expected
