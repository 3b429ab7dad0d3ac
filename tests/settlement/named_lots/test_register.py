"""The register of lots as gateways ask it: a flood of questions waits outside the database, or is refused."""

import asyncio

import pytest

from api.edge.outcome import Refusal
from api.edge.settlement_register import MOST_WAITING, SettlementRegister
from goldx.protocol.bases import LotsFound
from settlement.base import audit
from settlement.ledger import progress
from tests.settlement.named_lots.deals import move
from tests.settlement.named_lots.test_titles import locked, states
from tests.settlement.small_exchange import SmallExchange, do, rewrite


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


async def test_no_lots_are_kept_while_settlement_posts_anew_what_it_had_posted(exchange: SmallExchange) -> None:
    """After a restore of the database, whether the gateway started before it or after it."""

    async def refusal(register: SettlementRegister) -> str:
        with pytest.raises(Refusal) as refused:
            await register.find_lots(move(1), keep=True)
        assert refused.value.reason == "UNAVAILABLE"
        return str(refused.value)

    posted = await do(exchange, progress.posted)
    of_before, of_after = SettlementRegister(exchange.engine), SettlementRegister(exchange.engine, None, posted + 1)
    await of_before.release(await of_before.find_lots(move(1), keep=True))
    assert f"{posted} of at least {posted + 1} events" in await refusal(of_after)
    await exchange.pay_in("B.H", 100, "bank-more")
    await of_after.release(await of_after.find_lots(move(1), keep=True))
    await of_before.release(await of_before.find_lots(move(1), keep=True))
    await rewrite(exchange, f"UPDATE progress SET sequence = {posted}")
    for register in (of_before, of_after):
        assert f"{posted} of at least" in await refusal(register)
        assert (await register.find_lots(move(1), keep=False)).reservation == 0
    assert await locked(exchange) == []
