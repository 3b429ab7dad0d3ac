"""The legal regime: how it is set, what it refuses, its caps, what it locks, and the limit of holders."""

from typing import Any

import msgspec
import pytest

from goldx.protocol import commands, events, terms
from goldx.protocol.commands import AnyCommand
from goldx.protocol.regime_commands import VenueSetRegime
from goldx.protocol.regime_events import RegimeChanged
from matching.core import plain, regime
from matching.core.engine import Engine
from matching.core.holders import clients
from tests.matching.core.driving import apply, command_tuple
from tests.matching.core.flows_of_regimes import regime_command
from tests.matching.core.test_decisions import reasons
from tests.matching.core.test_stories import LOT, market
from tests.matching.core.validator import validate

NEGOTIATED, SANDBOX, APPROVED, WIND_DOWN = terms.NEGOTIATED, terms.SANDBOX, terms.APPROVED, terms.WIND_DOWN
CAPS: dict[str, Any] = {
    "max_clients": 10,
    "max_day_value": 10_000,
    "max_total_value": 15_000,
    "last_trading_day": "2026-12-31",
}
BOOK = (terms.ORDER_BOOK, terms.CALL_AUCTION, terms.ANONYMITY, terms.MARKET_MAKING)
FREE = (terms.NEGOTIATED_DEAL, terms.DISCLOSED_REQUEST, terms.PRICE_LIST, terms.LOT_AUCTION)


def place(
    account: str, name: str, side: int, price: int | None, quantity: int = LOT, **more: Any
) -> commands.OrderPlace:
    """Return an order in X; one without a price is a market order."""
    kind = terms.MARKET if price is None else terms.LIMIT
    return commands.OrderPlace(account, name, "X", side, kind, quantity, price, **more)


def under(engine: Engine, kind: int, **more: Any) -> list[events.AnyEvent]:
    """Set a regime by two persons and return the events of the second command."""
    if kind == SANDBOX:
        more = CAPS | more
    first = apply(engine, 2, regime_command(kind, "ada", **more))
    assert [event.event for event in first] == ["regime.proposed"]
    found = apply(engine, 2, regime_command(kind, "ben", **more))
    assert found[0].event == "regime.changed"
    validate(engine)
    return found


def detail(engine: Engine, command: AnyCommand) -> str:
    """Return the reason and the detail of a refusal."""
    (refused,) = apply(engine, 3, command)
    assert isinstance(refused, events.OrderRejected | events.CommandRejected)
    return f"{refused.reason} {refused.detail}"


# How it is set


def test_two_persons_set_a_regime_with_the_same_terms() -> None:
    engine = market()
    ask = regime_command(APPROVED, "ada")
    other = msgspec.structs.replace(ask, document_number="2026-2", by="ben")
    for command in (ask, ask, other, msgspec.structs.replace(ask, by="eve"), other):
        assert [event.event for event in apply(engine, 2, command)] == ["regime.proposed"]
        engine = Engine.restore(engine.snapshot())
    (changed,) = apply(engine, 2, msgspec.structs.replace(other, by="ada"))
    assert isinstance(changed, RegimeChanged)
    assert (changed.document_number, changed.by, changed.proposed_by) == ("2026-2", "ada", "ben")
    assert detail(engine, other) == "BAD_VALUE it is in force already"


def test_a_proposal_ends_with_the_trading_day() -> None:
    engine = market()
    assert reasons(engine, regime_command(APPROVED, "ada"), commands.MarketEndDay("2026-11-24")) == ["", ""]
    assert apply(engine, 3, regime_command(APPROVED, "ben"))[0].event == "regime.proposed"


def test_negotiated_holds_at_once_as_the_very_first_command_alone() -> None:
    engine = Engine()
    (first,) = apply(engine, 1, VenueSetRegime(NEGOTIATED, by="goldx serve"))
    assert isinstance(first, RegimeChanged)
    assert (first.by, first.proposed_by, first.document_name) == ("goldx serve", None, "")
    for begun, command in ((market(), VenueSetRegime(NEGOTIATED)), (Engine(), regime_command(APPROVED, ""))):
        assert apply(begun, 1, command)[0].event == "regime.proposed"


