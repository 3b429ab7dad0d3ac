"""The state as bytes and back: MessagePack of nested lists, in an order that follows from the state alone.

Derived data is not written: levels, best prices, indexes, price limits in force. So a snapshot cannot contradict
itself, and restoring one checks everything that is cached.

Each record has a function that writes it and below it the one that reads it; both name its parts in the same order.
Parts that older versions did not know come last and are left out if empty. So a state that an older version could have
keeps the bytes, and the digest, that the older version gave it.
"""

from __future__ import annotations

from heapq import heapify
from typing import Any, Final

import msgspec

from goldx.protocol import terms
from matching.core import pending_stops, snapshot_of_claims, snapshot_of_deals, snapshot_of_limits
from matching.core.book import Side
from matching.core.holdings import Account, Balance, Member
from matching.core.ids import ClientIds
from matching.core.instrument import Definition, Instrument
from matching.core.open_quotes import slot
from matching.core.orders import Order, Special
from matching.core.protection_limits import Protection
from matching.core.regime_terms import Regime
from matching.core.snapshot_parts import NewerAccount, NewerInstrument, NewerMember, NewerSpecial, NewerState
from matching.core.state import NO_ORDER, Due, State

VERSION: Final = "goldx-core-1"


def write(state: State) -> bytes:
    """Return the state between two commands as bytes. O(size of the state)."""
    written: tuple[Any, ...] = (
        VERSION,
        state.now,
        state.sequence,
        state.last_order_id,
        state.last_trade_id,
        state.day,
        state.trading_day,
        state.fees_collected,
        list(state.references),
        list(state.previous_references),
        [_write_member(member) for member in state.members.values()],
        [_write_account(account) for account in state.accounts.values()],
        [_write_instrument(instrument, state) for instrument in state.instruments.values()],
    )
    waiting = [(number, list(members)) for number, members in state.notices.items()]
    notices: tuple[Any, ...] = (state.last_notice_id, waiting) if state.last_notice_id else ()
    newest = [snapshot_of_deals.write_deals(state), notices, snapshot_of_deals.write_requests(state)]
    newest.append(snapshot_of_limits.write_limits(state))
    newest.append((state.opening, state.obstacle) if state.opening else ())
    newest.append(snapshot_of_claims.write_claims(state))
    while newest and not newest[-1]:
        newest.pop()
    is_regulated = bool(state.regime is not None or state.proposed_regime is not None or newest)
    if state.busted or state.bust_proposals or is_regulated:
        proposals = [(number, by, traded) for number, (by, traded) in state.bust_proposals.items()]
        written = (*written, list(state.proposed_terms.items()), list(state.busted), proposals)
        if is_regulated:
            regime = None if state.regime is None else state.regime.values()
            written = (*written, regime, state.day_value, state.total_value, state.proposed_regime, *newest)
    elif state.proposed_terms:
        written = (*written, list(state.proposed_terms.items()))
    return msgspec.msgpack.encode(written)


def read(data: bytes) -> State:
    """Return the state that bytes were written from. Raises ValueError if they are not a snapshot of this version."""
    try:
        version, *parts = msgspec.msgpack.decode(data)
    except (msgspec.DecodeError, TypeError, ValueError) as error:
        raise ValueError(f"not a snapshot: {error}") from error
    if version != VERSION:
        raise ValueError(f"snapshot of version {version!r}, this core reads {VERSION!r}")
    try:
        return _read_state(parts)
    except TypeError as error:
        raise ValueError(f"not a snapshot: {error}") from error


def _read_state(parts: list[Any]) -> State:
    state = State()
    (
        state.now,
        state.sequence,
        state.last_order_id,
        state.last_trade_id,
        state.day,
        state.trading_day,
        state.fees_collected,
        references,
        previous_references,
        members,
        accounts,
        instruments,
        *newer,
    ) = parts
    state.at = state.now
    state.references = dict.fromkeys(references)
    state.previous_references = dict.fromkeys(previous_references)
    for record in members:
        _read_member(state, record)
    for record in accounts:
        _read_account(state, record)
    for record in instruments:
        _read_instrument(state, record)
    _read_newer(state, NewerState(*newer))
    state.orders = dict(sorted(state.orders.items()))
    heapify(state.timetable)
    state.find_next_due()
    return state


