"""Annulled trades in the ledger: postings, own stock, prices, fees, reconciliation and statements."""

import io
from datetime import timedelta

import openpyxl
import pytest
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from goldx.protocol.commands import HoldingAdjust, TradeBust, TradeTerms
from goldx.protocol.events import Trade, TradeBusted
from goldx.protocol.units import CASH
from goldx.streams.frames import EventFrame
from settlement.base import working_days
from settlement.closing import bulletin, invoice_lines, statement_paper
from settlement.closing import day as days
from settlement.ledger import balances, fee_payouts, own_stock
from settlement.ledger.busts import WrongBust
from settlement.ledger.posting import PostedBatch, lines_of, post_movements
from settlement.reports import account_statement
from settlement.tables.ledger import instrument, ledger_entry, posting, stock, trade_bust
from tests.matching.core.trade_terms import terms_of
from tests.settlement.closing.days import DAYS, content_of, end_day, statement_of
from tests.settlement.small_exchange import ONE, SmallExchange, do, find_breaks, refused

LOT_MG = 99_900
WHY = "a price that was mistyped"


async def trades(exchange: SmallExchange) -> dict[int, TradeTerms]:
    """Return the terms of all trades, as gateways send them."""
    frames = await exchange.engine_runner.events.read(0)
    made = [e for frame in frames for outcome in frame.outcomes for e in outcome if isinstance(e, Trade)]
    return {event.trade_id: terms_of(event, exchange.engine_runner.engine.state.trading_day) for event in made}


async def bust(exchange: SmallExchange, trade_id: int, *, post: bool = True) -> None:
    """Annul a trade by two persons."""
    given = (await trades(exchange))[trade_id]
    await exchange.engine_runner.run(*(TradeBust(trade_id, WHY, by, given) for by in ("ada", "ben")))
    assert list(exchange.engine_runner.engine.state.busted)[-1] == trade_id
    if post:
        await exchange.post()


async def own(exchange: SmallExchange) -> dict[str, tuple[int, int]]:
    """Return by account the own stock of AU and how much of it was ever sold; it is as the whole ledger says."""
    async with exchange.engine.connect() as connection:
        assert await own_stock.differences(connection) == []
        return {row.account: (row.own_mg, row.own_sold_mg) for row in await connection.execute(select(stock))}


async def prepared(exchange: SmallExchange) -> None:
    """A.H has 99.9 g of own stock, B.H 1,000,000 CNY."""
    await exchange.issue([{}])
    await exchange.pay_in("B.H", 100_000_000, "B-1")


def busted(sequence: int = 9, sell_fee: int = 20) -> TradeBusted:
    deal = (7, "AU", 60_000, 10_000, 600_000, 1, 2, "A.H", "B.H", 0, 30, sell_fee)
    return TradeBusted(sequence, 5, *deal, 4, "ada", "ben", WHY)


@pytest.mark.parametrize("sell_fee", [20, 0, 600_000])
def test_each_line_of_the_trade_is_posted_with_the_other_sign(sell_fee: int) -> None:
    parties = (1, 2, "A.H", "B.H", 0, 0, 0)
    made = lines_of(Trade(3, 4, 7, "AU", 60_000, 10_000, 600_000, *parties, 30, sell_fee))
    batch = PostedBatch(moving=[busted(sell_fee=sell_fee)])
    post_movements(batch, {})
    assert batch.entries == [(9, "trade_bust", 5, "trade:7")]
    assert {(account, -amount) for _, account, amount in made} == {
        (account, amount) for _, _, account, amount in batch.lines
    }


@pytest.mark.parametrize("together", [True, False], ids=["in one transaction", "in two"])
@pytest.mark.prepared(by=prepared)
async def test_money_gold_fees_and_own_stock_are_as_before_the_trade(exchange: SmallExchange, together: bool) -> None:
    before = await own(exchange)
    if together:
        await exchange.engine_runner.trade("B.H", "A.H", 60_000, 30)
    else:
        await exchange.trade("B.H", "A.H", 60_000, 30)
        assert await own(exchange) == {"A.H": (LOT_MG - 30_000, 30_000), "B.H": (0, 0)}
        assert await find_breaks(exchange) == ()
    await bust(exchange, 1)
    assert await own(exchange) == {**before, "B.H": (0, 0)}
    assert (exchange.held("A.H", "AU"), exchange.held("B.H", "AU")) == (LOT_MG, 0)
    assert (exchange.held("A.H"), exchange.held("B.H")) == (0, 100_000_000)
    assert await do(exchange, balances.of_kind, "fee_income", CASH) == 0
    assert await find_breaks(exchange) == ()
    async with exchange.engine.connect() as connection:
        row = (await connection.execute(select(trade_bust))).one()
        assert (row.trade_id, row.proposed_by, row.by, row.reason) == (1, "ada", "ben", WHY)