def test_before_any_regime_nothing_is_refused() -> None:
    engine = market()
    assert [regime.refuses(engine.state, mode) for mode in (*BOOK, *FREE)] == [""] * 8
    assert engine.state.regime is None
    assert b"regime" not in engine.snapshot()


@pytest.mark.parametrize(
    ("kind", "more", "named"),
    [
        (APPROVED, {"document_name": " "}, "document_name"),
        (APPROVED, {"document_number": ""}, "document_number"),
        (WIND_DOWN, {"document_date": "2026-11-31"}, "document_date"),
        (WIND_DOWN, {"document_date": "20261120"}, "document_date"),
        (SANDBOX, CAPS | {"document_sha256": "ab" * 31}, "document_sha256"),
        (APPROVED, {"document_sha256": "AB" * 32}, "document_sha256"),
        (NEGOTIATED, {"document_sha256": "ab"}, "document_sha256"),
        (SANDBOX, CAPS | {"max_clients": None}, "a sandbox has all four"),
        (SANDBOX, CAPS | {"last_trading_day": None}, "a sandbox has all four"),
        (SANDBOX, CAPS | {"max_total_value": 0}, "1 or more"),
        (SANDBOX, CAPS | {"last_trading_day": "soon"}, "last_trading_day"),
        (SANDBOX, CAPS | {"max_clients": 2}, "max_clients: there are 3 clients already"),
        (APPROVED, {"max_day_value": 5}, "for SANDBOX alone"),
        (NEGOTIATED, {"last_trading_day": "2026-12-31"}, "for SANDBOX alone"),
        (APPROVED, {"buyers": ("mA",)}, "for WIND_DOWN alone"),
        (WIND_DOWN, {"buyers": ("nobody",)}, "there is no member nobody"),
        (APPROVED, {"min_hold_trading_days": 251}, "min_hold_trading_days"),
        (4, {}, "regime: one of NEGOTIATED"),
    ],
)
def test_terms_that_do_not_fit_are_refused(kind: int, more: dict[str, Any], named: str) -> None:
    engine = market()
    command = msgspec.structs.replace(regime_command(kind, "ada"), **more)
    found = detail(engine, command)
    assert found.startswith("BAD_VALUE")
    assert named in found
    assert engine.state.regime is None
    assert engine.state.proposed_regime is None


def test_a_proposed_regime_is_in_the_snapshot_and_no_instrument_takes_its_place() -> None:
    engine = market()
    apply(engine, 2, regime_command(APPROVED, "ada"))
    apply(engine, 2, commands.InstrumentDefine("/regime"))
    restored = Engine.restore(engine.snapshot())
    assert restored.digest() == engine.digest()
    for core in (engine, restored):
        (changed, *_) = apply(core, 2, regime_command(APPROVED, "ben"))
        assert isinstance(changed, RegimeChanged)
        assert (changed.proposed_by, changed.by) == ("ada", "ben")


# What it refuses


@pytest.mark.parametrize("kind", [NEGOTIATED, WIND_DOWN])
def test_a_narrower_regime_cancels_all_orders_in_their_order_and_closes_without_an_uncross(kind: int) -> None:
    engine = market()
    apply(engine, 2, commands.QuoteSet("C", "q", "X", 90, LOT, 110, LOT))
    apply(engine, 2, place("A", "stop", terms.BUY, 120, stop_price=115))
    apply(engine, 2, commands.MarketSetPhase("X", terms.AUCTION))
    apply(engine, 2, place("A", "a", terms.BUY, 100))
    apply(engine, 2, place("B", "b", terms.SELL, 95))
    found = under(engine, kind)
    names = [event.client_order_id for event in found if isinstance(event, events.OrderCancelled)]
    assert names == ["q/bid", "q/ask", "stop", "a", "b"]
    assert {event.reason for event in found if isinstance(event, events.OrderCancelled)} == {"REGIME"}
    assert [event.phase for event in found if isinstance(event, events.PhaseChanged)] == [terms.CLOSED]
    assert not any(isinstance(event, events.Trade) for event in found)
    assert all(b.reserved == 0 for account in engine.state.accounts.values() for b in account.balances.values())


