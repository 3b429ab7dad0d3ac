"""A market whose members get limits, and what tests ask about it."""

from typing import Any

from goldx.protocol import commands, terms
from goldx.protocol.commands import AnyCommand, OrderPlace
from goldx.protocol.events import AnyEvent, CommandRejected, OrderCancelled, OrderRejected
from goldx.protocol.limit_commands import LimitsSet
from matching.core.engine import Engine
from tests.matching.core.driving import apply

GRAM = 1_000
YUAN = 100
NOON = 1_000_000
BUY, SELL = terms.BUY, terms.SELL


def market(**definition: Any) -> Engine:
    """Return a market in AU with the accounts a and a2 of MA, b of MB and c of MC: 1,000,000 CNY and 10 kg each."""
    engine = Engine()
    apply(engine, 0, commands.InstrumentDefine("AU", **definition))
    for account, member in (("a", "MA"), ("a2", "MA"), ("b", "MB"), ("c", "MC")):
        apply(engine, 0, commands.AccountOpen(account, member))
        apply(engine, 0, commands.HoldingAdjust(account, "CNY", 1_000_000 * YUAN, f"{account}-cash"))
        apply(engine, 0, commands.HoldingAdjust(account, "AU", 10_000 * GRAM, f"{account}-gold"))
    apply(engine, 0, commands.MarketSetPhase("AU", terms.CONTINUOUS))
    return engine


def limit(engine: Engine, member: str = "MA", account: str | None = None, by: str = "ann", **limits: Any) -> AnyEvent:
    """Set limits and return the last event."""
    return apply(engine, NOON, LimitsSet(member, "a limit", account, by=by, **limits))[-1]


def limited(account: str | None = None, *, engine: Engine | None = None, **limits: Any) -> Engine:
    """Return a market in which MA, or one of its accounts, has limits."""
    engine = engine or market()
    limit(engine, "MA", account, **limits)
    return engine


def order(name: str, side: int, grams: int, yuan: int | None, account: str = "a", **more: Any) -> OrderPlace:
    kind = terms.MARKET if yuan is None else terms.LIMIT
    return OrderPlace(account, name, "AU", side, kind, grams * GRAM, None if yuan is None else yuan * YUAN, **more)


def send(engine: Engine, *sent: AnyCommand, at: int = NOON) -> list[AnyEvent]:
    """Apply commands and return the events of the last one."""
    found: list[AnyEvent] = []
    for command in sent:
        found = apply(engine, at, command)
    return found


def refusal(engine: Engine, *sent: AnyCommand, at: int = NOON) -> str:
    """Apply commands and return why the last one was refused for a limit, or an empty text if it was not refused."""
    for event in send(engine, *sent, at=at):
        if isinstance(event, OrderCancelled) and event.reason == "MEMBER_LIMIT":
            return event.detail or ""
        if isinstance(event, OrderRejected | CommandRejected):
            assert event.reason == "MEMBER_LIMIT", event
            return event.detail or ""
    return ""