@pytest.mark.prepared(by=prepared)
async def test_a_seller_gets_back_as_own_stock_what_was_own_stock_and_no_more(exchange: SmallExchange) -> None:
    """B.H sells 5 g of bought title; A.H sells 80 g of own stock, buys 20 g and sells all of it."""
    await exchange.trade("B.H", "A.H", 60_000, 80)
    await exchange.trade("A.H", "B.H", 60_000, 20)
    await exchange.trade("B.H", "A.H", 60_000, 30)
    left = LOT_MG - 80_000 - 10_000
    assert (await own(exchange))["A.H"] == (left, 90_000)
    await bust(exchange, 3)
    assert (await own(exchange))["A.H"] == (left + 10_000, 80_000), "20 of the 30 g were bought title"
    await bust(exchange, 2)
    assert await own(exchange) == {"A.H": (left + 10_000, 80_000), "B.H": (0, 0)}
    assert await find_breaks(exchange) == ()


@pytest.mark.prepared(by=prepared)
async def test_a_buyer_who_gives_back_own_stock_has_less_of_it(exchange: SmallExchange) -> None:
    """A.H buys 20 g of B.H, sells 20 g of bought title, and gives 20 g of own stock back for the first trade."""
    await exchange.trade("B.H", "A.H", 60_000, 50)
    await exchange.trade("A.H", "B.H", 60_000, 20)
    await exchange.trade("B.H", "A.H", 60_000, 20)
    assert (await own(exchange))["A.H"] == (LOT_MG - 50_000, 50_000)
    await bust(exchange, 2)
    assert (await own(exchange))["A.H"] == (LOT_MG - 70_000, 70_000)


@pytest.mark.prepared(by=prepared)
async def test_the_last_price_is_that_of_the_newest_trade_that_stands(exchange: SmallExchange) -> None:

    async def last_price() -> int | None:
        async with exchange.engine.connect() as connection:
            found: int | None = await connection.scalar(select(instrument.c.last_price))
            return found

    for price in (60_000, 60_100, 60_200):
        await exchange.trade("B.H", "A.H", price, 1)
    await bust(exchange, 2)
    assert await last_price() == 60_200
    await bust(exchange, 3)
    assert await last_price() == 60_000
    await bust(exchange, 1)
    assert await last_price() is None
    await exchange.trade("B.H", "A.H", 60_300, 1)
    assert await last_price() == 60_300
    await exchange.engine_runner.trade("B.H", "A.H", 60_400, 1)
    await bust(exchange, 5)
    assert await last_price() == 60_300, "also when both are posted in one transaction"


@pytest.mark.prepared(by=prepared)
async def test_fees_that_may_go_back_are_not_paid_out(exchange: SmallExchange) -> None:
    await exchange.trade("B.H", "A.H", 60_000, 30)
    await refused(exchange, "INSUFFICIENT_FEES", fee_payouts.propose, ONE, 1, "November")
    await bust(exchange, 1)
    assert await do(exchange, balances.of_kind, "fee_income", CASH) == 0


@pytest.mark.prepared(by=prepared)
async def test_a_statement_shows_the_trade_and_its_annulment(exchange: SmallExchange) -> None:
    await exchange.trade("B.H", "A.H", 60_000, 30)
    await bust(exchange, 1)
    today = working_days.today()
    async with exchange.engine.connect() as connection:
        found = await account_statement.entries(connection, "B.H", today - timedelta(1), today + timedelta(1))
    gold = [(line.kind, line.reference, line.amount, line.balance) for line in found if line.asset == "AU"]
    assert gold[1:-1] == [("trade", "", 30_000, 30_000), ("trade_bust", "trade:1", -30_000, 0)]


@pytest.mark.prepared(by=prepared)
async def test_the_paper_of_a_statement_marks_an_annulled_trade(exchange: SmallExchange) -> None:
    await exchange.trade("B.H", "A.H", 60_000, 30)
    await exchange.trade("B.H", "A.H", 60_000, 10)
    await bust(exchange, 1)
    await end_day(exchange, DAYS[0])
    found = await statement_of(exchange, "B.H")
    book = openpyxl.load_workbook(io.BytesIO(statement_paper.write(found, "xlsx", "en")))
    assert book.sheetnames[0] == "Statement of own account"
    sides = [row[3] for row in book["Trades"].iter_rows(min_row=2, values_only=True)]
    assert sides == ["buy (annulled)", "buy"]
    movements = [row for row in book.worksheets[4].iter_rows(min_row=2, values_only=True) if row[1] == "Annulled trade"]
    assert any("18,000.00" in str(row[3]) and "1.80" in str(row[3]) for row in movements), "amount and fee apart"
    assert statement_paper.write(found, "pdf", "zh").startswith(b"%PDF")


