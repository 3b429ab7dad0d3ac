"""Proposals of one operator in the market that no second one has confirmed yet, as the engine's events have them.

A far reference price, terms that take two people, the annulment of a trade, the end of a trading day ahead of the
calendar, a legal regime, limits of a member that are raised: each is in force when a second person sends the same
command, and lapses with the trading day. The engine alone decides. This is what it has pending, so that the second
person learns of it; nothing here follows from it. What is pending while the tables are migrated to have it is not known
until it is proposed again.
"""

import json
import shlex
from collections.abc import Mapping
from datetime import date
from typing import Any, Final, NamedTuple

from sqlalchemy import Row, delete, select, tuple_
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from goldx.protocol.commands import InstrumentDefine, MarketEndDay, MarketSetReference, TradeBust
from goldx.protocol.events import (
    AnyEvent,
    DayEndProposed,
    InstrumentDefined,
    InstrumentProposed,
    ReferenceChanged,
    ReferenceProposed,
    TradeBusted,
    TradeBustProposed,
)
from goldx.protocol.limit_commands import LimitsSet
from goldx.protocol.limit_events import LimitsChanged, LimitsProposed
from goldx.protocol.regime_commands import VenueSetRegime
from goldx.protocol.regime_events import RegimeChanged, RegimeProposed
from goldx.protocol.terms import REGIMES
from goldx.protocol.units import format_price
from goldx.protocol.wire import CODECS, read_command, write_command
from settlement.base import trading_days
from settlement.base.paging import ALL, Page, PageRequest, fetch
from settlement.tables.base import audit_log
from settlement.tables.ledger import market_proposal

MARKET: Final = "market"
"""The subject of what concerns no instrument and no trade."""
DAY_END: Final = MarketEndDay.method
PROPOSED: Final = (
    ReferenceProposed,
    InstrumentProposed,
    TradeBustProposed,
    DayEndProposed,
    RegimeProposed,
    LimitsProposed,
)
ENDING: Final = (ReferenceChanged, InstrumentDefined, TradeBusted, RegimeChanged, LimitsChanged)
"""The events that end a proposal, besides the end of the trading day, which ends all."""

SENT_WITHIN_MS: Final = 60_000
"""How long before its event a command may have been recorded by its gateway."""
CLOCKS_MS: Final = 1_000
"""How much later than the event the gateway's clock may have recorded the command."""

Key = tuple[str, str]
"""The method of the command, and its instrument, its trade, its member or MEMBER/ACCOUNT, or MARKET."""
Changes = dict[Key, AnyEvent | None]
"""By key the newest proposal, or None if what was proposed has ended."""


class MarketProposal(NamedTuple):
    """A proposal that waits for a second person.

    ``does``: what happens when it is confirmed, as a sentence. ``params``: those of the command that confirms it, in
    the member protocol's form; None while the audit log does not have the command yet. ``lapses`` is the trading day
    with whose end the proposal is void.
    """

    number: int
    method: str
    subject: str
    proposed_by: str
    proposed_at: int
    does: str
    params: dict[str, Any] | None
    lapses: date

    @property
    def command(self) -> str:
        """The command of a second operator that confirms it, as it is typed."""
        params = "PARAMS" if self.params is None else shlex.quote(json.dumps(self.params, ensure_ascii=False))
        return f"goldx operator {self.method} {params} --key FILE --reason TEXT"


def key_of(event: AnyEvent) -> Key:
    """Return which proposal an event makes or ends."""
    if isinstance(event, ReferenceProposed | ReferenceChanged):
        return MarketSetReference.method, event.symbol
    if isinstance(event, InstrumentProposed | InstrumentDefined):
        return InstrumentDefine.method, event.symbol
    if isinstance(event, TradeBustProposed | TradeBusted):
        return TradeBust.method, str(event.trade_id)
    if isinstance(event, LimitsProposed | LimitsChanged):
        return LimitsSet.method, event.member if event.account is None else f"{event.member}/{event.account}"
    return (DAY_END if isinstance(event, DayEndProposed) else VenueSetRegime.method), MARKET


def note(changes: Changes, event: AnyEvent) -> None:
    """Add an event of PROPOSED or ENDING to the changes of a batch."""
    changes[key_of(event)] = event if isinstance(event, PROPOSED) else None


