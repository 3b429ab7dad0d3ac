"""Deals of named lots in the core: it carries the numbers of receipts, and asks what a gateway has found."""

from typing import Any

import msgspec
import pytest

from goldx.protocol import terms
from goldx.protocol.bases import LotsFound
from goldx.protocol.commands import TradeBust
from goldx.protocol.deal_commands import DealAccept, DealPropose
from goldx.protocol.deal_events import DealAccepted, DealProposed
from goldx.protocol.events import AnyEvent, CommandRejected, Trade, TradeBusted
from matching.core.engine import Engine
from tests.matching.core.driving import apply, apply_plain, command_tuple
from tests.matching.core.test_deals import LATER, NOON, offer, reserved
from tests.matching.core.test_state import LOT, market
from tests.matching.core.trade_terms import terms_of
from tests.matching.core.validator import Conservation, validate

FINE = 885_312
"""Fine mg of two lots together: no whole number of the instrument's lots, and no whole fen at the price of a deal."""
LOTS = (17, 4)
KEPT = LotsFound(LOTS, FINE, 9, NOON + 500)
SEEN = LotsFound(LOTS, FINE, 0, NOON + 500)


def sale(**changed: Any) -> DealPropose:
    return offer(terms.SELL, **({"quantity": FINE, "lots": LOTS, "lots_found": KEPT, "price": 60_001} | changed))


def purchase(**changed: Any) -> DealPropose:
    return offer(terms.BUY, **({"quantity": FINE, "lots": LOTS, "lots_found": SEEN, "price": 60_001} | changed))


def refusal(found: list[AnyEvent]) -> tuple[str, str | None]:
    (event,) = found
    assert isinstance(event, CommandRejected), event
    return event.reason, event.detail and event.detail.partition(":")[0]


def test_a_sale_of_named_lots_carries_their_numbers_into_the_proposal_and_the_trade() -> None:
    engine = market()
    conserved = Conservation()
    proposed, *_ = apply(engine, NOON, sale())
    assert isinstance(proposed, DealProposed)
    assert (proposed.lots, proposed.lot_reservation) == (LOTS, 9)
    assert reserved(engine)["AU"] == FINE
    found = apply(engine, NOON + 9_000, DealAccept("bob", 1))  # the lots are kept as long as the proposal stands
    accepted, trade = found[:2]
    assert isinstance(accepted, DealAccepted)
    assert accepted.lot_reservation is None
    assert isinstance(trade, Trade)
    assert (trade.lots, trade.quantity, trade.amount) == (LOTS, FINE, 60_001 * FINE // 1_000)
    assert (60_001 * FINE) % 1_000, "the example has to round"
    conserved.came_in.update({"CNY": 2 * 10**9, "AU": 2 * 10**9})
    conserved.check(engine)
    validate(engine)


def test_a_purchase_of_named_lots_reserves_them_when_it_is_accepted() -> None:
    engine = market()
    proposed, *_ = apply(engine, NOON, purchase())
    assert isinstance(proposed, DealProposed)
    assert (proposed.lots, proposed.lot_reservation) == (LOTS, None)
    assert refusal(apply(engine, NOON + 1, DealAccept("bob", 1))) == ("BAD_VALUE", "lots")
    assert refusal(apply(engine, NOON + 1, DealAccept("bob", 1, SEEN))) == ("BAD_VALUE", "lots")
    others = LotsFound((17, 5), FINE, 9, LATER)
    assert refusal(apply(engine, NOON + 1, DealAccept("bob", 1, others))) == ("BAD_VALUE", "lots")
    assert refusal(apply(engine, NOON + 501, DealAccept("bob", 1, KEPT))) == ("TOO_LATE", "lots")
    late = LotsFound(LOTS, FINE, 9, NOON + 501)
    accepted, trade = apply(engine, NOON + 501, DealAccept("bob", 1, late))[:2]
    assert isinstance(accepted, DealAccepted)
    assert accepted.lot_reservation == 9
    assert isinstance(trade, Trade)
    assert trade.lots == LOTS
    validate(engine)


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        ({"lots_found": None}, ("BAD_VALUE", "lots")),
        ({"lots_found": SEEN}, ("BAD_VALUE", "lots")),
        ({"lots": (17,)}, ("BAD_VALUE", "lots")),
        ({"lots": (4, 17)}, ("BAD_VALUE", "lots")),
        ({"lots": (17, 17), "lots_found": LotsFound((17, 17), FINE, 9, LATER)}, ("BAD_VALUE", "lots")),
        ({"quantity": FINE + 1}, ("BAD_QUANTITY", "quantity")),
        ({"lots_found": LotsFound(LOTS, FINE, 9, NOON - 1)}, ("TOO_LATE", "lots")),
        ({"quantity": 9, "price": 100, "lots_found": LotsFound(LOTS, 9, 9, LATER)}, ("BAD_QUANTITY", "quantity")),
        ({"quantity": 0, "lots_found": LotsFound(LOTS, 0, 9, LATER)}, ("BAD_QUANTITY", "quantity")),
    ],
)
def test_a_proposal_whose_lots_were_not_found_so_is_refused(changed: dict[str, Any], expected: tuple[str, str]) -> None:
    engine = market()
    before = engine.snapshot()
    assert refusal(apply(engine, NOON, sale(**changed))) == expected
    # Version, time and sequence apart, nothing has changed.
    assert msgspec.msgpack.decode(engine.snapshot())[3:] == msgspec.msgpack.decode(before)[3:]


