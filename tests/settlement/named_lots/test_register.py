"""The register of lots as gateways ask it: a flood of questions waits outside the database, or is refused."""

import asyncio

import pytest

from api.edge.outcome import Refusal
from api.edge.settlement_register import MOST_WAITING, SettlementRegister
from goldx.protocol.bases import LotsFound
from settlement.base import audit
from tests.settlement.named_lots.deals import move
from tests.settlement.named_lots.test_titles import locked, states
from tests.settlement.small_exchange import SmallExchange


async def test_questions_beyond_a_number_are_refused_and_the_others_are_answered(exchange: SmallExchange) -> None:
    register = SettlementRegister(exchange.engine)
    async with exchange.engine.begin() as connection:
        await audit.lock(connection)  # nobody can reserve anything
        waiting = [asyncio.create_task(register.find_lots(move(1), keep=True)) for _ in range(MOST_WAITING)]
        await asyncio.sleep(0)
        with pytest.raises(Refusal) as refused:
            await register.find_lots(move(2), keep=True)
        assert refused.value.reason == "RATE_LIMITED"
    answers = await asyncio.gather(*waiting, return_exceptions=True)
    assert [answer.reason for answer in answers if isinstance(answer, Refusal)] == ["LOT_BOUND"] * (MOST_WAITING - 1)
    (found,) = (answer for answer in answers if isinstance(answer, LotsFound))
    assert (await states(exchange), await locked(exchange)) == (["RESERVED"], [1])
    await register.release(found)
    assert (await states(exchange), await locked(exchange)) == (["RELEASED"], [])
    assert (await register.find_lots(move(2), keep=True)).lots == (2,)
