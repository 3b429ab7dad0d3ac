"""Titles and locks that differ from their history are found: by a comparison of all, and by that of a close."""

from sqlalchemy import text

from settlement.reconciliation import since, titles
from settlement.reconciliation.histories import Facts
from tests.settlement.named_lots.deals import keep, move, sell
from tests.settlement.small_exchange import SmallExchange, do, find_breaks, rewrite

DAMAGES = {
    "receipt:1 holder": "UPDATE receipt SET account = 'C.H' WHERE receipt_no = 1",
    "receipt:1 trade": "UPDATE receipt SET issued_to = NULL, trade_id = NULL WHERE receipt_no = 1",
    "lot_reservation:1 own stock": "UPDATE lot_reservation SET deposited_mg = 1 WHERE reservation_no = 1",
    "lot_reservation:2 lot:2": "UPDATE lot_lock SET lifted_at = 1, lifted_by = 'x' WHERE lot_id = 2",
    "lot_reservation:3 state": "UPDATE lot_reservation SET status = 'RELEASED' WHERE reservation_no = 3",
    "lot_reservation:3 lot:3": "UPDATE lot_lock SET reason = reason WHERE lot_id = 3",
}
"""By what is found: the damage. The last two are one: a reservation that has ended, while its lock lies on."""


async def test_titles_and_locks_that_differ_from_their_history_are_breaks(exchange: SmallExchange) -> None:
    await sell(exchange, 1)
    for number in (2, 3):
        await keep(exchange, move(number))
    for damage in DAMAGES.values():
        await rewrite(exchange, damage)
    assert {found.subject for found in await find_breaks(exchange)} >= DAMAGES.keys()


DAMAGES_SINCE = {
    "receipt:1 holder": "UPDATE receipt SET account = 'B.H' WHERE receipt_no = 1",
    "receipt:1 trade": "UPDATE receipt SET issued_to = NULL, trade_id = NULL WHERE receipt_no = 1",
    "lot_reservation:1 own stock": "UPDATE lot_reservation SET deposited_mg = 1 WHERE reservation_no = 1",
    "lot_reservation:4 own stock": "UPDATE receipt SET fine_mg = fine_mg + 1 WHERE receipt_no = 2",
    "lot_reservation:2 lot:3": "UPDATE lot_lock SET lifted_at = 1, lifted_by = 'x' WHERE lot_id = 3",
    "nothing": "UPDATE receipt SET reason = 'seen' WHERE receipt_no = 2",
}
"""By what is found; the last one changes nothing that a title depends on."""


async def test_a_close_compares_the_titles_that_were_written_since_its_proof(exchange: SmallExchange) -> None:
    """The last trade is of two lots, of which the seller had bought one back and never sold the other."""
    await exchange.pay_in("A.H", 10_000_000_000, "bank-a")
    await sell(exchange, 1)
    await keep(exchange, move(3))
    await sell(exchange, 1, seller="B.H", buyer="A.H")
    await sell(exchange, 1, 2, buyer="C.H")
    at = await do(exchange, since.marks)

    async def found(damage: str | None = None) -> tuple[Facts, Facts]:
        """Return what all titles, and those written since, compare to."""
        async with exchange.engine.connect() as connection:
            if damage is not None:
                await connection.execute(text("SET LOCAL session_replication_role = origin"))
                await connection.execute(text(damage))
            whole, close = Facts(), Facts()
            written = await since.read(connection, 0, 0, at)
            assert written is not None
            await titles.compare(connection, whole)
            await titles.compare(connection, close, written)
            await connection.rollback()
        return whole, close

    whole, close = await found()
    assert (whole.breaks, close.breaks) == ([], [])
    assert (whole.checked, close.checked) == (8, 1), "the lock for the deal that is open is always compared"
    for subject, damage in DAMAGES_SINCE.items():
        whole, close = await found(damage)
        assert close.breaks == whole.breaks, damage
        assert [one.subject for one in whole.breaks] == ([] if subject == "nothing" else [subject]), damage