@pytest.mark.prepared(by=prepared)
async def test_an_annulment_with_other_terms_than_the_trade_s_is_not_posted(exchange: SmallExchange) -> None:
    await exchange.trade("B.H", "A.H", 60_000, 30)
    reached = exchange.engine_runner.engine.sequence
    deal = (1, "AU", 60_000, 29_000, 1_740_000, 1, 2, "B.H", "A.H", 0, 174, 174)
    wrong = TradeBusted(reached + 1, 5, *deal, 4, "ada", "ben", WHY)
    with pytest.raises(WrongBust, match="annuls trade 1 with terms that it does not have"):
        await exchange.ledger.post([EventFrame((1, reached + 1), ((wrong,),))])
    async with exchange.engine.connect() as connection:
        assert await entries(connection) == ["trade"]


async def entries(connection: AsyncConnection) -> list[str]:
    """Return the kinds of the entries that have moved AU between accounts."""
    query = select(ledger_entry.c.kind).where(ledger_entry.c.kind.startswith("trade"))
    assert (await connection.execute(select(posting.c.sequence).limit(1))).first() is not None
    return list(await connection.scalars(query.order_by(ledger_entry.c.sequence)))


@pytest.mark.prepared(by=prepared)
async def test_gold_that_was_taken_out_is_missing(exchange: SmallExchange) -> None:
    await exchange.trade("B.H", "A.H", 60_000, 30)
    await exchange.engine_runner.run(HoldingAdjust("B.H", "AU", -1_000, "taken out"))
    given = (await trades(exchange))[1]
    await exchange.engine_runner.run(TradeBust(1, WHY, "ada", given))
    state = exchange.engine_runner.engine.state
    assert (state.busted, state.bust_proposals) == ({}, {})
    assert exchange.held("B.H", "AU") == 29_000


@pytest.mark.prepared(by=prepared)
async def test_a_closed_day_counts_the_trades_that_stand(exchange: SmallExchange) -> None:
    """Prices and bulletin are without the annulled trade; the statement shows it and what took it back."""
    await end_day(exchange, DAYS[0])
    for price, grams in ((60_000, 10), (90_000, 5)):
        await exchange.trade("B.H", "A.H", price, grams)
    await bust(exchange, 2)
    await end_day(exchange, DAYS[1])
    _, second = await do(exchange, days.over)
    (shown,) = (await do(exchange, bulletin.find, second.day)).content["instruments"]
    assert [shown[name] for name in ("trades", "quantity", "high", "closing_price", "settlement_price")] == [
        1,
        10_000,
        60_000,
        60_000,
        60_000,
    ]
    rates = {"VAT_SERVICES": 600, "VAT_TRANSPORT": 900}
    lines = (await do(exchange, invoice_lines.of_range, {"B": second.first}, second.last, rates))["B"]
    assert [(line["fee"], line["base"], line["amount_fen"]) for line in lines] == [("TRADING", 600_000, 60)]
    content = await content_of(exchange, "B.H")
    assert [trade["trade"] for trade in content["trades"]] == [1, 2]
    moved = [(record["kind"], record["document"], record["asset"], record["amount"]) for record in content["movements"]]
    assert moved == [("trade_bust", "trade:2", CASH, 450_045), ("trade_bust", "trade:2", "AU", -5_000)]
    assert (content["cash"]["other"], content["metal"][0]["other"]) == (450_045, -5_000)


@pytest.mark.prepared(by=prepared)
async def test_gold_that_was_bought_is_sold_before_own_stock(exchange: SmallExchange) -> None:
    await exchange.trade("B.H", "A.H", 60_000, 20)
    assert await own(exchange) == {"A.H": (LOT_MG - 20_000, 20_000), "B.H": (0, 0)}
    await exchange.engine_runner.trade("A.H", "B.H", 60_000, 10)
    await exchange.trade("B.H", "A.H", 60_000, 10)
    assert await own(exchange) == {"A.H": (LOT_MG - 20_000, 20_000), "B.H": (0, 0)}
    await exchange.engine_runner.trade("A.H", "B.H", 60_000, 10)
    await exchange.trade("B.H", "A.H", 60_000, 11)
    assert await own(exchange) == {"A.H": (LOT_MG - 21_000, 21_000), "B.H": (0, 0)}