def test_an_interruption_that_a_regime_ends_does_not_open_again() -> None:
    engine = market(dynamic_band_percent=1, reference_price=100, interruption_ms=1_000)
    apply(engine, 2, place("A", "a", terms.SELL, 110))
    found = apply(engine, 2, place("B", "b", terms.BUY, 110))
    assert events.PhaseChanged in map(type, found)
    under(engine, NEGOTIATED)
    assert apply(engine, 5_000, commands.ClockTick()) == []
    assert engine.state.instruments["X"].phase == terms.CLOSED


@pytest.mark.parametrize(
    ("kind", "needed"),
    [(NEGOTIATED, "NEGOTIATED does not allow it; it needs SANDBOX or APPROVED"), (WIND_DOWN, "nothing new begins")],
)
def test_the_book_and_all_that_goes_with_it_is_refused(kind: int, needed: str) -> None:
    engine = market()
    under(engine, kind)
    assert all(needed in regime.refuses(engine.state, mode) for mode in BOOK)
    assert [regime.refuses(engine.state, mode) for mode in FREE] == [""] * 4
    tried: list[AnyCommand] = [
        place("A", "a", terms.BUY, 100),
        place("A", "a", terms.SELL, None),
        commands.QuoteSet("C", "q", "X", 90, LOT, 110, LOT),
        *(commands.MarketSetPhase("X", phase) for phase in (terms.PRE_OPEN, terms.AUCTION, terms.CONTINUOUS)),
        commands.TimetableStep("X", terms.CONTINUOUS, 3, 9),
    ]
    for command in tried:
        found = detail(engine, command)
        assert found.startswith("REGIME"), command
        assert needed in found
    allowed: list[AnyCommand] = [commands.MarketSetPhase("X", terms.HALTED), commands.MarketSetPhase("X", terms.CLOSED)]
    cancels: list[AnyCommand] = [commands.OrderCancel("A", 1), commands.OrderCancelAll("A")]
    assert reasons(engine, *allowed, cancels[0]) == ["", "", "UNKNOWN_ORDER"]
    assert apply(engine, 3, cancels[1]) == []


def test_approved_allows_everything_and_leaves_the_fast_path_alone() -> None:
    engine = market()
    under(engine, APPROVED)
    assert [regime.refuses(engine.state, mode) for mode in (*BOOK, *FREE)] == [""] * 8
    assert plain.place(engine.state, command_tuple(place("A", "a", terms.BUY, 100))) is not None
    assert not engine.state.instruments["X"].guarded


# Caps


def trade(engine: Engine, number: int, quantity: int) -> list[events.AnyEvent]:
    """Let A sell to B at 100 fen a gram."""
    apply(engine, 3, place("A", f"s{number}", terms.SELL, 100, quantity))
    return apply(engine, 3, place("B", f"b{number}", terms.BUY, 100, quantity))