def test_a_buyers_proposal_may_not_bind_the_lots_of_another() -> None:
    assert refusal(apply(market(), NOON, purchase(lots_found=KEPT))) == ("BAD_VALUE", "lots")


def test_the_last_moment_at_which_kept_lots_are_taken() -> None:
    engine = market()
    proposed, *_ = apply(engine, KEPT.until, sale())
    assert isinstance(proposed, DealProposed)
    assert refusal(apply(engine, KEPT.until + 1, sale(client_deal_id="d2"))) == ("TOO_LATE", "lots")


def test_named_lots_come_to_at_least_a_fen() -> None:
    """The ledger has no trade for nothing: 9 mg at 1.00 a gram are no fen, 10 mg are one."""
    engine = market()
    least = LotsFound(LOTS, 10, 9, LATER)
    apply(engine, NOON, sale(quantity=10, price=100, lots_found=least))
    trade = next(event for event in apply(engine, NOON, DealAccept("bob", 1)) if isinstance(event, Trade))
    assert trade.amount == 1


def test_named_lots_weigh_no_more_than_a_deal_may() -> None:
    engine = market(max_quantity=10 * LOT)
    assert refusal(apply(engine, NOON, sale())) == ("BAD_QUANTITY", "quantity")


def test_a_deal_of_grams_has_the_bytes_that_it_had_before_lots_could_be_named() -> None:
    engine = market()
    proposed, *_ = apply_plain(engine, NOON, command_tuple(offer(terms.SELL)))
    accepted, trade, *_ = apply_plain(engine, NOON, command_tuple(DealAccept("bob", 1)))
    assert (len(proposed), len(accepted), len(trade)) == (14, 9, 18)
    assert isinstance(msgspec.convert(trade, Trade), Trade)


def test_open_deals_of_named_lots_are_in_the_snapshot() -> None:
    engine = market()
    apply(engine, NOON, sale())
    apply(engine, NOON, offer(terms.SELL, client_deal_id="d2"))
    again = Engine.restore(engine.snapshot())
    assert [deal.lots for deal in again.state.deals.values()] == [LOTS, ()]
    assert again.snapshot() == engine.snapshot()
    for number in (1, 2):
        command = command_tuple(DealAccept("bob", number))
        assert apply_plain(again, NOON + 1, command) == apply_plain(engine, NOON + 1, command)


def test_the_annulment_of_a_trade_of_named_lots_says_which_go_back() -> None:
    engine = market()
    apply(engine, NOON, sale())
    trade = next(event for event in apply(engine, NOON, DealAccept("bob", 1)) if isinstance(event, Trade))
    given = terms_of(trade, engine.state.trading_day)
    back = LotsFound(LOTS, FINE, 12, NOON + 50)
    apply(engine, NOON + 1, TradeBust(1, "wrong lots", "ada", given, back))
    late = TradeBust(1, "wrong lots", "ben", given, back)
    assert refusal(apply(engine, NOON + 51, late)) == ("TOO_LATE", "lots")
    less = LotsFound(LOTS, FINE - 1, 13, LATER)
    assert refusal(apply(engine, NOON + 51, msgspec.structs.replace(late, lots_found=less))) == (
        "BAD_QUANTITY",
        "quantity",
    )
    kept = LotsFound(LOTS, FINE, 14, NOON + 51)
    busted, *_ = apply(engine, NOON + 51, msgspec.structs.replace(late, lots_found=kept))
    assert isinstance(busted, TradeBusted)
    assert (busted.lots, busted.lot_reservation) == (LOTS, 14)
    validate(engine)
