"""A journal that is slow or cut off: every answer is true, nothing is placed twice, and commands do not pile up."""

import asyncio
import os
import signal
from random import Random, SystemRandom

import pytest

from api.journal import pressure
from tests.api.conftest import until
from tests.api.journal.proxied import OrderOutcomes, ProxiedGateway

SEED = SystemRandom().randrange(1 << 32)


async def test_a_slow_journal_limits_the_unanswered_commands(
    proxied: ProxiedGateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pressure, "MAX_WAITING", 300)
    limit = 100  # a third: a session may have as many as its member has left, a member as many as are free
    outcomes, highest = OrderOutcomes(proxied), 0
    async with proxied.member() as member:
        orders: list[asyncio.Task[None]] = []
        for pause in range(3):
            os.kill(proxied.valkey.pid, signal.SIGSTOP)
            try:
                orders += [asyncio.create_task(outcomes.order(member, f"p{pause}-{n}")) for n in range(500)]
                refused = len(outcomes.refused) + 500 - limit
                await until(lambda least=refused: len(outcomes.refused) >= least)  # type: ignore[misc]
                highest = max(highest, proxied.server.gateway.sequencer.waiting)
            finally:
                os.kill(proxied.valkey.pid, signal.SIGCONT)
            await asyncio.gather(*orders)
            assert proxied.server.gateway.sequencer.waiting == 0
        assert highest == limit
        assert len(outcomes.accepted) == 3 * limit
        assert "100 commands of this session wait" in outcomes.first_refusal
        await outcomes.check(member)


async def test_orders_are_refused_while_the_engine_does_not_answer(
    proxied: ProxiedGateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("api.journal.pressure.STALE_CHECKS", 2)
    outcomes, engine = OrderOutcomes(proxied), proxied.services._engine
    assert engine is not None
    async with proxied.member() as member:
        engine.send_signal(signal.SIGSTOP)
        try:
            orders = [asyncio.create_task(outcomes.order(member, "first"))]
            while not outcomes.refused:
                orders.append(asyncio.create_task(outcomes.order(member, f"n{len(orders)}")))
                await asyncio.sleep(0.1)
        finally:
            engine.send_signal(signal.SIGCONT)
        assert "does not keep up" in outcomes.first_refusal
        await asyncio.gather(*orders)
        assert proxied.server.gateway.sequencer.waiting == 0
        assert "first" in outcomes.accepted
        monkeypatch.undo()
        await until(lambda: proxied.server.gateway.sequencer._pressure.stalled is None)
        await outcomes.check(member)


async def test_answers_are_true_when_connections_are_cut_during_appends(proxied: ProxiedGateway) -> None:
    print(f"SEED={SEED}")
    random, outcomes = Random(SEED), OrderOutcomes(proxied)
    async with proxied.member() as member:
        for cut in range(12):
            proxied.proxy.call_after(random.randrange(6), proxied.proxy.cut)
            await asyncio.gather(*(outcomes.order(member, f"c{cut}-{n}") for n in range(random.randrange(1, 30))))
            while proxied.proxy.action_is_due or proxied.server.gateway.condition.trouble is not None:
                await outcomes.order(member, f"c{cut}-{len(outcomes.accepted)}-{len(outcomes.refused)}")
                await asyncio.sleep(0.02)
        assert outcomes.accepted
        await until(lambda: proxied.server.gateway.condition.trouble is None)
        await outcomes.check(member)


async def test_a_frame_that_was_appended_without_an_answer_is_not_sent_again(proxied: ProxiedGateway) -> None:
    """The connection is cut when the server has the frame and the gateway has no answer: the order is placed."""
    outcomes = OrderOutcomes(proxied)
    async with proxied.member() as member:
        for number in range(5):
            os.kill(proxied.valkey.pid, signal.SIGSTOP)
            order = asyncio.create_task(outcomes.order(member, f"a{number}"))
            await asyncio.sleep(0.2)
            os.kill(proxied.valkey.pid, signal.SIGCONT)
            proxied.proxy.hold()
            while not (await proxied.placed())[f"a{number}"]:
                await asyncio.sleep(0.01)
            proxied.proxy.cut()
            proxied.proxy.release()
            await order
            await until(lambda: proxied.server.gateway.condition.trouble is None)
        assert len(outcomes.accepted) == 5
        assert not outcomes.refused
        await outcomes.check(member)


async def test_orders_are_refused_while_the_journal_is_not_reachable(proxied: ProxiedGateway) -> None:
    outcomes = OrderOutcomes(proxied)
    async with proxied.member() as member:
        await outcomes.order(member, "before")
        proxied.proxy.hold()
        proxied.proxy.cut()
        late = [asyncio.create_task(outcomes.order(member, f"d{n}")) for n in range(3)]
        while not outcomes.refused:
            late.append(asyncio.create_task(outcomes.order(member, f"w{len(late)}")))
            await asyncio.sleep(0.05)
        assert "the journal is not reachable" in outcomes.first_refusal
        proxied.proxy.release()
        await asyncio.gather(*late)
        await until(lambda: proxied.server.gateway.condition.trouble is None)
        await outcomes.order(member, "after")
        assert {"before", "after"} <= set(outcomes.accepted)
        await outcomes.check(member)