def test_an_order_beyond_a_cap_is_refused_by_the_cap() -> None:
    engine = market()
    under(engine, SANDBOX)
    trade(engine, 1, 60 * LOT)
    assert (engine.state.day_value, engine.state.total_value) == (6_000, 6_000)
    words = "REGIME max_day_value: the sandbox allows 100.00 CNY, of which 60.00 are traded"
    assert detail(engine, place("B", "x", terms.BUY, 100, 41 * LOT)) == words
    assert reasons(engine, place("C", "y", terms.SELL, 100, 40 * LOT)) == [""]
    assert reasons(engine, place("C", "now", terms.SELL, 101, 39 * LOT, time_in_force=terms.IOC)) == [""]
    assert reasons(engine, place("C", "all", terms.SELL, 100, 40 * LOT, time_in_force=terms.IOC)) == [""]
    assert detail(engine, commands.QuoteSet("C", "q", "X", 90, LOT, 110, 40 * LOT)).startswith("REGIME max_day_value")
    assert reasons(engine, commands.OrderReplace("C", None, "y", price=101)) == ["REGIME"]
    assert reasons(engine, commands.OrderReplace("C", None, "y", quantity=30 * LOT)) == [""]


def test_the_total_goes_on_over_days_and_sandboxes_and_the_day_begins_anew() -> None:
    engine = market()
    under(engine, SANDBOX)
    trade(engine, 1, 90 * LOT)
    apply(engine, 3, commands.MarketEndDay("2026-11-24"))
    assert (engine.state.day_value, engine.state.total_value) == (0, 9_000)
    assert detail(engine, place("B", "x", terms.BUY, 100, 61 * LOT)).startswith("REGIME max_total_value")
    under(engine, APPROVED)
    trade(engine, 2, 5 * LOT)
    assert engine.state.total_value == 9_000, "outside a sandbox nothing is counted"
    under(engine, SANDBOX, document_number="2026-2")
    assert Engine.restore(engine.snapshot()).state.total_value == 9_000


def test_no_trade_goes_beyond_a_cap_whatever_the_orders_are() -> None:
    """A sell far below the bids, a market order, stops that trigger, a fill-or-kill."""
    engine = market()
    under(engine, SANDBOX, max_day_value=2_000)
    for number in range(3):
        apply(engine, 3, place("B", f"b{number}", terms.BUY, 100, 10 * LOT))
    assert detail(engine, place("A", "k", terms.SELL, 60, 30 * LOT, time_in_force=terms.FOK)) == "CANNOT_FILL None"
    found = apply(engine, 3, place("A", "low", terms.SELL, 60, 30 * LOT))
    assert [event.amount for event in found if isinstance(event, events.Trade)] == [1_000, 1_000]
    (cancelled,) = [event for event in found if isinstance(event, events.OrderCancelled)]
    assert (cancelled.client_order_id, cancelled.remaining, cancelled.reason) == ("low", 10 * LOT, "REGIME")
    validate(engine)
    assert reasons(engine, place("A", "m", terms.SELL, None)) == ["REGIME"]
    assert reasons(engine, commands.OrderCancel("B", None, "b2")) == [""]


def test_an_uncross_stops_at_a_cap_and_leaves_no_crossed_book() -> None:
    engine = market()
    apply(engine, 2, commands.MarketSetPhase("X", terms.AUCTION))
    under(engine, SANDBOX, max_day_value=1_500)
    for number in range(2):
        apply(engine, 3, place("A", f"s{number}", terms.SELL, 100, 10 * LOT))
        apply(engine, 3, place("B", f"b{number}", terms.BUY, 100, 10 * LOT))
    found = apply(engine, 3, commands.MarketSetPhase("X", terms.CONTINUOUS))
    assert [event.amount for event in found if isinstance(event, events.Trade)] == [1_000]
    assert [event.client_order_id for event in found if isinstance(event, events.OrderCancelled)] == ["b1"]
    assert engine.state.day_value == 1_000
    validate(engine)


def test_the_fast_path_serves_a_sandbox_and_counts_as_the_general_one() -> None:
    fast, general = market(), market()
    general.fast = False
    for engine in (fast, general):
        under(engine, SANDBOX)
        before = engine.state.general_commands
        for number in range(4):
            trade(engine, number, 20 * LOT)
        assert (engine.state.general_commands == before) is engine.fast
        assert reasons(engine, place("B", "x", terms.BUY, 100, 30 * LOT)) == ["REGIME"]
    assert fast.digest() == general.digest()
    assert fast.state.day_value == 8_000


