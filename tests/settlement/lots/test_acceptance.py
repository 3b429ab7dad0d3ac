"""The terms on which a class takes lots."""

import pytest
from sqlalchemy import text

from settlement.intake import intake
from settlement.lots import acceptance
from tests.settlement.intake.lot_steps import advised, assayed, screened
from tests.settlement.small_exchange import ONE, SmallExchange, do, refused


async def test_what_a_class_accepts(exchange: SmallExchange) -> None:
    terms = acceptance.Rule(("NONAPPROVED_BAR", "GRAIN"), ("XM1",), 50_000)
    proposal = await do(exchange, acceptance.propose, ONE, "AU", terms)
    await exchange.approve(proposal)
    assert await advised(exchange, serial="G", form="GRAIN") == 1
    for row, column in (
        ({"form": "DORE"}, "form"),
        ({"gross_g": "50.00"}, "gross_g"),
        ({"fineness_permille": "899.99"}, "fineness_permille"),
    ):
        with pytest.raises(Exception, match=column):
            await advised(exchange, serial="X", **row)
    small = await screened(exchange, "50.00", serial="small")
    await assayed(exchange, small, 999_000, 999_000)
    await refused(exchange, "NOT_ACCEPTED", intake.certify, ONE, [small])
    second = await do(exchange, acceptance.propose, ONE, "AU", acceptance.Rule(("NONAPPROVED_BAR",)))
    await exchange.approve(second)
    await do(exchange, intake.certify, ONE, [small])
    async with exchange.engine.connect() as connection:
        statuses = await connection.execute(text("SELECT status FROM acceptance ORDER BY acceptance_no"))
        assert list(statuses.scalars()) == ["REPLACED", "LIVE"]