async def record(connection: AsyncConnection, changes: Mapping[Key, AnyEvent | None], *, day_ended: bool) -> None:
    """Write the changes of a batch; ``day_ended``: its last event has ended the trading day."""
    if day_ended:
        await connection.execute(delete(market_proposal))
        return
    if changes:
        columns = market_proposal.c
        await connection.execute(delete(market_proposal).where(tuple_(columns.method, columns.subject).in_(changes)))
    rows = [_row(key, event) for key, event in changes.items() if event is not None]
    if rows:
        await connection.execute(insert(market_proposal), rows)


def _row(key: Key, event: Any) -> dict[str, Any]:
    does, params = _meaning(event)
    return {
        "number": event.sequence,
        "method": key[0],
        "subject": key[1],
        "proposed_by": event.by,
        "proposed_at": event.at,
        "does": does,
        "params": None if params is None else json.dumps(params, ensure_ascii=False),
    }


def _meaning(event: Any) -> tuple[str, dict[str, Any] | None]:
    """Return what a confirmation does, and the parameters of its command; None where the event does not have them."""
    if isinstance(event, ReferenceProposed):
        does = f"the reference price of {event.symbol} becomes {format_price(event.price)} CNY per fine gram"
        return does, _params(MarketSetReference(event.symbol, event.price))
    if isinstance(event, InstrumentProposed):
        return f"{event.symbol} has other terms: {', '.join(event.terms)}", None
    if isinstance(event, TradeBustProposed):
        does = f"trade {event.trade_id} of {event.symbol} is annulled: {event.reason}"
        return does, _params(TradeBust(event.trade_id, event.reason))
    if isinstance(event, DayEndProposed):
        does = f"the trading day ends, and the next one is {event.next_trading_day}"
        return does, _params(MarketEndDay(event.next_trading_day))
    if isinstance(event, LimitsProposed):
        limits = {name: getattr(event, name) for name in LimitsSet.__struct_fields__ if name != "by"}
        whose = f"account {event.account}" if event.account else f"member {event.member}"
        return f"the limits of {whose} are raised or taken away: {event.reason}", _params(LimitsSet(**limits))
    names = (name for name in VenueSetRegime.__struct_fields__ if name != "by")
    regime = VenueSetRegime(**{name: getattr(event, name) for name in names})
    document = " ".join(text for text in (event.document_name, event.document_number) if text)
    does = f"the legal regime of the venue becomes {REGIMES[event.regime]}"
    return f"{does} by {document}" if document else does, _params(regime)


def _params(command: Any) -> dict[str, Any]:
    params: dict[str, Any] = write_command(command)["params"]
    return params


async def listing(connection: AsyncConnection, page: PageRequest = ALL) -> Page[MarketProposal]:
    """Return what waits for a second operator, oldest first."""
    day = await trading_days.present(connection)
    rows = await fetch(connection, select(market_proposal), (market_proposal.c.number,), page)
    return Page([await _pending(connection, row, day) for row in rows], rows.next)


async def _pending(connection: AsyncConnection, row: Row[Any], day: date) -> MarketProposal:
    params = await _as_sent(connection, row) if row.params is None else json.loads(row.params)
    about = (row.number, row.method, row.subject, row.proposed_by, row.proposed_at, row.does)
    return MarketProposal(*about, params, day)


async def _as_sent(connection: AsyncConnection, row: Row[Any]) -> dict[str, Any] | None:
    """Return the terms that were proposed, which the event does not have: the person's last such command before it.

    It is in the audit log as soon as settlement has read the acts of the gateways; an older or a later command is
    another one.
    """
    columns = audit_log.c
    query = select(columns.detail).where(columns.subject == row.subject, columns.action == row.method)
    query = query.where(columns.actor == row.proposed_by).order_by(columns.number.desc())
    acts = [json.loads(detail) for detail in (await connection.execute(query)).scalars()]
    first, last = row.proposed_at - SENT_WITHIN_MS, row.proposed_at + CLOCKS_MS
    found = next((act["params"] for act in acts if first <= act.get("at", 0) <= last), None)
    if found is None:
        return None
    sent: Any = read_command(row.method, found)
    terms = {name: getattr(sent, name) for name in sent.given or ()}
    return {
        "symbol": sent.symbol,
        **{name: None if value is None else CODECS[name].write(value) for name, value in terms.items()},
    }