def _read_newer(state: State, parts: NewerState) -> None:
    for symbol, (values, by) in parts.proposed_terms:
        terms_given = tuple([tuple(value) if isinstance(value, list) else value for value in values])
        state.proposed_terms[symbol] = (terms_given, by)
    state.busted = dict.fromkeys(parts.busted)
    state.bust_proposals = {number: (by, tuple(traded)) for number, by, traded in parts.bust_proposals}
    state.day_value, state.total_value = parts.day_value, parts.total_value
    state.regime = None if parts.regime is None else Regime(tuple(parts.regime))
    if parts.proposed_regime is not None:
        (*others, buyers), by = parts.proposed_regime
        state.proposed_regime = ((*others, tuple(buyers)), by)
    for instrument in state.instruments.values():
        instrument.regulate(state.regime)
    if parts.deals:
        snapshot_of_deals.read_deals(state, parts.deals)
    if parts.notices:
        _read_notices(state, parts.notices)
    if parts.requests:
        snapshot_of_deals.read_requests(state, parts.requests)
    if parts.limits:
        snapshot_of_limits.read_limits(state, parts.limits)
    if parts.opening:
        state.opening, state.obstacle = parts.opening
    if parts.claims:
        snapshot_of_claims.read_claims(state, parts.claims)


def _read_notices(state: State, notices: Any) -> None:
    state.last_notice_id, waiting = notices
    state.notices = {number: dict.fromkeys(members) for number, members in waiting}


def _write_member(member: Member) -> tuple[Any, ...]:
    limits = [
        (group, p.window_ms, p.max_quantity, p.max_net, p.frozen, list(p.trades))
        for group, p in member.protections.items()
    ]
    return (member.name, member.refusal, limits) if limits else (member.name, member.refusal)


def _read_member(state: State, record: Any) -> None:
    name, refusal, *newer = record
    state.members[name] = member = Member(name)
    member.refuse(refusal)
    for group, window_ms, max_quantity, max_net, frozen, trades in NewerMember(*newer).protections:
        member.protections[group] = protection = Protection(window_ms, max_quantity, max_net)
        protection.frozen = frozen
        for time, bought, sold in trades:
            protection.trades.append((time, bought, sold))
            protection.bought += bought
            protection.sold += sold


def _write_account(account: Account) -> tuple[Any, ...]:
    ids = account.ids.items()
    written: tuple[Any, ...] = (
        account.name,
        account.member.name,
        account.kind,
        account.owner,
        [_write_balance(balance) for balance in account.balances.values()],
        ids,
        list(account.quotes.items()),
    )
    older = [name for name, _ in ids if name in account.older_ids]
    if account.retired:
        return (*written, older, True)
    return (*written, older) if older else written


def _read_account(state: State, record: Any) -> None:
    name, member_name, kind, owner, balances, ids, quotes, *newer = record
    member = state.members[member_name]
    account = Account(name, member, kind, owner)
    member.accounts.append(account)
    state.accounts[name] = account
    for balance in balances:
        _read_balance(account, balance)
    account.ids = ClientIds((client_id, number) for client_id, number in ids)
    account.quotes = dict(quotes)
    parts = NewerAccount(*newer)
    account.older_ids = set(parts.older_ids)
    account.retired = parts.retired
    account.find_refusal()


def _write_balance(balance: Balance) -> tuple[Any, ...]:
    return (
        balance.asset,
        balance.total,
        balance.reserved,
        balance.unwithdrawable,
        list((balance.locks or {}).items()),
    )


def _read_balance(account: Account, record: Any) -> None:
    asset, total, reserved, unwithdrawable, locks = record
    balance = account.balance(asset)
    for until_day, quantity in locks:
        balance.lock(quantity, until_day)
    balance.total = balance.published_total = total
    balance.reserved = balance.published_reserved = reserved
    balance.unwithdrawable = unwithdrawable


