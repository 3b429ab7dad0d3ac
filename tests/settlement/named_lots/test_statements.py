"""Statements of account with named lots: which a trade was of, who held each receipt at the end of the day."""

from io import BytesIO

import openpyxl

from settlement.closing import day as days
from settlement.closing import records, statement_paper
from settlement.closing.paper import LANGUAGES
from settlement.closing.words import word
from tests.settlement.closing.days import DAYS, content_of, end_day, statement_of
from tests.settlement.named_lots.deals import annul, keep, move, sell
from tests.settlement.named_lots.test_titles import holders, terms_of
from tests.settlement.small_exchange import SmallExchange, do


async def held(exchange: SmallExchange) -> dict[str, list[int]]:
    """Return by account the receipts in its newest statement."""
    return {name: [lot["receipt"] for lot in (await content_of(exchange, name))["lots"]] for name in ("A.H", "B.H")}


async def test_statements_name_lots_and_are_the_same_whenever_they_are_computed(exchange: SmallExchange) -> None:
    await end_day(exchange, DAYS[0])
    assert await held(exchange) == {"A.H": [1, 2, 3], "B.H": []}
    first = await sell(exchange, 2, 1)
    second = await sell(exchange, 3)
    back = await keep(exchange, move(3, seller="B.H", buyer="A.H", trade_id=second))
    await annul(exchange, await terms_of(exchange, second), second, back)
    await end_day(exchange, DAYS[1])
    assert await held(exchange) == {"A.H": [3], "B.H": [1, 2]}
    statement = await statement_of(exchange, "B.H")
    traded = [(trade["trade"], trade["kind"], trade["lots"]) for trade in statement.content["trades"]]
    assert traded == [(first, "deal", [2, 1]), (second, "deal", [3])]
    for language in LANGUAGES:
        book = openpyxl.load_workbook(BytesIO(statement_paper.write(statement, "xlsx", language)))
        heading, *rows = book[word(language, "trades")].iter_rows(values_only=True)
        assert (heading[-1], [row[-1] for row in rows]) == (word(language, "named_lots"), ["2, 1", "3"])
        assert statement_paper.write(statement, "pdf", language).startswith(b"%PDF")

    await sell(exchange, 1, seller="B.H", buyer="C.H")
    await end_day(exchange, DAYS[2])
    assert await holders(exchange) == ["C.H", "B.H", "A.H"]
    assert await held(exchange) == {"A.H": [3], "B.H": [2]}
    over = await do(exchange, days.over)
    for day in over:
        assert all(again.same for again in await do(exchange, records.recompute, day.day)), day
    assert len(over) == 3
