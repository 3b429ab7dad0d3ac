"""A market with requests for quotes, and what tests ask about it."""

from typing import Any

from goldx.protocol import commands, terms
from goldx.protocol.commands import HoldingAdjust
from goldx.protocol.events import AnyEvent, CommandRejected, Trade
from goldx.protocol.rfq_commands import RfqAccept, RfqCreate, RfqQuote
from goldx.protocol.rfq_events import RfqCreated, RfqEnded, RfqQuoted, RfqQuoteDone, RfqQuoteEnded
from matching.core.engine import Engine
from tests.matching.core.driving import apply
from tests.matching.core.test_state import LOT

CASH = 10**9
"""The fen, and the mg of AU, that each account has."""
NOON, GRACE, END = 1_000_000, 5_000, 1_060_000
SEEN = NOON + GRACE
FIRM = SEEN + terms.RFQ_FIRM_MS
"""Until then quotes of the grace are firm."""
PRICE = 60_000
SELL, BUY = terms.SELL, terms.BUY


def market(**definition: Any) -> Engine:
    """Return a market with ann, who asks, and with bob, cid, dan and eve."""
    engine = Engine()
    apply(engine, 0, commands.InstrumentDefine("AU", **definition))
    for account in ("ann", "bob", "cid", "dan", "eve"):
        apply(engine, 0, commands.AccountOpen(account, f"M-{account}"))
        apply(engine, 0, HoldingAdjust(account, "CNY", CASH, f"{account}-cash"))
        apply(engine, 0, HoldingAdjust(account, "AU", CASH, f"{account}-gold"))
    apply(engine, 0, commands.MarketSetPhase("AU", terms.CONTINUOUS))
    return engine


def ask(side: int = BUY, grams: int = 10, **changed: Any) -> RfqCreate:
    what: dict[str, Any] = {"account": "ann", "client_rfq_id": "r1", "symbol": "AU", "expire_at": END}
    return RfqCreate(**({"side": side, "quantity": grams * LOT} | what | changed))


def bid(account: str, price: int, grams: int = 10, *, whole: bool = False, session: str = "") -> RfqQuote:
    """Return a quote in request 1, at a price in CNY a gram."""
    return RfqQuote(account, 1, price * 100, grams * LOT, whole, session)


def take(price: int = 700, grams: int | None = None) -> RfqAccept:
    return RfqAccept("ann", 1, price * 100, None if grams is None else grams * LOT)


def asked(side: int = BUY, *quotes: RfqQuote, engine: Engine | None = None, **changed: Any) -> Engine:
    """Return a market in which ann has asked at noon, and these quotes were given at once."""
    engine = engine or market()
    first, *_ = apply(engine, NOON, ask(side, **changed))
    assert isinstance(first, RfqCreated), first
    for quote in quotes:
        given, *_ = apply(engine, NOON, quote)
        assert isinstance(given, RfqQuoted), given
    return engine


def reason(found: list[AnyEvent]) -> str:
    last = found[-1]
    return last.reason if isinstance(last, CommandRejected) else ""


def ended(found: list[AnyEvent]) -> dict[str, str]:
    """Return by account why a request or a quote has ended."""
    return {event.account: event.reason for event in found if isinstance(event, RfqEnded | RfqQuoteEnded)}


def reserved(engine: Engine) -> dict[tuple[str, str], int]:
    accounts = engine.state.accounts.values()
    return {(a.name, asset): b.reserved for a in accounts for asset, b in a.balances.items() if b.reserved}


def totals(engine: Engine) -> dict[tuple[str, str], int]:
    return {(a.name, asset): b.total for a in engine.state.accounts.values() for asset, b in a.balances.items()}


def fills(found: list[AnyEvent]) -> list[tuple[str, int, int]]:
    """Return (quoter, price in CNY, grams) of the quotes that were done, and check that their trades follow."""
    done = [event for event in found if isinstance(event, RfqQuoteDone)]
    trades = [event for event in found if isinstance(event, Trade)]
    assert [event.trade_id for event in done] == [trade.trade_id for trade in trades]
    assert [(e.price, e.quantity) for e in done] == [(trade.price, trade.quantity) for trade in trades]
    return [(event.account, event.price // 100, event.quantity // LOT) for event in done]
