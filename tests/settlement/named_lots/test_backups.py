"""A register from a backup that is older than reservations of named lots: their events come again, they do not."""

from msgspec.structs import replace

from goldx.protocol.bases import LotsFound
from goldx.protocol.deal_commands import DealAccept, DealDecline
from settlement.ledger import own_stock
from tests.settlement.named_lots.deals import FAR, LOT_MG, annul, purchase, sale
from tests.settlement.named_lots.test_titles import holders, locked, own, states, terms_of
from tests.settlement.small_exchange import SmallExchange, do, find_breaks


async def test_a_register_from_an_older_backup_keeps_the_lots_when_their_events_come_again(
    exchange: SmallExchange,
) -> None:
    """The reservations of sales, a purchase and an annulment, which gateways have made since the backup, are gone.

    All come in one posting, in which the first lot goes to B.H, back, and again to B.H, then as bought title.
    """
    await exchange.pay_in("A.H", 10_000_000, "bank-a")
    engine = exchange.engine_runner
    gone = [LotsFound((number,), LOT_MG, reservation, FAR) for number, reservation in ((1, 71), (2, 72), (3, 73))]
    again = [replace(gone[0], reservation=number) for number in (74, 75)]
    await engine.run(sale(gone[0]), DealAccept("B.H", 1))
    await engine.run(sale(again[0], "b1", seller="B.H", buyer="A.H"), DealAccept("A.H", 2))
    await engine.run(sale(again[1], "d2"), DealAccept("B.H", 3), purchase(2), DealAccept("A.H", 4, gone[1]))
    await engine.run(sale(gone[2], "d3"))
    await exchange.post()
    assert await holders(exchange) == ["B.H", "B.H", "A.H"]
    assert (await states(exchange), await locked(exchange)) == (["MOVED"] * 4 + ["OPEN"], [3])
    assert await own(exchange, "A.H") == LOT_MG, "it has sold the second lot of its deposit, and the first one once"
    await annul(exchange, await terms_of(exchange, 3), 3, replace(gone[0], reservation=76))
    await engine.run(DealDecline("B.H", 5))
    await exchange.post()
    assert await holders(exchange) == ["A.H", "B.H", "A.H"]
    assert await states(exchange) == ["MOVED"] * 4 + ["ENDED", "MOVED"]
    assert await find_breaks(exchange) == ()
    assert await do(exchange, own_stock.differences) == []


async def test_numbers_that_are_given_again_after_a_backup_do_not_mix_up_reservations(
    exchange: SmallExchange,
) -> None:
    """The journal has the commands in another order than their reservations were made; all were made since the backup.

    So the numbers that settlement gives now are those of other events to come: of sales, a purchase and annulments.
    """
    engine = exchange.engine_runner
    gone = [LotsFound((lot,), LOT_MG, number, FAR) for lot, number in ((1, 2), (2, 1), (3, 1))]
    await engine.run(sale(gone[0]), sale(gone[1], "d2"), purchase(3), DealAccept("A.H", 3, gone[2]))
    await exchange.post()
    assert (await states(exchange), await locked(exchange)) == (["OPEN", "OPEN", "MOVED"], [1, 2])
    await engine.run(DealAccept("B.H", 2), DealDecline("B.H", 1))
    await exchange.post()
    assert await holders(exchange) == ["A.H", "B.H", "B.H"]
    assert (await states(exchange), await locked(exchange)) == (["ENDED", "MOVED", "MOVED"], [])
    for trade_id, lot, number in ((1, 3, 2), (2, 2, 4)):
        await annul(exchange, await terms_of(exchange, trade_id), trade_id, LotsFound((lot,), LOT_MG, number, FAR))
    assert await holders(exchange) == ["A.H"] * 3
    assert await find_breaks(exchange) == ()
    assert await do(exchange, own_stock.differences) == []