def test_clients_are_persons_and_a_further_account_of_one_is_none() -> None:
    engine = market()
    under(engine, SANDBOX, max_clients=4)
    assert list(clients(engine.state)) == ["one", "B", "C"]
    opened: list[AnyCommand] = [
        commands.AccountOpen("B.PLEDGE", "CUSTODY", owner="B"),
        commands.AccountOpen("D", "m4", owner="doe"),
        commands.AccountOpen("E", "m5"),
        commands.AccountOpen("D2", "m4", owner="doe"),
        commands.AccountOpen("D.HOLD", "CUSTODY", owner="D"),
        commands.AccountRetire("D"),
        commands.AccountRetire("D2"),
        commands.AccountRetire("D.HOLD"),
        commands.AccountOpen("E", "m5"),
    ]
    assert reasons(engine, *opened) == ["", "", "REGIME", "", "", "", "", "", ""]


def test_a_sandbox_lapses_with_its_last_trading_day() -> None:
    engine = market()
    under(engine, SANDBOX, last_trading_day="2026-11-25")
    apply(engine, 3, commands.MarketEndDay("2026-11-25"))
    apply(engine, 3, place("A", "a", terms.BUY, 100))
    found = apply(engine, 3, commands.MarketEndDay("2026-11-26"))
    assert [event.event for event in found][:3] == ["day.ended", "order.cancelled", "phase.changed"]
    words = "order_book: the sandbox ended with trading day 2026-11-25; it needs a new one, or APPROVED"
    assert detail(engine, place("A", "b", terms.BUY, 100)) == f"REGIME {words}"
    assert detail(engine, commands.MarketSetPhase("X", terms.CONTINUOUS)) == f"REGIME {words}"
    assert regime.refuses(engine.state, terms.NEGOTIATED_DEAL) == ""
    validate(engine)
    late = regime_command(SANDBOX, "ada", **(CAPS | {"last_trading_day": "2026-11-25"}), document_number="2")
    assert detail(engine, late) == "BAD_VALUE last_trading_day: not before 2026-11-26"


# Winding down


def test_in_wind_down_money_and_metal_only_leave() -> None:
    engine = market()
    under(engine, WIND_DOWN, buyers=("mB",))
    adjust, settle, leg = commands.HoldingAdjust, commands.HoldingSettle, commands.Leg
    refused: list[AnyCommand] = [
        adjust("A", "CNY", 5, "r1", deposit=True),
        adjust("A", "X", LOT, "r2", deposit=True),
        settle("r3", (leg("A", "X", LOT), leg("A", "CNY", -5)), deposit=True),
        commands.AccountOpen("N", "m1"),
        commands.InstrumentDefine("NEW"),
    ]
    for command in refused:
        assert "in WIND_DOWN positions are only closed" in detail(engine, command)
    allowed: list[AnyCommand] = [
        adjust("A", "CNY", -5, "r1"),
        adjust("A", "X", -LOT, "r2", deposit=True),
        adjust("A", "X", LOT, "r3"),
        settle("r4", (leg("B", "X", LOT), leg("B", "CNY", -5))),
        commands.AccountOpen("A.HOLD", "CUSTODY", owner="A"),
        commands.InstrumentDefine("X", given=("name",), name="another"),
    ]
    assert reasons(engine, *allowed) == [""] * 6
    state = engine.state
    assert regime.refuses(state, terms.NEGOTIATED_DEAL, state.accounts["B"]) == ""
    assert regime.refuses(state, terms.LOT_AUCTION, state.accounts["A"]) == "mA may not buy in WIND_DOWN; only mB"
    under(engine, WIND_DOWN)
    assert regime.refuses(engine.state, terms.PRICE_LIST, state.accounts["B"]).endswith("gold leaves by load-out")
