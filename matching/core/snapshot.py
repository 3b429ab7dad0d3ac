"""The state as bytes and back: MessagePack of nested lists, in an order that the state alone determines.

What can be worked out from the rest is not written: levels, best prices, indexes, limits in force. So a snapshot cannot
disagree with itself, and restoring one is a check of what is cached.
"""

from __future__ import annotations

from heapq import heapify
from typing import Any

import msgspec

from goldx.protocol import terms
from matching.core import stops
from matching.core.book import Side
from matching.core.holdings import Account, Balance, Member
from matching.core.ids import ClientIds
from matching.core.instrument import Instrument
from matching.core.orders import Order, Special
from matching.core.state import NEVER, State

VERSION = "goldx-core-1"


def write(state: State) -> bytes:
    """The state between two commands. O(everything)."""
    instruments = [_instrument(instrument, state) for instrument in state.instruments.values()]
    members = [(member.name, member.refusal) for member in state.members.values()]
    accounts = [_account(account) for account in state.accounts.values()]
    return msgspec.msgpack.encode(
        (
            VERSION,
            *(state.now, state.sequence, state.last_order_id, state.last_trade_id),
            *(state.day, state.trading_day, state.fees_collected),
            *(list(state.references), list(state.yesterdays_references)),
            *(members, accounts, instruments),
        )
    )


def read(data: bytes) -> State:
    """Raises ValueError when the bytes are not a snapshot of this version."""
    try:
        version, *parts = msgspec.msgpack.decode(data)
    except (msgspec.DecodeError, TypeError, ValueError) as error:
        raise ValueError(f"not a snapshot: {error}") from error
    if version != VERSION:
        raise ValueError(f"snapshot of version {version!r}, this core reads {VERSION!r}")
    state = State()
    state.now, state.sequence, state.last_order_id, state.last_trade_id = parts[:4]
    state.stamp = state.now
    state.day, state.trading_day, state.fees_collected = parts[4:7]
    state.references = dict.fromkeys(parts[7])
    state.yesterdays_references = dict.fromkeys(parts[8])
    for name, refusal in parts[9]:
        state.members[name] = member = Member(name)
        member.refusal = refusal
    for fields in parts[10]:
        _read_account(state, fields)
    for fields in parts[11]:
        _read_instrument(state, fields)
    state.orders = dict(sorted(state.orders.items()))
    heapify(state.timetable)
    state.next_due = state.timetable[0][0] if state.timetable else NEVER
    return state


def _account(account: Account) -> tuple[Any, ...]:
    balances = [
        (b.asset, b.total, b.reserved, b.unwithdrawable, list((b.locks or {}).items()))
        for b in account.balances.values()
    ]
    return (
        *(account.name, account.member.name, account.kind, account.owner),
        *(balances, account.ids.items(), list(account.quotes.items())),
    )


def _read_account(state: State, fields: Any) -> None:
    name, member_name, kind, owner, balances, ids, quotes = fields
    member = state.members[member_name]
    account = Account(name, member, kind, owner)
    member.accounts.append(account)
    state.accounts[name] = account
    for asset, total, reserved, unwithdrawable, locks in balances:
        balance: Balance = account.balance(asset)
        for until_day, quantity in locks:
            balance.lock(quantity, until_day)
        balance.total = balance.published_total = total
        balance.reserved = balance.published_reserved = reserved
        balance.unwithdrawable = unwithdrawable
    account.ids = ClientIds((name, number) for name, number in ids)
    account.quotes = dict(quotes)


def _instrument(instrument: Instrument, state: State) -> tuple[Any, ...]:
    waiting = [
        _order(state.orders[number]) for queue in (instrument.buy_stops, instrument.sell_stops) for _, number in queue
    ]
    return (
        *(instrument.symbol, instrument.definition, instrument.phase, instrument.last),
        *(instrument.indicated, instrument.interrupted_until),
        *(_queue(instrument.bids), _queue(instrument.asks), waiting),
    )


def _queue(side: Side) -> list[tuple[Any, ...]]:
    """The resting orders of a side, best price first, then time."""
    found = []
    for level in side.best_first():
        order = level.head
        while order is not None:
            found.append(_order(order))
            order = order.next
    return found


def _order(order: Order) -> tuple[Any, ...]:
    special = order.special
    extra = None
    if special is not None:
        extra = (
            *(special.market, special.display, special.shown, special.stop_price, special.waiting),
            *(special.expire_at, special.post_only, special.stp, special.quote_id),
        )
    return (
        *(order.order_id, order.account.name, order.client_order_id, order.side, order.price, order.quantity),
        *(order.time_in_force, order.session, order.reserved, order.remaining, order.residue, extra),
    )


def _read_instrument(state: State, fields: Any) -> None:
    symbol, definition, phase, last, indicated, interrupted_until, bids, asks, waiting = fields
    instrument = state.instruments[symbol] = Instrument(symbol)
    instrument.define(tuple(definition))
    instrument.phase = phase
    instrument.last = last
    instrument.indicated = (indicated[0], indicated[1])
    instrument.interrupted_until = interrupted_until
    if interrupted_until:
        state.timetable.append((interrupted_until, NEVER, symbol))
    for order_fields in (*bids, *asks, *waiting):
        order = _read_order(state, instrument, order_fields)
        state.orders[order.order_id] = order
        special = order.special
        if special is not None and special.expire_at:
            state.timetable.append((special.expire_at, order.order_id, symbol))
        if special is not None and special.waiting:
            stops.wait(order)
        elif order.side == terms.BUY:
            instrument.bids.join(order)
        else:
            instrument.asks.join(order)


def _read_order(state: State, instrument: Instrument, fields: Any) -> Order:
    (
        number,
        name,
        client_order_id,
        side,
        price,
        quantity,
        time_in_force,
        session,
        reserved,
        remaining,
        residue,
        extra,
    ) = fields
    special = None
    if extra is not None:
        special = Special()
        special.market, special.display, special.shown, special.stop_price, special.waiting = extra[:5]
        special.expire_at, special.post_only, special.stp, special.quote_id = extra[5:]
    account = state.accounts[name]
    balance = account.cash if side == terms.BUY else account.balances[instrument.symbol]
    order = Order().begin(number, account, balance, client_order_id, instrument, side, price, quantity, time_in_force)
    order.session = session
    order.reserved = reserved
    order.special = special
    order.remaining = remaining
    order.residue = residue
    return order