def _write_instrument(instrument: Instrument, state: State) -> tuple[Any, ...]:
    pending = [*instrument.buy_stops, *instrument.sell_stops]
    written: tuple[Any, ...] = (
        instrument.symbol,
        instrument.definition.written(),
        instrument.phase,
        instrument.last,
        instrument.indicated,
        instrument.interrupted_until,
        _write_queue(instrument.bids),
        _write_queue(instrument.asks),
        [_write_order(state.orders[number]) for _, number in pending],
    )
    venue = (instrument.retired, instrument.proposed_price, instrument.proposed_by)
    planned = (instrument.planned_at, instrument.held, instrument.delay)
    _, _, delay_ms = instrument.delay
    if instrument.reopening_centre:
        return (*written, *venue, *planned, instrument.reopening_centre, instrument.extensions)
    if instrument.planned_at or instrument.held or delay_ms:
        return (*written, *venue, *planned)
    if instrument.retired or instrument.proposed_price:
        return (*written, *venue)
    return written


def _read_instrument(state: State, record: Any) -> None:
    symbol, definition, phase, last, indicated, interrupted_until, bids, asks, pending, *newer = record
    instrument = state.instruments[symbol] = Instrument(symbol)
    instrument.define(Definition(definition))
    instrument.phase = phase
    instrument.last = last
    price, quantity = indicated
    instrument.indicated = (price, quantity)
    instrument.interrupted_until = interrupted_until
    parts = NewerInstrument(*newer)
    instrument.retired = parts.retired
    instrument.proposed_price, instrument.proposed_by = parts.proposed_price, parts.proposed_by
    instrument.planned_at, instrument.held = parts.planned_at, parts.held
    first_at, last_at, delay_ms = parts.delay
    instrument.delay = (first_at, last_at, delay_ms)
    instrument.reopening_centre, instrument.extensions = parts.reopening_centre, parts.extensions
    if interrupted_until:
        state.timetable.append(Due(interrupted_until, NO_ORDER, symbol))
    for order_record in (*bids, *asks, *pending):
        order = _read_order(state, instrument, order_record)
        state.orders[order.order_id] = order
        special = order.special
        if special is not None and special.expire_at:
            state.timetable.append(Due(special.expire_at, order.order_id, symbol))
        if special is not None and special.pending:
            pending_stops.add(order)
        elif order.side == terms.BUY:
            instrument.bids.add(order)
        else:
            instrument.asks.add(order)


def _write_queue(side: Side) -> list[tuple[Any, ...]]:
    """Return the resting orders of a side, best price first, then oldest first."""
    found = []
    for level in side.levels_best_first():
        order = level.head
        while order is not None:
            found.append(_write_order(order))
            order = order.next
    return found


def _write_order(order: Order) -> tuple[Any, ...]:
    return (
        order.order_id,
        order.account.name,
        order.client_order_id,
        order.side,
        order.price,
        order.quantity,
        order.time_in_force,
        order.session,
        order.reserved,
        order.remaining,
        order.residue,
        None if order.special is None else _write_special(order.special, order.instrument.symbol),
    )


def _read_order(state: State, instrument: Instrument, record: Any) -> Order:
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
        special,
    ) = record
    account = state.accounts[name]
    balance = account.cash if side == terms.BUY else account.balances[instrument.symbol]
    order = Order().reset(number, account, balance, client_order_id, instrument, side, price, quantity, time_in_force)
    order.session = session
    order.reserved = reserved
    order.remaining = remaining
    order.residue = residue
    order.special = None if special is None else _read_special(special, instrument.symbol)
    if order.special is not None and order.special.level:
        account.levels.setdefault(instrument.symbol, {})[slot(order.special.level, side)] = number
    return order


def _write_special(special: Special, symbol: str) -> tuple[Any, ...]:
    written: tuple[Any, ...] = (
        special.market,
        special.display,
        special.shown,
        special.stop_price,
        special.pending,
        special.expire_at,
        special.post_only,
        special.stp,
        special.quote_id,
    )
    if special.level:
        return (*written, special.group, special.level)
    return written if special.group in ("", symbol) else (*written, special.group)


def _read_special(record: Any, symbol: str) -> Special:
    special = Special()
    (
        special.market,
        special.display,
        special.shown,
        special.stop_price,
        special.pending,
        special.expire_at,
        special.post_only,
        special.stp,
        special.quote_id,
        *newer,
    ) = record
    parts = NewerSpecial(*newer)
    special.level = parts.level
    if special.quote_id is not None:
        special.group = symbol if parts.group is None else parts.group
    return special
